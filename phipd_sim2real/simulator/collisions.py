"""Collisions of bodies with one another and with what stands in the world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from phipd_sim2real.simulator.actors import Solid, Vector
from phipd_sim2real.simulator.footprints import Contact, contact
from phipd_sim2real.simulator.triangles import Label

RESTITUTION = 0.1
SLOP_M = 0.01
"""Depth of a touch that is let be."""


_STATIC_NAMES = {
    Label.ROADS: "road",
    Label.SIDEWALKS: "sidewalk",
    Label.BUILDINGS: "building",
    Label.FENCES: "fence",
    Label.POLES: "pole",
    Label.TRAFFIC_SIGNS: "trafficsign",
    Label.ROAD_LINES: "roadline",
}


class Collision(NamedTuple):
    """One actor ran into something during a tick.

    Attributes:
        actor_id: the actor that is told.
        other_id: the actor that it met; 0 for a part of the map.
        impulse: on the actor, in the world, CARLA's axes, N·s.
        other_kind: CARLA's type id of the other, such as `static.building`.
        other_label: CityObjectLabel of the other.
    """

    actor_id: int
    other_id: int
    impulse: Vector
    other_kind: str
    other_label: int


def static_kind(label: Label) -> str:
    """CARLA's type id of a part of the map."""
    return f"static.{_STATIC_NAMES.get(label, label.name.lower())}"


def collide(solids: Sequence[Solid]) -> list[Collision]:
    """Lets bodies that overlap push each other apart.

    Two events per pair, one for each side, in the order of birth; both while the bodies press on.
    """
    if len(solids) < 2:
        return []
    rows = np.array([(*solid.xy, solid.radius, *_span(solid)) for solid in solids])
    x, y, radius, low, high = rows.T
    near = np.hypot(x[:, None] - x, y[:, None] - y) < radius[:, None] + radius
    near &= (low[:, None] < high) & (low < high[:, None])
    events: list[Collision] = []
    for i, j in np.argwhere(np.triu(near, 1)).tolist():
        first, second = solids[i], solids[j]
        met = contact(first.footprint, second.footprint)
        if met is not None and not (math.isinf(first.mass) and math.isinf(second.mass)):
            events += _meet(first, second, met)
    return events


def level(solid: Solid, other: Solid) -> bool:
    """Whether two bodies are at the same height, and not one on a bridge above the other."""
    gap = abs(solid.foot.location[2] - other.foot.location[2])
    return gap < 2.0 * max(solid.body.half_size[2], other.body.half_size[2])


def _span(solid: Solid) -> tuple[float, float]:
    low = solid.foot.location[2]
    return low, low + 2.0 * solid.body.half_size[2]


def _meet(first: Solid, second: Solid, met: Contact) -> list[Collision]:
    """Exchanges an impulse along the contact's normal and moves both out of each other."""
    nx, ny = met.normal
    share_1, share_2 = 1.0 / first.mass, 1.0 / second.mass
    closing = (first.velocity[0] - second.velocity[0]) * nx + (first.velocity[1] - second.velocity[1]) * ny
    size = max(0.0, (1.0 + RESTITUTION) * closing / (share_1 + share_2))
    out = max(0.0, met.depth - SLOP_M) / (share_1 + share_2)
    for solid, sign, share in ((first, -1.0, share_1), (second, 1.0, share_2)):
        if share > 0.0 and (size > 0.0 or out > 0.0):
            _shove(solid, sign * nx * share, sign * ny * share, size, out)
    if size == 0.0:
        return []
    impulse = (-size * nx, -size * ny, 0.0)
    back = (size * nx, size * ny, 0.0)
    return [
        Collision(first.actor_id, second.actor_id, impulse, second.blueprint.type_id, second.semantic_tags()[0]),
        Collision(second.actor_id, first.actor_id, back, first.blueprint.type_id, first.semantic_tags()[0]),
    ]


def _shove(solid: Solid, along_x: float, along_y: float, impulse: float, out: float) -> None:
    place = solid.footprint
    velocity = (solid.velocity[0] + impulse * along_x, solid.velocity[1] + impulse * along_y, solid.velocity[2])
    solid.shift(place.x + out * along_x, place.y + out * along_y, velocity)
