"""Structure without a network: which places of a picture look alike, compared with which did before."""

from __future__ import annotations

import cv2
import numpy as np

from phipd_sim2real.quality.edges import luminance
from phipd_sim2real.quality.measurement import Measurement

CELL_PX = 16
ORIENTATIONS = 8
SCALES_PX = (1.0, 2.0, 4.0)  # Gaussian blur before the gradient
CONTRAST_WINDOW_PX = 32.0
CONTRAST_FLOOR = 4.0  # of 255: what is fainter is no structure


def structure_distance(source: np.ndarray, output: np.ndarray) -> Measurement:
    """Mean absolute difference of two self-similarity matrices of local orientation: 0 kept, 1 nothing alike.

    The idea of the structure distance on DINO keys (Tumanyan et al., 2022) with descriptors that need no weights:
    each cell of 16 px is a histogram of 8 undirected gradient orientations at 3 scales, of luminance at equal local
    contrast. Palette, brightness and inversion leave it as it is. Two unrelated street pictures reach about 0.1,
    not 1: read it beside the distance between different frames.

    Args:
        source: (H, W, 3) uint8 RGB, before; at least two cells large.
        output: the same size, after.
    """
    before, after = (self_similarity(picture) for picture in (source, output))
    others = ~np.eye(len(before), dtype=bool)
    if not others.any():
        reason = f"the picture is smaller than two cells of {CELL_PX} px"
        return Measurement("structure_distance", float("nan"), False, "1", "lower", reason)
    return Measurement("structure_distance", float(np.abs(before - after)[others].mean()), True, "1", "lower")


def self_similarity(picture: np.ndarray) -> np.ndarray:
    """(cells, cells) similarity of orientation histograms, 0 to 1; flat cells are alike."""
    descriptors = np.concatenate([_histograms(_equal_contrast(luminance(picture)), s) for s in SCALES_PX], axis=1)
    flat = np.clip(1 - np.linalg.norm(descriptors, axis=1, keepdims=True), 0, 1)
    descriptors = np.concatenate([descriptors, flat], axis=1)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return (descriptors @ descriptors.T).clip(0, 1)


def _equal_contrast(grey: np.ndarray) -> np.ndarray:
    """Luminance less its local mean, over its local deviation."""
    centred = grey - cv2.GaussianBlur(grey, (0, 0), CONTRAST_WINDOW_PX)
    deviation = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), CONTRAST_WINDOW_PX))
    return centred / np.maximum(deviation, CONTRAST_FLOOR)


def _histograms(values: np.ndarray, scale_px: float) -> np.ndarray:
    """(cells, orientations): gradient magnitude by orientation modulo 180°, shared by the two nearest bins."""
    smooth = cv2.GaussianBlur(values, (0, 0), scale_px)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_64F, *axis, scale=scale_px / 8) for axis in ((1, 0), (0, 1)))
    position = np.arctan2(dy, dx) % np.pi / np.pi * ORIENTATIONS
    lower, share = np.floor(position).astype(int), position % 1
    magnitude = np.hypot(dx, dy)
    rows, columns = (side // CELL_PX for side in values.shape)
    bins = np.zeros((*values.shape, ORIENTATIONS))
    for index, weight in ((lower, 1 - share), (lower + 1, share)):  # never the same bin twice
        np.put_along_axis(bins, (index % ORIENTATIONS)[..., None], (weight * magnitude)[..., None], axis=-1)
    whole = bins[: rows * CELL_PX, : columns * CELL_PX]
    return whole.reshape(rows, CELL_PX, columns, CELL_PX, ORIENTATIONS).mean(axis=(1, 3)).reshape(-1, ORIENTATIONS)
