"""Matched realism: at which strength SDEdit's pictures are as realistic as φ-PD's, and what they cost there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Match:
    """Where a sweep reaches a given realism; arrays are (draws,).

    Attributes:
        lower: index into the sweep of the last strength that is less realistic.
        share: how far toward the next strength, 0 to 1.
        reached: false where no strength is as realistic; `lower` is the most realistic one then, `share` 0.
    """

    lower: np.ndarray
    share: np.ndarray
    reached: np.ndarray

    def of(self, sweep: np.ndarray) -> np.ndarray:
        """Values of a sweep (strengths, draws) at the match, linear between neighbouring strengths: (draws,)."""
        draws = np.arange(len(self.lower))
        upper = np.minimum(self.lower + 1, len(sweep) - 1)
        return sweep[self.lower, draws] * (1 - self.share) + sweep[upper, draws] * self.share


def match(distance: np.ndarray, wanted: np.ndarray) -> Match:
    """Finds the weakest strength at which a sweep's distance to the target falls to the wanted one.

    The weakest is the most favourable to the sweep: it changes structure least. Between two strengths the distance is
    taken as linear in strength.

    Args:
        distance: (strengths, draws) of the sweep, rising strength; the first is the untouched source, strength 0.
        wanted: (draws,) of the rival.
    """
    strengths, draws = distance.shape
    lower, share = distance.argmin(axis=0), np.zeros(draws)
    reached = np.zeros(draws, bool)
    already = distance[0] <= wanted
    lower[already], reached[already] = 0, True
    for index in range(strengths - 1):
        here, following = distance[index], distance[index + 1]
        crossed = ~reached & (following <= wanted)
        lower[crossed] = index
        share[crossed] = ((here - wanted) / (here - following))[crossed]
        reached |= crossed
    return Match(lower, share, reached)


def gain_percent(ours: np.ndarray, theirs: np.ndarray, better: str) -> np.ndarray:
    """Relative gain over the rival, percent: positive is better; NaN where the rival's value is 0."""
    change = (theirs - ours) if better == "lower" else (ours - theirs)
    return 100 * np.divide(change, theirs, out=np.full(np.shape(ours), np.nan), where=theirs != 0)
