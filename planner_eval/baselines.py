"""Planners that see no picture: the floors of every table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo import PlannerSample
from planner_eval.plans import STEP_SECONDS, TIMES_S, Planner, Plans
from planner_eval.rfs import WAYPOINTS

Array = NDArray[np.float64]

TREND_STEPS = 4
"""Past steps over which acceleration and turn rate are taken: 1 s, as derivatives of a single step are noise."""

TURNING_M_S = 1.0
"""Below this speed the direction of travel is noise, and the turn rate counts as 0."""

SUBSTEPS = 10
"""Integration steps per waypoint."""


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


class ConstantTurnRateAcceleration:
    """Keeps the turn rate and the acceleration of the last second; one that brakes stops and stays."""

    cameras: tuple[int, ...] = ()

    def plan(self, samples: Sequence[PlannerSample]) -> Plans:
        """(N, 1, 20, 2): arcs, integrated by the midpoint rule."""
        past = np.array([sample.past for sample in samples]).reshape(-1, 16, 6)
        return _certain(_turning(past[:, -1 - TREND_STEPS :, 2:4]))


BASELINES: dict[str, type[Planner]] = {
    "stand-still": StandStill,
    "constant-velocity": ConstantVelocity,
    "constant-turn-rate-acceleration": ConstantTurnRateAcceleration,
}


def _turning(velocity: Array) -> Array:
    """(N, 20, 2) arcs that go on from (N, n, 2) velocities, the last of them at t = 0."""
    speed = np.linalg.norm(velocity, axis=-1)
    direction = np.unwrap(np.arctan2(velocity[..., 1], velocity[..., 0]), axis=-1)
    span_s = STEP_SECONDS * (velocity.shape[1] - 1)
    acceleration = (speed[:, -1] - speed[:, 0]) / span_s
    turns = speed.min(axis=1, initial=np.inf) >= TURNING_M_S
    rate = np.where(turns, (direction[:, -1] - direction[:, 0]) / span_s, 0.0)
    step = STEP_SECONDS / SUBSTEPS
    middle = step * (np.arange(WAYPOINTS * SUBSTEPS) + 0.5)
    ahead = np.maximum(speed[:, -1:] + acceleration[:, None] * middle, 0.0) * step
    heading = direction[:, -1:] + rate[:, None] * middle
    path = np.cumsum(np.stack([ahead * np.cos(heading), ahead * np.sin(heading)], axis=-1), axis=1)
    return path[:, SUBSTEPS - 1 :: SUBSTEPS]


def _certain(trajectories: Array) -> Plans:
    return Plans(trajectories[:, None], np.ones((len(trajectories), 1)))
