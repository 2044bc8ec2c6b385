"""The pictures that an arm is trained on: as captured, enhanced, gated or recoloured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phipd_sim2real.drivelog import DriveLog

if TYPE_CHECKING:
    from phipd_sim2real.arm_settings import ArmSettings
    from phipd_sim2real.run import Run


def arm_pictures(run: Run, arm: str) -> DriveLog:
    """The log that an arm is trained on; what is complete is left alone."""
    settings = run.settings.arms[arm]
    source, out = run.log(settings.log), run.folder / "enhanced" / _first_alike(run, arm)
    if settings.recolour is not None:
        return _recoloured(run, settings, source, out)
    if settings.enhance is None:
        return source
    if settings.gate is None:
        return _enhanced(run, arm, source, out)
    from phipd_sim2real.diffusion.gated import gate_log

    enhanced = _enhanced(run, arm, source, _ungated(run, arm))
    with run.timings.stage(f"gate {arm}"):
        return gate_log(source, enhanced, out, settings.enhance, settings.gate, run.progress)


def _first_alike(run: Run, arm: str) -> str:
    """The first arm whose pictures are made like this one's; they share a folder."""

    def made(settings: ArmSettings) -> tuple[object, ...]:
        return settings.log, settings.enhance, settings.gate, settings.recolour

    arms = run.settings.arms
    return next(name for name, settings in arms.items() if made(settings) == made(arms[arm]))


def _ungated(run: Run, arm: str) -> Path:
    """Folder of the pictures before the gate: those of another arm, where it enhances the same log equally."""
    settings = run.settings.arms[arm]
    for name, other in run.settings.arms.items():
        if (other.log, other.enhance, other.gate) == (settings.log, settings.enhance, None):
            return run.folder / "enhanced" / name
    return run.folder / "ungated" / arm


def _enhanced(run: Run, arm: str, source: DriveLog, out: Path) -> DriveLog:
    from phipd_sim2real.diffusion.batch import enhance_log

    with run.timings.stage(f"enhance {arm}"):
        enhance_log(source, out, run.settings.arms[arm].enhance, run.progress)
    return DriveLog(out)


def _recoloured(run: Run, settings: ArmSettings, source: DriveLog, out: Path) -> DriveLog:
    from phipd_sim2real.recolour import RecolourSettings, recolour_log

    reference = run.log(run.settings.unlabelled).root
    with run.timings.stage(f"recolour {settings.recolour}"):
        return recolour_log(source, out, RecolourSettings(method=settings.recolour, reference=reference), run.progress)
