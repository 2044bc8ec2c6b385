"""Traffic lights and signs of an OpenDRIVE map: where they stand, whom they rule, and which lights belong together."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from phipd_sim2real.simulator.wire import Transform

if TYPE_CHECKING:
    import carla

TRAFFIC_LIGHT, STOP, YIELD, SPEED_LIMIT = "1000001", "206", "205", "274"
"""OpenDRIVE signal types as CARLA reads them."""
_STEP_BACK_M = 1.0


class StopPoint(NamedTuple):
    """Where a signal stops one lane: OpenDRIVE ids, station (m), and the lane centre's pose there, CARLA's axes."""

    road_id: int
    lane_id: int
    s: float
    transform: Transform


class SignalGroup(NamedTuple):
    """What a light belongs to.

    Attributes:
        junction: id of the junction that it guards, -1 where the map names none.
        controller: id of the lights that change together.
        phase: the controller's place in the junction's cycle, from 0.
    """

    junction: int
    controller: int
    phase: int


@dataclass(frozen=True)
class RoadSignal:
    """One traffic light or sign.

    Attributes:
        signal_id: OpenDRIVE's id, the text that a snapshot's `sign_id` carries.
        kind: OpenDRIVE's type: `TRAFFIC_LIGHT`, `STOP`, `YIELD`, `SPEED_LIMIT`…
        name: as the map has it.
        value: of a speed limit, km/h; -1 for none.
        foot: its place on the ground in CARLA's axes; the yaw is the direction in which its face looks.
        stops: where the lanes that it rules stop, outside the junction, one per lane.
        group: of a light that has a controller, else None.
    """

    signal_id: str
    kind: str
    name: str
    value: float
    foot: Transform
    stops: tuple[StopPoint, ...]
    group: SignalGroup | None


def read_signals(road_map: carla.Map, xodr: str) -> tuple[RoadSignal, ...]:
    """All lights and signs of a map, in the order of its text.

    Args:
        road_map: made from `xodr`; it answers where they stand and where lanes lead.
        xodr: OpenDRIVE text.
    """
    root = ET.fromstring(xodr)
    groups = _groups(root)
    places = {mark.id: mark.transform for mark in road_map.get_all_landmarks()}
    spans = _spans(root)
    signals = []
    for element in root.iter("signal"):
        signal_id = element.get("id", "")
        if signal_id in places:
            stops = _stops(road_map, spans.get(signal_id, []))
            foot = _foot(road_map, places[signal_id], stops)
            value = float(element.get("value") or -1.0)
            kind, name = element.get("type", ""), element.get("name", "")
            signals.append(RoadSignal(signal_id, kind, name, value, foot, stops, groups.get(signal_id)))
    return tuple(signals)


def _groups(root: ET.Element) -> dict[str, SignalGroup]:
    """The group of every light that a controller names."""
    junctions = {
        controller.get("id"): int(junction.get("id", "-1"))
        for junction in root.iter("junction")
        for controller in junction.findall("controller")
    }
    groups = {}
    for controller in root.findall("controller"):
        own = controller.get("id", "")
        group = SignalGroup(junctions.get(own, -1), int(own), int(controller.get("sequence") or 0))
        groups |= {control.get("signalId", ""): group for control in controller.findall("control")}
    return groups


def _spans(root: ET.Element) -> dict[str, list[tuple[int, float, int, int]]]:
    """Where each signal is valid: (road, station, least and greatest lane), from signals and their references."""
    spans: dict[str, list[tuple[int, float, int, int]]] = {}
    for road in root.findall("road"):
        length = float(road.get("length", "0"))
        for element in (*road.iter("signal"), *road.iter("signalReference")):
            for validity in element.findall("validity"):
                s = min(max(float(element.get("s", "0")), 0.01), length - 0.01)
                lanes = sorted((int(validity.get("fromLane", "0")), int(validity.get("toLane", "0"))))
                spans.setdefault(element.get("id", ""), []).append((int(road.get("id", "0")), s, *lanes))
    return spans


def _stops(road_map: carla.Map, spans: list[tuple[int, float, int, int]]) -> tuple[StopPoint, ...]:
    """One stop per lane outside junctions; of several on one lane, the first that a driver meets."""
    stops: dict[tuple[int, int], StopPoint] = {}
    for road, s, least, greatest in spans:
        for lane in range(least, greatest + 1):
            waypoint = road_map.get_waypoint_xodr(road, lane, s) if lane else None
            for stop in _before_junction(waypoint) if waypoint is not None else ():
                key = (stop.road_id, stop.lane_id)
                known = stops.get(key)
                if known is None or (stop.s - known.s) * math.copysign(1, -stop.lane_id) < 0:
                    stops[key] = stop
    return tuple(stops.values())


def _before_junction(waypoint: carla.Waypoint) -> Iterator[StopPoint]:
    """The stops of a driving lane: itself outside a junction, else what leads to it."""
    if str(waypoint.lane_type) != "Driving":
        return
    ahead = [waypoint]
    for _ in range(60):
        inside = [w for w in ahead if w.is_junction]
        yield from (_stop(w) for w in ahead if not w.is_junction)
        ahead = [before for w in inside for before in w.previous(_STEP_BACK_M)]
        if not ahead:
            return


def _stop(waypoint: carla.Waypoint) -> StopPoint:
    location, rotation = waypoint.transform.location, waypoint.transform.rotation
    place = Transform(
        (location.x, location.y, location.z),
        (math.remainder(rotation.pitch, 360.0), math.remainder(rotation.yaw, 360.0), 0.0),
    )
    return StopPoint(waypoint.road_id, waypoint.lane_id, waypoint.s, place)


def _foot(road_map: carla.Map, given: carla.Transform, stops: tuple[StopPoint, ...]) -> Transform:
    """The signal's place on the ground, looking at those who stop; without any, against its own heading."""
    near = road_map.get_waypoint(given.location)
    yaw = stops[0].transform.rotation[1] if stops else given.rotation.yaw
    ground = near.transform.location.z
    return Transform((given.location.x, given.location.y, ground), (0.0, math.remainder(yaw + 180.0, 360.0), 0.0))
