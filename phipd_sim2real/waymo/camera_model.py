"""Waymo's camera model: from points in the vehicle frame to pixels, without rolling shutter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

CAMERA_NAMES = {
    1: "FRONT",
    2: "FRONT_LEFT",
    3: "FRONT_RIGHT",
    4: "SIDE_LEFT",
    5: "SIDE_RIGHT",
    6: "REAR_LEFT",
    7: "REAR",
    8: "REAR_RIGHT",
}
"""Camera ids of the dataset; 6 to 8 exist in end-to-end records only."""

RADIAL_GAIN_RANGE = (0.8, 1.2)
"""Beyond this gain the distortion polynomial folds points from far outside back into the picture."""


_UNDISTORTION_ROUNDS = 30
_SOLVED = 1e-13
_LEAST_GAIN = 0.05


class CameraLike(Protocol):
    """Any object with a Waymo calibration."""

    intrinsic: np.ndarray
    extrinsic: np.ndarray
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration of one camera. Camera axes: x forward, y left, z up.

    Attributes:
        intrinsic: (9,) float64 f_u, f_v, c_u, c_v in px, then k1, k2, p1, p2, k3.
        extrinsic: (4, 4) float64, camera frame -> vehicle frame, metres.
        width: picture width, px.
        height: picture height, px.
    """

    intrinsic: np.ndarray
    extrinsic: np.ndarray
    width: int
    height: int


def project(points_vehicle: np.ndarray, calibration: CameraLike) -> tuple[np.ndarray, np.ndarray]:
    """Projects points into a camera, with the model's own validity.

    Args:
        points_vehicle: (N, 3) metres, vehicle frame.
        calibration: intrinsic (9,), extrinsic (4, 4) camera -> vehicle, width, height.

    Returns:
        pixels: (N, 2) float64 u right, v down, px; NaN where not valid.
        valid: (N,) bool, in front of the camera and where the lens model holds. It does not test the
            borders of the picture; `inside_picture` does.
    """
    f_u, f_v, c_u, c_v, *distortion = np.asarray(calibration.intrinsic, dtype=np.float64)
    extrinsic = np.asarray(calibration.extrinsic, dtype=np.float64)
    rotation, translation = extrinsic[:3, :3], extrinsic[:3, 3]
    x, y, z = ((np.asarray(points_vehicle, dtype=np.float64) - translation) @ rotation).T  # p = Rᵀ (P − t)
    in_front = x > 0
    depth = np.where(in_front, x, np.nan)
    u, v = -y / depth, -z / depth
    gain, across_u, across_v = lens_terms(u, v, distortion)
    low, high = RADIAL_GAIN_RANGE
    valid = in_front & (gain >= low) & (gain <= high)
    pixels = np.stack([f_u * (u * gain + across_u) + c_u, f_v * (v * gain + across_v) + c_v], axis=-1)
    return np.where(valid[:, None], pixels, np.nan), valid


def lens_terms(u: np.ndarray, v: np.ndarray, distortion: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radial gain and tangential shifts of the lens: (u, v) is seen at (u · gain + across_u, v · gain + across_v).

    Args:
        u, v: right and down on the plane one metre ahead, metres.
        distortion: k1, k2, p1, p2, k3.
    """
    k1, k2, p1, p2, k3 = distortion
    r2 = u**2 + v**2
    gain = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return gain, 2 * p1 * u * v + p2 * (r2 + 2 * u**2), p1 * (r2 + 2 * v**2) + 2 * p2 * u * v


def undistort(u_d: np.ndarray, v_d: np.ndarray, distortion: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """What the lens shows at (u_d, v_d), by fixed-point rounds; wrong where its polynomial folds.

    Args:
        u_d, v_d: right and down of the principal point, in focal lengths.
        distortion: k1, k2, p1, p2, k3.
    """
    u, v = u_d, v_d
    for _ in range(_UNDISTORTION_ROUNDS):
        gain, across_u, across_v = lens_terms(u, v, distortion)
        gain = np.maximum(gain, _LEAST_GAIN)
        last_u, last_v, u, v = u, v, (u_d - across_u) / gain, (v_d - across_v) / gain
        if max(np.abs(u - last_u).max(), np.abs(v - last_v).max()) < _SOLVED:
            break
    return u, v


def inside_picture(pixels: np.ndarray, calibration: CameraLike) -> np.ndarray:
    """Which of the (N, 2) pixels lie in the picture; NaN lies outside. Returns (N,) bool."""
    u, v = pixels.T
    return (u >= 0) & (u < calibration.width) & (v >= 0) & (v < calibration.height)
