"""Stable Diffusion XL: Stable Diffusion that is also told the picture's size."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import StableDiffusionXLControlNetPipeline, StableDiffusionXLPipeline
from torch import Tensor

from phipd_sim2real.diffusion.families.latent import Condition
from phipd_sim2real.diffusion.families.stable_diffusion import StableDiffusionFamily


class StableDiffusionXLFamily(StableDiffusionFamily):
    """Two text encoders, a pooled embedding, and size conditions (arXiv 2307.01952): pictures are never cropped."""

    name = "sdxl"
    pipeline_class = StableDiffusionXLPipeline
    control_pipeline_class = StableDiffusionXLControlNetPipeline
    left_out: ClassVar[dict[str, Any]] = {}

    def embed(self, prompt: str) -> Condition:
        embeds, _, pooled, _ = self.pipeline.encode_prompt(
            prompt, device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def negative(self, prompt: str) -> Condition:
        embedding = self.embedding(prompt)
        if prompt == "" and self.pipeline.config.force_zeros_for_empty_prompt:
            return {name: torch.zeros_like(value) for name, value in embedding.items()}
        return embedding

    def added(self, condition: Condition, cells: tuple[int, int]) -> dict[str, Tensor]:
        pooled = condition["pooled_prompt_embeds"]
        height, width = (size * self.factor for size in cells)
        ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=pooled.dtype, device=pooled.device)
        return {"text_embeds": pooled, "time_ids": ids.expand(len(pooled), -1)}
