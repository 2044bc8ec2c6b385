"""What goes wrong on a drive: collisions by what was hit, and leaving the road or its side."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture.connection import import_carla
from phipd_sim2real.capture.session import Episode

if TYPE_CHECKING:
    import carla

OFF_ROAD_MARGIN_M = 0.5
"""The middle of the car may be this far beyond the border of a driving lane."""

KINDS = ("vehicle", "walker", "static")


class CollisionWatch:
    """A collision sensor on the ego."""

    def __init__(self, held: Episode, ego: carla.Vehicle) -> None:
        carla = import_carla()
        blueprint = held.world.get_blueprint_library().find("sensor.other.collision")
        self._events: queue.Queue[tuple[int, str]] = queue.Queue()
        self._seen: list[tuple[int, str]] = []
        held.spawn_sensor(blueprint, carla.Transform(), ego).listen(self._receive)

    def seen(self) -> list[tuple[int, str]]:
        """(server frame, kind) of everything that was hit so far, in order; kinds are those of `KINDS`.

        The server tells of a collision after its tick, so the last one may be missing until the next tick.
        """
        while not self._events.empty():
            self._seen.append(self._events.get())
        return sorted(self._seen)

    def _receive(self, event: carla.CollisionEvent) -> None:
        kind = event.other_actor.type_id.split(".")[0]
        self._events.put((event.frame, kind if kind in KINDS else "static"))


class RoadWatch:
    """Whether a car is on the road, and on its side of it."""

    def __init__(self, map_: carla.Map) -> None:
        self._map = map_

    def look(self, transform: carla.Transform) -> tuple[bool, bool]:
        """Whether a car is off the road, and whether it is on a lane of the other direction outside of junctions."""
        waypoint = self._map.get_waypoint(transform.location)
        centre = waypoint.transform.location
        away = np.hypot(centre.x - transform.location.x, centre.y - transform.location.y)
        if away > waypoint.lane_width / 2 + OFF_ROAD_MARGIN_M:
            return True, False
        turned = np.radians(waypoint.transform.rotation.yaw - transform.rotation.yaw)
        return False, bool(np.cos(turned) < 0 and not waypoint.is_junction)
