"""What a planner gives: K proposals with probabilities for each sample. Baselines obey the same contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo import PlannerSample
from planner_eval.rfs import WAYPOINTS

STEP_SECONDS = 0.25
TIMES_S: NDArray[np.float64] = STEP_SECONDS * np.arange(1, WAYPOINTS + 1)
"""(20,) seconds of the waypoints after t = 0."""


@dataclass(frozen=True, eq=False)
class Plans:
    """Proposals for N samples.

    Attributes:
        trajectories: (N, K, 20, 2) float64 metres, vehicle frame at t = 0, x forward, y left, 4 Hz.
        probabilities: (N, K) float64, each row sums to 1.
    """

    trajectories: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        count, proposals = self.probabilities.shape
        if self.trajectories.shape != (count, proposals, WAYPOINTS, 2):
            raise ValueError(
                f"Trajectories of shape {self.trajectories.shape} do not fit probabilities of shape "
                f"{self.probabilities.shape}; (N, K, 20, 2) and (N, K) belong together."
            )

    def most_probable(self) -> NDArray[np.float64]:
        """(N, 20, 2): the proposal that the planner would drive."""
        return self.trajectories[np.arange(len(self.probabilities)), self.probabilities.argmax(axis=1)]


class Planner(Protocol):
    """Anything that plans.

    Attributes:
        cameras: ids of the cameras that a sample must have.
    """

    cameras: tuple[int, ...]

    def plan(self, samples: Sequence[PlannerSample]) -> Plans:
        """Plans for each sample, in order; must not look at `future` or the raters."""
        ...
