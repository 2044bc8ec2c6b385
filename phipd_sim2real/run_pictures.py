"""The pictures that an arm is trained on: as captured, enhanced, gated, recoloured."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from phipd_sim2real.drivelog import DriveLog

if TYPE_CHECKING:
    from phipd_sim2real.arm_settings import ArmSettings
    from phipd_sim2real.run import Run


def arm_pictures(run: Run, arm: str, draw: int) -> DriveLog:
    """The log that an arm is trained on; what is complete is left alone.

    Args:
        run: what the arm belongs to.
        arm: its name.
        draw: from 0; how much is added to the seeds of noise and colours.
    """
    return _pictures(run, arm, run.settings.arms[arm], draw)


def _pictures(run: Run, arm: str, settings: ArmSettings, draw: int) -> DriveLog:
    """Pictures of an arm after some of its treatments: enhanced, then gated, then recoloured."""
    if settings.recolour is not None:
        return _recoloured(run, arm, settings, draw)
    if settings.gate is not None:
        return _gated(run, arm, settings)
    if settings.enhance is not None:
        return _enhanced(run, arm, settings, draw)
    return run.log(settings.log)


def _recoloured(run: Run, arm: str, settings: ArmSettings, draw: int) -> DriveLog:
    from phipd_sim2real.recolour import RecolourSettings, recolour_log

    source = _pictures(run, arm, settings.model_copy(update={"recolour": None}), draw)
    reference = run.log(run.settings.unlabelled).root
    method = RecolourSettings(method=settings.recolour, reference=reference, seed=draw)
    with run.timings.stage(f"recolour {arm}"):
        return recolour_log(source, _folder(run, settings, draw), method, run.progress)


def _gated(run: Run, arm: str, settings: ArmSettings) -> DriveLog:
    from phipd_sim2real.diffusion.gated import gate_log

    enhanced = _pictures(run, arm, settings.model_copy(update={"gate": None}), 0)
    source, out = run.log(settings.log), _folder(run, settings, 0)
    with run.timings.stage(f"gate {arm}"):
        return gate_log(source, enhanced, out, settings.enhance, settings.gate, run.progress)


def _enhanced(run: Run, arm: str, settings: ArmSettings, draw: int) -> DriveLog:
    from phipd_sim2real.diffusion.batch import enhance_log

    out = _folder(run, settings, draw)
    drawn = settings.enhance.model_copy(update={"seed": settings.enhance.seed + draw})
    with run.timings.stage(f"enhance {arm}"):
        enhance_log(run.log(settings.log), out, drawn, run.progress)
    return DriveLog(out)


def _folder(run: Run, settings: ArmSettings, draw: int) -> Path:
    """Where pictures so treated lie: with the first arm that is trained on them, or beside all arms."""

    def alike(*treatments: str) -> list[str]:
        treated = attrgetter("log", *treatments)
        return [name for name, other in run.settings.arms.items() if treated(other) == treated(settings)]

    stage, shared = "enhanced", alike("enhance", "gate", "recolour")
    if not shared:  # nothing is trained on them: they wait for a gate or for colours
        stage, shared = ("ungated", alike("enhance")) if settings.gate is None else ("gated", alike("enhance", "gate"))
    return run.folder / (f"{stage}-{draw}" if draw else stage) / shared[0]
