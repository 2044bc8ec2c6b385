"""Waymo's Rater Feedback Score and the trust region it is built on.

Trajectories are xy in the vehicle frame at t = 0 (rear axle, x forward, y left), metres, 4 Hz, first waypoint
at 0.25 s. The definition is restated from the WOD-E2E challenge's published description.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WAYPOINTS = 20
"""Waypoints of a plan: 4 Hz over (0, 5 s]."""

SCORED_WAYPOINTS = (11, 19)
"""Indices of the two scored times, 3 s and 5 s."""

LATERAL_TOLERANCE_M = np.array([1.0, 1.8])
"""Half width of the trust region across the reference at 3 s and 5 s, at full speed scale."""

LONGITUDINAL_FACTOR = 4.0
"""The trust region is this many times longer than wide."""

FLOOR_OUTSIDE = 4.0
"""The least score of a plan that is inside no trust region."""

MAX_RATERS = 3


def speed_scale(initial_speed: float) -> float:
    """Scale of the trust region, 0.5 below 1.4 m/s rising linearly to 1 at 11 m/s."""
    return float(np.clip(0.5 + 0.5 * (initial_speed - 1.4) / 9.6, 0.5, 1.0))


def trust_region_distance(prediction: Array, reference: Array, initial_speed: float) -> Array:
    """How far a plan is from a reference, in units of the trust region's half sizes.

    Args:
        prediction: (20, 2) metres.
        reference: (n, 2) metres, n >= 1; cut to 20 points or padded by repeating the last.
        initial_speed: m/s at t = 0.

    Returns:
        (2,) at 3 s and 5 s: max of the lateral and longitudinal error over their tolerances; <= 1 is inside.
    """
    reference = _resized(reference)
    forward = _directions(reference)[list(SCORED_WAYPOINTS)]
    error = (prediction - reference)[list(SCORED_WAYPOINTS)]
    longitudinal = np.abs((error * forward).sum(axis=-1))
    lateral = np.abs(error[:, 0] * forward[:, 1] - error[:, 1] * forward[:, 0])
    tolerance = speed_scale(initial_speed) * LATERAL_TOLERANCE_M
    return np.maximum(longitudinal / (LONGITUDINAL_FACTOR * tolerance), lateral / tolerance)


def inside_trust_region(prediction: Array, reference: Array, initial_speed: float) -> bool:
    """Whether a plan stays inside the trust region of a reference at both 3 s and 5 s."""
    return bool((trust_region_distance(prediction, reference, initial_speed) <= 1.0).all())


def rater_feedback_score(
    prediction: Array,
    rater_trajectories: Sequence[Array],
    rater_scores: Sequence[float],
    initial_speed: float,
) -> float:
    """Rater Feedback Score of one plan, 0 to 10, higher is better.

    Args:
        prediction: (20, 2) metres.
        rater_trajectories: each (n, 2) metres; the first three are used.
        rater_scores: their scores, 0 to 10; a frame with an unlabelled (negative) score has no RFS.
        initial_speed: m/s at t = 0.

    Raises:
        ValueError: a plan of another shape, no raters, unlabelled scores, or unequal numbers of both.
    """
    prediction = np.asarray(prediction, dtype=np.float64)
    _check(prediction, rater_trajectories, rater_scores)
    distance = np.stack(
        [
            trust_region_distance(prediction, np.asarray(reference, dtype=np.float64), initial_speed)
            for reference in rater_trajectories[:MAX_RATERS]
        ]
    )
    scores = np.asarray(rater_scores[:MAX_RATERS], dtype=np.float64)[:, None]
    value = float((scores * 0.1 ** np.maximum(distance - 1.0, 0.0)).max(axis=0).mean())
    inside = bool((distance <= 1.0).all(axis=1).any())
    return value if inside else max(FLOOR_OUTSIDE, value)


def _resized(reference: Array) -> Array:
    """Cuts to 20 points, or repeats the last one, as the challenge does."""
    missing = max(0, WAYPOINTS - len(reference))
    return np.concatenate([reference[:WAYPOINTS], np.repeat(reference[-1:], missing, axis=0)])


def _directions(reference: Array) -> Array:
    """Unit direction of travel at each point; a standing point keeps the last direction, at first (1, 0)."""
    steps = np.diff(reference, axis=0, prepend=np.zeros((1, 2)))
    length = np.linalg.norm(steps, axis=1)
    last_moving = np.maximum.accumulate(np.where(length > 0, np.arange(len(steps)), -1))
    unit = steps / np.where(length > 0, length, 1.0)[:, None]
    return np.where(last_moving[:, None] >= 0, unit[last_moving], np.array([1.0, 0.0]))


def _check(prediction: Array, trajectories: Sequence[Array], scores: Sequence[float]) -> None:
    if prediction.shape != (WAYPOINTS, 2):
        raise ValueError(f"The prediction has shape {prediction.shape}; it must be (20, 2), metres at 4 Hz.")
    if not trajectories or len(trajectories) != len(scores):
        raise ValueError(f"{len(trajectories)} rater trajectories with {len(scores)} scores; give one score for each.")
    if min(scores) < 0:
        raise ValueError(f"Rater scores {list(scores)} hold an unlabelled one (negative); leave such frames out.")
