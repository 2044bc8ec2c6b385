"""Joins road ends into junctions: connecting roads, their lane links, lights, signs and painted lines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from phipd_sim2real.simulator.network import (
    SPEED_LIMIT,
    STOP,
    TRAFFIC_LIGHT,
    YIELD,
    CrossSection,
    End,
    Junction,
    Lane,
    Network,
    Painted,
    Road,
    Signal,
)
from phipd_sim2real.simulator.paths import Arc, Pose, biarc, length_of, profile
from phipd_sim2real.simulator.turns import faced, faces, joined_lanes, lane_pairs

STOP_LINE, CROSSWALK = (5.2, 0.5), (2.6, 3.0)
"""Metres before the road's end and along the road of a stop line and of a crosswalk."""
NAMES = {TRAFFIC_LIGHT: "Signal_3Light_Post01", STOP: "Sign_Stop", YIELD: "Sign_Yield"}


class Builder:
    """Adds roads and junctions to a network and counts ids."""

    def __init__(self, name: str) -> None:
        self.network = Network(name)
        self._road_ids, self._junction_ids = itertools.count(1), itertools.count(5000)
        self._signal_ids = itertools.count(9000)

    def road(
        self,
        arcs: Sequence[Arc],
        section: CrossSection,
        speed_kmh: int,
        knots: Sequence[tuple[float, float]] | None = None,
        signed: bool = True,
    ) -> Road:
        """Adds a road; `knots` are (share of its length, height), level at 0 without; `signed` puts up its limit."""
        length = length_of(arcs)
        heights = profile([(share * length, z) for share, z in knots or ((0.0, 0.0), (1.0, 0.0))])
        road = Road(next(self._road_ids), arcs, heights, section, speed_kmh)
        self.network.roads.append(road)
        if signed and length > 60.0:
            self._limit_signs(road)
        return road

    def _limit_signs(self, road: Road) -> None:
        for sign in (-1, 1):
            lanes = road.section.driving(sign)
            if lanes:
                s = 20.0 if sign < 0 else road.length - 20.0
                name = f"Speed_{road.speed_kmh}"
                road.signals.append(self._signal(road, SPEED_LIMIT, name, s, lanes, float(road.speed_kmh)))

    def _signal(self, road: Road, kind: str, name: str, s: float, lanes: Sequence[int], value: float = -1.0) -> Signal:
        """A signal beside the outermost driving lane, on the right of those whom it rules."""
        outermost = max(lanes, key=abs)
        sign = 1 if outermost > 0 else -1
        edge = road.section.inner_edge(outermost) + sign * road.section.side(outermost)[abs(outermost) - 1].width
        beyond = road.section.side(outermost)[abs(outermost) :]
        clear = 0.9 if beyond and beyond[0].kind == "sidewalk" else sum(lane.width for lane in beyond) + 0.8
        span = (min(lanes), max(lanes))
        return Signal(next(self._signal_ids), kind, name, s, edge + sign * clear, sign < 0, span, value)

    def junction(self, ends: Sequence[End]) -> Junction:
        """Adds an empty junction between road ends."""
        junction = Junction(next(self._junction_ids))
        self.network.junctions.append(junction)
        for end in ends:
            link = ("junction", junction.junction_id, "")
            if end.at_start:
                end.road.before = link
            else:
                end.road.after = link
        return junction

    def connect(
        self,
        junction: Junction,
        source: tuple[End, int],
        target: tuple[End, int],
        outer: bool = False,
        inner: bool = False,
    ) -> Road:
        """Adds the connecting road from one lane to another.

        Args:
            junction: where.
            source, target: an incoming and an outgoing lane.
            outer: also carries on what lies outside the lane: shoulder, sidewalk.
            inner: also carries on what lies on a one-way road's left.
        """
        (come, lane_in), (go, lane_out) = source, target
        arcs = _path(come.left_edge(lane_in, into=True), go.left_edge(lane_out, into=False))
        right, links = joined_lanes(come, lane_in, go, lane_out, outer)
        left: tuple[Lane, ...] = ()
        if inner:
            left = come.road.section.left
            links |= {k + 1: (k + 1, k + 1) for k in range(len(left))}
        (z0, out0), (z1, out1) = come.height_outward(), go.height_outward()
        heights = profile([(0.0, z0), (length_of(arcs), z1)], (-out0, out1))
        speed = min(come.road.speed_kmh, go.road.speed_kmh)
        road = Road(next(self._road_ids), arcs, heights, CrossSection(left, right), speed, junction.junction_id)
        road.before = ("road", come.road.road_id, "start" if come.at_start else "end")
        road.after = ("road", go.road.road_id, "start" if go.at_start else "end")
        road.links = links
        self.network.roads.append(road)
        junction.connections.append((come.road.road_id, road.road_id, lane_in, -1))
        return road

    def crossing(self, ends: Sequence[End], control: str, crosswalks: bool = True) -> Junction:
        """A junction of streets in which every arm leads to every other.

        Args:
            ends: the arms, in any order.
            control: "lights"; "stop" or "yield" (for the arms that no other arm faces), or "none".
            crosswalks: whether they are painted on arms with sidewalks.
        """
        arms = sorted(ends, key=lambda end: math.remainder(end.pose_outward.heading, 2 * math.pi))
        junction = self.junction(arms)
        ways: dict[int, list[Road]] = {}
        for k, come in enumerate(arms):
            ways[k] = []
            for step in range(1, len(arms)):
                go = arms[(k + step) % len(arms)]
                for lane_in, lane_out in lane_pairs(come, go, faced(come, arms)):
                    outer = step == 1 and lane_in == come.incoming[-1] and lane_out == go.outgoing[-1]
                    ways[k].append(self.connect(junction, (come, lane_in), (go, lane_out), outer))
            if crosswalks and come.road.section.side(-1)[-1].kind == "sidewalk":
                come.road.paint.append(_crosswalk(come))
        if control == "lights":
            self._lights(junction, arms, ways)
        elif control in ("stop", "yield"):
            minor = [k for k, arm in enumerate(arms) if arm.incoming and not faced(arm, arms)]
            for k in minor:
                self.priority(arms[k], control)
        return junction

    def priority(self, arm: End, control: str) -> None:
        """Puts a stop or yield sign, and the line, at an arm."""
        kind = STOP if control == "stop" else YIELD
        at = STOP_LINE[0]
        s = at if arm.at_start else arm.road.length - at
        arm.road.signals.append(self._signal(arm.road, kind, NAMES[kind], s, arm.incoming))
        if control == "stop":
            arm.road.paint.append(_stop_line(arm))

    def _lights(self, junction: Junction, arms: Sequence[End], ways: dict[int, list[Road]]) -> None:
        """One light per arm, referred to by its connecting roads; arms that face each other share a phase."""
        phases: list[tuple[End, list[int]]] = []
        for k, arm in enumerate(arms):
            if not arm.incoming:
                continue
            s = STOP_LINE[0] - 0.8
            s = s if arm.at_start else arm.road.length - s
            light = self._signal(arm.road, TRAFFIC_LIGHT, NAMES[TRAFFIC_LIGHT], s, arm.incoming)
            arm.road.signals.append(light)
            arm.road.paint.append(_stop_line(arm))
            for road in ways[k]:
                road.references.append(light.signal_id)
            shared = next((lights for first, lights in phases if faces(first, arm)), None)
            if shared is None:
                phases.append((arm, [light.signal_id]))
            else:
                shared.append(light.signal_id)
        for _, lights in phases:
            junction.controllers[next(self._signal_ids)] = lights


def _path(start: Pose, end: Pose) -> list[Arc]:
    ahead = math.hypot(end.x - start.x, end.y - start.y)
    aligned = start.moved(0.0, ahead=ahead)
    turned = abs(math.remainder(end.heading - start.heading, 2 * math.pi))
    if math.hypot(aligned.x - end.x, aligned.y - end.y) < 1e-4 and turned < 1e-5:
        return [Arc(start.x, start.y, start.heading, ahead, 0.0)]
    return biarc(start, end)


def _stop_line(arm: End) -> Painted:
    lanes, section = arm.incoming, arm.road.section
    near, far = section.inner_edge(lanes[0]), section.inner_edge(lanes[-1])
    far += math.copysign(section.side(lanes[-1])[abs(lanes[-1]) - 1].width, lanes[-1])
    at, along = STOP_LINE
    s = at if arm.at_start else arm.road.length - at
    return Painted("StopLine", s, (near + far) / 2.0, abs(far - near) - 0.3, along)


def _crosswalk(arm: End) -> Painted:
    section = arm.road.section
    edges = [sum(lane.width for lane in lanes if lane.kind != "sidewalk") for lanes in (section.left, section.right)]
    at, along = CROSSWALK
    s = at if arm.at_start else arm.road.length - at
    return Painted("SimpleCrosswalk", s, (edges[0] - edges[1]) / 2.0, sum(edges) - 0.6, along)
