"""Sight rays of a pinhole camera and shadow rays to the sun's disc."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class CameraView:
    """A pinhole camera.

    Attributes:
        width, height: pixels.
        fov_degrees: horizontal field of view.
        pose_camera_in_world: (4, 4) right-handed; x forward, y left, z up.
    """

    width: int
    height: int
    fov_degrees: float
    pose_camera_in_world: np.ndarray


@lru_cache(maxsize=32)
def sight_rays(width: int, height: int, fov_degrees: float, dx: float, dy: float) -> np.ndarray:
    """(H·W, 3) float32 unit rays in the camera frame through pixel centres moved by (dx, dy) pixels."""
    focal = width / 2 / np.tan(np.radians(fov_degrees) / 2)
    x = (np.arange(width) + 0.5 + dx - width / 2) / focal
    y = (np.arange(height) + 0.5 + dy - height / 2) / focal
    right, down = np.meshgrid(x, y)
    rays = np.stack([np.ones_like(right), -right, -down], axis=-1).reshape(-1, 3)
    return (rays / np.linalg.norm(rays, axis=1, keepdims=True)).astype(np.float32)


@lru_cache(maxsize=8)
def axis_cosines(width: int, height: int, fov_degrees: float) -> np.ndarray:
    """(H·W,) cosine between each pixel's ray and the camera's axis."""
    return np.ascontiguousarray(sight_rays(width, height, fov_degrees, 0.0, 0.0)[:, 0])


@lru_cache(maxsize=8)
def shadow_pattern(width: int, height: int) -> np.ndarray:
    """(H·W,) int: which of the 16 sun points each pixel looks at, a 4 × 4 tile."""
    row, column = np.divmod(np.arange(height * width), width)
    return column % 4 + 4 * (row % 4)


def sun_points(direction: np.ndarray, spread: float) -> np.ndarray:
    """(16, 3) float32 unit vectors over the sun's disc, in an order that spreads neighbours."""
    side = np.cross(direction, [0, 0, 1.0])
    side /= max(np.linalg.norm(side), 1e-6)
    other = np.cross(side, direction)
    order = np.array([0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5])
    radius, angle = np.sqrt((order + 0.5) / 16) * spread, order * 2.399963
    points = direction + np.outer(radius * np.cos(angle), side) + np.outer(radius * np.sin(angle), other)
    points[:, 2] = np.maximum(points[:, 2], 0.05)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
