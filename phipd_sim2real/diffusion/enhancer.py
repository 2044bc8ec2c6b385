"""Enhancing frames: the source's structure, the look that the model was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.utils.logging import disable_progress_bar
from torch import Tensor

from phipd_sim2real.diffusion.frames import SMALLEST_SIDE
from phipd_sim2real.diffusion.models import model_folder
from phipd_sim2real.diffusion.pipeline import PhasePipeline
from phipd_sim2real.diffusion.precision import autocast
from phipd_sim2real.diffusion.settings import Precision
from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import Cutoff

GROUP = {"cpu": 4}
"""Frames per forward pass, always: kernels, and with them rounding, may differ between batch sizes."""

BORDER = 8
"""Pixels reflected around a frame: the network's own zero padding leaves its outermost cells noisier by a third."""

DEFAULT_CUTOFF = 0.2
DEFAULT_STEPS = 4


class Enhancer:
    """A model, ready to enhance frames of any size.

    Attributes:
        pipeline: network and scheduler.
        precision: arithmetic of the network.
    """

    def __init__(self, pipeline: PhasePipeline, precision: Precision = "auto") -> None:
        self.pipeline = pipeline
        self.precision = precision
        self._group = GROUP.get(pipeline.device.type, 16)

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
        pipeline = PhasePipeline.from_pretrained(model_folder(path_or_name))
        pipeline.unet.eval()
        return cls(pipeline.to(device or ("cuda" if torch.cuda.is_available() else "cpu")), precision)

    def enhance(
        self,
        images: np.ndarray,
        seeds: Sequence[int],
        cutoff: Cutoff | float | None = DEFAULT_CUTOFF,
        strength: float = 0.8,
        steps: int = DEFAULT_STEPS,
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

        Returns:
            (N, H, W, 3) uint8 RGB.

        Raises:
            UsageError: images, seeds or strength are outside of what is allowed.
        """
        _check(images, seeds, strength, steps)
        cutoff = cutoff if isinstance(cutoff, Cutoff | None) else Cutoff.isotropic(cutoff)
        groups = [slice(start, start + self._group) for start in range(0, len(images), self._group)]
        parts = [self._enhance_group(images[group], seeds[group], cutoff, strength, steps) for group in groups]
        return np.concatenate(parts)

    def _enhance_group(
        self, images: np.ndarray, seeds: Sequence[int], cutoff: Cutoff | None, strength: float, steps: int
    ) -> np.ndarray:
        """Enhances up to a group of images, filled up to a whole one with repetitions of the last."""
        filled = np.minimum(np.arange(self._group), len(images) - 1)
        source = self._padded(torch.from_numpy(images[filled]))
        cutoffs = [cutoff] * self._group
        noise = self.pipeline.noise(source, cutoffs, [torch.Generator().manual_seed(int(seeds[i])) for i in filled])
        with autocast(source.device, self.precision):
            result = self.pipeline(source, noise, cutoffs, strength, steps)
        count, height, width = images.shape[:3]
        inside = result[:count, :, BORDER : BORDER + height, BORDER : BORDER + width]
        levels = ((inside + 1) * 127.5).round().clamp(0, 255)
        return levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def _padded(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 to (N, 3, H', W') float32 in [-1, 1], reflected at the border up to whole blocks."""
        block, (height, width) = self.pipeline.block, images.shape[1:3]
        right, bottom = (BORDER + -(size + 2 * BORDER) % block for size in (width, height))
        levels = images.to(self.pipeline.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return F.pad(levels, (BORDER, right, BORDER, bottom), mode="reflect")


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
