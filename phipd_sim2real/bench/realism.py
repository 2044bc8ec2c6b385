"""Texture KID of weighted sets of clips: the unbiased estimator over all pairs of patches, summed clip by clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PatchSet:
    """Texture features of a set of pictures.

    Attributes:
        features: (patches, d) float32 from `texture_features`.
        clip_of: (patches,) int, the clip of each.
    """

    features: np.ndarray
    clip_of: np.ndarray

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return int(self.clip_of.max()) + 1

    @property
    def counts(self) -> np.ndarray:
        """(clips,) patches of each."""
        return np.bincount(self.clip_of, minlength=self.clips)


class RealismScale:
    """Measures sets of pictures against one target set; its own sums are made once."""

    def __init__(self, target: PatchSet) -> None:
        self.target = target
        self._within = _within(target)

    def kid(self, result: PatchSet, weights: np.ndarray, target_weights: np.ndarray) -> np.ndarray:
        """Squared maximum mean discrepancy with the cubic kernel of KID (Bińkowski et al., 2018).

        A patch is never paired with itself; a clip that is drawn twice is paired with itself as with another clip,
        less those pairs.

        Args:
            result: the measured set.
            weights: (draws, clips) of the result.
            target_weights: (draws, clips) of the target.

        Returns:
            (draws,): 0 on average for two sets of one look, by chance below it; lower is more alike.
        """
        between = _block_sums(result, self.target)
        cross = np.einsum("bi,ij,bj->b", weights, between, target_weights)
        patches = (weights @ result.counts) * (target_weights @ self.target.counts)
        ours, theirs = _within(result), self._within
        return ours.mean(weights) + theirs.mean(target_weights) - 2 * cross / patches


@dataclass(frozen=True)
class _Within:
    """Sums of the kernel over the pairs of one set, (clips, clips), and how many pairs each holds."""

    sums: np.ndarray
    pairs: np.ndarray

    def mean(self, weights: np.ndarray) -> np.ndarray:
        total = np.einsum("bi,ij,bj->b", weights, self.sums, weights)
        return total / np.einsum("bi,ij,bj->b", weights, self.pairs, weights)


def _within(patches: PatchSet) -> _Within:
    sums = _block_sums(patches, patches)
    selves = _kernel((patches.features.astype(np.float64) ** 2).sum(axis=1), patches.features.shape[1])
    diagonal = np.bincount(patches.clip_of, selves, patches.clips)
    counts = patches.counts.astype(np.float64)
    return _Within(sums - np.diag(diagonal), np.outer(counts, counts) - np.diag(counts))


def _block_sums(first: PatchSet, second: PatchSet) -> np.ndarray:
    """(clips, clips) sums of the kernel between the patches of one clip each."""
    sums = np.empty((first.clips, second.clips))
    other = second.features.astype(np.float64)
    for clip in range(first.clips):
        ours = first.features[first.clip_of == clip].astype(np.float64)
        per_patch = _kernel(ours @ other.T, ours.shape[1]).sum(axis=0)
        sums[clip] = np.bincount(second.clip_of, per_patch, second.clips)
    return sums


def _kernel(products: np.ndarray, width: int) -> np.ndarray:
    return (products / width + 1) ** 3
