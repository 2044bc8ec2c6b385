"""Towns as nodes and streets between them: the streets are cut back at the nodes, and junctions join them there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phipd_sim2real.simulator.crossings import Builder
from phipd_sim2real.simulator.network import CrossSection, End, Lane, Road
from phipd_sim2real.simulator.paths import Arc, filleted, trimmed

CORNER_M = 6.5
"""Metres between a junction's corner, where two kerbs would meet, and the ends of its streets."""


def lanes(*widths: float, divider: str = "broken", edge: str = "solid") -> tuple[Lane, ...]:
    """Driving lanes of one direction, from the centre outwards."""
    last = len(widths) - 1
    return tuple(Lane("driving", width, edge if k == last else divider) for k, width in enumerate(widths))


def both_ways(side: Sequence[Lane], centre: tuple[str, str]) -> CrossSection:
    """The same lanes in both directions."""
    return CrossSection(tuple(side), tuple(side), centre)


WALK = Lane("sidewalk", 2.5)
STREET = both_ways((*lanes(3.5, edge="none"), WALK), ("broken", "white"))
"""A street of two lanes with sidewalks."""
PARKED_STREET = both_ways((*lanes(3.5, edge="none"), Lane("parking", 2.2), WALK), ("broken", "white"))
"""The same with cars parked along both kerbs."""
MAIN_STREET = both_ways((*lanes(3.5), Lane("shoulder", 0.6), WALK), ("solid", "yellow"))
"""A main street of two lanes with gutters and sidewalks."""
AVENUE = both_ways((Lane("median", 1.2, "solid", "yellow"), *lanes(3.4, 3.4, 3.4), WALK), ("none", "white"))
"""An avenue of six lanes about a green median."""
COUNTRY_ROAD = both_ways((*lanes(3.25), Lane("shoulder", 0.8)), ("broken", "yellow"))
"""A road of two lanes in the open country."""


@dataclass(frozen=True)
class Node:
    """A junction's place.

    Attributes:
        x, y, z: its middle, metres; the junction is level.
        control: who goes first: "lights", "stop", "yield" or "none".
    """

    x: float
    y: float
    z: float = 0.0
    control: str = "none"


@dataclass(frozen=True)
class Street:
    """A street between two nodes.

    Attributes:
        start, end: names of nodes.
        section: its lanes.
        speed_kmh: the limit.
        via: corners on the way, metres.
        radius: of the bends in those corners, metres.
        climbs: (share of the way, height in metres) between the ends.
    """

    start: str
    end: str
    section: CrossSection = STREET
    speed_kmh: int = 40
    via: tuple[tuple[float, float], ...] = ()
    radius: float = 18.0
    climbs: tuple[tuple[float, float], ...] = ()


def lay_streets(builder: Builder, nodes: Mapping[str, Node], streets: Sequence[Street]) -> dict[str, list[End]]:
    """Builds the streets and the junctions at all their nodes.

    Returns:
        The arms of every node.
    """
    paths = [_path(nodes, street) for street in streets]
    roads = []
    for street, path in zip(streets, paths, strict=True):
        head, tail = (_setback(name, street, streets, paths) for name in (street.start, street.end))
        ends = (nodes[street.start].z, nodes[street.end].z)
        knots = [(0.0, ends[0]), *street.climbs, (1.0, ends[1])]
        roads.append(builder.road(trimmed(path, head, tail), street.section, street.speed_kmh, knots))
    arms = {name: _arms(name, streets, roads) for name in nodes}
    for name, node in nodes.items():
        builder.crossing(arms[name], node.control)
    return arms


def _path(nodes: Mapping[str, Node], street: Street) -> list[Arc]:
    start, end = nodes[street.start], nodes[street.end]
    return filleted([(start.x, start.y), *street.via, (end.x, end.y)], street.radius)


def _arms(name: str, streets: Sequence[Street], roads: Sequence[Road]) -> list[End]:
    starts = [End(road, True) for street, road in zip(streets, roads, strict=True) if street.start == name]
    return starts + [End(road, False) for street, road in zip(streets, roads, strict=True) if street.end == name]


def _setback(name: str, street: Street, streets: Sequence[Street], paths: Sequence[Sequence[Arc]]) -> float:
    """Metres from a node at which a street ends: beyond the corners that it forms with the other arms."""
    own = _outward(name, street, paths[streets.index(street)])
    reach = 0.0
    for other, path in zip(streets, paths, strict=True):
        if other is not street and name in (other.start, other.end):
            angle = abs(math.remainder(_outward(name, other, path) - own, 2 * math.pi))
            if angle < math.radians(150.0):
                a, b = street.section.half_width(), other.section.half_width()
                corner = (b + a * math.cos(angle)) / math.sin(angle)
                reach = max(reach, corner + CORNER_M * math.tan((math.pi - angle) / 2.0))
    return reach


def _outward(name: str, street: Street, path: Sequence[Arc]) -> float:
    """Heading in which a street leaves a node."""
    if street.start == name:
        return path[0].heading
    return path[-1].heading + path[-1].curvature * path[-1].length + math.pi
