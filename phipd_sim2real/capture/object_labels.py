"""Where labelled objects lie in a picture, and how much of them is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.motion import MOVABLE_CLASSES
from phipd_sim2real.motion_geometry import BOX_MARGIN_M, OWN_BOX_MAX, OWN_BOX_MIN, SKY_DEPTH_M, Box
from phipd_sim2real.waymo.camera_model import Calibration, project

FEWEST_PIXELS = 6
"""Objects of which less is seen have no 2-D box."""

GRID = 9
"""Points per edge of the grid on each face of a box that is projected for its outline."""


@dataclass(frozen=True, eq=False)
class ObjectInPicture:
    """One object in one picture.

    Attributes:
        index: of its box among those given.
        outline: (4,) left, top, right, bottom of the box's projection, cut off at the borders, px.
        outline_pixels: pixels inside the projection.
        visible: (4,) left, top, right, bottom of the pixels that show it; None where there are none.
        visible_pixels: their number.
    """

    index: int
    outline: tuple[float, float, float, float]
    outline_pixels: int
    visible: tuple[int, int, int, int] | None
    visible_pixels: int

    @property
    def visible_share(self) -> float:
        """Visible pixels of those inside the box's outline: about three quarters for a car in full view."""
        return min(1.0, self.visible_pixels / self.outline_pixels)


def objects_in_picture(
    boxes: Sequence[Box],
    depth_m: np.ndarray,
    semantics: np.ndarray,
    calibration: Calibration,
    rays_camera: np.ndarray,
) -> list[ObjectInPicture]:
    """Finds boxes in a picture: by projection, and by the movable pixels whose points lie in them.

    It needs no instance ids: CARLA's name no actor.

    Args:
        boxes: in the vehicle frame.
        depth_m: (H, W) metres along the camera's x axis.
        semantics: (H, W) uint8 CARLA labels.
        calibration: of the camera.
        rays_camera: (H·W, 3) of `sight_lines`.
    """
    owner = _owners(boxes, depth_m, semantics, calibration, rays_camera)
    found = []
    for index, box in enumerate(boxes):
        outline = _outline(box, calibration)
        if outline is None:
            continue
        rows, columns = np.nonzero(owner == index)
        visible = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None
        found.append(ObjectInPicture(index, *outline, visible and tuple(map(int, visible)), len(rows)))
    return found


def _owners(
    boxes: Sequence[Box], depth_m: np.ndarray, semantics: np.ndarray, calibration: Calibration, rays: np.ndarray
) -> np.ndarray:
    """(H, W) int: index of the box that each movable pixel's point lies in, -1 for none."""
    owner = np.full(depth_m.size, -1)
    movable = np.flatnonzero(np.isin(semantics, MOVABLE_CLASSES).ravel() & (depth_m.ravel() < SKY_DEPTH_M))
    points = transform_points(calibration.extrinsic, depth_m.ravel()[movable, None].astype(np.float64) * rays[movable])
    own = ((points > OWN_BOX_MIN) & (points < OWN_BOX_MAX)).all(axis=1)
    movable, points = movable[~own], points[~own]
    nearest = np.full(len(movable), np.inf)
    for index, box in enumerate(boxes):
        local = np.abs(transform_points(invert(box.pose_box_in_vehicle), points))
        beyond = (local - np.asarray(box.size) / 2).max(axis=1)  # metres outside of the box, negative inside
        closer = (beyond <= BOX_MARGIN_M) & (beyond < nearest)
        nearest[closer] = beyond[closer]
        owner[movable[closer]] = index
    return owner.reshape(depth_m.shape)


def _outline(box: Box, calibration: Calibration) -> tuple[tuple[float, float, float, float], int] | None:
    """Bounds and area of a box's projection inside the picture; None where it lies outside."""
    points = transform_points(box.pose_box_in_vehicle, _surface_points() * np.asarray(box.size))
    pixels, valid = project(points, calibration)
    if valid.sum() < 3:
        return None
    size = np.array([calibration.width, calibration.height])
    low, high = np.clip(pixels[valid].min(axis=0), 0, size), np.clip(pixels[valid].max(axis=0), 0, size)
    if (high - low <= 0).any():
        return None
    hull = cv2.convexHull(pixels[valid].astype(np.float32))
    picture = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
    area, _ = cv2.intersectConvexConvex(hull, picture)
    if area < 1:
        return None
    return (*map(float, low), *map(float, high)), round(area)


@lru_cache(maxsize=1)
def _surface_points() -> np.ndarray:
    """(N, 3) points all over the faces of the unit cube about 0: parts of a box may lie behind the camera."""
    steps = np.linspace(-0.5, 0.5, GRID)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[(np.abs(grid) == 0.5).any(axis=1)]
