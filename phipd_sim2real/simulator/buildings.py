"""Houses, blocks and halls: walls in metres along and up, roofs flat or gabled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from phipd_sim2real.simulator.triangles import (
    Label,
    Material,
    Triangles,
    concatenate,
    quads,
    rectangle,
    triangles,
)


class Footprint(NamedTuple):
    """Ground plan of a building: centre (3,) on the ground, yaw in radians, metres along and across."""

    centre: np.ndarray
    yaw: float
    length: float
    depth: float

    def outline(self, margin: float = 0.0) -> np.ndarray:
        """(4, 2) world corners, counter-clockwise."""
        return rectangle(self.length + margin, self.depth + margin) @ _turn(self.yaw).T + self.centre[:2]


def _turn(yaw: float) -> np.ndarray:
    return np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])


def block(plan: Footprint, height: float, variate: np.ndarray) -> Triangles:
    """A building with a flat roof and a parapet."""
    roof = _lift(plan.outline(), plan.centre[2] + height - 0.4)[None]
    top = triangles(quads(roof), Material.ROOF, Label.BUILDINGS, variate=variate, frame=(1, 0, 0))
    return concatenate([_walls(plan, height, variate), top])


def house(plan: Footprint, height: float, pitch: float, variate: np.ndarray) -> Triangles:
    """A building under a gabled roof whose ridge runs along its length; `pitch` is rise over half depth."""
    overhang, eaves = 0.5, plan.centre[2] + height
    rise = pitch * plan.depth / 2
    along, across = plan.length / 2 + overhang, plan.depth / 2 + overhang
    low = eaves - pitch * overhang
    turn = _turn(plan.yaw)

    def place(x: float, y: float, z: float) -> np.ndarray:
        return np.append(turn @ (x, y) + plan.centre[:2], z)

    slopes = np.array(
        [
            [place(s * along, -s * across, low), place(-s * along, -s * across, low)]
            + [place(-s * along, 0, eaves + rise), place(s * along, 0, eaves + rise)]
            for s in (1, -1)
        ]
    )
    uv = np.array([[0, 0, 0], [2 * along, 0, 0], [2 * along, 6, 0], [0, 6, 0]], float)
    gables = np.array(
        [
            [
                place(s * plan.length / 2, s * plan.depth / 2, eaves),
                place(s * plan.length / 2, 0, eaves + rise),
            ]
            + [place(s * plan.length / 2, -s * plan.depth / 2, eaves)]
            for s in (1, -1)
        ]
    )
    roof = triangles(
        quads(slopes), Material.ROOF, Label.BUILDINGS, params=quads(np.stack([uv, uv])), variate=variate
    )
    # A gable has no windows: its height parameter stays below the first sill.
    wall = triangles(
        gables, Material.WALL, Label.BUILDINGS, params=(0, 0.4, 0), variate=variate, frame=(1, 0, 0.5)
    )
    return concatenate([_walls(plan, height, variate), roof, wall])


def _walls(plan: Footprint, height: float, variate: np.ndarray) -> Triangles:
    """Four walls with params (metres along, metres above ground, wall length)."""
    corners = plan.outline()
    nxt = np.roll(corners, -1, 0)
    length = np.linalg.norm(nxt - corners, axis=1)
    base, top = plan.centre[2], plan.centre[2] + height
    faces = np.stack(
        [_lift(corners, base - 1.5), _lift(nxt, base - 1.5), _lift(nxt, top), _lift(corners, top)], axis=1
    )
    zero = np.zeros(4)
    params = np.stack(
        [np.column_stack([x, z, length]) for x, z in ((zero, zero - 1.5), (length, zero - 1.5))]
        + [np.column_stack([x, z, length]) for x, z in ((length, zero + height), (zero, zero + height))],
        axis=1,
    )
    tangent = (nxt - corners) / length[:, None]
    frame = np.repeat(np.column_stack([tangent, np.full(4, height)]), 2, axis=0)
    return triangles(
        quads(faces), Material.WALL, Label.BUILDINGS, params=quads(params), variate=variate, frame=frame
    )


def _lift(outline: np.ndarray, z: float) -> np.ndarray:
    return np.column_stack([outline, np.full(len(outline), z)])
