"""The plans of the generated towns, roads and motorway."""

from __future__ import annotations

import math

from phipd_sim2real.simulator.crossings import Builder
from phipd_sim2real.simulator.network import CrossSection, End, Lane, Network, Road
from phipd_sim2real.simulator.paths import Arc, Pose, filleted, trimmed
from phipd_sim2real.simulator.towns import (
    AVENUE,
    COUNTRY_ROAD,
    MAIN_STREET,
    PARKED_STREET,
    STREET,
    WALK,
    Node,
    Street,
    both_ways,
    lanes,
    lay_streets,
)


def _town(name: str, nodes: dict[str, Node], streets: list[Street]) -> Network:
    builder = Builder(name)
    lay_streets(builder, nodes, streets)
    return builder.network


def town_grid() -> Network:
    """A level town centre: four streets by three, with lights where two main streets cross, and T-junctions round."""
    x, y = (-170.0, -55.0, 60.0, 180.0), (-125.0, 0.0, 135.0)
    nodes = {
        "b1": Node(x[1], y[0], control="yield"), "b2": Node(x[2], y[0], control="stop"),
        "m0": Node(x[0], y[1], control="stop"), "m1": Node(x[1], y[1], control="lights"),
        "m2": Node(x[2], y[1], control="lights"), "m3": Node(x[3], y[1], control="lights"),
        "t1": Node(x[1], y[2], control="stop"), "t2": Node(x[2], y[2], control="yield"),
    }  # fmt: skip
    streets = [
        Street("m0", "m1", MAIN_STREET, 50), Street("m1", "m2", MAIN_STREET, 50), Street("m2", "m3", MAIN_STREET, 50),
        Street("b1", "m1"), Street("m1", "t1"), Street("b2", "m2"), Street("m2", "t2"),
        Street("b1", "b2", PARKED_STREET, 30), Street("t1", "t2", PARKED_STREET, 30),
        Street("m0", "b1", via=((x[0], y[0]),)), Street("t1", "m0", via=((x[0], y[2]),)),
        Street("b2", "m3", via=((x[3], y[0]),)), Street("m3", "t2", via=((x[3], y[2]),)),
    ]  # fmt: skip
    return _town("Market01", nodes, streets)


def hill_town() -> Network:
    """A town on a slope: steep streets between level junctions, 14 m from the lowest to the highest."""
    x, y = (-130.0, 0.0, 135.0), (-140.0, 0.0, 140.0)
    nodes = {
        "s": Node(x[1], y[0], 0.0, "stop"), "w": Node(x[0], y[1], 5.0, "yield"),
        "c": Node(x[1], y[1], 7.0, "lights"), "e": Node(x[2], y[1], 10.0, "stop"),
        "n": Node(x[1], y[2], 14.0, "yield"),
    }  # fmt: skip
    streets = [
        Street("s", "c"), Street("c", "n"), Street("w", "c", MAIN_STREET, 50), Street("c", "e", MAIN_STREET, 50),
        Street("w", "s", via=((x[0], y[0]),), climbs=((0.5, 2.0),)),
        Street("s", "e", via=((x[2], y[0]),), climbs=((0.5, 3.0),)),
        Street("e", "n", via=((x[2], y[2]),), climbs=((0.5, 13.0),)),
        Street("n", "w", via=((x[0], y[2]),), climbs=((0.5, 12.0),)),
    ]  # fmt: skip
    return _town("Terrace01", nodes, streets)


def avenue() -> Network:
    """An avenue of six lanes with lights at four crossings, and quieter streets behind it."""
    x, y = (-290.0, -95.0, 100.0, 300.0), (-120.0, 0.0, 125.0)
    nodes = {
        "a0": Node(x[0], y[1], control="lights"), "a1": Node(x[1], y[1], control="lights"),
        "a2": Node(x[2], y[1], control="lights"), "a3": Node(x[3], y[1], control="lights"),
        "s1": Node(x[1], y[0], control="stop"), "s2": Node(x[2], y[0], control="yield"),
        "n1": Node(x[1], y[2], control="yield"), "n2": Node(x[2], y[2], control="stop"),
    }  # fmt: skip
    streets = [
        Street("a0", "a1", AVENUE, 60), Street("a1", "a2", AVENUE, 60), Street("a2", "a3", AVENUE, 60),
        Street("s1", "a1", MAIN_STREET, 50), Street("a1", "n1", MAIN_STREET, 50),
        Street("s2", "a2", MAIN_STREET, 50), Street("a2", "n2", MAIN_STREET, 50),
        Street("s1", "s2", PARKED_STREET), Street("n1", "n2", PARKED_STREET),
        Street("a0", "s1", via=((x[0], y[0]),), radius=40.0), Street("n1", "a0", via=((x[0], y[2]),), radius=40.0),
        Street("s2", "a3", via=((x[3], y[0]),), radius=40.0), Street("a3", "n2", via=((x[3], y[2]),), radius=40.0),
    ]  # fmt: skip
    return _town("Boulevard01", nodes, streets)


def hill_country() -> Network:
    """Winding country roads over hills between two junctions, with grades up to about a tenth."""
    nodes = {"w": Node(-260.0, -20.0, 6.0, "yield"), "e": Node(270.0, 30.0, 14.0, "stop")}
    north = ((-260.0, 110.0), (-190.0, 220.0), (-70.0, 190.0), (20.0, 290.0), (150.0, 270.0), (190.0, 160.0),
             (270.0, 130.0))  # fmt: skip
    middle = ((-170.0, 10.0), (-90.0, 70.0), (0.0, -10.0), (90.0, 60.0), (180.0, 0.0))
    south = ((-260.0, -120.0), (-170.0, -210.0), (-60.0, -140.0), (40.0, -230.0), (160.0, -190.0), (270.0, -80.0))
    streets = [
        Street("w", "e", COUNTRY_ROAD, 60, north, 70.0, ((0.2, 13.0), (0.42, 26.0), (0.6, 21.0), (0.8, 25.0))),
        Street("w", "e", COUNTRY_ROAD, 50, middle, 55.0, ((0.25, 12.0), (0.5, 8.0), (0.75, 15.0))),
        Street("w", "e", COUNTRY_ROAD, 60, south, 70.0, ((0.25, 0.0), (0.5, 11.0), (0.75, 3.0))),
    ]
    return _town("Fells01", nodes, streets)


RING_RADIUS, RING_GAP, ARM_END = 30.0, math.radians(30.0), 56.0
"""A roundabout's inner radius (m), half the angle that each arm takes of its ring, and where the arms end (m)."""
_RING = CrossSection((Lane("sidewalk", 1.0),), (Lane("driving", 5.5, "none"), WALK))


def roundabout() -> Network:
    """A roundabout of four arms inside a ring of streets."""
    builder = Builder("Circus01")
    angles = [k * math.pi / 2 for k in range(4)]
    reach = 200.0
    outer = {f"o{k}": Node(reach * math.cos(a), reach * math.sin(a), control="stop") for k, a in enumerate(angles)}
    arms = [_arm(builder, angle, reach) for angle in angles]
    ring = [builder.road([_ring_arc(angle)], _RING, 30, signed=False) for angle in angles]
    for k, arm in enumerate(arms):
        _entry(builder, End(arm, True), End(ring[k - 1], False), End(ring[k], True))
    corners = [(round(reach * (math.cos(a) - math.sin(a))), round(reach * (math.sin(a) + math.cos(a)))) for a in angles]
    for k in range(4):
        first, last = outer[f"o{k}"], outer[f"o{(k + 1) % 4}"]
        path = filleted([(first.x, first.y), corners[k], (last.x, last.y)], 110.0)
        arms.append(builder.road(trimmed(path, 15.0, 15.0), STREET, 50))
    for k in range(4):
        builder.crossing([End(arms[k], False), End(arms[4 + k], True), End(arms[4 + (k - 1) % 4], False)], "stop")
    return builder.network


def _arm(builder: Builder, angle: float, reach: float) -> Road:
    begin = Pose(0.0, 0.0, angle).moved(0.0, ahead=ARM_END)
    return builder.road([Arc(*begin, reach - ARM_END - 14.0, 0.0)], STREET, 40)


def _ring_arc(angle: float) -> Arc:
    """The piece of the ring from one arm to the next, driven anticlockwise; its line is the inner edge."""
    begin = angle + RING_GAP
    x, y = RING_RADIUS * math.cos(begin), RING_RADIUS * math.sin(begin)
    length = RING_RADIUS * (math.pi / 2 - 2 * RING_GAP)
    return Arc(x, y, begin + math.pi / 2, length, 1.0 / RING_RADIUS)


def _entry(builder: Builder, arm: End, arriving: End, leaving: End) -> None:
    """Joins an arm to the ring: on round, out, and in."""
    junction = builder.junction([arm, arriving, leaving])
    builder.connect(junction, (arriving, -1), (leaving, -1), inner=True)
    builder.connect(junction, (arriving, -1), (arm, arm.outgoing[0]), outer=True)
    builder.connect(junction, (arm, arm.incoming[0]), (leaving, -1), outer=True)
    builder.priority(arm, "yield")


_MEDIAN = Lane("median", 1.6, "solid", "yellow")
_HARD_SHOULDER = Lane("shoulder", 2.6)
MOTORWAY_3 = both_ways((_MEDIAN, *lanes(3.6, 3.6, 3.6), _HARD_SHOULDER), ("none", "white"))
MOTORWAY_4 = both_ways((_MEDIAN, *lanes(3.6, 3.6, 3.6, 3.6), _HARD_SHOULDER), ("none", "white"))
RAMP = CrossSection(
    (Lane("shoulder", 0.8),), (Lane("driving", 4.0, "solid"), Lane("shoulder", 1.6)), ("solid", "white")
)
HALF, NOSE, BRIDGE_M = 160.0, 230.0, 7.0
"""Metres from the middle to the motorway's straights, half an interchange along it, and the bridges' height."""


def motorway() -> Network:
    """A motorway ring with two interchanges; a road on bridges joins them.

    Between the interchanges it has four lanes a side, the outermost of which comes from one ramp and leads to the
    next; within them it has three.
    """
    builder = Builder("Motorway01")
    halves = [_half_ring(builder, turn) for turn in (0.0, math.pi)]
    feeders = []
    for side, turn in enumerate((0.0, math.pi)):
        feeders.append(_interchange(builder, halves[side], halves[1 - side], turn))
    south, north = feeders[1], feeders[0]
    path = filleted([(0.0, -HALF + 65.0 + 13.0), (0.0, HALF - 65.0 - 13.0)], 50.0)
    road = builder.road(path, MAIN_STREET, 50, ((0.0, BRIDGE_M), (0.5, 2.5), (1.0, BRIDGE_M)))
    builder.crossing([*south, End(road, True)], "lights")
    builder.crossing([*north, End(road, False)], "lights")
    return builder.network


def _half_ring(builder: Builder, turn: float) -> Road:
    """The four-lane half whose end is the interchange on the side of `turn` (0: north), driven anticlockwise."""
    points = [(NOSE, -HALF), (500.0, -HALF), (500.0, HALF), (NOSE, HALF)]
    return builder.road(filleted(_turned(points, turn), 150.0), MOTORWAY_4, 100)


def _turned(points: list[tuple[float, float]], turn: float) -> list[tuple[float, float]]:
    c, s = round(math.cos(turn)), round(math.sin(turn))
    return [(x * c - y * s, x * s + y * c) for x, y in points]


def _interchange(builder: Builder, before: Road, after: Road, turn: float) -> list[End]:
    """The junctions and ramps of one side, as seen with the side to the north; the motorway comes from the east.

    Returns:
        The arms of the inner feeder junction, which still lacks the road that joins the interchanges.
    """
    inside = NOSE - 60.0
    middle = builder.road(filleted(_turned([(inside, HALF), (-inside, HALF)], turn), 1.0), MOTORWAY_3, 100)
    lane = MOTORWAY_4.driving(-1)[-1]
    edge = -MOTORWAY_4.inner_edge(lane) + 4.0
    knots_up = ((0.0, 0.0), (0.2, 0.4), (0.85, BRIDGE_M - 0.3), (1.0, BRIDGE_M))
    knots_down = tuple((1.0 - share, z) for share, z in reversed(knots_up))
    ramps = {}
    for name, sign in (("out", 1.0), ("in", -1.0)):
        # The outer ramps lie beyond the motorway, the inner ones within the ring, where traffic runs the other way.
        y, head = HALF + sign * edge, HALF + sign * 65.0
        off = [(sign * (inside - 4.0), y), (sign * 100.0, y + sign * 4.0), (sign * 62.0, head), (sign * 14.0, head)]
        on = [(-sign * 14.0, head), (-sign * 62.0, head), (-sign * 100.0, y + sign * 4.0), (-sign * (inside - 4.0), y)]
        ramps[name, "off"] = builder.road(filleted(_turned(off, turn), 60.0), RAMP, 60, knots_up)
        ramps[name, "on"] = builder.road(filleted(_turned(on, turn), 60.0), RAMP, 60, knots_down)
    _fork(builder, End(before, False), End(middle, True), ramps["out", "off"], ramps["in", "on"])
    _fork(builder, End(after, True), End(middle, False), ramps["in", "off"], ramps["out", "on"])
    ends = _turned([(0.0, HALF - 65.0 + 13.0), (0.0, HALF + 65.0 - 13.0)], turn)
    bridge = builder.road(filleted(ends, 1.0), MAIN_STREET, 50, ((0.0, BRIDGE_M), (1.0, BRIDGE_M)))
    builder.crossing([End(bridge, False), End(ramps["out", "off"], False), End(ramps["out", "on"], True)], "stop")
    return [End(bridge, True), End(ramps["in", "off"], False), End(ramps["in", "on"], True)]


def _fork(builder: Builder, wide: End, narrow: End, off: Road, on: Road) -> None:
    """Three lanes go on in each direction; the fourth becomes the off-ramp, or comes from the on-ramp."""
    junction = builder.junction([wide, narrow, End(off, True), End(on, False)])
    for lane_in, lane_out in zip(wide.incoming, narrow.outgoing, strict=False):
        builder.connect(junction, (wide, lane_in), (narrow, lane_out))
    for lane_in, lane_out in zip(narrow.incoming, wide.outgoing, strict=False):
        builder.connect(junction, (narrow, lane_in), (wide, lane_out))
    builder.connect(junction, (wide, wide.incoming[-1]), (End(off, True), -1), outer=True)
    builder.connect(junction, (End(on, False), -1), (wide, wide.outgoing[-1]), outer=True)
