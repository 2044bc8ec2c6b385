"""What the world asks of a map: where to spawn, how high the ground is, how fast one may drive."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.road_mesh import RoadMesh, road_mesh
from phipd_sim2real.simulator.road_surface import KERB_STEP, STEP
from phipd_sim2real.simulator.signals import RoadSignal
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
        self._flat = all(abs(point.location[2] - SPAWN_HEIGHT_M) < 1e-6 for point in self.spawn_points)
        self._speeds = _speeds_kmh(xodr)
        self._speed = next(iter(set(self._speeds.values()))) if len(set(self._speeds.values())) == 1 else None

    @cached_property
    def _mesh(self) -> RoadMesh:
        return road_mesh(*self._text)

    @property
    def signals(self) -> tuple[RoadSignal, ...]:
        """Traffic lights and signs, in the order of the map's text."""
        return self._mesh.signals

    def ground(self, x: float, y: float, z: float, yaw: float, wheelbase: float) -> tuple[float, float]:
        """Height (m) and pitch (degrees, nose up positive) of a vehicle on the road nearest below it, CARLA's axes."""
        if self._flat:
            return 0.0, 0.0
        ahead_x, ahead_y = math.cos(yaw) * wheelbase / 2.0, math.sin(yaw) * wheelbase / 2.0
        front, rear = self.height(x + ahead_x, y + ahead_y, z), self.height(x - ahead_x, y - ahead_y, z)
        return (front + rear) / 2.0, math.degrees(math.atan2(front - rear, wheelbase))

    def height(self, x: float, y: float, z: float) -> float:
        """World z of the road, junction or sidewalk nearest below a point, CARLA's axes, metres.

        Where roads overlap by less than a step, as in some junctions, one stays on the surface that one is on;
        else a surface up to `road_surface.STEP` above the point counts as below it, so that wheels climb slopes
        and steps. Beside all roads the height is that of the nearest lane.
        """
        point, surface = np.array([[x, -y, z]]), self._mesh.surface
        found = float(surface.heights(point, KERB_STEP)[0])
        if not z - found < STEP:
            found = float(surface.heights(point)[0])
        return self._nearest(x, y, z).transform.location.z if math.isnan(found) else found

    def speed_limit_kmh(self, x: float, y: float) -> float:
        """Speed limit of the nearest driving lane."""
        if self._speed is not None:
            return self._speed
        return self._speeds.get(self._nearest(x, y).road_id, DEFAULT_SPEED_KMH)

    def geolocation(self, location: tuple[float, float, float]) -> tuple[float, float, float]:
        """Latitude and longitude (degrees) and altitude (m) of a place, by the map's own reference."""
        place = self._map.transform_to_geolocation(self._carla.Location(*location))
        return place.latitude, place.longitude, place.altitude

    def _nearest(self, x: float, y: float, z: float = 0.0) -> carla.Waypoint:
        return self._map.get_waypoint(self._carla.Location(x, y, z))


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
