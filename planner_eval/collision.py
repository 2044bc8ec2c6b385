"""Whether a plan touches anybody: the ego's box against logged boxes of road users, at every waypoint.

The others do what they did in the log whatever the plan does, so a plan that stands still may be run into from behind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from phipd_sim2real.settings import Settings

Array = NDArray[np.float64]

STANDING_STEP_M = 0.1
"""Waypoints nearer to each other than this keep the heading before them: their direction is noise."""


class EgoSize(Settings):
    """Box of the ego vehicle. The defaults are those of CARLA's vehicle.tesla.model3, mirrors included."""

    length_m: float = Field(default=4.79, gt=0)
    """Bumper to bumper."""

    width_m: float = Field(default=2.16, gt=0)
    """Across."""

    rear_axle_to_centre_m: float = Field(default=1.44, ge=0)
    """From the rear axle, the origin of plans, forward to the middle of the box."""


def collides(trajectory: Array, road_users: Array, ego: EgoSize) -> bool:
    """Whether the ego's box overlaps that of any road user at any waypoint.

    Args:
        trajectory: (20, 2) metres, rear axle in the vehicle frame at t = 0; its direction is the ego's heading.
        road_users: (M, 6) waypoint, x, y, length, width, heading, as in `PlannerSample.road_users`.
        ego: size of the ego.
    """
    boxes = ego_boxes(trajectory, ego)[road_users[:, 0].astype(int)]
    others = np.asarray(road_users[:, 1:], dtype=np.float64)
    reach = np.hypot(*boxes[:, 2:4].T) + np.hypot(*others[:, 2:4].T)
    near = np.hypot(*(others[:, :2] - boxes[:, :2]).T) < reach / 2
    return bool(overlap(boxes[near], others[near]).any())


def ego_boxes(trajectory: Array, ego: EgoSize) -> Array:
    """(20, 5) x, y, length, width, heading of the ego along a (20, 2) trajectory."""
    heading = headings(trajectory)
    ahead = ego.rear_axle_to_centre_m * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    sizes = np.broadcast_to([ego.length_m, ego.width_m], trajectory.shape)
    return np.column_stack([trajectory + ahead, sizes, heading])


def headings(trajectory: Array) -> Array:
    """(20,) rad: direction of a (20, 2) trajectory that begins at the origin along x; kept where it stands."""
    steps = np.gradient(np.concatenate([np.zeros((1, 2)), trajectory]), axis=0)
    steps[0] = 1.0, 0.0
    moving = np.linalg.norm(steps, axis=1) >= STANDING_STEP_M
    moving[0] = True
    last = np.maximum.accumulate(np.where(moving, np.arange(len(steps)), 0))
    return np.arctan2(steps[last, 1], steps[last, 0])[1:]


def overlap(first: Array, second: Array) -> NDArray[np.bool_]:
    """Which pairs of oriented boxes overlap, by the separating axis theorem: touching is no overlap.

    Args:
        first: (M, 5) x, y, length, width, heading.
        second: (M, 5), the other box of each pair.
    """
    between = second[:, :2] - first[:, :2]
    apart = np.zeros(len(first), dtype=bool)
    for box in (first, second):
        for turn in (0.0, np.pi / 2):
            axis = _unit(box[:, 4] + turn)
            reach = _half_extent(first, axis) + _half_extent(second, axis)
            apart |= np.abs((between * axis).sum(axis=1)) >= reach
    return ~apart


def _half_extent(boxes: Array, axis: Array) -> Array:
    """(M,) half length of the shadows that (M, 5) boxes throw on (M, 2) unit axes."""
    along, across = _unit(boxes[:, 4]), _unit(boxes[:, 4] + np.pi / 2)
    shadow = boxes[:, 2] * np.abs((along * axis).sum(axis=1)) + boxes[:, 3] * np.abs((across * axis).sum(axis=1))
    return shadow / 2


def _unit(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
