"""Planner metrics: per-sample values that carry validity, unit and direction, found by name in `METRICS`.

Trajectories are xy metres in the vehicle frame at t = 0 (rear axle, x forward, y left), 4 Hz, t = 0 excluded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner_eval.rfs import MAX_RATERS, inside_trust_region, rater_feedback_score

Array = NDArray[np.float64]
Better = Literal["higher", "lower"]

WAYPOINTS_3S = 12
WAYPOINTS_5S = 20
MISS_THRESHOLD_M = 2.0
GOOD_RATING = 6.0
"""A rated trajectory with at least this score is one that may be followed."""


@dataclass(frozen=True, eq=False)
class Score:
    """Values of one metric over N samples. A failure is an invalid item with a reason, never a zero.

    Attributes:
        values: (N,) float64, NaN where not valid.
        valid: (N,) bool.
        reasons: (N,) why an item has no value; empty where it has one.
        unit: unit of the values; "share" for values that are 0 or 1.
        better: which direction is better.
    """

    values: Array
    valid: NDArray[np.bool_]
    reasons: tuple[str, ...]
    unit: str
    better: Better

    def __post_init__(self) -> None:
        if not self.values.shape == self.valid.shape == (len(self.reasons),):
            raise ValueError(f"{self.values.shape} values, {self.valid.shape} valid, {len(self.reasons)} reasons.")

    @property
    def mean(self) -> float | None:
        """Mean over valid items; None where there is none."""
        return float(self.values[self.valid].mean()) if self.valid.any() else None


@dataclass(frozen=True, eq=False)
class PlanBatch:
    """Plans beside what happened, for N samples.

    Attributes:
        trajectories: (N, K, 20, 2) metres.
        probabilities: (N, K).
        failures: (N,) why there is no plan; empty where there is one.
        future: (N, 20, 2) metres, the logged future.
        future_valid: (N, 20) bool.
        initial_speed: (N,) m/s.
        rater_trajectories: (N,) tuples of (n, 2) metres.
        rater_scores: (N,) tuples of scores, 0 to 10.
    """

    trajectories: Array
    probabilities: Array
    failures: tuple[str, ...]
    future: Array
    future_valid: NDArray[np.bool_]
    initial_speed: Array
    rater_trajectories: tuple[tuple[Array, ...], ...]
    rater_scores: tuple[tuple[float, ...], ...]

    @property
    def driven(self) -> Array:
        """(N, 20, 2): the most probable proposal."""
        return self.trajectories[np.arange(len(self.failures)), self.probabilities.argmax(axis=1)]

    def __len__(self) -> int:
        return len(self.failures)


@dataclass(frozen=True)
class Metric:
    """One entry of the registry.

    Attributes:
        name: key in `METRICS` and in every result file.
        meaning: one line for tables.
        unit: "m", "share" or "points".
        better: which direction is better.
        item: (batch, index) -> value, or the reason why there is none.
    """

    name: str
    meaning: str
    unit: str
    better: Better
    item: Callable[[PlanBatch, int], float | str]

    def __call__(self, batch: PlanBatch) -> Score:
        """Scores every sample of the batch."""
        items = [failure or self.item(batch, i) for i, failure in enumerate(batch.failures)]
        values = np.array([np.nan if isinstance(item, str) else item for item in items], dtype=np.float64)
        reasons = tuple(item if isinstance(item, str) else "" for item in items)
        return Score(values, ~np.isnan(values), reasons, self.unit, self.better)


def displacement(batch: PlanBatch, index: int, waypoints: int, *, final: bool) -> float | str:
    """Mean (or final) distance to the logged future over the first `waypoints`, metres."""
    if not batch.future_valid[index, :waypoints].all():
        return "missing_future"
    error = np.linalg.norm(batch.driven[index, :waypoints] - batch.future[index, :waypoints], axis=-1)
    return float(error[-1] if final else error.mean())


def displacement_to_top_rater(batch: PlanBatch, index: int, waypoints: int) -> float | str:
    """Mean distance to the best rated trajectory over the first `waypoints`, metres."""
    if not batch.rater_scores[index]:
        return "no_raters"
    top = batch.rater_trajectories[index][int(np.argmax(batch.rater_scores[index]))]
    reference = top[np.minimum(np.arange(waypoints), len(top) - 1)]
    return float(np.linalg.norm(batch.driven[index, :waypoints] - reference, axis=-1).mean())


def missed(batch: PlanBatch, index: int) -> float | str:
    """1 where the plan ends more than 2 m from the logged future at 5 s."""
    error = displacement(batch, index, WAYPOINTS_5S, final=True)
    return error if isinstance(error, str) else float(error > MISS_THRESHOLD_M)


def succeeded(batch: PlanBatch, index: int) -> float | str:
    """1 where the plan is in the trust region (3 s and 5 s) of the log or of a trajectory rated >= 6."""
    rated = zip(batch.rater_trajectories[index][:MAX_RATERS], batch.rater_scores[index], strict=False)
    references = [trajectory for trajectory, score in rated if score >= GOOD_RATING]
    if batch.future_valid[index].all():
        references.append(batch.future[index])
    if not references:
        return "missing_future"
    plan, speed = batch.driven[index], float(batch.initial_speed[index])
    return float(any(inside_trust_region(plan, reference, speed) for reference in references))


def rater_feedback(batch: PlanBatch, index: int) -> float | str:
    """Probability-weighted Rater Feedback Score of the proposals; frames without ratings have none."""
    if not batch.rater_scores[index]:
        return "no_raters"
    scores = [
        rater_feedback_score(
            plan,
            batch.rater_trajectories[index],
            batch.rater_scores[index],
            float(batch.initial_speed[index]),
        )
        for plan in batch.trajectories[index]
    ]
    return float(np.dot(batch.probabilities[index], scores))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("success_rate", "in Waymo's trust region at 3 s and 5 s", "share", "higher", succeeded),
        Metric("ade_3s", "mean distance to the logged future up to 3 s", "m", "lower",
               lambda batch, i: displacement(batch, i, WAYPOINTS_3S, final=False)),
        Metric("ade_5s", "mean distance to the logged future up to 5 s", "m", "lower",
               lambda batch, i: displacement(batch, i, WAYPOINTS_5S, final=False)),
        Metric("fde_3s", "distance to the logged future at 3 s", "m", "lower",
               lambda batch, i: displacement(batch, i, WAYPOINTS_3S, final=True)),
        Metric("fde_5s", "distance to the logged future at 5 s", "m", "lower",
               lambda batch, i: displacement(batch, i, WAYPOINTS_5S, final=True)),
        Metric("miss_rate_5s", "more than 2 m from the logged future at 5 s", "share", "lower", missed),
        Metric("ade_5s_toprater", "mean distance to the best rated trajectory up to 5 s", "m", "lower",
               lambda batch, i: displacement_to_top_rater(batch, i, WAYPOINTS_5S)),
        Metric("rfs", "Rater Feedback Score, 0 to 10", "points", "higher", rater_feedback),
    )
}  # fmt: skip
"""All planner metrics by name, in the order of the tables."""
