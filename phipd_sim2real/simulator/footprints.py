"""Rectangles on the ground, and whether and how deep two of them meet (separating axes)."""

from __future__ import annotations

import math
from typing import NamedTuple


class Footprint(NamedTuple):
    """A rectangle: middle (m), yaw (radians, clockwise from above), half sizes (m), CARLA's axes."""

    x: float
    y: float
    yaw: float
    half_length: float
    half_width: float

    @property
    def radius(self) -> float:
        """Of the circle around it, metres."""
        return math.hypot(self.half_length, self.half_width)

    def axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Unit vectors forward and to the right."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return (c, s), (-s, c)

    def reach(self, axis: tuple[float, float]) -> float:
        """Half its extent along a unit vector, metres."""
        forward, right = self.axes()
        along = abs(forward[0] * axis[0] + forward[1] * axis[1]) * self.half_length
        return along + abs(right[0] * axis[0] + right[1] * axis[1]) * self.half_width


class Contact(NamedTuple):
    """How two footprints meet: the unit vector from the first towards the second, and the depth, metres."""

    normal: tuple[float, float]
    depth: float


def contact(first: Footprint, second: Footprint) -> Contact | None:
    """The shallowest way out of an overlap; None where they are apart."""
    dx, dy = second.x - first.x, second.y - first.y
    if math.hypot(dx, dy) > first.radius + second.radius:
        return None
    best: Contact | None = None
    for axis in (*first.axes(), *second.axes()):
        gap = dx * axis[0] + dy * axis[1]
        depth = first.reach(axis) + second.reach(axis) - abs(gap)
        if depth < 0.0:
            return None
        if best is None or depth < best.depth:
            best = Contact(axis if gap >= 0.0 else (-axis[0], -axis[1]), depth)
    return best
