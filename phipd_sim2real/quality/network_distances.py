"""KID and FID of two sets of network features, by torchmetrics."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.quality.measurement import Measurement
from phipd_sim2real.quality.set_distance import SetDistance

if TYPE_CHECKING:
    from torch.nn import Module

FEWEST_FOR_FID = 10_000


def kid(
    first: np.ndarray, second: np.ndarray, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> SetDistance:
    """Kernel distance on features of a supplied network: unbiased at small N, so the primary measure of realism.

    Args:
        first: (N, D) from `FeatureNetwork.features`, one row per picture.
        second: (M, D) likewise, of the real set; same crop, size and JPEG quality on both sides.
        subsets: how many are averaged.
        subset_size: pictures per subset, at most what the smaller set has.
        seed: of the subsets.
    """
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(subset_size, len(first), len(second))
    if size < 2:
        return _too_few("kid", first, second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps features in memory
        metric = KernelInceptionDistance(_identity(first.shape[1]), subsets=subsets, subset_size=size)
    metric.update(torch.from_numpy(second).double(), real=True)
    metric.update(torch.from_numpy(first).double(), real=False)
    with torch.random.fork_rng(devices=[]):  # torchmetrics draws its subsets from the global generator
        torch.manual_seed(seed)
        mean, deviation = metric.compute()
    measured = Measurement("kid", float(mean), True, "1", "lower")
    return SetDistance(measured, float(deviation), subsets, size, len(first), len(second))


def fid(first: np.ndarray, second: np.ndarray) -> SetDistance:
    """Fréchet distance on features of a supplied network; biased upwards at small N, which the warning says.

    Args:
        first: (N, D) from `FeatureNetwork.features`.
        second: (M, D) likewise, of the real set.
    """
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    fewest = min(len(first), len(second))
    if fewest < 2:
        return _too_few("fid", first, second)
    metric = FrechetInceptionDistance(_identity(first.shape[1]))
    metric.update(torch.from_numpy(second).double(), real=True)
    metric.update(torch.from_numpy(first).double(), real=False)
    warning = (
        f"FID is biased below {FEWEST_FOR_FID} pictures on each side; the smaller has {fewest}. Compare KID instead."
        if fewest < FEWEST_FOR_FID
        else ""
    )
    measured = Measurement("fid", float(metric.compute()), True, "1", "lower")
    return SetDistance(measured, float("nan"), 0, 0, len(first), len(second), warning)


def _identity(width: int) -> Module:
    """Stands for the network in torchmetrics: features come ready-made, so both measures need one pass."""
    import torch

    module = torch.nn.Identity()
    module.num_features = width
    return module


def _too_few(name: str, first: np.ndarray, second: np.ndarray) -> SetDistance:
    absent = Measurement(name, float("nan"), False, "1", "lower", "a set has fewer than two pictures")
    return SetDistance(absent, float("nan"), 0, 0, len(first), len(second))
