"""What a set of pictures looks like: features of texture and of a network, and statistics of colour."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phipd_sim2real.quality.colour import LabStatistics
from phipd_sim2real.quality.feature_network import FeatureNetwork
from phipd_sim2real.quality.texture import PATCH_PX, texture_features


@dataclass
class Look:
    """What a set of pictures looks like, gathered picture by picture.

    Attributes:
        texture: (patches, 33) of each picture that holds a patch of 48 px.
        network: (1, D) of each picture; empty without a network.
        colours: of all pixels.
    """

    texture: list[np.ndarray] = field(default_factory=list)
    network: list[np.ndarray] = field(default_factory=list)
    colours: LabStatistics = field(default_factory=LabStatistics)

    def add(self, picture: np.ndarray, network: FeatureNetwork | None) -> None:
        """Adds one (H, W, 3) uint8 RGB picture."""
        self.colours.add(picture)
        if min(picture.shape[:2]) >= PATCH_PX:
            self.texture.append(texture_features(picture))
        if network is not None:
            self.network.append(network.features([picture]))
