"""From a configuration to the run or the study that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.run import Run
from phipd_sim2real.run_settings import RunSettings
from phipd_sim2real.settings import load_settings, read_yaml
from phipd_sim2real.study import Study
from phipd_sim2real.study_settings import StudySettings

OF_A_STUDY = "choices"
"""Only a study chooses among its arms."""


def open_run(config: Path, out: Path | None, overrides: Sequence[str], progress: ProgressCallback) -> Run:
    """The run of a configuration; a `Study` where it makes choices.

    Args:
        config: YAML file.
        out: folder of the run; None takes runs/NAME.
        overrides: `section.key=value` strings.
        progress: called as progress(label, done, total).

    Raises:
        UsageError: the configuration is not valid.
    """
    if OF_A_STUDY in read_yaml(config):
        return open_study(config, out, overrides, progress)
    return Run(load_settings(RunSettings, config, overrides), out, progress)


def open_study(config: Path, out: Path | None, overrides: Sequence[str], progress: ProgressCallback) -> Study:
    """The study of a configuration; see `open_run`."""
    return Study(load_settings(StudySettings, config, overrides), out, progress)
