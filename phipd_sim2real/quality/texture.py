"""Texture of pictures in numbers, without learnt weights, and the distance between two sets of it.

Statistics after Portilla and Simoncelli (2000), per patch of 48 × 48 px, on three octaves of CIE Lab. All constants are
fixed, so features do not depend on which pictures are compared. Never comparable with KID on Inception features.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from phipd_sim2real.quality.colour import to_lab
from phipd_sim2real.quality.set_distance import SetDistance, kernel_distance

PATCH_PX = 48
OCTAVES, ORIENTATIONS = 3, 4
WAVELENGTH_PX, SIGMA_PX, KERNEL_PX = 4.0, 1.8, 9  # on every octave's own grid
FLOOR = 0.3  # Lab units: what 8 bits and JPEG leave of a flat patch
FEATURES = OCTAVES * ORIENTATIONS + 2 * OCTAVES + (OCTAVES - 1) + 2 * OCTAVES + 7
"""12 energies, 3 kurtoses, 3 crossed and 2 scale correlations, 6 chroma energies, 7 moments of Lab."""


def texture_features(picture: np.ndarray) -> np.ndarray:
    """Features of the whole patches of a picture, centred in it.

    Per patch: ln energy of Gabor pairs (4 orientations, wavelengths 4, 8 and 16 px); kurtosis per octave; correlation
    of magnitudes across orientations and neighbouring octaves; ln energy of a and b per octave; mean and ln deviation
    of L, a and b, skewness of L. Each is of order 1; flat patches read as Gaussian noise of 0.3 Lab units.

    Args:
        picture: (H, W, 3) uint8 RGB, at least 48 px on each side.

    Returns:
        (patches, 33) float32, row by row.

    Raises:
        ValueError: the picture is smaller than one patch.
    """
    lab = to_lab(_whole_patches(picture))
    pyramid = [lab]
    while len(pyramid) < OCTAVES:
        pyramid.append(cv2.pyrDown(pyramid[-1]))
    bands = [_gabor(level[..., 0]) for level in pyramid]
    parts = [_moments(lab), _chroma(pyramid)]
    parts += [_energy_and_shape(band, PATCH_PX >> octave) for octave, band in enumerate(bands)]
    parts += [_across_octaves(*pair, PATCH_PX >> octave) for octave, pair in enumerate(pairwise(bands), start=1)]
    return np.concatenate(parts, axis=-1).reshape(-1, FEATURES).astype(np.float32)


def texture_kid(
    first: np.ndarray, second: np.ndarray, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> SetDistance:
    """Kernel distance (the unbiased estimator of KID) of two sets of texture features: realism without weights.

    0 on average between two sets of one look; below 0 by chance. Patches of one picture resemble each other, so
    intervals need resampling of whole clips; the deviation over subsets is none.

    Args:
        first: (N, 33) from `texture_features`, of any number of pictures.
        second: (M, 33) likewise, of the look that is aimed at; same size of pictures and JPEG quality on both sides.
        subsets: random subsets that are averaged.
        subset_size: patches per subset, at most what the smaller set has.
        seed: of the subsets.
    """
    return kernel_distance("texture_kid", first, second, subsets, subset_size, seed)


def _whole_patches(picture: np.ndarray) -> np.ndarray:
    height, width = (side // PATCH_PX * PATCH_PX for side in picture.shape[:2])
    if not (height and width):
        raise ValueError(f"A picture of {picture.shape[1]} × {picture.shape[0]} px has no patch of {PATCH_PX} px.")
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


@cache
def _kernels() -> list[tuple[np.ndarray, np.ndarray]]:
    """Even and odd Gabor kernel per orientation, without a mean, each of unit length."""
    y, x = np.indices((KERNEL_PX, KERNEL_PX)) - KERNEL_PX // 2
    window = np.exp(-(x**2 + y**2) / (2 * SIGMA_PX**2))
    pairs = []
    for angle in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
        phase = 2 * np.pi / WAVELENGTH_PX * (x * np.cos(angle) + y * np.sin(angle))
        even = window * (np.cos(phase) - (window * np.cos(phase)).sum() / window.sum())
        odd = window * np.sin(phase)
        pairs.append(tuple((kernel / np.linalg.norm(kernel)).astype(np.float32) for kernel in (even, odd)))
    return pairs


def _gabor(lightness: np.ndarray) -> np.ndarray:
    """(H, W) -> (orientations, 2, H, W): even and odd responses."""
    return np.array([[cv2.filter2D(lightness, -1, kernel) for kernel in pair] for pair in _kernels()])


def _pooled(values: np.ndarray, patch: int) -> np.ndarray:
    """Means over patches: (..., H, W) -> (rows, columns, ...)."""
    *lead, height, width = values.shape
    cells = values.reshape(*lead, height // patch, patch, width // patch, patch).mean(axis=(-3, -1), dtype=np.float64)
    return np.moveaxis(cells, (-2, -1), (0, 1))


def _energy_and_shape(band: np.ndarray, patch: int) -> np.ndarray:
    """ln energy per orientation, kurtosis of the even responses, correlation of crossed orientations."""
    magnitude = np.hypot(band[:, 0], band[:, 1])
    energy = np.log(np.sqrt(_pooled(magnitude**2, patch)) + FLOOR)
    square, fourth = (_pooled(band[:, 0] ** power, patch) for power in (2, 4))
    with_noise = (fourth + 6 * square * FLOOR**2 + 3 * FLOOR**4) / (square + FLOOR**2) ** 2
    kurtosis = np.log(with_noise / 3).mean(axis=-1, keepdims=True)
    half = ORIENTATIONS // 2
    crossed = _correlation(magnitude[:half], magnitude[half:], patch).mean(axis=-1, keepdims=True)
    return np.concatenate([energy, kurtosis, crossed], axis=-1)


def _across_octaves(fine: np.ndarray, coarse: np.ndarray, patch: int) -> np.ndarray:
    """Correlation of magnitudes of one orientation in two octaves: high at edges, low in noise."""
    finer, coarser = (np.hypot(band[:, 0], band[:, 1]) for band in (fine, coarse))
    count, height, width = coarser.shape
    finer = finer.reshape(count, height, 2, width, 2).mean(axis=(2, 4))
    return _correlation(finer, coarser, patch).mean(axis=-1, keepdims=True)


def _correlation(first: np.ndarray, second: np.ndarray, patch: int) -> np.ndarray:
    mean_first, mean_second = _pooled(first, patch), _pooled(second, patch)
    covariance = _pooled(first * second, patch) - mean_first * mean_second
    variances = [_pooled(v * v, patch) - m**2 for v, m in ((first, mean_first), (second, mean_second))]
    return covariance / np.sqrt((variances[0] + FLOOR**2) * (variances[1] + FLOOR**2))


def _chroma(pyramid: list[np.ndarray]) -> np.ndarray:
    """ln energy of a and b per octave, as what a blur of 2 px takes away."""
    energies = []
    for octave, level in enumerate(pyramid):
        detail = np.moveaxis(level[..., 1:] - cv2.GaussianBlur(level[..., 1:], (0, 0), 2.0), -1, 0)
        energies.append(np.log(np.sqrt(_pooled(detail**2, PATCH_PX >> octave)) + FLOOR))
    return np.concatenate(energies, axis=-1)


def _moments(lab: np.ndarray) -> np.ndarray:
    """Means over (25, 10, 10) from (50, 0, 0), ln deviations, and the skewness of L."""
    planes = np.moveaxis(lab, -1, 0).astype(np.float64)
    mean, square, cube = (_pooled(planes**power, PATCH_PX) for power in (1, 2, 3))
    deviation = np.sqrt((square - mean**2).clip(0))
    third = cube[..., :1] - 3 * mean[..., :1] * square[..., :1] + 2 * mean[..., :1] ** 3
    skewness = third / (deviation[..., :1] ** 2 + 1) ** 1.5
    return np.concatenate([(mean - (50, 0, 0)) / (25, 10, 10), np.log(deviation + FLOOR), skewness], axis=-1)
