"""Triangles with everything that shading and labels need to know about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

UP = np.array([0.0, 0.0, 1.0])
"""The world's unit vector up."""


class Material(IntEnum):
    """What a triangle is made of; albedo.py gives each its albedo."""

    ROAD = 0
    SIDEWALK = 1
    KERB = 2
    VERGE = 3
    TERRAIN = 4
    WALL = 5
    ROOF = 6
    TRUNK = 7
    CROWN = 8
    HEDGE = 9
    METAL = 10
    SIGN = 11
    PAINTWORK = 12
    GLASS = 13
    TYRE = 14
    HEADLIGHT = 15
    REARLIGHT = 16
    CLOTH = 17
    SKIN = 18
    SIGNAL_LAMP = 19


class Label(IntEnum):
    """CARLA 0.9.16 CityObjectLabel values that the renderer emits."""

    ROADS = 1
    SIDEWALKS = 2
    BUILDINGS = 3
    WALLS = 4
    FENCES = 5
    POLES = 6
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGNS = 8
    VEGETATION = 9
    TERRAIN = 10
    SKY = 11
    PEDESTRIANS = 12
    RIDER = 13
    CAR = 14
    TRUCK = 15
    BUS = 16
    MOTORCYCLE = 18
    BICYCLE = 19
    DYNAMIC = 21
    ROAD_LINES = 24
    BRIDGE = 26


@dataclass(frozen=True)
class Triangles:
    """A triangle soup in the right-handed world frame, metres.

    Attributes:
        vertices: (T, 3, 3) float32.
        params: (T, 3, 3) float32, interpolated over the triangle. Road and sidewalk: station s, distance
            to the lane's inner and outer boundary, metres. Walls: metres along, metres above the base,
            wall length. Terrain: the smooth normal. Crowns and hedges: radius, 0, 0.
        material: (T,) uint8, a `Material`.
        label: (T,) uint8, a `Label`.
        variate: (T, 3) float32 in [0, 1): random numbers of the object, or the linear RGB of an actor.
        frame: (T, 3) float32: unit tangent (x, y) and a spare for roads and walls, the centre of crowns, the number of
            its head and its place in it (0 red, 1 yellow, 2 green) for a signal's lamp.
        marks: (T, 2) uint8: indices of the lane marks at the inner and the outer boundary, 0 for none.
        instance: (T,) uint16: of an actor, its id modulo 65536; of a traffic light of the map, its head's number;
            0 for the background.
    """

    vertices: np.ndarray
    params: np.ndarray
    material: np.ndarray
    label: np.ndarray
    variate: np.ndarray
    frame: np.ndarray
    marks: np.ndarray
    instance: np.ndarray

    def __len__(self) -> int:
        return len(self.vertices)


def triangles(
    vertices: np.ndarray,
    material: Material | np.ndarray,
    label: Label | np.ndarray,
    *,
    params: np.ndarray | float = 0.0,
    variate: np.ndarray | Sequence[float] | float = 0.0,
    frame: np.ndarray | Sequence[float] | float = 0.0,
    marks: np.ndarray | int = 0,
    instance: np.ndarray | int = 0,
) -> Triangles:
    """Builds `Triangles` from (T, 3, 3) vertices, broadcasting every other attribute over them."""
    count = len(vertices)

    def spread(value: object, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype), shape))

    return Triangles(
        vertices=spread(vertices, (count, 3, 3), np.float32),
        params=spread(params, (count, 3, 3), np.float32),
        material=spread(material, (count,), np.uint8),
        label=spread(label, (count,), np.uint8),
        variate=spread(variate, (count, 3), np.float32),
        frame=spread(frame, (count, 3), np.float32),
        marks=spread(marks, (count, 2), np.uint8),
        instance=spread(instance, (count,), np.uint16),
    )


def concatenate(parts: Iterable[Triangles]) -> Triangles:
    """Joins triangle soups in order; at least one part is needed."""
    parts = list(parts)
    return Triangles(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Triangles)))


def quads(corners: np.ndarray) -> np.ndarray:
    """Splits (Q, 4, C) quads, corners in order around the face, into (2Q, 3, C) triangles."""
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]], axis=1).reshape(-1, 3, corners.shape[-1])


def prism(outline: np.ndarray, bottom: float, top: float, taper: float = 1.0, cap: bool = True) -> np.ndarray:
    """Extrudes a convex (n, 2) outline (counter-clockwise) from `bottom` to `top`; (T, 3, 3).

    The top outline is scaled by `taper` about the outline's mean.
    """
    outline = np.asarray(outline, np.float64)
    upper = outline.mean(0) + (outline - outline.mean(0)) * taper
    low = np.column_stack([outline, np.full(len(outline), bottom)])
    high = np.column_stack([upper, np.full(len(outline), top)])
    sides = quads(np.stack([low, np.roll(low, -1, 0), np.roll(high, -1, 0), high], axis=1))
    if not cap:
        return sides
    fan = np.stack([np.broadcast_to(high[0], (len(high) - 2, 3)), high[1:-1], high[2:]], axis=1)
    return np.concatenate([sides, fan])


def regular_polygon(sides: int, radius: float) -> np.ndarray:
    """(sides, 2) corners of a regular polygon about the origin, counter-clockwise."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def rectangle(length: float, width: float) -> np.ndarray:
    """(4, 2) corners of an axis-aligned rectangle about the origin, counter-clockwise, length along x."""
    return 0.5 * np.array([[length, width], [-length, width], [-length, -width], [length, -width]])
