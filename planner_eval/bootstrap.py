"""Segment bootstrap: confidence intervals whose unit is a drive, not a frame.

Frames of one drive resemble each other, so whole segments are drawn with replacement. Where an arm was
trained with several seeds, seeds are drawn too, as an outer level. Two arms are compared on the same frames
and the same draws of segments (paired).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Interval:
    """A mean with its percentile interval.

    Attributes:
        mean: point estimate over all valid items; None where there is none.
        low: lower end of the interval.
        high: upper end.
        valid: samples that have a value.
        total: samples that should have one.
        segments: segments among the valid samples.
    """

    mean: float | None
    low: float | None
    high: float | None
    valid: int
    total: int
    segments: int

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference may be claimed."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class SegmentBootstrap:
    """Draws of segments and seeds, the same for every call with the same number of them.

    Attributes:
        resamples: number of draws.
        seed: of the draws.
        confidence: covered probability of the interval.
    """

    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95

    def mean(self, values: Array, segments: Sequence[str]) -> Interval:
        """Interval of the mean.

        Args:
            values: (R, N): R training seeds, N samples, NaN where an item has no value.
            segments: (N,) segment of each sample.
        """
        valid = np.isfinite(values).all(axis=0)
        if not valid.any():
            return Interval(None, None, None, 0, len(segments), 0)
        draws = self._resampled(values, valid, segments, stream=0)
        return self._interval(float(values[:, valid].mean()), draws, valid, segments)

    def paired_difference(self, values: Array, baseline: Array, segments: Sequence[str]) -> Interval:
        """Interval of mean(values) − mean(baseline) on the samples valid in both.

        Args:
            values: (R, N) of one arm.
            baseline: (R', N) of the other, same samples in the same order.
            segments: (N,) segment of each sample.
        """
        valid = np.isfinite(values).all(axis=0) & np.isfinite(baseline).all(axis=0)
        if not valid.any():
            return Interval(None, None, None, 0, len(segments), 0)
        draws = self._resampled(values, valid, segments, stream=0)
        draws -= self._resampled(baseline, valid, segments, stream=1)
        difference = float(values[:, valid].mean() - baseline[:, valid].mean())
        return self._interval(difference, draws, valid, segments)

    def _resampled(self, values: Array, valid: NDArray[np.bool_], segments: Sequence[str], stream: int) -> Array:
        """(resamples,) means; `stream` separates the draws of seeds of two arms, segments are shared."""
        names, index = np.unique(np.asarray(segments)[valid], return_inverse=True)
        sums = np.stack([np.bincount(index, row, len(names)) for row in values[:, valid]])
        counts = np.bincount(index, minlength=len(names)).astype(np.float64)
        drawn_segments = self._draws(len(names), stream=0)
        drawn_seeds = self._draws(len(values), stream=1 + stream) / len(values)
        totals = np.einsum("br,rs,bs->b", drawn_seeds, sums, drawn_segments, optimize=True)
        return totals / (drawn_segments @ counts)

    def _draws(self, count: int, stream: int) -> Array:
        """(resamples, count): how often each unit appears when `count` are drawn with replacement."""
        rng = np.random.default_rng((self.seed, stream, count))
        return rng.multinomial(count, np.full(count, 1 / count), size=self.resamples).astype(np.float64)

    def _interval(self, mean: float, draws: Array, valid: NDArray[np.bool_], segments: Sequence[str]) -> Interval:
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        count = len(set(np.asarray(segments)[valid]))
        return Interval(mean, float(low), float(high), int(valid.sum()), len(segments), count)
