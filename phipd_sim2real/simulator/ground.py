"""The open terrain around the roads, and the map of ground that is already taken."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from phipd_sim2real.simulator.road_mesh import RoadMesh
from phipd_sim2real.simulator.textures import TILE, fractal_tile, smoothstep
from phipd_sim2real.simulator.triangles import Label, Material, Triangles, quads, triangles

MARGIN = 320.0
"""Metres of terrain beyond the outermost road."""
CELL = 7.0
"""Metres per cell of the terrain's grid."""


class Terrain:
    """A height field that stays just below the roads and rises into hills away from them.

    Attributes:
        origin: (2,) world metres of the grid's first node.
        heights: (rows, columns) metres.
    """

    def __init__(self, mesh: RoadMesh, seed: int) -> None:
        centres = np.array(mesh.centres)
        low, high = centres[:, :2].min(0) - MARGIN, centres[:, :2].max(0) + MARGIN
        self.origin = low
        columns, rows = (np.ceil((high - low) / CELL).astype(int) + 1).tolist()
        x, y = np.meshgrid(low[0] + np.arange(columns) * CELL, low[1] + np.arange(rows) * CELL)
        distance, nearest = cKDTree(centres[:, :2]).query(np.column_stack([x.ravel(), y.ravel()]), k=8)
        weight = 1.0 / (distance + 1.0) ** 3
        road = (weight * centres[nearest, 2]).sum(1) / weight.sum(1)
        road = np.minimum(road, centres[nearest[:, 0], 2]).reshape(rows, columns)
        clear = distance[:, 0].reshape(rows, columns)
        noise = cv2.remap(
            0.5 + 0.25 * fractal_tile(seed * 7 + 11, 2.0, 1, 24),
            (x / 900 % 1 * TILE).astype(np.float32),
            (y / 900 % 1 * TILE).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        hills = smoothstep(25, 120, clear) * noise * 5 + smoothstep(90, 300, clear) * (6 + 34 * noise)
        self.heights = road - 0.3 + hills
        self._x, self._y = x, y

    def height(self, points: np.ndarray) -> np.ndarray:
        """Height in metres under (N, 2) world points."""
        cells = (np.asarray(points) - self.origin) / CELL
        return map_coordinates(self.heights, [cells[:, 1], cells[:, 0]], order=1, mode="nearest")

    def triangles(self) -> Triangles:
        """The height field as triangles with smooth normals."""
        slope_y, slope_x = np.gradient(self.heights, CELL)
        normal = np.stack([-slope_x, -slope_y, np.ones_like(slope_x)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        points = np.stack([self._x, self._y, self.heights], axis=-1)

        def cells(grid: np.ndarray) -> np.ndarray:
            corners = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2)
            return quads(corners.reshape(-1, 4, 3))

        return triangles(cells(points), Material.TERRAIN, Label.TERRAIN, params=cells(normal))


class Occupancy:
    """A raster of taken ground, half a metre per pixel, so that nothing stands on a road or in a house."""

    SCALE = 2.0

    def __init__(self, mesh: RoadMesh, clearance: float = 0.4) -> None:
        surfaces = np.array(mesh.surfaces)
        low, high = surfaces.min((0, 1)) - 80, surfaces.max((0, 1)) + 80
        self._origin = low
        columns, rows = np.ceil((high - low) * self.SCALE).astype(int).tolist()
        self.taken = np.zeros((rows, columns), np.uint8)
        for corners in self._pixels(surfaces):
            cv2.fillConvexPoly(self.taken, corners, 1)
        size = 2 * int(clearance * self.SCALE) + 3
        self.taken = cv2.dilate(self.taken, np.ones((size, size), np.uint8))

    def claim(self, outline: np.ndarray) -> bool:
        """Takes a convex (n, 2) outline in metres if all of it is free; says whether it did."""
        corners = self._pixels(outline)
        low, high = corners.min(0), corners.max(0) + 1
        rows, columns = self.taken.shape
        if (low < 0).any() or high[0] >= columns or high[1] >= rows:
            return False
        window = self.taken[low[1] : high[1], low[0] : high[0]]
        mask = np.zeros_like(window)
        cv2.fillConvexPoly(mask, corners - low, 1)
        if (window & mask).any():
            return False
        window |= mask
        return True

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        return np.round((points - self._origin) * self.SCALE).astype(np.int32)
