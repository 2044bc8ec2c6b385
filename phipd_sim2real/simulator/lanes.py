"""Where on the lanes of a map something is: distance, height and speed limit, for many places at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    import carla

SPACING_M = 1.0
_HEIGHT_WEIGHT = 2.0
"""Height counts this much against distance, so that a bridge is not taken for the road below it."""


class Lanes:
    """Driving lanes sampled every metre; slopes between samples follow the lane's pitch."""

    def __init__(self, road_map: carla.Map, speed_limit_kmh: Callable[[float, float], float]) -> None:
        """
        Args:
            road_map: the map.
            speed_limit_kmh: at a place; every road is asked once.
        """
        samples = road_map.generate_waypoints(SPACING_M)
        places = [waypoint.transform for waypoint in samples]
        self._points = np.array([(p.location.x, p.location.y, p.location.z) for p in places])
        yaw = np.radians([p.rotation.yaw for p in places])
        slope = np.tan(np.radians([math.remainder(p.rotation.pitch, 360.0) for p in places]))
        self._gradient = np.column_stack([slope * np.cos(yaw), slope * np.sin(yaw)])
        self._limits = self._limits_of(samples, speed_limit_kmh)
        self._uniform = np.ptp(self._limits) == 0
        self._asked: np.ndarray | None = None
        self._tree = cKDTree(self._points * (1.0, 1.0, _HEIGHT_WEIGHT))

    def _limits_of(self, samples: list[carla.Waypoint], speed_limit_kmh: Callable[[float, float], float]) -> np.ndarray:
        """(N,) km/h: each road asked once, at its middle."""
        members: dict[int, list[int]] = {}
        for index, waypoint in enumerate(samples):
            members.setdefault(waypoint.road_id, []).append(index)
        limits = np.empty(len(samples))
        for indices in members.values():
            limits[indices] = speed_limit_kmh(*self._points[indices[len(indices) // 2], :2].tolist())
        return limits

    def _nearest(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A tick asks twice for the same places: who is beside the road, and how fast one may drive there.
        if self._asked is None or not np.array_equal(places, self._asked):
            self._asked, self._found = places.copy(), self._tree.query(places * (1.0, 1.0, _HEIGHT_WEIGHT))
        return self._found

    def speed_limits(self, places: np.ndarray) -> np.ndarray:
        """(N,) km/h of the lanes nearest to (N, 3) places, metres, CARLA's axes."""
        if self._uniform:
            return np.full(len(places), self._limits[0])
        return self._limits[self._nearest(places)[1]]

    def heights(self, places: np.ndarray) -> np.ndarray:
        """(N,) metres: the lanes nearest to (N, 3) places, continued to there."""
        nearest = self._nearest(places)[1]
        return self._points[nearest, 2] + ((places - self._points[nearest])[:, :2] * self._gradient[nearest]).sum(1)

    def distance(self, places: np.ndarray) -> np.ndarray:
        """(N,) metres to the middle of the nearest driving lane, from (N, 3) places."""
        return self._nearest(places)[0]
