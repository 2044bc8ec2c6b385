"""How high the drivable surface is under a point, also where roads cross on bridges."""

from __future__ import annotations

import numpy as np

STEP = 0.6
"""Metres above a point up to which a surface still counts as under it."""
KERB_STEP = 0.16
"""Metres that a wheel climbs within a moment."""
_NUDGES = ((0.0, 0.0), (0.013, 0.007), (-0.007, 0.013))
"""Metres by which a ray is moved that slipped between two triangles."""


class RoadSurface:
    """Lanes, sidewalks and junctions, asked from above."""

    def __init__(self, vertices: np.ndarray) -> None:
        """
        Args:
            vertices: (T, 3, 3) world metres of all that can be driven or walked on.
        """
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._scene = EmbreeScene()
        TriangleMesh(self._scene, np.ascontiguousarray(vertices, np.float32))

    def heights(self, points: np.ndarray, step: float = STEP) -> np.ndarray:
        """(n,) world z of the highest surface no more than `step` above each (n, 3) point; NaN where there is none."""
        heights = np.full(len(points), np.nan)
        for nudge in _NUDGES:
            missing = np.flatnonzero(np.isnan(heights))
            if not len(missing):
                break
            origins = np.asarray(points)[missing] + (*nudge, step)
            heights[missing] = self._below(origins)
        return heights

    def _below(self, origins: np.ndarray) -> np.ndarray:
        rays = np.ascontiguousarray(origins, np.float32)
        down = np.ascontiguousarray(np.broadcast_to(np.float32([0, 0, -1]), rays.shape))
        hits = self._scene.run(rays, down, output=True)
        return np.where(hits["primID"] >= 0, rays[:, 2] - hits["tfar"], np.nan)
