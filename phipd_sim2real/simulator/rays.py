"""Cameras: their optics and readout, the sight rays of their pixels, and shadow rays to the sun's disc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from phipd_sim2real.simulator.bundles import Bundles
from phipd_sim2real.simulator.casting import Rays
from phipd_sim2real.simulator.optics import DIRECTIONS, Optics, Readout, pinhole
from phipd_sim2real.simulator.rigid_motion import RigidMotion

_TILE = 16
"""Pixels along the side of the squares that sight rays are bundled by."""


@dataclass(frozen=True)
class CameraView:
    """A camera at one moment.

    Attributes:
        width, height: pixels.
        fov_degrees: horizontal field of view.
        pose_camera_in_world: (4, 4) right-handed; x forward, y left, z up.
        intrinsic: Waymo's nine numbers, f_u, f_v, c_u, c_v in px, then k1, k2, p1, p2, k3; None for the
            pinhole that the field of view says.
        pose_before_in_world: (4, 4), at the tick before; None where the camera did not move.
        delta_s: seconds between the two poses.
        readout: of a rolling shutter; None where all lines are exposed at once.
    """

    width: int
    height: int
    fov_degrees: float
    pose_camera_in_world: np.ndarray
    intrinsic: tuple[float, ...] | None = None
    pose_before_in_world: np.ndarray | None = None
    delta_s: float = 0.1
    readout: Readout | None = None

    @property
    def optics(self) -> Optics:
        """How pixels and directions belong together."""
        if self.intrinsic is None:
            return pinhole(self.width, self.height, self.fov_degrees)
        return Optics(self.width, self.height, *self.intrinsic)

    @property
    def pixel(self) -> float:
        """Tangent of the angle that a pixel in the middle spans."""
        if self.intrinsic is None:
            return 2 * np.tan(np.radians(self.fov_degrees) / 2) / self.width
        return 1 / self.intrinsic[0]

    @property
    def motion(self) -> RigidMotion:
        """The camera's motion."""
        before = self.pose_camera_in_world if self.pose_before_in_world is None else self.pose_before_in_world
        return RigidMotion(self.pose_camera_in_world, before, self.delta_s)

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """The (H·W,) line of every pixel and the (M,) delay of every line, seconds; one line without a readout."""
        if self.readout is None:
            return np.zeros(self.height * self.width, np.intp), np.zeros(1)
        axis, way = DIRECTIONS[self.readout.direction]
        count = (self.height, self.width)[axis]
        delays = ((np.arange(count) + 0.5) / count - 0.5) * self.readout.duration_s * way
        return np.indices((self.height, self.width))[axis].ravel(), delays

    def rays(self) -> Rays:
        """Rays in the world through the centres of all pixels."""
        return self._turned(sight_rays(self.optics, 0.0, 0.0), slice(None))

    def rays_within(self, pixels: np.ndarray, moves: Sequence[tuple[float, float]]) -> Rays:
        """Rays in the world through the chosen pixels' centres moved by (dx, dy) pixels, pixel by pixel."""
        local = [sight_rays(self.optics, *move).take(pixels, axis=0) for move in moves]
        # Rays that lie together find the caster's nodes in its cache.
        return self._turned(np.stack(local, axis=1).reshape(-1, 3), np.repeat(pixels, len(moves)))

    def _turned(self, local: np.ndarray, pixels: np.ndarray | slice) -> Rays:
        """(N, 3) rays of the camera's frame, which belong to the given pixels, in the world."""
        if self.readout is None:
            turn = self.pose_camera_in_world[:3, :3].astype(np.float32)
            eye = self.pose_camera_in_world[:3, 3].astype(np.float32)
            directions = np.ascontiguousarray(local @ turn.T)
            origins = np.ascontiguousarray(np.broadcast_to(eye, directions.shape))
            return Rays(origins, directions, bundles=camera_bundles(self.optics).chosen(pixels, turn))
        lines, delays = self.lines()
        moments = lines[pixels]
        poses = self.motion.at(delays).astype(np.float32)
        directions = np.einsum("nij,nj->ni", poses[moments, :3, :3], local)
        return Rays(np.ascontiguousarray(poses[moments, :3, 3]), np.ascontiguousarray(directions), moments, delays)


@lru_cache(maxsize=32)
def sight_rays(optics: Optics, dx: float, dy: float) -> np.ndarray:
    """(H·W, 3) float32 unit rays in the camera frame through pixel centres moved by (dx, dy) pixels."""
    right, down = optics.plane(dx, dy)
    rays = np.stack([np.ones_like(right), -right, -down], axis=-1).reshape(-1, 3)
    return (rays / np.linalg.norm(rays, axis=1, keepdims=True)).astype(np.float32)


@lru_cache(maxsize=8)
def camera_bundles(optics: Optics) -> Bundles:
    """The squares of a camera's pixels, in its own frame; rays up to a pixel beside the centres are within."""
    row, column = np.divmod(np.arange(optics.height * optics.width), optics.width)
    of_ray = row // _TILE * -(-optics.width // _TILE) + column // _TILE
    rays = sight_rays(optics, 0.0, 0.0)
    axes = np.stack([np.bincount(of_ray, component) for component in rays.T], axis=-1)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.zeros(len(axes))
    off = np.arccos(np.clip(np.einsum("ij,ij->i", rays, axes[of_ray]), -1, 1))
    np.maximum.at(angles, of_ray, off)
    return Bundles(of_ray, axes.astype(np.float32), (angles * (1 + 2 / _TILE) + 1e-4).astype(np.float32))


@lru_cache(maxsize=8)
def axis_cosines(optics: Optics) -> np.ndarray:
    """(H·W,) cosine between each pixel's ray and the camera's axis."""
    return np.ascontiguousarray(sight_rays(optics, 0.0, 0.0)[:, 0])


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
