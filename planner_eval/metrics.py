"""Planner metrics: per-sample values that carry validity, unit and direction, found by name in `METRICS`.

Trajectories are xy metres in the vehicle frame at t = 0 (rear axle, x forward, y left), 4 Hz, t = 0 excluded.

Other names of the same numbers: the L2 error *at* t seconds (UniAD's convention) is `fde_*s`; the L2 error *up to* t
(VAD's convention) is `ade_*s`; Waymo's `ade_at_three_sec` and `ade_at_five_sec` are `ade_3s_toprater` and
`ade_5s_toprater`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner_eval.collision import collides
from planner_eval.comfort import comfortable
from planner_eval.plan_batch import PlanBatch
from planner_eval.rfs import MAX_RATERS, inside_trust_region, rater_feedback_score

Array = NDArray[np.float64]
Better = Literal["higher", "lower"]

WAYPOINTS_UNTIL = {1: 4, 3: 12, 5: 20}
"""Seconds -> number of waypoints up to then."""
MISS_THRESHOLD_M = 2.0
GOOD_RATING = 6.0
"""A rated trajectory with at least this score is one that may be followed."""
PROPOSALS = (2, 3, 6)
"""Numbers of proposals of which the best is scored."""


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


@dataclass(frozen=True)
class Metric:
    """One entry of the registry.

    Attributes:
        name: key in `METRICS` and in every result file.
        meaning: one line for tables.
        unit: "m", "share" or "points".
        better: which direction is better.
        item: (batch, index) -> value, or the reason why there is none.
        per_cluster: the mean is taken per scenario cluster, then over clusters.
        needs_road_users: it has values only where the source has boxes of other road users.
    """

    name: str
    meaning: str
    unit: str
    better: Better
    item: Callable[[PlanBatch, int], float | str]
    per_cluster: bool = False
    needs_road_users: bool = False

    def __call__(self, batch: PlanBatch) -> Score:
        """Scores every sample of the batch."""
        items = [failure or self.item(batch, i) for i, failure in enumerate(batch.failures)]
        values = np.array([np.nan if isinstance(item, str) else item for item in items], dtype=np.float64)
        reasons = tuple(item if isinstance(item, str) else "" for item in items)
        return Score(values, ~np.isnan(values), reasons, self.unit, self.better)


def mean_displacement(batch: PlanBatch, index: int, seconds: int) -> float | str:
    """Mean distance to the logged future up to `seconds`, metres."""
    error = _displacements(batch, index, batch.driven[index], seconds)
    return error if isinstance(error, str) else float(error.mean())


def final_displacement(batch: PlanBatch, index: int, seconds: int) -> float | str:
    """Distance to the logged future at `seconds`, metres."""
    error = _displacements(batch, index, batch.driven[index], seconds)
    return error if isinstance(error, str) else float(error[-1])


def best_displacement(batch: PlanBatch, index: int, proposals: int) -> float | str:
    """Least mean distance to the logged future up to 5 s among the most probable `proposals`, metres."""
    if batch.probabilities.shape[1] < proposals:
        return "fewer_proposals"
    likely = np.argsort(-batch.probabilities[index], kind="stable")[:proposals]
    error = _displacements(batch, index, batch.trajectories[index, likely], 5)
    return error if isinstance(error, str) else float(error.mean(axis=-1).min())


def displacement_to_top_rater(batch: PlanBatch, index: int, seconds: int) -> float | str:
    """Mean distance to the best rated trajectory up to `seconds`, metres."""
    if not batch.rater_scores[index]:
        return "no_raters"
    top = batch.rater_trajectories[index][int(np.argmax(batch.rater_scores[index]))]
    reference = top[np.minimum(np.arange(WAYPOINTS_UNTIL[seconds]), len(top) - 1)]
    return float(np.linalg.norm(batch.driven[index, : WAYPOINTS_UNTIL[seconds]] - reference, axis=-1).mean())


def missed(batch: PlanBatch, index: int) -> float | str:
    """1 where the plan ends more than 2 m from the logged future at 5 s."""
    error = final_displacement(batch, index, 5)
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


def collided(batch: PlanBatch, index: int) -> float | str:
    """1 where the ego's box overlaps a logged road user's along the plan; no value where it does along the log."""
    road_users = batch.road_users[index]
    if road_users is None:
        return "no_boxes"
    if not batch.future_valid[index].all():
        return "missing_future"
    if collides(batch.future[index], road_users, batch.ego):
        return "log_overlaps"
    return float(collides(batch.driven[index], road_users, batch.ego))


def succeeded_without_collision(batch: PlanBatch, index: int) -> float | str:
    """1 where the plan succeeds and touches nobody."""
    success, collision = succeeded(batch, index), collided(batch, index)
    if isinstance(success, str) or isinstance(collision, str):
        return success if isinstance(success, str) else collision
    return float(success and not collision)


def comforted(batch: PlanBatch, index: int) -> float:
    """1 where the plan stays within nuPlan's limits of comfort."""
    return float(comfortable(batch.past[index], batch.driven[index]))


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


def _displacements(batch: PlanBatch, index: int, trajectories: Array, seconds: int) -> Array | str:
    """(..., T) distances of (..., 20, 2) trajectories to the logged future up to `seconds`, metres."""
    count = WAYPOINTS_UNTIL[seconds]
    if not batch.future_valid[index, :count].all():
        return "missing_future"
    return np.linalg.norm(trajectories[..., :count, :] - batch.future[index, :count], axis=-1)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("success_rate", "in Waymo's trust region at 3 s and 5 s", "share", "higher", succeeded),
        Metric("success_rate_no_collision", "in the trust region, and touching no logged road user", "share", "higher",
               succeeded_without_collision, needs_road_users=True),
        *(Metric(f"ade_{t}s", f"mean distance to the logged future up to {t} s", "m", "lower",
                 partial(mean_displacement, seconds=t)) for t in WAYPOINTS_UNTIL),
        *(Metric(f"fde_{t}s", f"distance to the logged future at {t} s", "m", "lower",
                 partial(final_displacement, seconds=t)) for t in WAYPOINTS_UNTIL),
        Metric("miss_rate_5s", "more than 2 m from the logged future at 5 s", "share", "lower", missed),
        Metric("collision_rate", "touches a logged road user", "share", "lower", collided, needs_road_users=True),
        Metric("comfort_rate", "within nuPlan's limits of acceleration, jerk and yaw rate", "share", "higher",
               comforted),
        *(Metric(f"min_ade_5s_k{k}", f"mean distance to the logged future up to 5 s, best of the {k} likeliest", "m",
                 "lower", partial(best_displacement, proposals=k)) for k in PROPOSALS),
        *(Metric(f"ade_{t}s_toprater", f"mean distance to the best rated trajectory up to {t} s", "m", "lower",
                 partial(displacement_to_top_rater, seconds=t)) for t in (3, 5)),
        Metric("rfs", "Rater Feedback Score, 0 to 10, mean of the means of scenario clusters", "points", "higher",
               rater_feedback, per_cluster=True),
    )
}  # fmt: skip
"""All planner metrics by name, in the order of the tables."""
