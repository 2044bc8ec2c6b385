"""What stands beside the roads, for those who run into it, cast rays at it or list it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from phipd_sim2real.geometry import vector_from_carla
from phipd_sim2real.simulator.footprints import Footprint
from phipd_sim2real.simulator.level_boxes import LevelBox
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.scene import Geometry, shared_scene
from phipd_sim2real.simulator.triangles import Label, Material

OFF_ROAD_M = 3.4
"""Bodies nearer to the middle of a lane than this reach nothing: posts stand beyond shoulder or sidewalk."""

_HARD = (Label.BUILDINGS, Label.FENCES, Label.POLES, Label.TRAFFIC_SIGNS, Label.CAR)
_BUMPER_M = (0.3, 1.2)
_PIECE_M = 2.0
_ASIDE_M = np.array([0.0013, 0.0017, 0.0])
"""Rays are cast a little aside: one along the edge between two triangles falls through."""


class Walls(NamedTuple):
    """Outlines of everything hard, in pieces, CARLA's axes, metres.

    Attributes:
        starts, ends: (N, 2) on the plane.
        heights: (N, 2) lowest and highest z.
        labels: (N,) CityObjectLabels.
    """

    starts: np.ndarray
    ends: np.ndarray
    heights: np.ndarray
    labels: np.ndarray


class Surroundings:
    """The scene of a map as one look draws it.

    Attributes:
        geometry: its triangles, right-handed, ready for rays.
        boxes: about everything that stands there.
    """

    geometry: Geometry
    boxes: list[LevelBox]

    def __init__(self, road_map: RoadMap, seed: int) -> None:
        self._scene = shared_scene(road_map.name, road_map.xodr, seed)
        self._walls_of: dict[str, tuple[Walls, cKDTree]] = {}
        self.show()

    def show(self, look: str = next(iter(LOOKS))) -> None:
        """Puts up what a look draws, another district's buildings for some; built now if no one has drawn it yet."""
        self._district = LOOKS[look].district
        self.geometry, self.boxes = self._scene.geometry(self._district), self._scene.boxes(self._district)
        if self._district not in self._walls_of:
            self._walls_of[self._district] = self._outlined()

    def hits(self, footprints: Sequence[Footprint], heights: Sequence[float]) -> list[Label | None]:
        """Labels of what rectangles on the ground overlap; None for those that are free.

        Args:
            footprints: the rectangles.
            heights: of the ground there, metres.
        """
        walls, tree = self._walls_of[self._district]
        reach = [footprint.radius + _PIECE_M for footprint in footprints]
        near = tree.query_ball_point([footprint[:2] for footprint in footprints], reach)
        counts = [len(pieces) for pieces in near]
        piece = np.fromiter(chain.from_iterable(near), np.intp, sum(counts))
        body = np.repeat(np.arange(len(footprints)), counts)
        low, high = walls.heights[piece].T - np.asarray(heights)[body]
        level = np.flatnonzero((low < _BUMPER_M[1]) & (high > _BUMPER_M[0]))
        body, piece = body[level], piece[level]
        crossed = _crosses(np.array(footprints)[body], walls.starts[piece], walls.ends[piece])
        first = np.full(len(footprints), len(walls.labels))
        np.minimum.at(first, body[crossed], piece[crossed])
        return [Label(walls.labels[index]) if index < len(walls.labels) else None for index in first.tolist()]

    def _outlined(self) -> tuple[Walls, cKDTree]:
        """Everything hard, and a tree of the pieces' middles."""
        soup = self.geometry.soup
        hard = np.isin(soup.label, _HARD) | (soup.material == Material.TRUNK)
        walls = _outlines(vector_from_carla(soup.vertices[hard]), soup.label[hard])
        return walls, cKDTree((walls.starts + walls.ends) / 2.0)

    def cast(self, start: np.ndarray, end: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Everything between two points, nearest first.

        Args:
            start, end: (3,) metres, CARLA's axes.

        Returns:
            (CityObjectLabel, (3,) point) of each surface on the way.
        """
        origin, target = vector_from_carla(start) + _ASIDE_M, vector_from_carla(end) + _ASIDE_M
        length = float(np.linalg.norm(target - origin))
        if length < 1e-6:
            return []
        direction, found, gone = (target - origin) / length, [], 0.0
        while len(found) < 64:
            ray = (origin + gone * direction).astype(np.float32)[None], direction.astype(np.float32)[None]
            hit = self.geometry.cast(*ray)
            index, distance = int(hit["primID"][0]), float(hit["tfar"][0])
            gone += distance
            if index < 0 or gone > length:
                break
            found.append((int(self.geometry.soup.label[index]), vector_from_carla(origin + gone * direction)))
            gone += 0.01
        return found


def _outlines(triangles: np.ndarray, labels: np.ndarray) -> Walls:
    """Edges of (T, 3, 3) triangles, CARLA's axes, seen from above and cut into pieces of at most `_PIECE_M`."""
    corners, heights = triangles[..., :2], np.stack([triangles[..., 2].min(1), triangles[..., 2].max(1)], axis=1)
    starts, ends = corners.reshape(-1, 2), np.roll(corners, -1, axis=1).reshape(-1, 2)
    pieces = np.maximum(1, np.ceil(np.linalg.norm(ends - starts, axis=1) / _PIECE_M).astype(int))
    owner = np.repeat(np.arange(len(starts)), pieces)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    step = (ends - starts)[owner] / pieces[owner, None]
    begin = starts[owner] + place[:, None] * step
    return Walls(begin, begin + step, heights[owner // 3], labels[owner // 3])


def _crosses(footprints: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(N,) whether segments meet rectangles (separating axes: the rectangle's two and the segment's normal).

    Args:
        footprints: (N, 5), rows of `Footprint`, one for each segment.
        starts, ends: (N, 2) metres.
    """
    x, y, yaw, half_length, half_width = footprints.T
    (middle_x, middle_y), (half_x, half_y) = ((starts + ends) / 2.0).T, ((ends - starts) / 2.0).T
    middle_x, middle_y = middle_x - x, middle_y - y
    c, s = np.cos(yaw), np.sin(yaw)
    along, across = np.abs(half_x * c + half_y * s), np.abs(half_y * c - half_x * s)
    apart = np.abs(middle_x * c + middle_y * s) > half_length + along
    apart |= np.abs(middle_y * c - middle_x * s) > half_width + across
    reach = across * half_length + along * half_width
    return ~apart & (np.abs(middle_y * half_x - middle_x * half_y) <= reach)
