"""The result of an evaluation, in memory and on disk: per-frame truth, plans and values, and intervals."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json
from phipd_sim2real.waymo import SampleKey
from planner_eval.bootstrap import Interval, read_intervals
from planner_eval.buckets import BucketScores, in_order
from planner_eval.config import BucketSettings
from planner_eval.metrics import METRICS
from planner_eval.result_tables import plans_table, read_plans, read_truth, samples_table, write_table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
SCORES, SAMPLES, PLANS = "scores.json", "samples.parquet", "plans.parquet"


@dataclass(frozen=True, eq=False)
class Truth:
    """What happened, for N frames in the order of the log.

    Attributes:
        keys: (N,) where they come from.
        failures: (N,) why a frame is no sample; empty where it is one.
        past: (N, 16, 6) m, m/s, m/s², vehicle frame at t = 0, 4 Hz; NaN for a failure.
        intent: (N,) 0 unknown, 1 straight, 2 left, 3 right.
        future: (N, 20, 2) metres; NaN where not valid.
        future_valid: (N, 20) bool.
        clusters: (N,) scenario clusters; empty where unknown.
        times_of_day: (N,) such as "Day"; empty where unknown.
    """

    keys: tuple[SampleKey, ...]
    failures: tuple[str, ...]
    past: Array
    intent: NDArray[np.int64]
    future: Array
    future_valid: NDArray[np.bool_]
    clusters: tuple[str, ...]
    times_of_day: tuple[str, ...]

    @property
    def segments(self) -> tuple[str, ...]:
        """(N,) resampling unit of each frame."""
        return tuple(f"{key.log}/{key.segment}" for key in self.keys)

    @property
    def initial_speed(self) -> Array:
        """(N,) m/s at t = 0."""
        return np.linalg.norm(self.past[:, -1, 2:4], axis=-1)


@dataclass(frozen=True, eq=False)
class ArmResult:
    """One arm on all frames.

    Attributes:
        name: of the arm.
        description: one line for tables.
        seeds: training seed of each of its R planners; a baseline has none and R = 1.
        plans: (R, N, 20, 2) metres, the most probable proposal; NaN where there is no plan.
        values: metric -> (R, N), NaN where not valid.
        reasons: metric -> reason -> number of values that are missing for it.
        scores: metric -> mean with its interval.
        differences: metric -> paired difference to the baseline arm; empty for that arm itself.
        buckets: axis -> bucket -> the same for a part of the frames.
    """

    name: str
    description: str
    seeds: tuple[int, ...]
    plans: Array
    values: dict[str, Array]
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    scores: dict[str, Interval] = field(default_factory=dict)
    differences: dict[str, Interval] = field(default_factory=dict)
    buckets: dict[str, dict[str, BucketScores]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """All arms on one set of samples.

    Attributes:
        dataset: what the samples are, for tables.
        baseline: name of the arm that differences are taken from.
        settings: of the evaluation, as written to disk.
        truth: the frames.
        arms: in the order of the tables.
    """

    dataset: str
    baseline: str
    settings: dict[str, Any]
    truth: Truth
    arms: tuple[ArmResult, ...]

    def arm(self, name: str) -> ArmResult:
        """The arm of that name.

        Raises:
            UsageError: there is none.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UsageError(f"There is no arm {name!r}; the evaluation has {', '.join(a.name for a in self.arms)}.")

    def metrics(self) -> tuple[str, ...]:
        """Metrics that have a value for any frame: rater metrics only where raters exist."""
        return tuple(name for name in METRICS if any(arm.scores[name].valid for arm in self.arms))

    def summary(self) -> dict[str, Any]:
        """Everything but the per-sample arrays, as JSON values: the same result gives the same bytes."""
        return {
            "dataset": self.dataset,
            "baseline": self.baseline,
            "settings": self.settings,
            "frames": len(self.truth.keys),
            "segments": len(set(self.truth.segments)),
            "failures": {
                reason: self.truth.failures.count(reason) for reason in sorted(set(self.truth.failures) - {""})
            },
            "metrics": {name: {"unit": METRICS[name].unit, "better": METRICS[name].better} for name in self.metrics()},
            "arms": [_arm_summary(arm) for arm in self.arms],
        }

    def save(self, folder: Path) -> None:
        """Writes `samples.parquet`, `plans.parquet` and, last, `scores.json`."""
        write_table(folder / SAMPLES, samples_table(self.truth))
        write_table(folder / PLANS, plans_table(self.truth.keys, self.arms))
        write_json(folder / SCORES, self.summary(), sort_keys=False)

    @classmethod
    def load(cls, folder: Path) -> EvaluationResult:
        """Reads what `save` wrote.

        Raises:
            UsageError: the folder holds no finished evaluation.
        """
        if not (folder / SCORES).is_file():
            raise UsageError(f"{folder} holds no finished evaluation ({SCORES} is absent); run phipd evaluate.")
        import pandas as pd

        summary = json.loads((folder / SCORES).read_text())
        truth = read_truth(pd.read_parquet(folder / SAMPLES))
        plans = pd.read_parquet(folder / PLANS)
        settings = BucketSettings.model_validate(summary["settings"]["buckets"])
        arms = tuple(
            _read_arm(arm, plans[plans["arm"] == arm["name"]], len(truth.keys), settings) for arm in summary["arms"]
        )
        return cls(summary["dataset"], summary["baseline"], summary["settings"], truth, arms)


def _arm_summary(arm: ArmResult) -> dict[str, Any]:
    return {
        "name": arm.name,
        "description": arm.description,
        "seeds": list(arm.seeds),
        "reasons": arm.reasons,
        "scores": {metric: asdict(interval) for metric, interval in arm.scores.items()},
        "differences": {metric: asdict(interval) for metric, interval in arm.differences.items()},
        "buckets": {
            axis: {name: asdict(scores) for name, scores in buckets.items()} for axis, buckets in arm.buckets.items()
        },
    }


def _read_arm(summary: dict[str, Any], table: pd.DataFrame, count: int, settings: BucketSettings) -> ArmResult:
    plans, values = read_plans(table, count)
    return ArmResult(
        name=summary["name"],
        description=summary["description"],
        seeds=tuple(summary["seeds"]),
        plans=plans,
        values=values,
        reasons=summary["reasons"],
        **vars(_read_scores(summary)),
        buckets={
            axis: {name: _read_scores(scores) for name, scores in buckets.items()}
            for axis, buckets in in_order(summary["buckets"], settings).items()
        },
    )


def _read_scores(summary: dict[str, Any]) -> BucketScores:
    return BucketScores(read_intervals(summary["scores"]), read_intervals(summary["differences"]))
