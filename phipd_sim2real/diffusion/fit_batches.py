"""What a step of a fit learns from: noisy crops and what the network should say of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit, ndtri
from torch import Tensor

from phipd_sim2real.diffusion.clip_noise import white_noise
from phipd_sim2real.diffusion.families import Family
from phipd_sim2real.diffusion.fit_settings import ExponentialCutoff, FitSettings
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.phase import Cutoff


@dataclass(frozen=True)
class Batch:
    """Crops of one size, corrupted.

    Attributes:
        x_t: (B, C, h, w) float32, on the family's grid; of a video model (B, C, T', h, w).
        t: (B,) float32 in [0, 1]; 1 is noise.
        condition: what the network is told beside them.
        target: of its prediction, as x_t.
    """

    x_t: Tensor
    t: Tensor
    condition: Any
    target: Tensor


@dataclass(frozen=True)
class Batches:
    """Draws batches; every choice derives from (seed, step, process, micro-batch).

    Attributes:
        settings: of the fit.
        images: to crop from.
        family: model whose grid, noise and forward process are used.
        process: index of this process, which gives each its own crops.
    """

    settings: FitSettings
    images: UnpairedImages
    family: Family
    process: int

    def of_step(self, step: int) -> list[Batch]:
        """The micro-batches of an optimizer step, counted from 0."""
        return [self._drawn(step, micro) for micro in range(self.settings.accumulate)]

    @torch.no_grad()
    def _drawn(self, step: int, micro: int) -> Batch:
        settings = self.settings
        rng = np.random.default_rng([settings.seed, step, self.process, *([micro] if micro else [])])
        crop = settings.crops[rng.integers(len(settings.crops))]
        size = (crop.height, crop.width)
        drawn = (self.images.crop(rng, *size, settings.scale, crop.frames) for _ in range(crop.count))
        crops, indices = zip(*drawn, strict=True)
        cutoffs = drawn_cutoffs(rng, settings, crop.count)
        seeds = rng.integers(2**63, size=crop.count)
        t = torch.from_numpy(drawn_times(rng, settings, crop.count)).float().to(self.family.device)
        levels = to_levels(np.stack(crops), self.family.device)
        x_0 = self.family.encode(levels)
        eps = self.family.noise(x_0, cutoffs, white_like(x_0, seeds))
        x_t, target = self.family.corrupt(x_0, eps, t)
        prompts = drawn_prompts(rng, settings, self.images, list(indices))
        return Batch(x_t, t, told(self.family, levels, cutoffs, prompts), target)


def drawn_cutoffs(rng: np.random.Generator, settings: FitSettings, count: int) -> list[Cutoff]:
    """A cutoff for each crop; a third of them let the lowest band go."""
    law = settings.cutoff
    if isinstance(law, ExponentialCutoff):
        highest = np.minimum(law.start + rng.exponential(law.mean, count), law.highest)
    else:
        highest = rng.uniform(*law, count)
    lowest = rng.uniform(0, settings.free_below, count) * (rng.random(count) < 1 / 3)
    return [Cutoff.isotropic(high, free_below=low) for high, low in zip(highest, lowest, strict=True)]


def drawn_times(rng: np.random.Generator, settings: FitSettings, count: int) -> np.ndarray:
    """(count,) noise levels in [0, 1]."""
    uniform = rng.uniform(size=count)
    return expit(ndtri(uniform)) if settings.times == "logit_normal" else uniform


def drawn_prompts(
    rng: np.random.Generator, settings: FitSettings, images: UnpairedImages, indices: list[int]
) -> list[str]:
    """The prompt of each crop, left out for a share of them."""
    prompts = [settings.prompt if images.captions is None else images.captions[index] for index in indices]
    left_out = rng.random(len(prompts)) < settings.prompt_dropout
    return ["" if out else prompt for prompt, out in zip(prompts, left_out, strict=True)]


def to_levels(images: np.ndarray, device: torch.device) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [-1, 1]; clips (B, T, H, W, 3) -> (B, 3, T, H, W)."""
    return torch.from_numpy(images).to(device).movedim(-1, 1).float() / 127.5 - 1


def white_like(x_0: Tensor, seeds: Iterable[int]) -> Tensor:
    """White noise for each x_0 from its own seed, of the same shape; see `Family.noise`."""
    return torch.stack([white_noise(x_0.shape[1:], seed) for seed in seeds])


def told(family: Family, levels: Tensor, cutoffs: list[Cutoff], prompts: list[str]) -> Any:
    """What the network is told of pictures (B, 3, H, W), or of clips (B, 3, T, H, W): their first frames too."""
    clips = {"clips": levels} if levels.ndim == 5 else {}
    return family.condition(cutoffs, prompts, **clips)
