"""Pictures of any lens from the pinholes that a CARLA server renders.

CARLA's cameras have square pixels, no distortion and their axis in the middle of the picture. A lens is rendered as
such a pinhole, wide and fine enough to hold its whole picture, and resampled along the lens' sight lines.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import cv2
import numpy as np

from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import sight_lines
from phipd_sim2real.waymo.camera_model import Calibration, project

BORDER_PX = 4
"""Rendered beyond the outermost sight line: bicubic resampling reads two pixels on either side."""

WHOLE_BLOCKS_PX = 64
"""CARLA renders widths of whole blocks most reliably."""

WIDEST_PX = 8192
SIGHT_LINE_ERROR_PX = 0.05
SAME_SURFACE = 0.03
"""Share by which the inverse depth of neighbours may differ on one surface."""


@dataclass(frozen=True)
class PinholeView:
    """What to ask of CARLA: size in px and horizontal field of view in degrees."""

    width: int
    height: int
    fov_degrees: float

    @property
    def focal_px(self) -> float:
        """Focal length, px."""
        return self.width / (2 * math.tan(math.radians(self.fov_degrees) / 2))


@dataclass(frozen=True, eq=False)
class LensResampler:
    """Turns pictures of a pinhole into those of a lens at the same place.

    Attributes:
        view: the pinhole.
        columns, rows: (H, W) float32, where each pixel of the lens lies in the pinhole's picture (OpenCV's
            coordinates: whole numbers are pixel centres).
    """

    view: PinholeView
    columns: np.ndarray
    rows: np.ndarray

    def colour(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 of the lens, bicubic."""
        return cv2.remap(rgb, self.columns, self.rows, cv2.INTER_CUBIC)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """(H, W) of the lens, each pixel the nearest one of the pinhole: no label is made up."""
        return cv2.remap(labels, self.columns, self.rows, cv2.INTER_NEAREST)

    def depth(self, depth_m: np.ndarray) -> np.ndarray:
        """(H, W) float32 metres along the camera's x axis, as CARLA measures it; the lens has the same axis.

        Inverse depth is linear over a plane's picture, so it is interpolated within a surface; across an outline
        the nearest pixel counts.
        """
        inverse = 1 / np.maximum(depth_m, np.float32(1e-3))
        nearest = self.labels(inverse)
        between = cv2.remap(inverse, self.columns, self.rows, cv2.INTER_LINEAR)
        same = np.abs(between - nearest) <= SAME_SURFACE * nearest
        return np.where(same, 1 / between, self.labels(depth_m)).astype(np.float32)


def lens_resampler(calibration: Calibration) -> LensResampler:
    """The pinhole that holds a lens' picture at its finest resolution, and the way from one to the other.

    Raises:
        UsageError: the lens folds before the border of its picture, or is too wide for a pinhole.
    """
    height, width = calibration.height, calibration.width
    rays = sight_lines(calibration)
    _check(rays, calibration)
    right, down = -rays[:, 1].reshape(height, width), -rays[:, 2].reshape(height, width)
    finest = min(np.diff(right, axis=1).min(), np.diff(down, axis=0).min())
    half_width, half_height = np.abs(right).max() / finest + BORDER_PX, np.abs(down).max() / finest + BORDER_PX
    columns = WHOLE_BLOCKS_PX * math.ceil(2 * half_width / WHOLE_BLOCKS_PX)
    rows = 2 * math.ceil(half_height)
    if max(columns, rows) > WIDEST_PX:
        raise UsageError(
            f"The lens of {width} x {height} px needs a pinhole of {columns} x {rows} px, and {WIDEST_PX} is the most; "
            "give a smaller picture or a narrower field of view."
        )
    view = PinholeView(columns, rows, math.degrees(2 * math.atan(columns * finest / 2)))
    x, y = (view.focal_px * right + columns / 2 - 0.5, view.focal_px * down + rows / 2 - 0.5)
    return LensResampler(view, x.astype(np.float32), y.astype(np.float32))


def resampler_of(mount: CameraMount) -> LensResampler | None:
    """How a mount's pictures are made from a pinhole's; None where it is one that CARLA renders itself."""
    return None if mount.lens is None else lens_resampler(mount.calibration())


def _check(rays: np.ndarray, calibration: Calibration) -> None:
    centred = Calibration(calibration.intrinsic, np.eye(4), calibration.width, calibration.height)
    pixels, valid = project(rays, centred)
    rows, columns = np.divmod(np.arange(len(rays)), calibration.width)
    error = np.abs(pixels - np.stack([columns + 0.5, rows + 0.5], axis=-1))
    if not valid.all() or error.max() > SIGHT_LINE_ERROR_PX:
        raise UsageError(
            f"The distortion {calibration.intrinsic[4:].tolist()} folds the picture of {calibration.width} x "
            f"{calibration.height} px before its border; give weaker coefficients or a longer focal length."
        )


def warn_of_widths(rig: Rig) -> None:
    """Warns of pinholes whose rows some CARLA servers shear; a lens is rendered from a picture of whole blocks."""
    for mount in rig.cameras:
        if mount.lens is None and mount.width % WHOLE_BLOCKS_PX:
            below = mount.width - mount.width % WHOLE_BLOCKS_PX
            warnings.warn(
                f"Camera {mount.camera} is {mount.width} px wide; some CARLA servers shear pictures whose width is no "
                f"multiple of {WHOLE_BLOCKS_PX}. Take {below or WHOLE_BLOCKS_PX} or {below + WHOLE_BLOCKS_PX} in the "
                "rig, or look at the first pictures.",
                stacklevel=2,
            )
