"""Periodic noise tiles and the exact box-filtered patterns that keep paint and windows free of aliasing."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

TILE = 512
"""Pixels per side of every noise tile."""


@lru_cache(maxsize=32)
def fractal_tile(seed: int, slope: float = 1.4, lowest: int = 2, highest: int = 200) -> np.ndarray:
    """A periodic fractal noise tile: Gaussian with amplitude f^-slope between two frequencies.

    Args:
        seed: of the tile.
        slope: the exponent; larger is smoother.
        lowest, highest: band of frequencies, cycles per tile.

    Returns:
        (TILE, TILE) float32 with mean 0 and standard deviation 1, clipped to ±2.5.
    """
    rng = np.random.default_rng(seed)
    fy = np.fft.fftfreq(TILE)[:, None] * TILE
    fx = np.fft.rfftfreq(TILE)[None, :] * TILE
    radius = np.hypot(fx, fy)
    gain = np.where((radius >= lowest) & (radius <= highest), np.maximum(radius, 1.0) ** -slope, 0.0)
    tile = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((TILE, TILE))) * gain, s=(TILE, TILE))
    tile = (tile - tile.mean()) / tile.std()
    return np.clip(tile, -2.5, 2.5).astype(np.float32)


@lru_cache(maxsize=8)
def crack_tile(seed: int, cells: int = 10) -> np.ndarray:
    """A periodic tile of thin dark curves: the zero level of smooth noise, kept in patches.

    Returns:
        (TILE, TILE) float32 in [0, 1], 1 in the middle of a crack.
    """
    smooth = fractal_tile(seed, 1.0, 2, cells) + 0.12 * fractal_tile(seed + 1, 1.0, 20, 120)
    patches = np.clip(fractal_tile(seed + 2, 1.5, 1, 10) * 1.2, 0, 1)
    slope = np.hypot(*np.gradient(smooth)) + 1e-3
    return (np.clip(1.6 - np.abs(smooth) / slope, 0, 1) * patches).astype(np.float32)


def sample_tile(tile: np.ndarray, x: np.ndarray, y: np.ndarray, metres: float) -> np.ndarray:
    """Samples a periodic tile bilinearly.

    Args:
        tile: (TILE, TILE) float32.
        x, y: (N,) coordinates, metres.
        metres: side of one tile on the ground.

    Returns:
        (N,) float32.
    """
    count = len(x)
    columns = 256
    rows = max(1, -(-count // columns))  # OpenCV takes no empty maps
    grid = np.empty((2, rows * columns), np.float32)
    for row, value in zip(grid, (x, y), strict=True):
        scaled = value * np.float32(1.0 / metres)
        scaled -= np.floor(scaled)
        np.multiply(scaled, TILE, out=row[:count])
        row[count:] = 0
    maps = grid.reshape(2, rows, columns)
    # OpenCV counts from pixel centres and wraps; half a pixel of shift does not matter for noise.
    return cv2.remap(tile, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).ravel()[:count]


def fade(footprint: np.ndarray, feature: float) -> np.ndarray:
    """Weight in [0, 1] of a texture whose features are `feature` metres, seen with a pixel of `footprint`."""
    return np.clip(1.5 - footprint / np.float32(feature), 0, 1)


def line_coverage(distance: np.ndarray, width: np.ndarray | float, footprint: np.ndarray) -> np.ndarray:
    """Share of a box of `footprint` metres about `distance` that lies in a line of `width` about 0."""
    half, reach = width * 0.5, footprint * 0.5
    inside = np.minimum(distance + reach, half) - np.maximum(distance - reach, -half)
    return np.clip(inside / footprint, 0, 1)


def pulse_coverage(x: np.ndarray, period: float, duty: float, footprint: np.ndarray) -> np.ndarray:
    """Share of a box of `footprint` about `x` that lies in the pulses [k·period, k·period + duty]."""

    def integral(value: np.ndarray) -> np.ndarray:
        turns = np.floor(value * np.float32(1.0 / period))
        return turns * np.float32(duty) + np.minimum(value - turns * np.float32(period), np.float32(duty))

    reach = footprint * 0.5
    return np.clip((integral(x + reach) - integral(x - reach)) / footprint, 0, 1)


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """The cubic that rises from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mixed(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """From `first` at a share of 0 to `second` at 1; (C, N) colours, or (C, 1) where all points have one."""
    return first + share * (second - first)


def raised(x: np.ndarray, power: int) -> np.ndarray:
    """x to a whole power ≥ 1 by repeated squaring, where numpy's own takes logarithms."""
    if power == 1:
        return x
    half = raised(x, power // 2)
    return half * half * x if power % 2 else half * half
