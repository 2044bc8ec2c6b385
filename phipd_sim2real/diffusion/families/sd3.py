"""Stable Diffusion 3 and 3.5: a transformer on latents, three text encoders."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import SD3ControlNetModel, StableDiffusion3ControlNetPipeline, StableDiffusion3Pipeline
from torch import Tensor

from phipd_sim2real.diffusion.families.flow import FlowFamily
from phipd_sim2real.diffusion.families.latent import Condition


class StableDiffusion3Family(FlowFamily):
    """Multimodal transformer with rectified flow (arXiv 2403.03206)."""

    name = "sd3"
    groups: ClassVar[dict[str, int]] = {"cpu": 1, "cuda": 2}
    pipeline_class = StableDiffusion3Pipeline
    control_pipeline_class = StableDiffusion3ControlNetPipeline
    control_class = SD3ControlNetModel
    left_out: ClassVar[dict[str, Any]] = {"image_encoder": None, "feature_extractor": None}

    def predict(self, denoiser: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        result = denoiser(
            hidden_states=x_t.to(condition["prompt_embeds"].dtype),
            timestep=t * self.pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=condition["prompt_embeds"],
            pooled_projections=condition["pooled_prompt_embeds"],
            return_dict=False,
        )
        return result[0].float()

    def embed(self, prompt: str) -> Condition:
        embeds, _, pooled, _ = self.pipeline.encode_prompt(
            prompt, prompt_2=None, prompt_3=None, device=self.device, do_classifier_free_guidance=False
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
