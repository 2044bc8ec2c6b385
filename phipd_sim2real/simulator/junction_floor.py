"""Asphalt in the gaps that the lanes of a junction leave between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.spatial import cKDTree

from phipd_sim2real.simulator.junction_heights import JunctionHeights

PIXEL = 0.5
"""Metres."""
LARGEST_HOLE = 140.0
"""Square metres up to which a gap is paved; larger ones are islands."""
BLOCK = 4
"""Pixels per side of the large squares."""
_SQUARE = np.ones((5, 5), np.uint8)
_SINK = 0.03
"""Metres below the lanes: where they overlap, they win."""


class Cover:
    """A raster of all ground that lanes cover."""

    def __init__(self, outlines: Sequence[np.ndarray]) -> None:
        """
        Args:
            outlines: (4, 2) corners of every piece of lane, metres.
        """
        outlines = np.array(outlines)
        self.origin = outlines.min((0, 1)) - 10.0
        columns, rows = np.ceil((outlines.max((0, 1)) + 10.0 - self.origin) / PIXEL).astype(int).tolist()
        self.taken = np.zeros((rows, columns), np.uint8)
        for outline in np.round((outlines - self.origin) / PIXEL).astype(np.int32):
            cv2.fillConvexPoly(self.taken, outline, 1)


def floor(cover: Cover, pieces: np.ndarray, heights: JunctionHeights | None = None) -> np.ndarray | None:
    """Asphalt under one junction and in its gaps: slits between lanes are narrower than any pixel.

    Args:
        cover: of the whole map.
        pieces: (n, 4, 3) corners of the pieces of the junction's lanes, world metres.
        heights: where the junction's lanes disagree, the heights that they agree on.

    Returns:
        (Q, 4, 3) squares just below the lanes; None for a junction too small to have any.
    """
    points = pieces.reshape(-1, 3)
    low = np.floor((points[:, :2].min(0) - cover.origin) / PIXEL).astype(int) - 4
    high = np.ceil((points[:, :2].max(0) - cover.origin) / PIXEL).astype(int) + 4
    gaps = _gaps(cover.taken[low[1] : high[1], low[0] : high[0]])
    own = np.zeros_like(gaps)
    for outline in np.round((pieces[..., :2] - cover.origin) / PIXEL - low).astype(np.int32):
        cv2.fillConvexPoly(own, outline, 1)
    inside = cv2.erode(cv2.morphologyEx(own | gaps, cv2.MORPH_CLOSE, _SQUARE), _SQUARE, borderValue=0)
    large, small = _blocks(inside | cv2.dilate(gaps, np.ones((3, 3), np.uint8)))
    corner = np.concatenate([large, small]) + low - 0.5
    size = np.repeat([BLOCK, 1], [len(large), len(small)])[:, None, None]
    if not len(corner):
        return None
    outline = (corner[:, None] + size * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])) * PIXEL + cover.origin
    _, nearest = cKDTree(points[:, :2]).query(outline.reshape(-1, 2), k=4)
    lowest = points[nearest, 2].min(1)
    if heights is not None:
        places = np.column_stack([outline.reshape(-1, 2), lowest])
        # In a gap the floor is what one sees; under lanes it must not show through their slopes.
        lowest = np.where(_covered(cover, places), heights.below(places), heights.evened(places)[:, 2])
    return np.concatenate([outline, lowest.reshape(len(outline), 4, 1) - _SINK], axis=2)


def _covered(cover: Cover, points: np.ndarray) -> np.ndarray:
    """(n,) bool: whether lanes lie all around (n, 3) points."""
    column, row = np.round((points[:, :2] - cover.origin) / PIXEL).astype(int).T
    inside = cv2.erode(cover.taken, np.ones((3, 3), np.uint8))
    return inside[row, column] > 0


def _blocks(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the full blocks of a mask, and of its pixels outside them."""
    rows, columns = (n - n % BLOCK for n in mask.shape)
    tiles = mask[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    full = tiles.min((1, 3))
    rest = mask.copy()
    rest[:rows, :columns] &= 1 - np.repeat(np.repeat(full, BLOCK, 0), BLOCK, 1)
    return np.argwhere(full)[:, ::-1] * BLOCK, np.argwhere(rest)[:, ::-1]


def _gaps(window: np.ndarray) -> np.ndarray:
    """Free pixels that the lanes enclose, narrow openings taken as closed."""
    closed = cv2.morphologyEx(window, cv2.MORPH_CLOSE, _SQUARE)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    holes = np.ones(count, bool)
    holes[0] = holes[border] = False
    holes[stats[:, cv2.CC_STAT_AREA] * PIXEL**2 > LARGEST_HOLE] = False
    return (holes[labels] | ((closed > 0) & (window == 0))).astype(np.uint8)
