"""What all text-conditioned models over an image autoencoder share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from phipd_sim2real.diffusion.families.control import with_controlnet
from phipd_sim2real.diffusion.families.family import Family, Sampling
from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation

Condition = dict[str, Tensor]
"""Embeddings of prompts by the pipeline's argument names, one row per image."""


class LatentFamily(Family):
    """A diffusers text-to-image pipeline that starts from structured latents.

    Both modes run through the pipeline's own `__call__`: its schedule is cut to begin at the wanted strength,
    and its first latents are x_t there. At strength 1 they are the structured noise itself.
    """

    pipeline_class: ClassVar[type[DiffusionPipeline]]
    control_pipeline_class: ClassVar[type[DiffusionPipeline]]
    control_class: ClassVar[type[torch.nn.Module]]
    control_argument: ClassVar[str] = "control_image"
    left_out: ClassVar[dict[str, Any]] = {}
    """Optional parts of the folder that are not loaded, as arguments of `from_pretrained`."""

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        super().__init__(pipeline)
        self.controlled: DiffusionPipeline | None = None
        self._embeddings: dict[str, Condition] = {}
        pipeline.set_progress_bar_config(disable=True)
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module) and name != self.component:
                part.requires_grad_(False)

    @classmethod
    def from_pretrained(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> LatentFamily:
        dtypes = {"default": dtype, "vae": torch.float32}  # the autoencoder's rounding would be seen in flat areas
        pipeline = cls.pipeline_class.from_pretrained(folder, dtype=dtypes, use_safetensors=True, **cls.left_out)
        return cls(pipeline.to(device))

    @property
    def device(self) -> torch.device:
        return self.pipeline._execution_device  # under offloading `device` is where the parts wait

    @property
    def factor(self) -> int:
        return self.pipeline.vae_scale_factor

    @property
    def channels(self) -> int:
        return self.pipeline.vae.config.latent_channels

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        latents = self.pipeline.vae.encode(images).latent_dist.mode()
        return (latents - self._shift) * self.pipeline.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, x_0: Tensor) -> Tensor:
        """Images (B, 3, H, W) float32 of x_0, about [-1, 1]."""
        latents = x_0.float() / self.pipeline.vae.config.scaling_factor + self._shift
        images = self.pipeline.vae.decode(latents, return_dict=False)[0]
        self.pipeline.maybe_free_model_hooks()
        return images

    @property
    def _shift(self) -> float:
        return self.pipeline.vae.config.shift_factor or 0.0

    def condition(self, preservations: Sequence[Preservation | None], prompts: Sequence[str]) -> Condition:
        rows = [self.embedding(prompt) for prompt in prompts]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def embedding(self, prompt: str) -> Condition:
        """What the text encoders make of a prompt, one row; computed once."""
        if prompt not in self._embeddings:
            with torch.no_grad():
                self._embeddings[prompt] = self.embed(prompt)
        return self._embeddings[prompt]

    @abstractmethod
    def embed(self, prompt: str) -> Condition:
        """Runs the text encoders; keys are arguments of the pipeline."""

    def negative(self, prompt: str) -> Condition:
        """Embedding of a negative prompt."""
        return self.embedding(prompt)

    @abstractmethod
    def schedule(self, strength: float, steps: int, cells: tuple[int, int]) -> dict[str, Any]:
        """Arguments that make the pipeline run from t = strength to 0 on a grid of (h, w) cells."""

    @abstractmethod
    def start(self, x_0: Tensor, eps: Tensor, strength: float) -> Tensor:
        """x_t at t = strength; eps itself at 1."""

    def guided(self, sampling: Sampling) -> dict[str, Any]:
        """Arguments for the strength of guidance."""
        return {"guidance_scale": sampling.guidance}

    def packed(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) as the pipeline takes them."""
        return latents

    def unpacked(self, latents: Tensor, height: int, width: int) -> Tensor:
        """The inverse of `packed`, for images of (height, width) pixels."""
        return latents

    def generate(
        self, x_0: Tensor, eps: Tensor, preservations: Sequence[Preservation | None], sampling: Sampling
    ) -> Tensor:
        height, width = (size * self.factor for size in x_0.shape[-2:])
        latents = self.start(x_0, eps, sampling.strength).to(self.denoiser.dtype)
        pipeline = self.pipeline if sampling.control is None else self.controlled
        result = pipeline(
            latents=self.packed(latents),
            height=height,
            width=width,
            output_type="latent",
            **self.schedule(sampling.strength, sampling.steps, x_0.shape[-2:]),
            **self.guided(sampling),
            **self._texts(sampling, len(x_0)),
            **self._control(sampling),
        )
        return self.decode(self.unpacked(result.images, height, width))

    def _texts(self, sampling: Sampling, count: int) -> Condition:
        texts = dict(self.embedding(sampling.prompt))
        if sampling.guidance > 1:
            negative = self.negative(sampling.negative_prompt)
            texts |= {f"negative_{name}": value for name, value in negative.items()}
        return {name: value.repeat_interleave(count, 0) for name, value in texts.items()}

    def _control(self, sampling: Sampling) -> dict[str, Any]:
        if sampling.control is None:
            return {}
        return {self.control_argument: sampling.control, "controlnet_conditioning_scale": sampling.control_scale}

    def save_memory(self, offload: bool, tiling: bool) -> None:
        if tiling:
            self.pipeline.vae.enable_tiling()
            self.pipeline.vae.enable_slicing()
        if offload:
            self.pipeline.enable_model_cpu_offload()

    @property
    def takes_control(self) -> bool:
        return self.controlled is not None

    def attach_controlnet(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise UsageError(f"There is no ControlNet in {folder}; give a folder with config.json and safetensors.")
        controlnet = self.control_class.from_pretrained(folder, dtype=self.denoiser.dtype, use_safetensors=True).to(
            self.device
        )
        self.controlled = with_controlnet(self.pipeline, self.control_pipeline_class, controlnet)
