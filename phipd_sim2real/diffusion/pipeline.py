"""The model: a small pixel-space flow-matching network that starts from structured noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, UNet2DModel
from torch import Tensor

from phipd_sim2real.diffusion.fit_settings import ModelSettings
from phipd_sim2real.phase import Cutoff

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation

SIGMA = 0.4
"""Typical deviation of pictures in [-1, 1] from grey."""

NOISE_SCALE = 1000.0  # the scheduler's timesteps; the cutoff is embedded on the same scale


class PhasePipeline(DiffusionPipeline):
    """Network and scheduler as one diffusers folder.

    Flow matching (arXiv 2512.05106, section 4): x_t = t eps + (1 - t) I with structured noise eps, and the
    network predicts v = eps - I. It is also told the cutoff of its noise.
    """

    def __init__(
        self,
        unet: UNet2DModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
        patch: int = 4,
        max_cutoff: float = 0.5,
    ) -> None:
        """Registers the parts.

        Args:
            unet: on (B, 3·patch², H/patch, W/patch).
            scheduler: Euler steps of flow matching.
            patch: side of the pixel block that becomes one cell.
            max_cutoff: largest cutoff that the network was fitted with, cycles per pixel.
        """
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.register_to_config(patch=patch, max_cutoff=max_cutoff)

    @classmethod
    def build(cls, settings: ModelSettings, max_cutoff: float, seed: int) -> PhasePipeline:
        """A model with random weights that depend on the seed alone."""
        levels = len(settings.channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            unet = UNet2DModel(
                in_channels=3 * settings.patch**2,
                out_channels=3 * settings.patch**2,
                block_out_channels=settings.channels,
                layers_per_block=settings.layers_per_block,
                down_block_types=("DownBlock2D",) * levels,
                up_block_types=("UpBlock2D",) * levels,
                norm_num_groups=16,
                attention_head_dim=32 if settings.channels[-1] % 32 == 0 else 16,
                class_embed_type="timestep",
            )
        return cls(unet, FlowMatchEulerDiscreteScheduler(), settings.patch, max_cutoff)

    @property
    def block(self) -> int:
        """Image sides must be multiples of this many pixels."""
        return self.config.patch * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def condition(self, preservations: Sequence[Preservation | None]) -> Tensor:
        """What the network is told about each noise: the geometric mean of the cutoff's axes, (B,) float32."""
        limit = self.config.max_cutoff
        means = [limit if kept is None else min(limit, _mean_cutoff(kept)) for kept in preservations]
        return torch.tensor(means, dtype=torch.float32, device=self.device)

    def velocity(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Predicts v = eps - I.

        Args:
            x_t: (B, 3, H, W), sides multiples of `block`.
            t: (B,) in [0, 1]; 1 is noise.
            condition: (B,) from `condition`.

        Returns:
            (B, 3, H, W) float32.
        """
        return velocity(self.unet, x_t, t, condition, self.config.patch)

    @torch.inference_mode()
    def __call__(
        self, images: Tensor, noise: Tensor, cutoffs: Sequence[Preservation | None], strength: float, steps: int
    ) -> Tensor:
        """Denoises from t = strength to 0.

        Args:
            images: (B, 3, H, W) in [-1, 1], sides multiples of `block`.
            noise: structured, same shape.
            cutoffs: of the noise, one per image.
            strength: 1 starts from noise alone, less is structured SDEdit.
            steps: Euler steps.

        Returns:
            (B, 3, H, W) float32, not clamped.
        """
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self.scheduler.config)
        sigmas = torch.linspace(strength, 0, steps + 1)[:-1]
        scheduler.set_timesteps(sigmas=sigmas.tolist(), device=images.device)
        condition = self.condition(cutoffs)
        start = scheduler.sigmas[0]
        x = start * noise + (1 - start) * images
        for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            v = self.velocity(x, sigma.expand(len(x)), condition)
            x = scheduler.step(v, timestep, x).prev_sample
        return x


def velocity(unet: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Tensor, patch: int) -> Tensor:
    """Runs a network, wrapped for parallel training or not; see `PhasePipeline.velocity`.

    The best linear guess of v from x_t, for white noise and pictures of deviation `SIGMA`, is added around the
    network, which is left with the unit-variance rest: it need not learn to copy its noise from input to output.
    """
    t = t[:, None, None, None]
    power = t**2 + (1 - t) ** 2 * SIGMA**2  # of x_t
    cells = F.pixel_unshuffle(x_t / power.sqrt(), patch)
    rest = unet(cells, t.flatten() * NOISE_SCALE, class_labels=condition * NOISE_SCALE).sample
    guess = (t - (1 - t) * SIGMA**2) / power * x_t
    return guess + SIGMA / power.sqrt() * F.pixel_shuffle(rest.float(), patch)


def _mean_cutoff(kept: Preservation) -> float:
    """Cycles per pixel; of anything but a `Cutoff`, the isotropic one that keeps phase in as many bins."""
    if isinstance(kept, Cutoff):
        return (kept.cycles_per_pixel_x * kept.cycles_per_pixel_y) ** 0.5
    share = kept.mask(256, 256).mean().item()  # of all bins, on a grid that is fine enough for any band
    return (share / math.pi) ** 0.5
