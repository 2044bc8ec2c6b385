"""ControlNets beside structured noise: pictures that condition the network, and the pipelines that take them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor

CANNY_THRESHOLDS = (100, 200)


def canny(images: np.ndarray) -> np.ndarray:
    """Canny edges as ControlNets are trained on them.

    Args:
        images: (N, H, W, 3) uint8 RGB.

    Returns:
        (N, H, W, 3) uint8, white edges on black.
    """
    edges = [cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), *CANNY_THRESHOLDS) for image in images]
    return np.repeat(np.stack(edges)[..., None], 3, axis=-1)


def with_controlnet(
    pipeline: DiffusionPipeline, kind: type[DiffusionPipeline], controlnet: torch.nn.Module
) -> DiffusionPipeline:
    """The same parts as a pipeline with a ControlNet.

    Control pictures that go through the autoencoder take a copy of it that has the network's precision and no
    randomness of its own: diffusers draws from the posterior, with a generator that a batch shares.
    """
    parts = pipeline.components
    vae = SteadyAutoencoder.from_config(pipeline.vae.config)
    vae.load_state_dict(pipeline.vae.state_dict())
    parts["vae"] = torch.nn.Module.to(vae, controlnet.device, controlnet.dtype).requires_grad_(False)
    extra = {"requires_safety_checker": False} if "safety_checker" in parts else {}
    controlled = kind(**parts, controlnet=controlnet, **extra)
    controlled.set_progress_bar_config(disable=True)
    return controlled


class SteadyAutoencoder(AutoencoderKL):
    """An autoencoder whose posterior has no spread: a sample is its mean."""

    def encode(self, x: Tensor, return_dict: bool = True) -> AutoencoderKLOutput:
        """The posterior of images, see `AutoencoderKL.encode`."""
        posterior = super().encode(x).latent_dist
        return AutoencoderKLOutput(DiagonalGaussianDistribution(posterior.parameters, deterministic=True))
