"""Plans beside what happened: what every metric is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner_eval.collision import EgoSize

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlanBatch:
    """Plans beside what happened, for N samples.

    Attributes:
        trajectories: (N, K, 20, 2) metres.
        probabilities: (N, K).
        failures: (N,) why there is no plan; empty where there is one.
        past: (N, 16, 6) m, m/s, m/s².
        future: (N, 20, 2) metres, the logged future.
        future_valid: (N, 20) bool.
        rater_trajectories: (N,) tuples of (n, 2) metres.
        rater_scores: (N,) tuples of scores, 0 to 10.
        road_users: (N,) boxes as in `PlannerSample.road_users`; None where there are none to know of.
        ego: box of the ego.
    """

    trajectories: Array
    probabilities: Array
    failures: tuple[str, ...]
    past: Array
    future: Array
    future_valid: NDArray[np.bool_]
    rater_trajectories: tuple[tuple[Array, ...], ...]
    rater_scores: tuple[tuple[float, ...], ...]
    road_users: tuple[NDArray[np.float32] | None, ...]
    ego: EgoSize

    @cached_property
    def driven(self) -> Array:
        """(N, 20, 2): the most probable proposal."""
        return self.trajectories[np.arange(len(self.failures)), self.probabilities.argmax(axis=1)]

    @cached_property
    def initial_speed(self) -> Array:
        """(N,) m/s at t = 0."""
        return np.linalg.norm(self.past[:, -1, 2:4], axis=-1)

    def __len__(self) -> int:
        return len(self.failures)
