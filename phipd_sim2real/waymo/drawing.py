"""Boxes and paths drawn on pictures through a camera's calibration."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from phipd_sim2real.waymo.camera_model import CameraLike, project
from phipd_sim2real.waymo.perception import Box

KIND_COLOURS = {
    "vehicle": (255, 176, 32),
    "pedestrian": (255, 82, 116),
    "cyclist": (160, 110, 255),
    "sign": (64, 196, 255),
    "unknown": (220, 220, 220),
}
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
POINTS_PER_EDGE = 24  # lines bend under lens distortion
FAR_OUTSIDE = 4  # picture sizes; beyond, a line would overflow the rasteriser's integers


def draw_boxes(picture: np.ndarray, boxes: Iterable[Box], calibration: CameraLike, thickness: int = 2) -> np.ndarray:
    """Draws the edges of boxes, far ones first, and a line along the heading on the lower face.

    Args:
        picture: (H, W, 3) uint8 RGB of the calibrated size; left as it is.
        boxes: in the vehicle frame.
        calibration: of the picture's camera.
        thickness: px.

    Returns:
        (H, W, 3) uint8, a new picture.
    """
    canvas = picture.copy()
    for box in sorted(boxes, key=lambda box: -float(np.linalg.norm(box.centre_vehicle))):
        corners, colour = box_corners(box), KIND_COLOURS[box.kind]
        for start, end in EDGES:
            draw_path(canvas, _between(corners[start], corners[end]), calibration, colour, thickness)
        centre, front = corners[:4].mean(axis=0), corners[:2].mean(axis=0)
        draw_path(canvas, _between(centre, front), calibration, colour, thickness)
    return canvas


def draw_path(
    canvas: np.ndarray,
    points_vehicle: np.ndarray,
    calibration: CameraLike,
    colour: tuple[int, int, int],
    thickness: int = 2,
) -> None:
    """Draws the visible parts of a line through (N, 3) points, metres, vehicle frame, into `canvas`."""
    import cv2

    pixels, valid = project(points_vehicle, calibration)
    limit = FAR_OUTSIDE * max(calibration.width, calibration.height)
    near = valid & (np.abs(np.nan_to_num(pixels)).max(axis=1) < limit)
    for run in np.split(np.arange(len(pixels)), np.flatnonzero(np.diff(near)) + 1):
        if len(run) > 1 and near[run[0]]:
            line = np.round(pixels[run]).astype(np.int32)
            cv2.polylines(canvas, [line], isClosed=False, color=colour, thickness=thickness, lineType=cv2.LINE_AA)


def box_corners(box: Box) -> np.ndarray:
    """(8, 3) corners in the vehicle frame: lower face from front left round to rear left, then the upper."""
    c, s = np.cos(box.heading), np.sin(box.heading)
    face = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) / 2
    corners = np.concatenate([np.c_[face, np.full(4, -0.5)], np.c_[face, np.full(4, 0.5)]]) * box.size
    return corners @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + box.centre_vehicle


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return start + np.linspace(0, 1, POINTS_PER_EDGE)[:, None] * (end - start)
