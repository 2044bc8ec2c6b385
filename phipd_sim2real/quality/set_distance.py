"""Distances between two sets of feature vectors, with what is needed to judge them: sizes, subsets, spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phipd_sim2real.quality.measurement import Measurement


@dataclass(frozen=True)
class SetDistance:
    """A distance between two sets; lower is better.

    Attributes:
        measurement: name, value (mean over subsets), unit, direction, validity.
        deviation: standard deviation over subsets; NaN where there are none.
        subsets: how many.
        subset_size: vectors of each set in one subset.
        first: vectors of the first set.
        second: vectors of the second set.
        warning: what keeps the value from being compared with others; empty where nothing does.
    """

    measurement: Measurement
    deviation: float
    subsets: int
    subset_size: int
    first: int
    second: int
    warning: str = ""


def kernel_distance(
    name: str, first: np.ndarray, second: np.ndarray, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> SetDistance:
    """Squared maximum mean discrepancy with the cubic polynomial kernel: the estimator of KID.

    Bińkowski et al. (2018): k(x, y) = (x·y / d + 1)³, unbiased, mean over random subsets.

    Args:
        name: of the measurement.
        first: (N, d) feature vectors.
        second: (M, d) likewise.
        subsets: how many pairs of subsets are drawn.
        subset_size: vectors in each, at most N and M.
        seed: of the draws; equal seeds give equal values.
    """
    size = min(subset_size, len(first), len(second))
    if size < 2:
        absent = Measurement(name, float("nan"), False, "1", "lower", "a set has fewer than two vectors")
        return SetDistance(absent, float("nan"), 0, size, len(first), len(second))
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x, y = (features[rng.choice(len(features), size, replace=False)] for features in (first, second))
        values.append(squared_mmd(x.astype(np.float64), y.astype(np.float64)))
    measured = Measurement(name, float(np.mean(values)), True, "1", "lower")
    return SetDistance(measured, float(np.std(values)), subsets, size, len(first), len(second))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of two (n, d) sets of equal size; below 0 by chance."""
    count, width = x.shape
    within_x, within_y, between = (((a @ b.T) / width + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    pairs = count * (count - 1)
    inside = sum(kernel.sum() - np.trace(kernel) for kernel in (within_x, within_y)) / pairs
    return float(inside - 2 * between.mean())
