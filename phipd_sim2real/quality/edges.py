"""What measures of structure share: luminance, edges, and masks that grow."""

from __future__ import annotations

import cv2
import numpy as np

CANNY_THRESHOLDS = (100, 200)  # of the L2 gradient of a 3x3 Sobel, luminance 0 to 255


def luminance(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float64 gamma-coded luminance (Rec. 601), 0 to 255."""
    return picture.astype(np.float64) @ (0.299, 0.587, 0.114)


def canny_edges(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) bool, true on edges one pixel wide."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.Canny(grey, *CANNY_THRESHOLDS, L2gradient=True) > 0


def grown(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The mask and all within `radius_px` of it, along rows, columns and diagonals."""
    side = 2 * radius_px + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
