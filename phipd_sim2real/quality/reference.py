"""The pictures that enhanced ones should look like: a drive log or a folder, brought to the same size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.drivelog import decode_jpeg
from phipd_sim2real.errors import UsageError
from phipd_sim2real.quality.feature_network import FeatureNetwork
from phipd_sim2real.quality.look import Look

OPTION = "--reference"
MOST_PICTURES = 400


@dataclass(frozen=True)
class Reference:
    """A reference set.

    Attributes:
        name: of its folder.
        images: encoded, at most 400, spread evenly over all; with their domain and hash.
    """

    name: str
    images: UnpairedImages
    _looks: dict[tuple[int, int, FeatureNetwork | None], Look] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def from_path(cls, path: Path) -> Reference:
        """Reads a drive log or a folder of pictures.

        Raises:
            UsageError: nothing there, or no pictures in it.
        """
        if not path.is_dir():
            raise UsageError(f"There is no folder {path}, given with {OPTION}; give a drive log or a folder of images.")
        return cls(path.resolve().name, UnpairedImages.load(path, MOST_PICTURES))

    def __len__(self) -> int:
        """How many pictures are read."""
        return len(self.images.encoded)

    def look(self, height: int, width: int, network: FeatureNetwork | None = None) -> Look:
        """Look of all pictures at a size, gathered once for each size and network.

        Raises:
            UsageError: a picture cannot be decoded.
        """
        key = (height, width, network)
        if key not in self._looks:
            look = Look()
            for picture in self.pictures(height, width):
                look.add(picture, network)
            self._looks[key] = look
        return self._looks[key]

    def pictures(self, height: int, width: int) -> Iterator[np.ndarray]:
        """(height, width, 3) uint8 RGB each: scaled to cover that size, the middle cut out.

        Raises:
            UsageError: a picture cannot be decoded.
        """
        for encoded in self.images.encoded:
            try:
                picture = decode_jpeg(encoded)
            except ValueError as error:
                raise UsageError(f"A picture of {self.name}, given with {OPTION}, is damaged: {error}") from error
            yield fitted(picture, height, width)


def fitted(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture of another size as (height, width, 3): scaled evenly (area or cubic), cut to the middle."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    if scale != 1:
        size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]
