"""Cones about neighbouring sight rays: they tell in one go which rays cannot meet what moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bundles:
    """Cones that hold the rays from one eye.

    Attributes:
        of_ray: (N,) int, which of the bundles each ray belongs to.
        axes: (B, 3) float32 unit vectors along the cones' middles.
        angles: (B,) float32 half of their openings, radians.
    """

    of_ray: np.ndarray
    axes: np.ndarray
    angles: np.ndarray

    def chosen(self, rays: np.ndarray | slice, turn: np.ndarray) -> Bundles:
        """Of some of the rays, and with the axes turned by a (3, 3) rotation."""
        return Bundles(self.of_ray[rays], self.axes @ turn.T, self.angles)

    def meeting(self, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Rows of the rays whose cones touch a ball: (A, 3) metres from the eye to their middles, and (A,) radii."""
        distance = np.maximum(np.linalg.norm(centres, axis=1), 1e-6)
        off = np.arccos(np.clip(self.axes @ (centres / distance[:, None]).T, -1, 1))
        touched = off <= self.angles[:, None] + np.arcsin(np.minimum(radii / distance, 1.0))
        # From within a ball all directions meet it.
        return np.flatnonzero((touched | (distance < radii)).any(1).take(self.of_ray))
