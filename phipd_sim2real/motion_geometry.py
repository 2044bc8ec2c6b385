"""Exact optical flow of a known scene: depth, calibration, and the poses of the vehicle and of what moves.

Pixel (row, column) has its centre at (u, v) = (column + 0.5, row + 0.5), as in Waymo's calibrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.waymo.camera_model import Calibration, inside_picture, project, undistort

SKY_DEPTH_M = 999.0
"""Depth from which a pixel is infinitely far; CARLA's depth camera ends at 1000 m."""

BOX_MARGIN_M = 0.2
"""How far an actor's parts may stand out of its box."""

OWN_BOX_MIN, OWN_BOX_MAX = (-1.5, -1.3, -0.5), (4.5, 1.3, 2.2)
"""Opposite corners, vehicle frame, metres: movable pixels inside belong to the ego itself, such as its bonnet."""

DEPTH_TOLERANCE = 0.03  # share of inverse depth
INVERSE_DEPTH_TOLERANCE = 5e-4  # 1/m; tells 300 m from the sky


class Flow(NamedTuple):
    """Optical flow.

    Attributes:
        forward: (H, W, 2) float32 px, x right and y down: what is at p moves to p + forward(p).
        valid: (H, W) bool, where the point is inside the second picture and not occluded there.
    """

    forward: np.ndarray
    valid: np.ndarray


def dis_estimator() -> cv2.DISOpticalFlow:
    """DIS (Kroeger et al., 2016; OpenCV, medium preset), searching down to full resolution.

    The preset stops at half, which on small frames doubles the median error.
    """
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setFinestScale(0)
    return estimator


class Box(NamedTuple):
    """An actor at one time.

    Attributes:
        pose_box_in_vehicle: (4, 4).
        size: (3,) length, width, height, metres.
    """

    pose_box_in_vehicle: np.ndarray
    size: np.ndarray


@dataclass(frozen=True, eq=False)
class View:
    """What one camera saw at one time.

    Attributes:
        depth_m: (H, W) metres along the camera's x axis.
        movable: (H, W) bool, pixels of vehicles, people and their riders.
        pose_vehicle_in_world: (4, 4).
        boxes: actors by their id.
    """

    depth_m: np.ndarray
    movable: np.ndarray
    pose_vehicle_in_world: np.ndarray
    boxes: Mapping[str, Box]


def exact_flow(first: View, second: View, calibration: Calibration) -> Flow:
    """Optical flow between two views of one camera.

    The static scene moves by the vehicle's motion; movable pixels inside an actor's box move with the box, inside
    the ego's own with the camera, and others, such as parked cars, with the scene; the sky turns only.

    Args:
        first: the view whose pixels are followed.
        second: where they are found.
        calibration: of the camera; global shutter.

    Returns:
        The flow; where a point leaves the lens model it is 0 and not valid. A point counts as occluded where its
        inverse depth differs from the second view's, interpolated there, by more than 3 %.
    """
    height, width = first.depth_m.shape
    points, sky = _points_in_vehicle(first.depth_m, calibration)
    moved = _moved(points, sky, first, second, calibration)
    pixels, seen = project(moved, calibration)
    start = _pixel_centres(height, width)
    forward = np.where(seen[:, None], pixels - start, 0.0)
    seen &= inside_picture(pixels, calibration)
    depth = transform_points(invert(calibration.extrinsic), moved)[:, 0]
    inverse_depth = np.where(sky | (depth <= 0), 0.0, 1 / np.where(depth > 0, depth, 1.0))
    seen &= _agrees(inverse_depth, start + forward, second.depth_m)
    return Flow(forward.reshape(height, width, 2).astype(np.float32), seen.reshape(height, width))


def sight_lines(calibration: Calibration) -> np.ndarray:
    """Rays through all pixel centres, (H·W, 3) float64, camera frame (x forward), with x = 1.

    Waymo's lens model (radial k1, k2, k3, tangential p1, p2) is inverted by fixed-point iteration.
    """
    f_u, f_v, c_u, c_v, *distortion = np.asarray(calibration.intrinsic, dtype=np.float64)
    distorted = (_pixel_centres(calibration.height, calibration.width) - (c_u, c_v)) / (f_u, f_v)
    u, v = undistort(*distorted.T, distortion)
    return np.stack([np.ones_like(u), -u, -v], axis=-1)


def _pixel_centres(height: int, width: int) -> np.ndarray:
    rows, columns = np.divmod(np.arange(height * width), width)
    return np.stack([columns, rows], axis=-1) + 0.5


def _points_in_vehicle(depth_m: np.ndarray, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points seen, and which of them are sky."""
    depth = depth_m.reshape(-1, 1).astype(np.float64)
    points = transform_points(calibration.extrinsic, depth * sight_lines(calibration))
    return points, depth[:, 0] >= SKY_DEPTH_M


def _moved(points: np.ndarray, sky: np.ndarray, first: View, second: View, calibration: Calibration) -> np.ndarray:
    """(N, 3) the same points in the vehicle frame of the second view."""
    second_from_first = invert(second.pose_vehicle_in_world) @ first.pose_vehicle_in_world
    moved = transform_points(second_from_first, points)
    camera = np.asarray(calibration.extrinsic, dtype=np.float64)[:3, 3]
    moved[sky] = (points[sky] - camera) @ second_from_first[:3, :3].T + camera
    movable = np.flatnonzero(first.movable.ravel() & ~sky)
    own = ((points[movable] > OWN_BOX_MIN) & (points[movable] < OWN_BOX_MAX)).all(axis=1)
    moved[movable[own]] = points[movable[own]]
    for name in sorted(first.boxes.keys() & second.boxes.keys()):
        before, after = first.boxes[name], second.boxes[name]
        local = transform_points(invert(before.pose_box_in_vehicle), points[movable])
        inside = (np.abs(local) <= np.asarray(before.size) / 2 + BOX_MARGIN_M).all(axis=1)
        moved[movable[inside]] = transform_points(after.pose_box_in_vehicle, local[inside])
    return moved


def _agrees(inverse_depth: np.ndarray, pixels: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """Whether points at (N, 2) pixels are the nearest there: inverse depth is linear over a plane's picture."""
    recorded = np.where(depth_m >= SKY_DEPTH_M, 0.0, 1 / np.maximum(depth_m, 1e-3)).astype(np.float32)
    at = (pixels - 0.5).astype(np.float32).reshape(*depth_m.shape, 2)
    found = cv2.remap(recorded, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(inverse_depth - found.ravel())
    return difference <= DEPTH_TOLERANCE * inverse_depth + INVERSE_DEPTH_TOLERANCE
