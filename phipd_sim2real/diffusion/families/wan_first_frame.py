"""What Wan is told of a clip's first frame: what diffusers' own pipeline makes of it."""

from __future__ import annotations

import torch
from diffusers import WanImageToVideoPipeline
from PIL import Image
from torch import Tensor

from phipd_sim2real.diffusion.families.latent import Condition

FRAME = "first_frame"
"""Latents of the first frame: on channels of their own under a mask (Wan 2.1, 2.2 A14B), or to stand in place of the
first latent frame (`expand_timesteps`: 2.2 TI2V-5B)."""

PICTURE = "image_embeds"
"""What the image encoder sees in it, where the network is told so (Wan 2.1)."""


def picture(frame: Tensor) -> Image.Image:
    """(3, H, W) float32 in [-1, 1] as the whole levels that a pipeline takes."""
    levels = ((frame + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())


def first_frame(pipeline: WanImageToVideoPipeline, clip: Tensor) -> Condition:
    """What the network is told of the first frame of a clip.

    Args:
        pipeline: its image encoder, autoencoder and layout are used.
        clip: (3, T, H, W) float32 in [-1, 1].

    Returns:
        `FRAME`: (1, 4 + C, T', h, w), or (1, C, 1, h, w) under `expand_timesteps`; `PICTURE`: (1, N, D) where the
        network takes it.
    """
    frames, height, width = clip.shape[1:]
    device, image = pipeline._execution_device, picture(clip[:, 0])
    levels = pipeline.video_processor.preprocess(image, height=height, width=width).to(device, torch.float32)
    _, latents, *_ = pipeline.prepare_latents(
        levels,
        batch_size=1,
        height=height,
        width=width,
        num_frames=frames,
        dtype=torch.float32,
        device=device,
        latents=levels,  # any, so that none are drawn
    )
    if pipeline.transformer.config.image_dim is None:
        return {FRAME: latents}
    return {FRAME: latents, PICTURE: pipeline.encode_image(image, device).to(pipeline.transformer.dtype)}


def in_place(frame: Tensor, x_t: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """Clips whose first latent frame is given, hence without noise; as the pipeline does under `expand_timesteps`.

    Args:
        frame: (B, C, 1, h, w).
        x_t: (B, C, T', h, w).
        timestep: (B,).

    Returns:
        The clips with their first frames, and the timestep of every token: 0 where it is of a first frame.
    """
    frames, rows, columns = x_t.shape[2:]
    tokens = (rows // 2) * (columns // 2)
    timesteps = timestep[:, None].repeat(1, frames * tokens)
    timesteps[:, :tokens] = 0
    return torch.cat([frame, x_t[:, :, 1:]], dim=2), timesteps
