"""Where the ego starts, which way it goes at junctions, and who drives ahead of it, so that a scene comes about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture.variety import Scene

if TYPE_CHECKING:
    import carla

STEP_M = 4.0
FARTHEST_M = 400.0
ROUTE_LENGTH = 12
"""Junctions for which the way is fixed; after them the Traffic Manager chooses."""

TYPICAL_SPEED_M_S = 8.0
TURN_RADIANS = np.radians(40.0)
LEAD_GAP_M = 18.0
LEAD_LIFT_M = 0.3
"""Above the road: cars that are spawned into it are refused."""

LEAD_SLOWER_PERCENT = 15.0
STOP_AFTER, STOP_FOR = 0.3, 0.35
"""Shares of the recording after which the car ahead stops, and for which it stands."""


@dataclass(frozen=True)
class Junction:
    """The first junction after a place.

    Attributes:
        distance_m: to its entry; `FARTHEST_M` where there is none so near.
        ways: that lead through it, of `Left`, `Right` and `Straight`.
    """

    distance_m: float
    ways: frozenset[str]


def next_junction(start: carla.Waypoint) -> Junction:
    """Follows a lane to its first junction."""
    waypoint, distance = start, 0.0
    while distance < FARTHEST_M:
        following = waypoint.next(STEP_M)
        if not following:
            break
        if any(candidate.is_junction for candidate in following):
            return Junction(distance, frozenset(_way(waypoint, candidate) for candidate in following))
        waypoint, distance = following[0], distance + STEP_M
    return Junction(FARTHEST_M, frozenset())


def start_order(
    scene: Scene,
    turn: str | None,
    junctions: list[Junction],
    order: np.ndarray,
    reach_m: tuple[float, float],
) -> np.ndarray:
    """Spawn points in the order in which they suit a scene; those that suit it alike stay in random order.

    Args:
        scene: to bring about.
        turn: `Left` or `Right` for a turn.
        junctions: the next junction of every spawn point.
        order: (N,) random permutation of the points.
        reach_m: distances from the start at which the recording begins and at which it has time left for a turn.
    """
    near, far = reach_m
    unsuited = [_unsuited(scene, turn, junctions[index], near, far) for index in order]
    return order[np.argsort(unsuited, kind="stable")]


def route(scene: Scene, turn: str | None) -> list[str]:
    """The Traffic Manager's words for the way at the junctions to come."""
    return ([turn] if scene == "turn" else []) + ["Straight"] * ROUTE_LENGTH


def reach(slower_percent: float, warm_up_s: float, seconds: float) -> tuple[float, float]:
    """Distances (m) that the ego will have driven when the recording begins, and when two thirds of it are over."""
    speed = TYPICAL_SPEED_M_S * (1 - slower_percent / 100)
    return speed * warm_up_s, speed * (warm_up_s + 0.65 * seconds)


def place_ahead(start: carla.Waypoint) -> carla.Transform | None:
    """Where the car ahead starts: on the same lane; None where a junction or the lane's end is too near."""
    ahead = start.next(LEAD_GAP_M)
    if len(ahead) != 1 or ahead[0].is_junction:
        return None
    transform = ahead[0].transform
    transform.location.z += LEAD_LIFT_M
    return transform


class LeadCar:
    """The car ahead of the ego; it stops for a while where the scene is a stop."""

    def __init__(
        self, manager: carla.TrafficManager, car: carla.Vehicle, scene: Scene, slower_percent: float, total_ticks: int
    ) -> None:
        self._manager, self._car = manager, car
        self._slower = slower_percent + LEAD_SLOWER_PERCENT
        stop = round(STOP_AFTER * total_ticks)
        self._changes = {stop: 100.0, stop + round(STOP_FOR * total_ticks): self._slower} if scene == "stop" else {}
        manager.vehicle_percentage_speed_difference(car, self._slower)

    def before_tick(self, tick: int) -> None:
        """Changes its speed where it is time; ticks are counted from the start of the recording."""
        if tick in self._changes:
            self._manager.vehicle_percentage_speed_difference(self._car, self._changes[tick])


def _unsuited(scene: Scene, turn: str | None, junction: Junction, near: float, far: float) -> int:
    """0 where a start suits best."""
    if scene == "turn":
        return 0 if near <= junction.distance_m <= far and turn in junction.ways else 1
    if scene == "straight":
        return 0 if junction.distance_m > far or "Straight" in junction.ways else 1
    return 0 if junction.distance_m > LEAD_GAP_M + 2 * STEP_M else 1


def _way(entry: carla.Waypoint, inside: carla.Waypoint) -> str:
    """Left, right or straight: the change of heading from the entry of a junction to the end of its lane inside."""
    leaving = inside
    while (following := leaving.next(STEP_M)) and following[0].is_junction and following[0].road_id == inside.road_id:
        leaving = following[0]
    turned = np.radians(leaving.transform.rotation.yaw - entry.transform.rotation.yaw)
    turned = np.arctan2(np.sin(turned), np.cos(turned))  # CARLA's axes: clockwise from above
    return "Straight" if abs(turned) < TURN_RADIANS else "Right" if turned > 0 else "Left"
