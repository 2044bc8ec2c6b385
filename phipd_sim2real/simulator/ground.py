"""The open terrain around the roads, and the map of ground that is already taken."""

from __future__ import annotations

import cv2
import numpy as np

from phipd_sim2real.simulator.grade import Grade, interpolated
from phipd_sim2real.simulator.road_mesh import RoadMesh
from phipd_sim2real.simulator.textures import TILE, fractal_tile, smoothstep
from phipd_sim2real.simulator.triangles import Label, Material, Triangles, quads, triangles


class Terrain:
    """A height field that stays just below the roads and rises into hills away from them.

    Attributes:
        level: whether all roads are at one height.
        heights: (rows, columns) metres.
    """

    def __init__(self, grade: Grade, seed: int) -> None:
        noise = cv2.remap(
            0.5 + 0.25 * fractal_tile(seed * 7 + 11, 2.0, 1, 24),
            (grade.x / 900 % 1 * TILE).astype(np.float32),
            (grade.y / 900 % 1 * TILE).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        clear = grade.clear
        hills = smoothstep(25, 120, clear) * noise * 5 + smoothstep(90, 300, clear) * (6 + 34 * noise)
        self.level = grade.level
        self.heights = grade.heights + hills
        self._grade = grade

    def height(self, points: np.ndarray) -> np.ndarray:
        """Height in metres under (N, 2) world points."""
        return interpolated(self.heights, self._grade.origin, self._grade.cell, points)

    def triangles(self) -> Triangles:
        """The height field as triangles with smooth normals."""
        slope_y, slope_x = np.gradient(self.heights, self._grade.cell)
        normal = np.stack([-slope_x, -slope_y, np.ones_like(slope_x)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        points = np.stack([self._grade.x, self._grade.y, self.heights], axis=-1)

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
