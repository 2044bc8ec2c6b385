"""The small model that works on pixels and is told its cutoff instead of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from phipd_sim2real.diffusion.families.family import Family, Sampling
from phipd_sim2real.diffusion.pipeline import PhasePipeline, velocity

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation


class PixelFamily(Family):
    """`PhasePipeline` as a family: x_0 is the image itself, the condition is the cutoff, (B,) float32."""

    name = "pixel"
    border = 8  # the network's own zero padding leaves its outermost cells noisier by a third
    groups: ClassVar[dict[str, int]] = {"cpu": 4, "cuda": 16}
    component = "unet"
    lora_targets = ("conv_in", "conv1", "conv2", "conv_shortcut", "conv_out", "to_q", "to_k", "to_v", "to_out.0")
    takes_prompt = False
    autocasts = True
    objective = "flow"
    factor = 1
    pipeline: PhasePipeline

    @property
    def block(self) -> int:
        return self.pipeline.block

    @property
    def channels(self) -> int:
        return 3

    def encode(self, images: Tensor) -> Tensor:
        return images

    def corrupt(self, x_0: Tensor, eps: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        share = t[:, None, None, None]
        return share * eps + (1 - share) * x_0, eps - x_0

    def predict(self, denoiser: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return velocity(denoiser, x_t, t, condition, self.pipeline.config.patch)

    def condition(self, preservations: Sequence[Preservation | None], prompts: Sequence[str]) -> Tensor:
        return self.pipeline.condition(preservations)

    def generate(
        self, x_0: Tensor, eps: Tensor, preservations: Sequence[Preservation | None], sampling: Sampling
    ) -> Tensor:
        return self.pipeline(x_0, eps, preservations, sampling.strength, sampling.steps)

    @classmethod
    def from_pretrained(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> PixelFamily:
        pipeline = PhasePipeline.from_pretrained(folder)
        pipeline.unet.eval()
        return cls(pipeline.to(device))
