"""Weights of clips in a bootstrap: whole clips are drawn with replacement, since their frames resemble each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its percentile interval.

    Attributes:
        value: over all clips; NaN where there is none.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Value and interval; what is absent is null."""
        return {name: (float(v) if np.isfinite(v) else None) for name, v in vars(self).items()}


def clip_weights(clips: int, resamples: int, seed: int) -> np.ndarray:
    """(1 + resamples, clips) int: row 0 takes every clip once, the others draw as many with replacement."""
    draws = np.random.default_rng(seed).multinomial(clips, np.full(clips, 1 / clips), size=resamples)
    return np.concatenate([np.ones((1, clips), draws.dtype), draws])


def estimate(values: np.ndarray) -> Estimate:
    """From the (1 + resamples,) values of `clip_weights`' rows; draws without a value take no part."""
    drawn = values[1:][np.isfinite(values[1:])]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def weighted_mean(values: np.ndarray, clip_of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the frames of the weighted clips.

    Args:
        values: (frames,), NaN where a frame has no value.
        clip_of: (frames,) int, the clip of each.
        weights: (draws, clips).

    Returns:
        (draws,), NaN where no frame has a value.
    """
    valid = np.isfinite(values)
    clips = weights.shape[1]
    sums = np.bincount(clip_of[valid], values[valid], clips)
    counts = np.bincount(clip_of[valid], minlength=clips)
    frames = weights @ counts
    return np.divide(weights @ sums, frames, out=np.full(len(weights), np.nan), where=frames > 0)
