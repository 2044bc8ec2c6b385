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
    ridge, overhang = height + pitch * plan.depth / 2, 0.5
    return concatenate(
        [
            _walls(plan, height, variate),
            _slopes(plan, height - pitch * overhang, ridge, overhang, variate),
            _gables(plan, height, ridge, variate),
        ]
    )


def _slopes(plan: Footprint, low: float, ridge: float, overhang: float, variate: np.ndarray) -> Triangles:
    """Both sides of a gabled roof; params are metres along and up the slope."""
    x, y = plan.length / 2 + overhang, plan.depth / 2 + overhang
    one = np.array([[x, -y, low], [-x, -y, low], [-x, 0, ridge], [x, 0, ridge]])
    faces = _placed(plan, np.stack([one, one * (-1, -1, 1)]))
    slope = np.array([[0, 0, 0], [2 * x, 0, 0], [2 * x, 6, 0], [0, 6, 0]])
    return triangles(
        quads(faces), Material.ROOF, Label.BUILDINGS, params=quads(np.stack([slope, slope])), variate=variate
    )


def _gables(plan: Footprint, height: float, ridge: float, variate: np.ndarray) -> Triangles:
    """The triangles of wall under both ends of a gabled roof."""
    x, y = plan.length / 2, plan.depth / 2
    one = np.array([[x, y, height], [x, 0, ridge], [x, -y, height]])
    faces = _placed(plan, np.stack([one, one * (-1, -1, 1)]))
    # A gable has no windows: its height parameter stays below the first sill.
    return triangles(faces, Material.WALL, Label.BUILDINGS, params=(0, 0.4, 0), variate=variate, frame=(1, 0, 0.5))


def _placed(plan: Footprint, local: np.ndarray) -> np.ndarray:
    """Moves (..., 3) points from the plan's frame, z above its ground, into the world."""
    flat = local[..., :2] @ _turn(plan.yaw).T + plan.centre[:2]
    return np.concatenate([flat, local[..., 2:] + plan.centre[2]], axis=-1)


def _walls(plan: Footprint, height: float, variate: np.ndarray) -> Triangles:
    """Four walls from 1.5 m under the ground, with params (metres along, metres above ground, length)."""
    corners = plan.outline()
    after = np.roll(corners, -1, 0)
    length = np.linalg.norm(after - corners, axis=1)
    bottom, ground = -1.5, plan.centre[2]
    ends = ((corners, 0 * length, bottom), (after, length, bottom), (after, length, height))
    ends += ((corners, 0 * length, height),)
    faces = np.stack([_lift(xy, ground + z) for xy, _, z in ends], axis=1)
    params = np.stack([np.column_stack([at, np.full(4, z), length]) for _, at, z in ends], axis=1)
    tangent = (after - corners) / length[:, None]
    frame = np.repeat(np.column_stack([tangent, np.full(4, height)]), 2, axis=0)
    return triangles(quads(faces), Material.WALL, Label.BUILDINGS, params=quads(params), variate=variate, frame=frame)


def _lift(outline: np.ndarray, z: float) -> np.ndarray:
    return np.column_stack([outline, np.full(len(outline), z)])
