"""Enhancing frames: the source's structure, the look that the model was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers.utils.logging import disable_progress_bar
from torch import Tensor

from phipd_sim2real.diffusion.families import Family, Sampling, load_family
from phipd_sim2real.diffusion.families.family import reflected
from phipd_sim2real.diffusion.frames import SMALLEST_SIDE
from phipd_sim2real.diffusion.models import model_folder
from phipd_sim2real.diffusion.precision import autocast
from phipd_sim2real.diffusion.settings import Precision
from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import Cutoff

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation

DEFAULT_CUTOFF = 0.2
DEFAULT_STEPS = 4


class Enhancer:
    """A model, ready to enhance frames of any size.

    Attributes:
        family: network, scheduler and what surrounds them.
        precision: arithmetic of the network.
    """

    def __init__(self, family: Family, precision: Precision = "auto") -> None:
        self.family = family
        self.precision = precision

    @classmethod
    def from_pretrained(
        cls, path_or_name: str | Path, device: str | None = None, precision: Precision = "auto"
    ) -> Enhancer:
        """Loads a model.

        Args:
            path_or_name: a shipped name such as `street-small`, or a folder that `phipd fit` made.
            device: torch device; None takes CUDA where there is one.
            precision: `auto` computes in bf16 where the device has it.

        Raises:
            UsageError: there is no such model.
        """
        disable_progress_bar()  # of loading two small files
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(load_family(model_folder(path_or_name), device), precision)

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape (C, h, w) of the white noise that one frame needs, on the model's grid, margins included.

        Args:
            height: of the frame, pixels.
            width: likewise.
        """
        around = self._around(height, width)
        return self.family.noise_shape(height + sum(around[0]), width + sum(around[1]))

    def noise_window(self, height: int, width: int) -> tuple[int, int, int]:
        """Where a frame lies in its white noise.

        Returns:
            Row and column of the cell whose upper left corner is that of the frame's pixel (0, 0), and the
            frame's pixels per cell.
        """
        first = self.family.margin + self.family.border // self.family.factor
        return first, first, self.family.factor

    def canvas(self, images: np.ndarray) -> Tensor:
        """What structured noise takes its phase from: the frames as the model sees them, with the noise's margin.

        Args:
            images: (N, H, W, 3) uint8 RGB.

        Returns:
            (N, *noise_shape(H, W)) float32.
        """
        margin = (self.family.margin,) * 4
        frames = [self.family.encode(self._padded(torch.from_numpy(image[None]))) for image in images]
        return torch.cat([reflected(x_0, *margin) for x_0 in frames])

    def enhance(
        self,
        images: np.ndarray,
        seeds: Sequence[int],
        cutoff: Preservation | float | None = DEFAULT_CUTOFF,
        strength: float = 0.8,
        steps: int = DEFAULT_STEPS,
        white: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> np.ndarray:
        """Enhances a batch of frames of one size.

        A frame's result depends on the frame, its seed and the settings, not on the others of its batch.

        Args:
            images: (N, H, W, 3) uint8 RGB, sides of at least 32 pixels.
            seeds: one per image, 0 to 2^63 - 1; see `frames.frame_seed`.
            cutoff: up to which frequency the source's phase is kept: cycles per pixel, a `Cutoff`, or None
                for all.
            strength: in (0, 1]; 1 starts from structured noise alone, less is structured SDEdit.
            steps: denoising steps, at least 1.
            white: (N, *noise_shape(H, W)) float32 white noise of unit variance in place of the seeds' own.
            noise: structured noise of the same shape in place of what would be made of the white noise; see `canvas`.

        Returns:
            (N, H, W, 3) uint8 RGB.

        Raises:
            UsageError: images, seeds or strength are outside of what is allowed.
        """
        _check(images, seeds, strength, steps)
        shape = self.noise_shape(*images.shape[1:3])
        for kind, given in (("White", white), ("Structured", noise)):
            if given is not None and given.shape != (len(images), *shape):
                raise UsageError(f"{kind} noise of shape {tuple(given.shape)} was given; need {(len(images), *shape)}.")
        preservation = Cutoff.isotropic(cutoff) if isinstance(cutoff, int | float) else cutoff
        sampling = Sampling(strength, steps)
        parts = []
        for start in range(0, len(images), self.family.group):
            group = np.arange(start, start + self.family.group).clip(max=len(images) - 1)
            if noise is not None:
                parts.append(self._enhance_group(images[group], None, noise[group], preservation, sampling))
                continue
            draws = torch.stack([_white(seeds[i], shape) for i in group]) if white is None else white[group]
            parts.append(self._enhance_group(images[group], draws, None, preservation, sampling))
        return np.concatenate(parts)[: len(images)]

    def _enhance_group(
        self,
        images: np.ndarray,
        white: Tensor | None,
        noise: Tensor | None,
        preservation: Preservation | None,
        sampling: Sampling,
    ) -> np.ndarray:
        """Enhances a whole group; a part of one is filled up with repetitions of its last image."""
        height, width = images.shape[1:3]
        preservations = [preservation] * len(images)
        x_0 = self.family.encode(self._padded(torch.from_numpy(images)))
        if noise is None:
            eps = self.family.noise(x_0, preservations, white)
        else:
            margin = self.family.margin
            rows, columns = (slice(margin, margin + size) for size in x_0.shape[-2:])
            eps = noise[..., rows, columns].to(x_0.device)
        with autocast(self.family.device, self.precision):
            result = self.family.generate(x_0, eps, preservations, sampling)
        border = self.family.border
        levels = ((result[..., border : border + height, border : border + width] + 1) * 127.5).round().clamp(0, 255)
        return levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def _padded(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 to (N, 3, H', W') float32 in [-1, 1], reflected at the border up to whole blocks."""
        rows, columns = self._around(*images.shape[1:3])
        levels = images.to(self.family.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return reflected(levels, *rows, *columns)

    def _around(self, height: int, width: int) -> list[tuple[int, int]]:
        """Rows above and below, columns left and right that are reflected around a frame."""
        border, block = self.family.border, self.family.block
        return [(border, border + -(size + 2 * border) % block) for size in (height, width)]


def _white(seed: int, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(seed)))


def _check(images: np.ndarray, seeds: Sequence[int], strength: float, steps: int) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise UsageError(
            f"Images of shape {images.shape} and dtype {images.dtype} cannot be enhanced; "
            "give (N, H, W, 3) uint8 RGB with N of at least 1."
        )
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        raise UsageError(
            f"Images of {images.shape[2]}×{images.shape[1]} pixels are too small to enhance; "
            f"both sides need at least {SMALLEST_SIDE}."
        )
    if len(seeds) != len(images):
        raise UsageError(f"{len(seeds)} seeds were given for {len(images)} images; give one for each.")
    if not 0 < strength <= 1 or steps < 1:
        raise UsageError(
            f"strength={strength} with steps={steps} is not possible; strength is in (0, 1], steps at least 1."
        )
