"""Where on the road network something is: nearest lane, height of the ground, speed limit, for many places at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.vehicles import Ground

if TYPE_CHECKING:
    import carla

SPACING_M = 1.0
_HEIGHT_WEIGHT = 2.0
"""Height counts this much against distance, so that a bridge is not taken for the road below it."""


class Lanes:
    """Driving lanes sampled every metre; slopes between samples follow the lane's pitch.

    Attributes:
        flat: whether all roads are at height 0, which needs no look-up.
    """

    def __init__(self, road_map: carla.Map, roads: Roads) -> None:
        """
        Args:
            road_map: the map.
            roads: the same map, asked for the speed limit of every road.
        """
        samples = road_map.generate_waypoints(SPACING_M)
        places = [waypoint.transform for waypoint in samples]
        self._points = np.array([(p.location.x, p.location.y, p.location.z) for p in places])
        yaw = np.radians([p.rotation.yaw for p in places])
        slope = np.tan(np.radians([math.remainder(p.rotation.pitch, 360.0) for p in places]))
        self._gradient = np.column_stack([slope * np.cos(yaw), slope * np.sin(yaw)])
        self._limits = self._speed_limits(samples, roads)
        self.flat = bool(np.abs(self._points[:, 2]).max() < 1e-6)
        self._uniform = float(self._limits[0]) if np.ptp(self._limits) == 0 else None
        self._tree = cKDTree(self._points * (1.0, 1.0, _HEIGHT_WEIGHT))

    def _speed_limits(self, samples: list[carla.Waypoint], roads: Roads) -> np.ndarray:
        """(N,) km/h: each road asked once, at its middle."""
        members: dict[int, list[int]] = {}
        for index, waypoint in enumerate(samples):
            members.setdefault(waypoint.road_id, []).append(index)
        limits = np.empty(len(samples))
        for indices in members.values():
            limits[indices] = roads.speed_limit_kmh(*self._points[indices[len(indices) // 2], :2].tolist())
        return limits

    def under(self, places: np.ndarray, yaws: np.ndarray) -> list[Ground]:
        """The ground under vehicles.

        Args:
            places: (N, 3) metres, CARLA's axes; z tells a bridge from what is below.
            yaws: (N,) radians.
        """
        if self.flat and self._uniform is not None:
            return [Ground(0.0, 0.0, self._uniform)] * len(places)
        _, nearest = self._tree.query(places * (1.0, 1.0, _HEIGHT_WEIGHT))
        limits = self._limits[nearest].tolist()
        if self.flat:
            return [Ground(0.0, 0.0, limit) for limit in limits]
        gradient = self._gradient[nearest]
        heights = self._points[nearest, 2] + ((places - self._points[nearest])[:, :2] * gradient).sum(1)
        along = gradient[:, 0] * np.cos(yaws) + gradient[:, 1] * np.sin(yaws)
        return list(map(Ground, heights.tolist(), np.degrees(np.arctan(along)).tolist(), limits))

    def distance(self, places: np.ndarray) -> np.ndarray:
        """(N,) metres to the middle of the nearest driving lane, from (N, 3) places."""
        return self._tree.query(places * (1.0, 1.0, _HEIGHT_WEIGHT))[0]

    def height(self, x: float, y: float, z: float) -> float:
        """Height of the road nearest to a place, metres."""
        return self.under(np.array([[x, y, z]]), np.zeros(1))[0].height
