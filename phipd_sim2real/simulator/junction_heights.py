"""Heights of a junction's asphalt where its lanes cross: maps give every connecting road a profile of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from phipd_sim2real.simulator.lane_strip import Strip
from phipd_sim2real.simulator.verges import corners

REACH = 3.0
"""Metres from a lane's middle within which the lane has a say."""
_LEVEL = 0.4
"""Metres between two lanes' heights from which on they are taken for different levels."""
_NEIGHBOURS = 32
_SOFTNESS_M2 = 0.02
_EVEN = 0.005
"""Metres by which lanes may differ and stay as they are."""
_ACROSS = np.linspace(0.0, 1.0, 9)
_ALONG = 3
_AROUND = np.array([(x, y, 0.0) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])


class JunctionHeights:
    """The height of all lanes in junctions: on a lane's middle its own, elsewhere a mean that the nearest lead."""

    def __init__(self, strips: Sequence[Strip]) -> None:
        """
        Args:
            strips: the lanes.
        """
        self._points = np.concatenate([strip.middle for strip in strips])
        self._gradient = np.concatenate([_gradient(strip.middle) for strip in strips])
        self._tree = cKDTree(self._points[:, :2])

    def evened(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points of these lanes' surfaces, moved up or down to the common height."""
        flat = points.reshape(-1, 3)
        distance, index = self._tree.query(flat[:, :2], k=_NEIGHBOURS, distance_upper_bound=REACH)
        index[np.isinf(distance)] = 0
        offset = flat[:, None, :2] - self._points[index, :2]
        said = self._points[index, 2] + (offset * self._gradient[index]).sum(-1)
        weight = (1 - np.minimum(distance / REACH, 1.0)) / (distance**2 + _SOFTNESS_M2) ** 2
        weight[np.abs(said - flat[:, 2:]) > _LEVEL] = 0.0
        total = weight.sum(1)
        height = np.where(total > 0, (weight * said).sum(1) / np.maximum(total, 1e-12), flat[:, 2])
        return np.column_stack([flat[:, :2], height]).reshape(points.shape)

    def below(self, points: np.ndarray) -> np.ndarray:
        """(n,) metres: the lowest common height within about a metre of (n, 3) points."""
        around = points[:, None] + _AROUND
        return self.evened(around)[..., 2].min(1)

    def lane(self, strip: Strip) -> np.ndarray | None:
        """(Q, 4, 3) corners of a lane's surface, finer where others disagree with it; None where none does."""
        steps = np.arange(len(strip.station))
        fine = np.linspace(0, steps[-1], _ALONG * steps[-1] + 1)
        inner, outer = (
            np.column_stack([np.interp(fine, steps, axis) for axis in edge.T]) for edge in (strip.inner, strip.outer)
        )
        lines = inner + _ACROSS[:, None, None] * (outer - inner)
        even = self.evened(lines)
        differs = np.abs(even - lines).max((0, 2)) > _EVEN
        cuts = np.lib.stride_tricks.sliding_window_view(differs, _ALONG + 1)[::_ALONG].any(1)
        if not cuts.any():
            return None
        pieces = [corners(near, far)[np.repeat(cuts, _ALONG)] for near, far in pairwise(even)]
        return np.concatenate([corners(strip.inner, strip.outer)[~cuts], *pieces])


def _gradient(middle: np.ndarray) -> np.ndarray:
    """(n, 2) metres of height per metre on the plane, along a lane."""
    step = np.gradient(middle, axis=0)
    return step[:, :2] * (step[:, 2] / np.maximum((step[:, :2] ** 2).sum(1), 1e-9))[:, None]
