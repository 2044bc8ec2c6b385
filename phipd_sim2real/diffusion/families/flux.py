"""FLUX.1: a transformer on packed latents that is told its guidance."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import FluxControlNetModel, FluxControlNetPipeline, FluxPipeline
from torch import Tensor

from phipd_sim2real.diffusion.families.family import Sampling
from phipd_sim2real.diffusion.families.flow import FlowFamily
from phipd_sim2real.diffusion.families.latent import Condition

TOLD_GUIDANCE = 3.5
"""Guidance that a guidance-distilled network is told while it is fitted."""


class FluxFamily(FlowFamily):
    """Flow matching on 2 × 2 blocks of latents; noise is made before they are packed.

    Guidance is what the distilled network is told. A negative prompt takes true classifier-free guidance, at
    twice the cost; the network is then told none.
    """

    name = "flux"
    pipeline_class = FluxPipeline
    control_pipeline_class = FluxControlNetPipeline
    control_class = FluxControlNetModel
    left_out: ClassVar[dict[str, Any]] = {"image_encoder": None, "feature_extractor": None}

    def predict(self, denoiser: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        text = condition["prompt_embeds"]
        height, width = x_t.shape[-2:]
        image_ids = self.pipeline._prepare_latent_image_ids(len(x_t), height // 2, width // 2, x_t.device, text.dtype)
        told = torch.full((len(x_t),), TOLD_GUIDANCE, device=x_t.device)
        result = denoiser(
            hidden_states=self.packed(x_t.to(text.dtype)),
            timestep=t,
            guidance=told if self.denoiser.config.guidance_embeds else None,
            pooled_projections=condition["pooled_prompt_embeds"],
            encoder_hidden_states=text,
            txt_ids=torch.zeros(text.shape[1], 3, device=x_t.device, dtype=text.dtype),
            img_ids=image_ids,
            return_dict=False,
        )
        return self.unpacked(result[0], height * self.factor, width * self.factor).float()

    def embed(self, prompt: str) -> Condition:
        embeds, pooled, _ = self.pipeline.encode_prompt(prompt, device=self.device)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def guided(self, sampling: Sampling) -> dict[str, Any]:
        if sampling.negative_prompt:
            return {"guidance_scale": 1.0, "true_cfg_scale": sampling.guidance}
        return {"guidance_scale": sampling.guidance}

    def packed(self, latents: Tensor) -> Tensor:
        return self.pipeline._pack_latents(latents, *latents.shape)

    def unpacked(self, latents: Tensor, height: int, width: int) -> Tensor:
        return self.pipeline._unpack_latents(latents, height, width, self.factor)
