"""Where a frame lies on the pixels that a model sees: enlarged, and reflected around its border up to whole blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from phipd_sim2real.diffusion.families import Family
from phipd_sim2real.diffusion.families.family import reflected


@dataclass(frozen=True)
class FrameGrid:
    """The model's grid around frames.

    Attributes:
        family: of the model.
        enlarge: the model's pixels per frame pixel, at least 1: an enlarged frame is painted with finer blocks.
    """

    family: Family
    enlarge: float = 1.0

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape (C, h, w) of the white noise that one frame of height × width pixels needs."""
        rows, columns = self._around(height, width)
        height, width = self._size(height, width)
        return self.family.noise_shape(height + sum(rows), width + sum(columns))

    def noise_window(self) -> tuple[int, int, float]:
        """Row and column of the noise's cell whose upper left corner is that of a frame's pixel (0, 0), and the
        frame's pixels per cell."""
        first = self.family.border // self.family.factor
        return first, first, self.family.factor / self.enlarge

    def padded(self, images: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 to (N, 3, H', W') float32 in [-1, 1] on the model's device."""
        levels = torch.from_numpy(images).to(self.family.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        rows, columns = self._around(*images.shape[1:3])
        return reflected(self.enlarged(levels, "bicubic"), *rows, *columns)

    def cropped(self, levels: Tensor, height: int, width: int) -> Tensor:
        """The frames of (N, C, H', W') as the model leaves them: (N, C, height, width)."""
        border, (rows, columns) = self.family.border, self._size(height, width)
        inside = levels[..., border : border + rows, border : border + columns]
        if (rows, columns) == (height, width):
            return inside
        return F.interpolate(inside, (height, width), mode="bicubic", antialias=True)

    def enlarged(self, planes: Tensor, mode: str = "bilinear") -> Tensor:
        """(N, C, H, W) of frames at the model's pixels."""
        size = self._size(*planes.shape[-2:])
        return planes if size == planes.shape[-2:] else F.interpolate(planes, size, mode=mode)

    def means(self, maps: Tensor) -> Tensor:
        """Maps (N, H, W) float32 of frames on the noise's grid, (N, h, w): means over its cells, reflected at the
        border as frames are."""
        rows, columns = self._around(*maps.shape[1:])
        planes = reflected(self.enlarged(maps[:, None].to(self.family.device)), *rows, *columns)
        return F.avg_pool2d(planes, self.family.factor)[:, 0]

    def _around(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows above and below, columns left and right that are reflected around an enlarged frame."""
        border, block = self.family.border, self.family.block
        rows, columns = ((border, border + -(side + 2 * border) % block) for side in self._size(height, width))
        return rows, columns

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Of an enlarged frame."""
        return round(height * self.enlarge), round(width * self.enlarge)
