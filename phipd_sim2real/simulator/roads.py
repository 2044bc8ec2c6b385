"""What the world asks of a map: where to spawn, what the ground is like, how fast one may drive, what stands there."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import vector_from_carla
from phipd_sim2real.simulator.lanes import Lanes
from phipd_sim2real.simulator.road_mesh import road_mesh
from phipd_sim2real.simulator.road_surface import KERB_STEP, STEP
from phipd_sim2real.simulator.signals import RoadSignal, read_signals
from phipd_sim2real.simulator.vehicles import Ground
from phipd_sim2real.simulator.wire import Transform

if TYPE_CHECKING:
    import carla

SPAWN_SPACING_M = 15.0
SPAWN_HEIGHT_M = 0.2
DEFAULT_SPEED_KMH = 50.0


class Roads:
    """Roads of one map, read through `carla.Map`, so that server and clients agree on every lane.

    Attributes:
        spawn_points: on all driving lanes outside junctions, in order of road, lane and distance.
        flat: whether all roads are at height 0.
    """

    def __init__(self, name: str, xodr: str) -> None:
        """
        Raises:
            UsageError: the text is not OpenDRIVE, or has no lane to drive on.
        """
        import carla

        self._carla = carla
        try:
            self._map = carla.Map(name, xodr)
        except RuntimeError as error:
            raise UsageError(f"{name} cannot be read as OpenDRIVE; give an OpenDRIVE 1.4 file.") from error
        waypoints = [w for w in self._map.generate_waypoints(SPAWN_SPACING_M) if not w.is_junction]
        waypoints.sort(key=lambda w: (w.road_id, w.section_id, w.lane_id, w.s))
        self.spawn_points = [_spawn_point(waypoint) for waypoint in waypoints]
        if not self.spawn_points:
            raise UsageError(f"{name} has no driving lane outside its junctions; give a map with roads.")
        self._text = (name, xodr)
        self.flat = all(abs(point.location[2] - SPAWN_HEIGHT_M) < 1e-6 for point in self.spawn_points)
        self._speeds = _speeds_kmh(xodr)
        self._speed = next(iter(set(self._speeds.values()))) if len(set(self._speeds.values())) == 1 else None

    @cached_property
    def lanes(self) -> Lanes:
        """The driving lanes."""
        return Lanes(self._map, self.speed_limit_kmh)

    @cached_property
    def signals(self) -> tuple[RoadSignal, ...]:
        """Traffic lights and signs, in the order of the map's text."""
        return read_signals(self._map, self._text[1])

    def ground(self, places: np.ndarray, yaws: np.ndarray, wheelbases: np.ndarray) -> list[Ground]:
        """The ground under vehicles.

        Args:
            places: (N, 3) metres between the axles, CARLA's axes; z tells a bridge from what is below.
            yaws: (N,) radians.
            wheelbases: (N,) metres.
        """
        limits = self.lanes.speed_limits(places).tolist()
        if self.flat:
            return [Ground(0.0, 0.0, limit) for limit in limits]
        ahead = np.column_stack([np.cos(yaws), np.sin(yaws), np.zeros(len(yaws))]) * (wheelbases / 2.0)[:, None]
        front, rear = self.heights(places + ahead), self.heights(places - ahead)
        pitch = np.degrees(np.arctan2(front - rear, wheelbases))
        return list(map(Ground, ((front + rear) / 2.0).tolist(), pitch.tolist(), limits))

    def heights(self, places: np.ndarray) -> np.ndarray:
        """(N,) world z of the road, junction or sidewalk nearest below (N, 3) points, CARLA's axes, metres.

        Where roads overlap by less than a step, as in some junctions, one stays on the surface that one is on;
        else a surface up to `road_surface.STEP` above the point counts as below it, so that wheels climb slopes
        and steps. Beside all roads the height is that of the nearest lane.
        """
        points, surface = vector_from_carla(places), road_mesh(*self._text).surface
        found = surface.heights(points, KERB_STEP)
        far = ~(points[:, 2] - found < STEP)
        found[far] = surface.heights(points[far])
        beside = np.isnan(found)
        if beside.any():
            found[beside] = self.lanes.heights(places[beside])
        return found

    def speed_limit_kmh(self, x: float, y: float) -> float:
        """Speed limit of the nearest driving lane."""
        if self._speed is not None:
            return self._speed
        return self._speeds.get(self._nearest(x, y).road_id, DEFAULT_SPEED_KMH)

    def geolocation(self, location: tuple[float, float, float]) -> tuple[float, float, float]:
        """Latitude and longitude (degrees) and altitude (m) of a place, by the map's own reference."""
        place = self._map.transform_to_geolocation(self._carla.Location(*location))
        return place.latitude, place.longitude, place.altitude

    def _nearest(self, x: float, y: float) -> carla.Waypoint:
        return self._map.get_waypoint(self._carla.Location(x, y, 0.0))


def _spawn_point(waypoint: carla.Waypoint) -> Transform:
    location, rotation = waypoint.transform.location, waypoint.transform.rotation
    return Transform(
        (location.x, location.y, location.z + SPAWN_HEIGHT_M),
        (rotation.pitch, math.remainder(rotation.yaw, 360.0), 0.0),
    )


def _speeds_kmh(xodr: str) -> dict[int, float]:
    """First speed limit of every road; a road without one gets the default."""
    per_unit = {"km/h": 1.0, "mph": 1.609344, "m/s": 3.6}
    speeds = {}
    for road in ElementTree.fromstring(xodr).iter("road"):
        speed = road.find("type/speed")
        given = speed is not None and (speed.get("max") or "").replace(".", "", 1).isdigit()
        speeds[int(road.get("id", "0"))] = (
            float(speed.get("max")) * per_unit.get(speed.get("unit", "m/s"), 3.6)
            if speed is not None and given
            else DEFAULT_SPEED_KMH
        )
    return speeds
