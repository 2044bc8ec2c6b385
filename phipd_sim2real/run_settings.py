"""What one run of the whole pipeline is made of: logs, arms, training, evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from phipd_sim2real.arm_settings import ArmSettings
from phipd_sim2real.capture.rig import unset
from phipd_sim2real.capture.settings import EMBEDDED, CaptureSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.settings import Settings, load_settings
from planner_eval.baselines import BASELINES
from planner_eval.config import EvaluateSettings, TrainSettings
from planner_eval.submission import SubmissionSettings


class EvaluationData(Settings):
    """What the planners are evaluated on: exactly one of the first three."""

    log: str | None = None
    """Name of a log in `capture` or `logs`; with `check_records` it is also scored from WOD-E2E records of its own."""

    records: str | None = None
    """Glob of WOD-E2E TFRecords, such as /data/waymo/val*."""

    perception: str | None = None
    """Waymo Perception in place: a glob of version 1's TFRecords, or the folder of a split of version 2."""

    stride: int = Field(default=5, ge=1)
    """Every how many frames of Perception, which has ten a second, is scored."""

    rated_only: bool = False
    """Score only records that a rater scored, one a drive in the validation split: what the challenge's scores are
    taken over."""

    clusters: Path | None = None
    """JSON file of the records' scenario clusters; None takes the one beside them, where there is one."""

    check_records: bool = True
    """Score a log from its records too, which takes twice the time, and require that both agree."""

    @property
    def kind(self) -> str:
        """The one that is given."""
        return next(name for name in ("log", "records", "perception") if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        if sum(value is not None for value in (self.log, self.records, self.perception)) != 1:
            raise ValueError(
                "give one of log (a name), records (a glob of TFRecords) and perception (a glob or folder), no more "
                "and no less"
            )
        return self


class SubmissionData(Settings):
    """Which planner plans for which frames of the challenge."""

    records: str
    """Glob of the test split, such as /data/waymo/test*."""

    frames: Path
    """The list that accompanies it: `test_sequence_frames_for_submission.json`."""

    arm: str
    """Arm of the planner."""

    seed: int = 0
    """Its training seed."""

    details: SubmissionSettings
    """Account, method and model, as the challenge asks for them."""


class RunSettings(Settings):
    """A whole run, from capture to report."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    """Of the run; its folder is runs/NAME unless --out gives another."""

    capture: dict[str, CaptureSettings] = Field(default_factory=dict)
    """Logs to capture, by name."""

    logs: dict[str, Path] = Field(default_factory=dict)
    """Logs that exist already, by name: folders in the Waymo v2 layout."""

    arms: dict[str, ArmSettings] = Field(default_factory=dict)
    """Training conditions, by name. They differ in their pictures only. A run without arms only captures."""

    unlabelled: str | None = None
    """Name of a log of target pictures whose labels nobody looks at; colour transfer takes its colours from them."""

    train: TrainSettings = TrainSettings()
    """Planner and recipe, the same for every arm."""

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)
    """Training seeds of every arm, each once."""

    planners_at_once: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=unset)
    """How many planners are trained at once, each in a process of its own, at most as many as there are cores for. None
    takes that many, and on a GPU one; it has room for several small ones, which mostly wait for the processor."""

    evaluation: EvaluationData | None = None
    """What the planners are evaluated on; needed where there are arms."""

    evaluate: EvaluateSettings = EvaluateSettings()
    """How arms are compared."""

    submission: SubmissionData | None = Field(default=None, exclude_if=unset)
    """What `phipd evaluate --submission FILE` writes."""

    treated: str | None = None
    """Arm that the report's headline sets against the baseline; None takes the first enhanced one."""

    def require_arms(self) -> None:
        """Refuses to train or score a run that only captures.

        Raises:
            UsageError: the run has no arms.
        """
        if not self.arms:
            raise UsageError(f"The run {self.name!r} has no arms to train or score; add some, or use `phipd capture`.")

    def treated_arm(self) -> str:
        """Name of the arm of the headline.

        Raises:
            UsageError: the run has no such arm.
        """
        enhanced = [name for name, arm in self.arms.items() if arm.enhance is not None]
        if self.treated is None and not enhanced:
            raise UsageError("No arm is enhanced; a report needs one to set against the baseline (arms.NAME.enhance).")
        return self.treated or enhanced[0]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = ", ".join([*self.capture, *self.logs]) or "none"
        for name, arm in self.arms.items():
            if arm.log not in known.split(", "):
                raise ValueError(f"arms.{name}.log is {arm.log!r}; the logs of this run are {known}")
        if reserved := set(self.arms) & set(BASELINES):
            raise ValueError(
                f"arms.{min(reserved)} has the name of a baseline, which is always scored; name it otherwise"
            )
        recoloured = [name for name, arm in self.arms.items() if arm.recolour is not None]
        if (recoloured or self.unlabelled is not None) and self.unlabelled not in known.split(", "):
            raise ValueError(f"unlabelled is {self.unlabelled!r}, for {recoloured}; the logs of this run are {known}")
        arms = ", ".join(self.arms)
        if self.arms and self.evaluate.baseline not in self.arms:
            raise ValueError(f"evaluate.baseline is {self.evaluate.baseline!r}; the arms are {arms}")
        if self.treated is not None and (self.treated not in self.arms or self.treated == self.evaluate.baseline):
            raise ValueError(f"treated is {self.treated!r}; the arms are {arms}, and the baseline is none to compare")
        asked = self.submission
        if asked is not None and (asked.arm not in self.arms or asked.seed not in self.seeds):
            raise ValueError(
                f"submission is of {asked.arm!r}, seed {asked.seed}; the arms are {arms}, the seeds {list(self.seeds)}"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {list(self.seeds)}; each may stand there once")
        return self

    @model_validator(mode="after")
    def _serves_one_capture_each(self) -> Self:
        servers = [capture.endpoint for capture in self.capture.values() if capture.endpoint != EMBEDDED]
        if len(set(servers)) < len(servers):
            raise ValueError(f"captures run side by side and {servers} serve several; give each a server of its own")
        return self

    @model_validator(mode="after")
    def _evaluates_on_other_data(self) -> Self:
        if not self.arms:
            return self
        if self.evaluation is None:
            raise ValueError("evaluation is absent; say with evaluation.log or evaluation.records what to score on")
        trained_on = {arm.log for arm in self.arms.values()} | ({self.unlabelled} - {None})
        if self.evaluation.log in trained_on:
            raise ValueError(f"evaluation.log is {self.evaluation.log!r}, on which an arm is trained; give another log")
        if self.evaluation.log is not None and self.evaluation.log not in [*self.capture, *self.logs]:
            raise ValueError(f"evaluation.log is {self.evaluation.log!r}, which is none of the logs of this run")
        return self


def load_run_settings(config: Path, overrides: Sequence[str] = ()) -> RunSettings:
    """Reads a run's configuration.

    Raises:
        UsageError: as `load_settings`.
    """
    return load_settings(RunSettings, config, overrides)
