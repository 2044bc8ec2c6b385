"""What measures of pictures share: luminance, linear light, edges, and masks that grow."""

from __future__ import annotations

import cv2
import numpy as np

CANNY_THRESHOLDS = (100, 200)  # of the L2 gradient of a 3x3 Sobel, luminance 0 to 255


def luminance(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float64 gamma-coded luminance (Rec. 601), 0 to 255."""
    return picture.astype(np.float64) @ (0.299, 0.587, 0.114)


def linear_light(picture: np.ndarray) -> np.ndarray:
    """sRGB uint8 -> linear light, float32 0 to 1 (IEC 61966-2-1)."""
    coded = picture.astype(np.float32) / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def canny_edges(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) bool, true on edges one pixel wide."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.Canny(grey, *CANNY_THRESHOLDS, L2gradient=True) > 0


def grown(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The mask and all within `radius_px` of it, along rows, columns and diagonals."""
    side = 2 * radius_px + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
