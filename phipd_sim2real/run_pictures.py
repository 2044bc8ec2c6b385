"""The pictures that an arm is trained on: as captured, enhanced, gated, recoloured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phipd_sim2real.drivelog import DriveLog

if TYPE_CHECKING:
    from phipd_sim2real.arm_settings import ArmSettings
    from phipd_sim2real.run import Run


def arm_pictures(run: Run, arm: str) -> DriveLog:
    """The log that an arm is trained on; what is complete is left alone."""
    return _pictures(run, arm, run.settings.arms[arm])


def _pictures(run: Run, arm: str, settings: ArmSettings) -> DriveLog:
    """Pictures of an arm after some of its treatments: enhanced, then gated, then recoloured."""
    if settings.recolour is not None:
        return _recoloured(run, arm, settings)
    if settings.gate is not None:
        return _gated(run, arm, settings)
    if settings.enhance is not None:
        return _enhanced(run, arm, settings)
    return run.log(settings.log)


def _recoloured(run: Run, arm: str, settings: ArmSettings) -> DriveLog:
    from phipd_sim2real.recolour import RecolourSettings, recolour_log

    source = _pictures(run, arm, settings.model_copy(update={"recolour": None}))
    method = RecolourSettings(method=settings.recolour, reference=run.log(run.settings.unlabelled).root)
    with run.timings.stage(f"recolour {arm}"):
        return recolour_log(source, _folder(run, arm, settings), method, run.progress)


def _gated(run: Run, arm: str, settings: ArmSettings) -> DriveLog:
    from phipd_sim2real.diffusion.gated import gate_log

    enhanced = _pictures(run, arm, settings.model_copy(update={"gate": None}))
    source, out = run.log(settings.log), _folder(run, arm, settings)
    with run.timings.stage(f"gate {arm}"):
        return gate_log(source, enhanced, out, settings.enhance, settings.gate, run.progress)


def _enhanced(run: Run, arm: str, settings: ArmSettings) -> DriveLog:
    from phipd_sim2real.diffusion.batch import enhance_log

    out = _folder(run, arm, settings)
    with run.timings.stage(f"enhance {arm}"):
        enhance_log(run.log(settings.log), out, settings.enhance, run.progress)
    return DriveLog(out)


def _folder(run: Run, arm: str, settings: ArmSettings) -> Path:
    """Where pictures so treated lie: with the first arm that is trained on them, or beside all arms."""

    def made(settings: ArmSettings) -> tuple[object, ...]:
        return settings.log, settings.enhance, settings.gate, settings.recolour

    alike = [name for name, other in run.settings.arms.items() if made(other) == made(settings)]
    if alike:
        return run.folder / "enhanced" / alike[0]
    return run.folder / ("ungated" if settings.gate is None else "gated") / arm
