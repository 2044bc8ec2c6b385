"""The ground as roads need it: just below every road, and as smooth as a membrane between them."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

MARGIN = 320.0
"""Metres of ground beyond the outermost road."""
LEVEL_CELL, STEEP_CELL = 7.0, 4.0
"""Metres per cell of the grid where all roads are level, and where they are not."""
BELOW = 0.3
"""Metres by which the ground stays below the roads."""
_REACH = 1.6
"""Cells around a road within which the ground follows it."""


class Grade:
    """A height field below all roads.

    Attributes:
        level: whether all roads are at one height.
        cell: metres per cell.
        origin: (2,) world metres of the first node.
        x, y: (rows, columns) world metres of the nodes.
        clear: (rows, columns) metres to the nearest middle of a lane.
        heights: (rows, columns) metres.
    """

    def __init__(self, centres: np.ndarray) -> None:
        """
        Args:
            centres: (n, 3) samples of lane centres, world metres.
        """
        self.level = bool(np.ptp(centres[:, 2]) < 1e-3)
        self.cell = LEVEL_CELL if self.level else STEEP_CELL
        low, high = centres[:, :2].min(0) - MARGIN, centres[:, :2].max(0) + MARGIN
        self.origin = low
        columns, rows = (np.ceil((high - low) / self.cell).astype(int) + 1).tolist()
        self.x, self.y = np.meshgrid(low[0] + np.arange(columns) * self.cell, low[1] + np.arange(rows) * self.cell)
        distance, _ = cKDTree(centres[:, :2]).query(np.column_stack([self.x.ravel(), self.y.ravel()]))
        self.clear = distance.reshape(rows, columns)
        road = np.full((rows, columns), centres[:, 2].min()) if self.level else self._followed(centres)
        self.heights = road - BELOW

    def height(self, points: np.ndarray) -> np.ndarray:
        """Metres under (N, 2) world points."""
        return interpolated(self.heights, self.origin, self.cell, points)

    def _followed(self, centres: np.ndarray) -> np.ndarray:
        """The lowest road near every node; between the roads, a membrane that hangs on them."""
        rows, columns = self.x.shape
        lowest = np.full(rows * columns, np.inf)
        at = (centres[:, :2] - self.origin) / self.cell
        reach = int(np.ceil(_REACH))
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                node = np.round(at).astype(int) + np.array([dx, dy])
                near = np.hypot(*(node - at).T) <= _REACH
                np.minimum.at(lowest, node[near, 1] * columns + node[near, 0], centres[near, 2])
        lowest = lowest.reshape(rows, columns)
        return membrane(np.where(np.isfinite(lowest), lowest, 0.0), np.isfinite(lowest))


def interpolated(heights: np.ndarray, origin: np.ndarray, cell: float, points: np.ndarray) -> np.ndarray:
    """A grid's heights at (N, 2) world points, bilinear, the nearest outside."""
    cells = (np.asarray(points) - origin) / cell
    return map_coordinates(heights, [cells[:, 1], cells[:, 0]], order=1, mode="nearest")


def membrane(heights: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Fills a grid smoothly between the nodes that are held: Laplace's equation from coarse to fine.

    Args:
        heights: (rows, columns); only held nodes count.
        held: (rows, columns) bool, at least one True.
    """
    rows, columns = heights.shape
    if min(rows, columns) < 8:
        filled = np.full(heights.shape, heights[held].mean())
    else:
        weight = _halved(held.astype(float))
        coarse = membrane(_halved(heights * held) / np.maximum(weight, 1e-9), weight > 0)
        filled = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    filled[held] = heights[held]
    for _ in range(24):
        wide = np.pad(filled, 1, mode="edge")
        mean = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4.0
        filled = np.where(held, heights, mean)
    return filled


def _halved(grid: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 nodes; odd grids repeat their last line."""
    even = np.pad(grid, ((0, grid.shape[0] % 2), (0, grid.shape[1] % 2)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4.0
