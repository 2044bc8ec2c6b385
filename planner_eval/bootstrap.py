"""Segment bootstrap: confidence intervals whose unit is a drive, not a frame.

Frames of one drive resemble each other, so whole segments are drawn with replacement. Where an arm was
trained with several seeds, seeds are drawn too, as an outer level. Two arms are compared on the same frames
and the same draws of segments (paired). A mean over clusters (the Rater Feedback Score) is taken anew in every draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = Sequence[str] | NDArray[np.int64]


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


def read_intervals(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Interval]:
    """Intervals by name, from the JSON values that `dataclasses.asdict` gave of them."""
    return {name: Interval(**interval) for name, interval in values.items()}


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

    def mean(self, values: Array, segments: Labels, clusters: Labels | None = None) -> Interval:
        """Interval of the mean.

        Args:
            values: (R, N): R training seeds, N samples, NaN where an item has no value.
            segments: (N,) segment of each sample.
            clusters: (N,) scenario cluster of each sample: the mean is that of the clusters' means. None takes
                the mean of the samples. A cluster that is not drawn takes no part in that draw.
        """
        valid = np.isfinite(values).all(axis=0)
        if not valid.any():
            return Interval(None, None, None, 0, len(segments), 0)
        groups = _Groups(valid, segments, clusters)
        return self._interval(groups.mean(values), self._resampled(values, groups, stream=0), groups)

    def paired_difference(
        self, values: Array, baseline: Array, segments: Labels, clusters: Labels | None = None
    ) -> Interval:
        """Interval of mean(values) − mean(baseline) on the samples valid in both.

        Args:
            values: (R, N) of one arm.
            baseline: (R', N) of the other, same samples in the same order.
            segments: (N,) segment of each sample.
            clusters: (N,) as in `mean`.
        """
        valid = np.isfinite(values).all(axis=0) & np.isfinite(baseline).all(axis=0)
        if not valid.any():
            return Interval(None, None, None, 0, len(segments), 0)
        groups = _Groups(valid, segments, clusters)
        draws = self._resampled(values, groups, stream=0) - self._resampled(baseline, groups, stream=1)
        return self._interval(groups.mean(values) - groups.mean(baseline), draws, groups)

    def combined(self, arms: Sequence[Array], combine: Callable[..., Array], segments: Labels) -> Interval:
        """Interval of combine(mean of each arm) on the samples valid in all arms.

        What is not finite has no mean, and no ends where it is not finite in some draws, such as a ratio whose
        denominator may be zero.

        Args:
            arms: (R, N) each; every arm draws seeds of its own, all share the draws of segments.
            combine: as many arrays as arms, all scalars or all (resamples,) -> an array of that shape.
            segments: (N,) segment of each sample.
        """
        valid = np.logical_and.reduce([np.isfinite(values).all(axis=0) for values in arms])
        if not valid.any():
            return Interval(None, None, None, 0, len(segments), 0)
        groups = _Groups(valid, segments, None)
        mean = float(combine(*(np.float64(groups.mean(values)) for values in arms)))
        draws = combine(*(self._resampled(values, groups, stream) for stream, values in enumerate(arms)))
        if not np.isfinite(mean):
            return Interval(None, None, None, int(valid.sum()), len(valid), groups.segments)
        if not np.isfinite(draws).all():
            return Interval(mean, None, None, int(valid.sum()), len(valid), groups.segments)
        return self._interval(mean, draws, groups)

    def _resampled(self, values: Array, groups: _Groups, stream: int) -> Array:
        """(resamples,) means; `stream` separates the draws of seeds of two arms, segments are shared."""
        drawn_segments = _draws(self.resamples, self.seed, 0, groups.segments)
        drawn_seeds = _draws(self.resamples, self.seed, 1 + stream, len(values)) / len(values)
        means = []
        for sums, counts in groups.per_segment(values):
            totals = ((drawn_segments @ sums.T) * drawn_seeds).sum(axis=1)
            drawn = drawn_segments @ counts
            means.append(np.divide(totals, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0))
        return means[0] if len(means) == 1 else np.nanmean(means, axis=0)

    def _interval(self, mean: float, draws: Array, groups: _Groups) -> Interval:
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        count, total = int(groups.valid.sum()), len(groups.valid)
        return Interval(mean, float(low), float(high), count, total, groups.segments)


class _Groups:
    """Valid samples by segment and cluster.

    Attributes:
        valid: (N,) which samples count.
        segments: number of segments among them.
    """

    def __init__(self, valid: Mask, segments: Labels, clusters: Labels | None) -> None:
        self.valid = valid
        names, self._segment = np.unique(np.asarray(segments)[valid], return_inverse=True)
        self.segments = len(names)
        if clusters is None:
            self._members = [np.ones(int(valid.sum()), dtype=bool)]
        else:
            own = np.asarray(clusters)[valid]
            self._members = [own == cluster for cluster in np.unique(own)]

    def mean(self, values: Array) -> float:
        """Mean of the clusters' means over the valid of (R, N) values."""
        return float(np.mean([values[:, self.valid][:, members].mean() for members in self._members]))

    def per_segment(self, values: Array) -> Iterator[tuple[Array, Array]]:
        """Cluster by cluster: (R, S) sums of (R, N) values and (S,) numbers of samples in each segment."""
        for members in self._members:
            index = self._segment[members]
            rows = values[:, self.valid][:, members]
            sums = np.stack([np.bincount(index, row, self.segments) for row in rows])
            yield sums, np.bincount(index, minlength=self.segments).astype(np.float64)


@lru_cache(maxsize=8)
def _draws(resamples: int, seed: int, stream: int, count: int) -> Array:
    """(resamples, count): how often each unit appears when `count` are drawn with replacement."""
    rng = np.random.default_rng((seed, stream, count))
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
