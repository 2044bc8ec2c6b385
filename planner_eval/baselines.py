"""Planners that see no picture: the floors of every table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo import PlannerSample
from planner_eval.plans import TIMES_S, Plans
from planner_eval.rfs import WAYPOINTS


class StandStill:
    """Stays where it is."""

    cameras: tuple[int, ...] = ()

    def plan(self, samples: Sequence[PlannerSample]) -> Plans:
        """(N, 1, 20, 2) zeros."""
        return _certain(np.zeros((len(samples), WAYPOINTS, 2)))


class ConstantVelocity:
    """Keeps the velocity vector of t = 0."""

    cameras: tuple[int, ...] = ()

    def plan(self, samples: Sequence[PlannerSample]) -> Plans:
        """(N, 1, 20, 2): velocity times time."""
        velocity = np.array([sample.past[-1, 2:4] for sample in samples]).reshape(-1, 2)
        return _certain(velocity[:, None, :] * TIMES_S[None, :, None])


BASELINES: dict[str, type[StandStill] | type[ConstantVelocity]] = {
    "stand-still": StandStill,
    "constant-velocity": ConstantVelocity,
}


def _certain(trajectories: NDArray[np.float64]) -> Plans:
    return Plans(trajectories[:, None], np.ones((len(trajectories), 1)))
