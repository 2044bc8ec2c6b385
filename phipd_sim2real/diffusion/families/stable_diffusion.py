"""Stable Diffusion 1.x and 2.x: a UNet on latents, discrete noise levels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import (
    ControlNetModel,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
)
from torch import Tensor

from phipd_sim2real.diffusion.families.latent import Condition, LatentFamily
from phipd_sim2real.diffusion.objective import broadcast, mixed, target


class StableDiffusionFamily(LatentFamily):
    """DDPM's forward process x_t = sqrt(abar_k) x_0 + sqrt(1 - abar_k) eps (arXiv 2006.11239, eq. 4).

    Of T levels, t in [0, 1] is level k = floor(t T). The sampler is the second-order DPM-Solver++
    (arXiv 2211.01095), which adds no noise: only structured noise enters.
    """

    name = "stable_diffusion"
    component = "unet"
    groups: ClassVar[dict[str, int]] = {"cpu": 1, "cuda": 4}
    pipeline_class = StableDiffusionPipeline
    control_pipeline_class = StableDiffusionControlNetPipeline
    control_class = ControlNetModel
    control_argument = "image"
    left_out: ClassVar[dict[str, Any]] = {
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
            pipeline.scheduler.config,
            algorithm_type="dpmsolver++",
            solver_order=2,
            use_karras_sigmas=False,
            final_sigmas_type="zero",
        )
        super().__init__(pipeline)

    @property
    def objective(self) -> str:
        return self.pipeline.scheduler.config.prediction_type

    @property
    def block(self) -> int:
        levels = self.factor * 2 ** (len(self.denoiser.config.block_out_channels) - 1)
        return max(8, levels)  # the pipeline's own demand, whatever the networks are

    def level(self, t: Tensor) -> Tensor:
        """k, (B,) int64, of t, (B,) in [0, 1]."""
        return (t * len(self._abar)).long().clamp(max=len(self._abar) - 1)

    @property
    def _abar(self) -> Tensor:
        return self.pipeline.scheduler.alphas_cumprod

    def corrupt(self, x_0: Tensor, eps: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        abar = self._abar.to(t.device)[self.level(t)]
        alpha, sigma = broadcast(abar.sqrt(), x_0), broadcast((1 - abar).sqrt(), x_0)
        return mixed(x_0, eps, alpha, sigma), target(self.objective, x_0, eps, alpha, sigma)

    def predict(self, denoiser: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        dtype = condition["prompt_embeds"].dtype
        result = denoiser(
            x_t.to(dtype),
            self.level(t),
            encoder_hidden_states=condition["prompt_embeds"],
            added_cond_kwargs=self.added(condition, x_t.shape[-2:]),
            return_dict=False,
        )
        return result[0].float()

    def added(self, condition: Condition, cells: tuple[int, int]) -> dict[str, Tensor] | None:
        """Conditions beside the text, for images of (h, w) cells."""
        return None

    def embed(self, prompt: str) -> Condition:
        embeds, _ = self.pipeline.encode_prompt(prompt, self.device, 1, False)
        return {"prompt_embeds": embeds}

    def start(self, x_0: Tensor, eps: Tensor, strength: float) -> Tensor:
        if strength == 1:
            return eps
        return self.corrupt(x_0, eps, torch.full((len(x_0),), strength, device=x_0.device))[0]

    def schedule(self, strength: float, steps: int, cells: tuple[int, int]) -> dict[str, Any]:
        first = self.level(torch.tensor([strength])).item()
        levels = np.linspace(first + 1, 0, steps + 1)[:-1].round().astype(int) - 1
        return {"timesteps": sorted({level for level in levels.tolist() if level >= 0}, reverse=True)}
