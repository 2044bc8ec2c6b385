"""The part of a picture that a crop shows: where it lies, how much it is scaled, whether it is mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Window:
    """A part of pictures of one size, and what becomes of it.

    Attributes:
        top: first row, pixels of the picture.
        left: first column, likewise.
        height: of the crop, pixels.
        width: likewise.
        zoom: crop pixels per picture pixel.
        mirrored: left and right are exchanged.
    """

    top: int
    left: int
    height: int
    width: int
    zoom: float
    mirrored: bool = False

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, picture: tuple[int, int], height: int, width: int, scale: tuple[float, float]
    ) -> Window:
        """A random window at a random scale, mirrored half of the time.

        Args:
            rng: source of all choices.
            picture: height and width of the picture.
            height: of the crop, pixels.
            width: likewise.
            scale: range of the zoom, log-uniform; raised where the picture is too small.
        """
        zoom = max(np.exp(rng.uniform(*np.log(scale))), height / picture[0], width / picture[1])
        top = rng.integers(picture[0] - round(height / zoom) + 1)
        left = rng.integers(picture[1] - round(width / zoom) + 1)
        return cls(int(top), int(left), height, width, zoom, bool(rng.random() < 0.5))

    @classmethod
    def middle(cls, picture: tuple[int, int], height: int, width: int) -> Window:
        """The largest middle part of a picture that has the asked shape."""
        zoom = max(height / picture[0], width / picture[1])
        rows, columns = round(height / zoom), round(width / zoom)
        return cls((picture[0] - rows) // 2, (picture[1] - columns) // 2, height, width, zoom)

    def of(self, image: np.ndarray) -> np.ndarray:
        """What it shows of a picture: (H, W, 3) uint8 -> (height, width, 3) uint8."""
        rows, columns = round(self.height / self.zoom), round(self.width / self.zoom)
        region = image[self.top : self.top + rows, self.left : self.left + columns]
        if self.mirrored:
            region = region[:, ::-1]
        interpolation = cv2.INTER_AREA if self.zoom < 1 else cv2.INTER_CUBIC
        return cv2.resize(np.ascontiguousarray(region), (self.width, self.height), interpolation=interpolation)
