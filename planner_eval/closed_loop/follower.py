"""From a plan to wheel and pedals: pure pursuit (Coulter, 1992) and a PI controller of the speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.geometry import invert, transform_points
from planner_eval.closed_loop.settings import FollowerSettings
from planner_eval.plans import TIMES_S

Array = NDArray[np.float64]

STANDING_M_S = 0.3
"""A plan slower than this means to stand: the brake holds the car."""
HOLDING_BRAKE = 0.5
LEAST_AIM_M = 1.0
"""A point nearer than this gives no direction: the wheel stays."""
MOST_SUM_M = 5.0
NEAR_M_S = 1.0
"""The integral grows only near the speed wanted, and only so far: else a car that speeds up would overshoot."""


class PlanFollower:
    """Follows the latest plan until the next one comes. Angles are positive to the left."""

    def __init__(self, settings: FollowerSettings, wheelbase_m: float, max_steer_rad: float) -> None:
        self._settings, self._wheelbase_m, self._max_steer_rad = settings, wheelbase_m, max_steer_rad
        self._path_world = np.zeros((1, 3))
        self._planned_at_s = 0.0
        self._sum_m = 0.0
        self._steer = 0.0

    def take(self, plan: Array, pose_vehicle_in_world: Array, time_s: float) -> None:
        """Takes a (20, 2) plan, metres in the vehicle frame of now."""
        points = np.concatenate([np.zeros((1, 2)), plan])
        self._path_world = transform_points(pose_vehicle_in_world, np.column_stack([points, np.zeros(len(points))]))
        self._planned_at_s = time_s

    def control(
        self, pose_vehicle_in_world: Array, speed: float, time_s: float, delta_s: float
    ) -> tuple[float, float, float]:
        """Throttle 0…1, brake 0…1 and front wheel angle (rad, left positive) for the next `delta_s`."""
        throttle, brake = self._pedals(speed, time_s, delta_s)
        self._steer = self._wheel(transform_points(invert(pose_vehicle_in_world), self._path_world)[:, :2], speed)
        return throttle, brake, self._steer

    def _wheel(self, path: Array, speed: float) -> float:
        """The arc of the rear axle through a point of the path ahead: curvature 2 y / d²."""
        aim = float(np.clip(self._settings.look_ahead_s * speed, *self._settings.look_ahead_m))
        x, y = _point_at(path, aim)
        distance = float(np.hypot(x, y))
        if distance < LEAST_AIM_M or x <= 0:
            return self._steer
        angle = np.arctan(self._wheelbase_m * 2 * y / distance**2)
        return float(np.clip(angle, -self._max_steer_rad, self._max_steer_rad))

    def _pedals(self, speed: float, time_s: float, delta_s: float) -> tuple[float, float]:
        preview, age = self._settings.preview_s, time_s - self._planned_at_s
        times = np.concatenate([[0.0], TIMES_S])
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self._path_world[:, :2], axis=0), axis=1))])
        first, last = np.interp([age, age + preview], times, length)
        wanted = float(last - first) / preview
        if wanted < STANDING_M_S:
            self._sum_m = 0.0
            return 0.0, HOLDING_BRAKE
        missing = wanted - speed
        if abs(missing) < NEAR_M_S:
            self._sum_m = float(np.clip(self._sum_m + missing * delta_s, -MOST_SUM_M, MOST_SUM_M))
        pedal = self._settings.proportional * missing + self._settings.integral * self._sum_m
        return float(np.clip(pedal, 0.0, 1.0)), float(np.clip(-pedal, 0.0, 1.0))


def _point_at(path: Array, aim_m: float) -> tuple[float, float]:
    """The point of an (n, 2) path, in the vehicle frame, `aim_m` along it from where it is nearest to the origin."""
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    along = np.clip(-(path[:-1] * steps).sum(axis=1) / np.maximum(lengths**2, 1e-9), 0.0, 1.0)
    nearest = int(np.argmin(np.linalg.norm(path[:-1] + along[:, None] * steps, axis=1)))
    places = np.concatenate([[0.0], np.cumsum(lengths)])
    aim = places[nearest] + along[nearest] * lengths[nearest] + aim_m
    return float(np.interp(aim, places, path[:, 0])), float(np.interp(aim, places, path[:, 1]))
