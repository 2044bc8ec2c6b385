"""What lies beside and beneath the outermost lanes: verges down to the ground, walls, parapets and bridge decks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phipd_sim2real.simulator.grade import Grade
from phipd_sim2real.simulator.road_surface import RoadSurface
from phipd_sim2real.simulator.triangles import UP, Label, Material, Triangles, concatenate, quads, triangles

VERGE_WIDTH = 3.0
"""Metres of shoulder between the outermost lane and the open terrain."""
KERB_HEIGHT = 0.13
"""Metres by which a sidewalk stands above the road."""
STEEP = 1.6
"""Metres above the ground from which on a road's edge is a structure rather than a slope."""
DECK, PARAPET = 1.0, (0.25, 0.85)
"""Metres: thickness of a bridge, and width and height of a parapet."""
_STEPS = np.array([0.25, 0.5, 0.75, 1.0]) * VERGE_WIDTH


@dataclass(frozen=True)
class Border:
    """The outer edge of a road.

    Attributes:
        points: (n, 3) world metres.
        outward: (n, 2) unit vectors away from the road.
        raised: whether a sidewalk ends there.
        junction: whether the road lies in a junction.
    """

    points: np.ndarray
    outward: np.ndarray
    raised: bool
    junction: bool

    def beyond(self, metres: np.ndarray | float) -> np.ndarray:
        """(n, 2) points `metres` outside."""
        return self.points[:, :2] + self.outward * np.reshape(metres, (-1, 1))


def corners(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(n-1, 4, C) corners of the quads between two (n, C) polylines."""
    return np.stack([near[:-1], far[:-1], far[1:], near[1:]], axis=1)


def open_width(border: Border, surface: RoadSurface) -> np.ndarray:
    """(n,) metres outside the border in which no other road lies at about its height, at most `VERGE_WIDTH`."""
    blocked = []
    for step in _STEPS:
        points = np.column_stack([border.beyond(step), border.points[:, 2]])
        blocked.append(np.abs(surface.heights(points, 1.5) - points[:, 2]) < 1.5)
    first = np.argmax(np.vstack([*blocked, np.ones(len(border.points), bool)]), axis=0)
    width = np.concatenate([[0.0], _STEPS])[first]
    # Within a junction a narrow gap is asphalt.
    return np.where(width < VERGE_WIDTH, 0.0, width) if border.junction else width


def above_ground(border: Border, grade: Grade) -> np.ndarray:
    """(n,) metres by which the border stands above the ground beside it."""
    return border.points[:, 2] - grade.height(border.beyond(VERGE_WIDTH))


def edging(border: Border, grade: Grade, surface: RoadSurface) -> Triangles | None:
    """Closes the gap between a border and the ground; None where other roads leave no room for anything."""
    width = open_width(border, surface)
    steep = above_ground(border, grade) > STEEP
    room = (width[:-1] > 0) & (width[1:] > 0)
    structure = room & (steep[:-1] | steep[1:])
    parts = []
    if (room & ~structure).any():
        parts.append(_verge(border, grade, width, room & ~structure))
    if structure.any():
        parts += _wall(border, grade, structure)
    return concatenate(parts) if parts else None


def _verge(border: Border, grade: Grade, width: np.ndarray, where: np.ndarray) -> Triangles:
    """A grassy slope that ends a little below the ground."""
    near = border.points + UP * (KERB_HEIGHT - 0.02 if border.raised else -0.01)
    beyond = border.beyond(width)
    low = np.minimum(grade.height(beyond) - 0.15, border.points[:, 2] - 0.05)
    far = np.column_stack([beyond, low])
    return triangles(quads(corners(near, far)[where]), Material.VERGE, Label.TERRAIN)


def _wall(border: Border, grade: Grade, where: np.ndarray) -> list[Triangles]:
    """The side of a bridge, or a retaining wall down to the ground, and a parapet on it."""
    edge, ground = border.points, grade.height(border.beyond(0.0))
    wide, high = PARAPET
    drop = np.where(edge[:, 2] - ground > STEEP, DECK, edge[:, 2] - ground + 0.4)
    outside = np.column_stack([border.beyond(wide), edge[:, 2]])
    top, foot = UP * high, UP * drop[:, None]
    faces = [corners(edge - UP * 0.05, edge + top), corners(edge + top, outside + top)]
    faces += [corners(outside + top, outside - foot), corners(outside - foot, edge - foot)]
    shape = np.concatenate([quads(face[where]) for face in faces])
    return [triangles(shape, Material.KERB, Label.WALLS)]


def underside(inner: np.ndarray, outer: np.ndarray, grade: Grade) -> Triangles | None:
    """The lower face of a lane's bridge deck, where there is air under it; (n, 3) boundaries."""
    middle = (inner + outer) / 2
    high = middle[:, 2] - grade.height(middle[:, :2]) > STEEP
    where = high[:-1] | high[1:]
    if not where.any():
        return None
    face = corners(inner - UP * DECK, outer - UP * DECK)[where]
    return triangles(quads(face), Material.KERB, Label.BRIDGE)
