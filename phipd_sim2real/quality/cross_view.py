"""Whether cameras agree: the colour of one 3-D point in two pictures of the same time."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.motion_geometry import SKY_DEPTH_M, sight_lines
from phipd_sim2real.quality.edges import linear_light
from phipd_sim2real.quality.measurement import Measurement
from phipd_sim2real.waymo.camera_model import Calibration, inside_picture, project

DEPTH_TOLERANCE = 0.02  # share of depth: what is farther behind than that is another surface
FEWEST_PIXELS = 100


class CameraView(NamedTuple):
    """One camera's picture and what is known of it.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        depth_m: (H, W) metres along the camera's x axis.
        calibration: of the camera.
    """

    picture: np.ndarray
    depth_m: np.ndarray
    calibration: Calibration


def reprojection_error(first: CameraView, second: CameraView) -> Measurement:
    """Mean difference of a point's colour in two overlapping cameras, over points and channels, in linear RGB 0 to 1.

    Points come from the first camera's depth; those in the sky, out of the second's view or hidden from it do not
    count. The raw pictures have a difference too (exposure, highlights): report the excess over it.
    """
    points, near = _points(first)
    pixels, seen = project(points, second.calibration)
    seen &= near & inside_picture(pixels, second.calibration)
    if seen.any():
        seen[seen] = _nearest(points[seen], pixels[seen], second)
    if seen.sum() < FEWEST_PIXELS:
        reason = f"fewer than {FEWEST_PIXELS} px are seen by both cameras"
        return Measurement("reprojection_error", float("nan"), False, "linear RGB", "lower", reason)
    there = _sampled(linear_light(second.picture), pixels[seen])
    here = linear_light(first.picture).reshape(-1, 3)[seen]
    return Measurement("reprojection_error", float(np.abs(here - there).mean()), True, "linear RGB", "lower")


def _points(view: CameraView) -> tuple[np.ndarray, np.ndarray]:
    """(H·W, 3) points in the vehicle frame, and which of them are nearer than the sky."""
    depth = view.depth_m.reshape(-1, 1).astype(np.float64)
    return transform_points(view.calibration.extrinsic, depth * sight_lines(view.calibration)), depth[
        :, 0
    ] < SKY_DEPTH_M


def _nearest(points: np.ndarray, pixels: np.ndarray, view: CameraView) -> np.ndarray:
    """Whether points are what a camera sees at their pixels, judged by its depth."""
    depth = transform_points(invert(view.calibration.extrinsic), points)[:, 0]
    return np.abs(_sampled(view.depth_m.astype(np.float32), pixels) - depth) <= DEPTH_TOLERANCE * depth


def _sampled(values: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Values at (N, 2) pixels, bilinear; pixel (0, 0) has its centre at (0.5, 0.5)."""
    at = (pixels - 0.5).astype(np.float32)[None]
    return cv2.remap(values, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
