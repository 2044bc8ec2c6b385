"""The evaluation of a run: its planners and the floors on its evaluation data, from the log and from records."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.evaluation_frames import (
    EvaluationFrames,
    IndexedRecords,
    LogFrames,
    PerceptionFrames,
    WrittenRecords,
)
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.settings import settings_hash

if TYPE_CHECKING:
    from phipd_sim2real.run import Run
    from phipd_sim2real.run_settings import EvaluationData
    from phipd_sim2real.waymo import PlannerSample, SampleKey
    from planner_eval.evaluate import Arm
    from planner_eval.result import EvaluationResult
    from planner_eval.samples import SampleFailure

INPUTS = "inputs.json"
"""Marks a finished evaluation: hashes of what was scored, and how."""

AGREE_WITHIN = 1e-3
"""Largest difference allowed between a score from the log and from its records (their states are float32)."""


class RunEvaluation:
    """Scores of a run; what is scored already is read."""

    def __init__(
        self, run: Run, data: EvaluationData, folder: Path, seeds_of: Callable[[str], tuple[int, ...]]
    ) -> None:
        """Takes the run, the frames to score on, the folder of the scores, and which seeds of an arm take part."""
        self._run, self._data, self._folder, self._seeds_of = run, data, folder, seeds_of
        self._cameras = run.settings.train.planner.cameras

    def results(self) -> list[EvaluationResult]:
        """What the report speaks of first: the scores from the log where there is one, then from records.

        Raises:
            UsageError: the folder holds scores of other planners or settings.
            StageError: log and records disagree, or too many frames failed.
        """
        arms = self._arms()
        if self._data.log is None:
            return [self._scored(self._data.kind, arms)]
        if not self._data.check_records:
            return [self._scored("log", arms)]
        from_log, from_records = self._scored("log", arms), self._scored("records", arms)
        _require_agreement(from_log, from_records)
        return [from_log, from_records]

    def score_hashes(self) -> dict[str, str]:
        """SHA-256 of every file of scores."""
        return {path.parent.name: sha256_file(path) for path in sorted(self._folder.glob("*/scores.json"))}

    def log(self) -> DriveLog | None:
        """The evaluation log; None where data from elsewhere are scored."""
        return None if self._data.log is None else self._run.log(self._data.log)

    def frames(self, keys: Collection[SampleKey]) -> Iterable[PlannerSample | SampleFailure]:
        """The frames of some keys with their pictures, for drawing."""
        return self._frames(self._data.kind).chosen(keys)

    def _frames(self, kind: str) -> EvaluationFrames:
        if kind == "perception":
            share = self._run.settings.evaluate.max_failed_share
            return PerceptionFrames(self._data.perception, self._cameras, self._data.stride, share)
        if self._data.log is None:
            return IndexedRecords(self._data.records, self._run.records_index, self._cameras, self._data.rated_only)
        frames = LogFrames(self._data.log, self.log(), self._cameras)
        return frames if kind == "log" else WrittenRecords(self._written(frames), self._cameras)

    def _written(self, frames: LogFrames) -> Path:
        """The evaluation log, written as WOD-E2E records."""
        from phipd_sim2real.waymo import PlannerSample, drivelog_jpegs, write_e2e

        path = self._run.folder / "records" / frames.identity()[:12] / f"{self._data.log}.tfrecord"
        if not path.exists():
            with self._run.timings.stage("write records"):
                samples = (frame for frame in frames.samples() if isinstance(frame, PlannerSample))
                write_e2e(path, samples, drivelog_jpegs(self.log()))
        return path

    def _scored(self, kind: str, arms: list[Arm]) -> EvaluationResult:
        from planner_eval.evaluate import evaluate
        from planner_eval.result import EvaluationResult

        folder, inputs = self._folder / kind, self.inputs()
        if (folder / INPUTS).is_file():
            if json.loads((folder / INPUTS).read_text()) != inputs:
                raise UsageError(
                    f"{folder} holds scores of other planners or settings; remove it or give another --out."
                )
            return EvaluationResult.load(folder)
        frames, settings = self._frames(kind), self._run.settings.evaluate
        with self._run.timings.stage(f"{self._folder.name} from {kind}"):
            result = evaluate(arms, frames.samples(), settings, frames.dataset, frames.count(), self._run.progress)
        result.save(folder)
        write_json(folder / INPUTS, inputs)
        return result

    def inputs(self) -> dict[str, str]:
        """Hashes of planners, settings and data: equal inputs, equal scores."""
        settings = self._run.settings
        trainings = [(arm, seed) for arm in settings.arms for seed in self._seeds_of(arm)]
        return {
            "evaluate": settings_hash(settings.evaluate),
            "data": self._frames(self._data.kind).identity(),
            **{f"{arm}, seed {seed}": self._run.weights_sha256(arm, seed) for arm, seed in trainings},
        }

    def trained_arms(self, names: Collection[str]) -> list[Arm]:
        """Some of the run's arms with their planners, in the order of the settings."""
        from planner_eval.evaluate import Arm
        from planner_eval.planner import CameraPlanner

        settings, trained = self._run.settings, []
        for name, arm in settings.arms.items():
            if name in names:
                seeds = self._seeds_of(name)
                planners = tuple(CameraPlanner.from_pretrained(self._run.train(name, seed)) for seed in seeds)
                trained.append(Arm(name, arm.description, planners, seeds))
        return trained

    def floors(self) -> list[Arm]:
        """The planners that are not trained and see no picture."""
        from planner_eval.baselines import BASELINES
        from planner_eval.evaluate import Arm

        return [Arm(name, "floor: sees no picture", (planner(),)) for name, planner in BASELINES.items()]

    def _arms(self) -> list[Arm]:
        return self.floors() + self.trained_arms(self._run.settings.arms)


def _require_agreement(from_log: EvaluationResult, from_records: EvaluationResult) -> None:
    """The records must give the log's scores: nothing was lost on the way into Waymo's format and back."""
    from planner_eval.metrics import METRICS

    for log_arm, records_arm in zip(from_log.arms, from_records.arms, strict=True):
        for metric, score in log_arm.scores.items():
            if METRICS[metric].needs_road_users:  # records carry no boxes
                continue
            other = records_arm.scores[metric]
            same_frames = (score.valid, score.segments) == (other.valid, other.segments)
            if not same_frames or (score.valid and abs(score.mean - other.mean) > AGREE_WITHIN):
                raise StageError(
                    f"{metric} of {log_arm.name} is {score.mean} over {score.valid} frames from the log and "
                    f"{other.mean} over {other.valid} from its records; they must agree to {AGREE_WITHIN}. "
                    "Remove the run's records and evaluation folders and run again."
                )
