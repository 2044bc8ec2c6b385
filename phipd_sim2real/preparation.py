"""What a benchmark or a study needs that does not ship: pictures that are captured, models that are fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import model_validator

from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.run_settings import RunSettings
from phipd_sim2real.settings import Settings, load_settings


class Step(Settings):
    """One folder, and the configuration that makes it."""

    capture: Path | None = None
    """Configuration of `phipd capture`: all its logs."""

    fit: Path | None = None
    """Configuration of `phipd fit`: a model."""

    out: Path
    """The folder; what is complete in it is kept."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.capture is None) == (self.fit is None):
            raise ValueError(f"the step that makes {self.out} needs one configuration, capture or fit")
        return self

    def captures(self) -> dict[Path, CaptureSettings]:
        """Folder of each log that the step captures -> how; empty where it fits a model.

        Raises:
            UsageError: as `settings`.
        """
        settings = self.settings()
        if isinstance(settings, FitSettings):
            return {}
        return {self.out / "logs" / name: capture for name, capture in settings.capture.items()}

    def settings(self) -> RunSettings | FitSettings:
        """Reads the configuration.

        Raises:
            UsageError: there is none, or it is not valid.
        """
        if self.fit is not None:
            return load_settings(FitSettings, self.fit)
        return load_settings(RunSettings, self.capture)


def check_steps(steps: Sequence[Step]) -> None:
    """Refuses steps that cannot work, before any work.

    Raises:
        UsageError: a configuration is absent or not valid.
    """
    for step in steps:
        step.settings()


def fitted_by(steps: Sequence[Step]) -> frozenset[Path]:
    """Folders of the models that the steps make."""
    return frozenset(step.out for step in steps if step.fit is not None)


def prepare(steps: Sequence[Step], progress: ProgressCallback | None = None) -> None:
    """Takes the steps in order; each goes on where it was stopped, and a finished one is left alone.

    Args:
        steps: a later one may read what an earlier one makes.
        progress: called as progress(label, done, total).

    Raises:
        UsageError: a folder holds what was made with other settings.
    """
    from phipd_sim2real.diffusion.fit import fit
    from phipd_sim2real.run import Run

    for step in steps:
        settings = step.settings()
        if isinstance(settings, FitSettings):
            fit(settings, step.out, progress)
        else:
            Run(settings, step.out, progress or (lambda *_: None)).capture_all()
