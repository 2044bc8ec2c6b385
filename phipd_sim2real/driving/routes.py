"""Routes along the lanes of a map, and where on its route a car is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.capture.intent import TURN_RADIANS
from phipd_sim2real.drivelog.schema import INTENT_LEFT, INTENT_RIGHT, INTENT_STRAIGHT
from phipd_sim2real.errors import StageError
from phipd_sim2real.geometry import vector_from_carla

if TYPE_CHECKING:
    import carla

Array = NDArray[np.float64]

SPACING_M = 1.0
BEYOND_M = 60.0
"""A route is known this far beyond its end, so that plans near the end have somewhere to go."""
SEARCH_M = 15.0
"""A car is looked for this far along the route from where it was, so that crossings of the route do not confuse it."""
STOP_LINE_WITHIN_M = 2.5
SAME_WAY_RADIANS = np.radians(45.0)


@dataclass(frozen=True, eq=False)
class Route:
    """A way to drive, in the world frame (right-handed).

    Attributes:
        name: map and number.
        start: of `carla.Map.get_spawn_points`, an index.
        points: (N, 2) metres, centres of lanes, `SPACING_M` apart.
        yaws: (N,) rad, without jumps.
        in_junction: (N,) bool.
        length_m: where it ends, measured from its first point; the points go on beyond.
    """

    name: str
    start: int
    points: Array
    yaws: Array
    in_junction: NDArray[np.bool_]
    length_m: float

    def project(self, position: Array, near_m: float) -> tuple[float, float]:
        """Distance along the route of the nearest place to an (2,) position, and how far away that is, metres.

        Args:
            position: in the world.
            near_m: where along the route the car was last.
        """
        first = max(0, int(near_m / SPACING_M) - 2)
        stop = min(len(self.points) - 1, int((near_m + SEARCH_M) / SPACING_M) + 1)
        starts, steps = self.points[first:stop], np.diff(self.points[first : stop + 1], axis=0)
        along = np.clip(((position - starts) * steps).sum(axis=1) / (steps**2).sum(axis=1), 0.0, 1.0)
        away = np.linalg.norm(starts + along[:, None] * steps - position, axis=1)
        nearest = int(np.argmin(away))
        return (first + nearest + along[nearest]) * SPACING_M, float(away[nearest])

    def at(self, along_m: Array) -> Array:
        """(M, 2) positions at (M,) distances along the route."""
        known = np.arange(len(self.points)) * SPACING_M
        return np.stack([np.interp(along_m, known, column) for column in self.points.T], axis=1)

    def intent(self, along_m: float, look_ahead_m: float) -> int:
        """The turn at the junction that is being crossed or begins within `look_ahead_m`: straight, left or right."""
        here = min(int(along_m / SPACING_M), len(self.points) - 1)
        ahead = self.in_junction[here : here + 1 + int(look_ahead_m / SPACING_M)]
        if not ahead.any():
            return INTENT_STRAIGHT
        first = here + int(np.argmax(ahead))
        while first > 0 and self.in_junction[first - 1]:
            first -= 1
        rest = np.flatnonzero(~self.in_junction[first:])
        last = first + int(rest[0]) if len(rest) else len(self.yaws) - 1
        turned = self.yaws[last] - self.yaws[max(first - 1, 0)]
        return INTENT_STRAIGHT if abs(turned) < TURN_RADIANS else INTENT_LEFT if turned > 0 else INTENT_RIGHT


def choose_route(map_: carla.Map, name: str, length_m: float, rng: np.random.Generator) -> Route:
    """Draws a start and the way at every junction.

    Args:
        map_: of the episode.
        name: of the route.
        length_m: from the start.
        rng: decides.

    Raises:
        StageError: no spawn point of the map has so much road before it.
    """
    points = map_.get_spawn_points()
    for index in rng.permutation(len(points)):
        waypoints = _followed(map_.get_waypoint(points[index].location), length_m + BEYOND_M, rng)
        if (len(waypoints) - 1) * SPACING_M >= length_m + BEYOND_M:
            places = np.stack([_position(waypoint.transform.location) for waypoint in waypoints])
            yaws = np.unwrap([-np.radians(waypoint.transform.rotation.yaw) for waypoint in waypoints])
            in_junction = np.array([waypoint.is_junction for waypoint in waypoints])
            return Route(name, int(index), places, yaws, in_junction, length_m)
    raise StageError(f"{map_.name} has no route of {length_m:g} m and {BEYOND_M:g} m beyond; ask for shorter ones.")


def stop_lines(route: Route, lights: Sequence[carla.TrafficLight]) -> list[tuple[float, carla.TrafficLight]]:
    """Where the route passes the stop lines of traffic lights that stand for its direction, metres along it."""
    found = []
    for light in lights:
        for waypoint in light.get_stop_waypoints():
            away = np.linalg.norm(route.points - _position(waypoint.transform.location), axis=1)
            index = int(np.argmin(away))
            turned = route.yaws[index] + np.radians(waypoint.transform.rotation.yaw)
            if away[index] < STOP_LINE_WITHIN_M and np.cos(turned) > np.cos(SAME_WAY_RADIANS):
                found.append((index * SPACING_M, light))
    return sorted(found, key=lambda stop: stop[0])


def _followed(start: carla.Waypoint, length_m: float, rng: np.random.Generator) -> list[carla.Waypoint]:
    waypoints = [start]
    while len(waypoints) <= length_m / SPACING_M:
        following = sorted(waypoints[-1].next(SPACING_M), key=lambda waypoint: (waypoint.road_id, waypoint.lane_id))
        if not following:
            break
        waypoints.append(following[rng.integers(len(following))])
    return waypoints


def _position(location: carla.Location) -> Array:
    return vector_from_carla([location.x, location.y, location.z])[:2]
