"""Realism of a set of pictures against a reference set, before enhancement and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.quality.colour import lab_frechet
from phipd_sim2real.quality.feature_network import FeatureNetwork
from phipd_sim2real.quality.look import Look
from phipd_sim2real.quality.network_distances import fid, kid
from phipd_sim2real.quality.reference import Reference
from phipd_sim2real.quality.set_distance import SetDistance
from phipd_sim2real.quality.texture import FEATURES, texture_kid

DEFINITIONS = {
    "texture_kid": "Kernel distance (KID's unbiased estimator) of fixed texture features of 48 px patches: grain, "
    "sharpness, edges, colour. No learnt weights; not comparable with KID on Inception.",
    "lab_frechet": "Fréchet distance of the sets' colours, each as a Gaussian in CIE Lab: a floor of realism.",
    "kid": "Kernel Inception Distance on the supplied network: unbiased at few pictures.",
    "fid": "Fréchet Inception Distance on the supplied network: biased at few pictures.",
}


@dataclass(frozen=True)
class RealismRow:
    """One measure of realism; lower is nearer to the reference.

    Attributes:
        name: of the measure.
        definition: one sentence for the page.
        before: distance of the source; None where there is none.
        after: distance of what is inspected.
    """

    name: str
    definition: str
    before: SetDistance | None
    after: SetDistance


class Realism:
    """Gathers the looks of the pictures before and after and compares both with a reference.

    Attributes:
        reference: what pictures should look like.
        network: for KID and FID, or None.
    """

    def __init__(self, reference: Reference, network: FeatureNetwork | None = None) -> None:
        """Takes the reference set and, for KID and FID, a feature network."""
        self.reference, self.network = reference, network
        self._before, self._after = Look(), Look()
        self._size: tuple[int, int] | None = None

    def add(self, before: np.ndarray | None, after: np.ndarray) -> None:
        """Adds a frame; the reference is brought to the size of the first."""
        self._size = self._size or after.shape[:2]
        self._after.add(after, self.network)
        if before is not None:
            self._before.add(before, self.network)

    def rows(self) -> list[RealismRow]:
        """Every measure; none where no frame was added."""
        if self._size is None:
            return []
        target = self.reference.look(*self._size, self.network)
        measures = {"texture_kid": _texture, "lab_frechet": _colours}
        if self.network is not None:
            measures |= {"kid": _network(kid), "fid": _network(fid)}
        before = self._before if self._before.colours.pictures else None
        return [
            RealismRow(name, DEFINITIONS[name], before and measure(before, target), measure(self._after, target))
            for name, measure in measures.items()
        ]

    def record(self) -> dict[str, str]:
        """What must stand beside the values: the reference, its size, and the network's hash."""
        record = {
            "reference": self.reference.name,
            "reference domain": self.reference.images.domain,
            "reference pictures": str(len(self.reference)),
            "reference sha256": self.reference.images.sha256,
        }
        if self._size is not None:
            record["compared at"] = f"{self._size[1]} × {self._size[0]} px"
        return record | (self.network.record() if self.network else {})


def _texture(first: Look, second: Look) -> SetDistance:
    sets = (look.texture or [np.empty((0, FEATURES))] for look in (first, second))
    return texture_kid(*(np.concatenate(features) for features in sets))


def _colours(first: Look, second: Look) -> SetDistance:
    measured = lab_frechet(first.colours, second.colours)
    return SetDistance(measured, float("nan"), 0, 0, first.colours.pictures, second.colours.pictures)


def _network(distance: Callable[[np.ndarray, np.ndarray], SetDistance]) -> Callable[[Look, Look], SetDistance]:
    return lambda first, second: distance(*(np.concatenate(look.network) for look in (first, second)))
