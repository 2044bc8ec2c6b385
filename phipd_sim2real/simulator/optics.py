"""From pixels to directions and back: the pinhole, Waymo's Brown-Conrady lens, and the order of a readout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.camera_model import Calibration, lens_terms, project, undistort

_SOLVED_PX = 0.01


@dataclass(frozen=True)
class Readout:
    """A rolling shutter: lines are read one after the other, the middle one at the frame's time.

    Attributes:
        direction: Waymo's name of the order, a key of `DIRECTIONS`.
        duration_s: from the first line to the last, seconds.
    """

    direction: str
    duration_s: float


DIRECTIONS = {
    "TOP_TO_BOTTOM": (0, 1),
    "LEFT_TO_RIGHT": (1, 1),
    "BOTTOM_TO_TOP": (0, -1),
    "RIGHT_TO_LEFT": (1, -1),
}
"""Orders of readout: which axis of the picture they run along, and which way."""


@dataclass(frozen=True)
class Optics:
    """Intrinsics in Waymo's order; pixel (0, 0) spans 0 to 1 in u (right) and v (down).

    Attributes:
        width, height: pixels.
        f_u, f_v, c_u, c_v: focal lengths and principal point, px.
        k1, k2, p1, p2, k3: radial and tangential distortion.
    """

    width: int
    height: int
    f_u: float
    f_v: float
    c_u: float
    c_v: float
    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    @property
    def _distortion(self) -> tuple[float, ...]:
        return self.k1, self.k2, self.p1, self.p2, self.k3

    @property
    def distorted(self) -> bool:
        """Whether straight lines may look bent."""
        return any(self._distortion)

    def plane(self, dx: float, dy: float) -> tuple[np.ndarray, np.ndarray]:
        """Where pixel centres moved by (dx, dy) lie on the plane one metre ahead: right and down, (H, W) metres.

        Raises:
            UsageError: the distortion polynomial folds before the picture's border.
        """
        x = (np.arange(self.width) + 0.5 + dx - self.c_u) / self.f_u
        y = (np.arange(self.height) + 0.5 + dy - self.c_v) / self.f_v
        right, down = np.meshgrid(x, y)
        return self._undistort(right, down) if self.distorted else (right, down)

    def project(self, points_camera: np.ndarray) -> np.ndarray:
        """(N, 3) points, x forward, y left, z up, to (N, 2) pixels u, v; NaN behind and where the lens folds."""
        if self.distorted:
            return project(points_camera, self._calibration())[0]
        depth = np.where(points_camera[:, 0] > 0, points_camera[:, 0], np.nan)
        u = self.c_u - self.f_u * points_camera[:, 1] / depth
        return np.stack([u, self.c_v - self.f_v * points_camera[:, 2] / depth], axis=-1)

    def require_sound(self) -> None:
        """Checks that every pixel has a ray, on a coarse grid.

        Raises:
            UsageError: as `plane`.
        """
        if self.distorted:
            x, y = np.linspace(0, self.width, 17), np.linspace(0, self.height, 17)
            self._undistort(*np.meshgrid((x - self.c_u) / self.f_u, (y - self.c_v) / self.f_v))

    def _calibration(self) -> Calibration:
        intrinsic = [self.f_u, self.f_v, self.c_u, self.c_v, *self._distortion]
        return Calibration(np.array(intrinsic), np.eye(4), self.width, self.height)

    def _undistort(self, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v = undistort(right, down, self._distortion)
        gain, across_u, across_v = lens_terms(u, v, self._distortion)
        miss = np.hypot(self.f_u * (u * gain + across_u - right), self.f_v * (v * gain + across_v - down))
        if not miss.max() < _SOLVED_PX:
            raise UsageError(
                f"the distortion k1={self.k1:g}, k2={self.k2:g}, p1={self.p1:g}, p2={self.p2:g}, k3={self.k3:g} folds "
                "the picture before its border; give a weaker one or a longer focal length"
            )
        return u, v


@lru_cache(maxsize=32)
def pinhole(width: int, height: int, fov_degrees: float) -> Optics:
    """A pinhole with square pixels and a horizontal field of view in degrees."""
    focal = width / 2 / np.tan(np.radians(fov_degrees) / 2)
    return Optics(width, height, focal, focal, width / 2, height / 2)
