"""What every kind of model offers: its noise grid, its forward process, its network, its sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from diffusers import DiffusionPipeline
from torch import Tensor

from phipd_sim2real.diffusion.families.released import released_noise
from phipd_sim2real.diffusion.objective import loss
from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import structured_noise

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation

Objective = Literal["flow", "epsilon", "v_prediction"]


@dataclass(frozen=True)
class Sampling:
    """How a batch is denoised.

    Attributes:
        strength: in (0, 1]; 1 starts from noise alone, less is structured SDEdit.
        steps: denoising steps.
        guidance: classifier-free guidance, or the guidance that a distilled model is told.
        prompt: what the pictures show; families without a text encoder ignore it.
        negative_prompt: what they should not show.
        control: (B, 3, H, W) float32 in [0, 1] for the family's ControlNet, or None.
        control_scale: weight of the ControlNet.
    """

    strength: float
    steps: int
    guidance: float = 1.0
    prompt: str = ""
    negative_prompt: str = ""
    control: Tensor | None = None
    control_scale: float = 1.0


class Family(ABC):
    """A kind of model under the method.

    Names follow the paper (arXiv 2512.05106): x_0 is what the model denoises (pixels or VAE latents), eps its
    structured noise, t in [0, 1] with 1 the noise.

    Attributes:
        name: of the family.
        objective: what the network predicts.
        factor: image pixels per cell of the noise grid.
        block: image sides are multiples of this many pixels.
        border: pixels reflected around a frame before all else, a multiple of `factor`.
        groups: frames per forward pass by device type; always the same number keeps rounding, and with it the
            bytes, independent of the batch.
        component: name of the denoiser in the pipeline.
        lora_targets: its layers that low-rank adapters are put on.
        takes_prompt: whether prompts and guidance mean anything to it.
        autocasts: whether its float32 weights compute under autocast; others are loaded in what they compute in.
        is_video: whether x_0 has a time axis, (B, C, T, h, w).
        time_factor: frames of a clip per latent frame after the first; None of models of pictures.
        released: whether its weights expect the published noise instead of the exact one.
    """

    name: ClassVar[str]
    border: ClassVar[int] = 0
    groups: ClassVar[dict[str, int]] = {"cpu": 1, "cuda": 1}
    component: ClassVar[str]
    lora_targets: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")
    takes_prompt: ClassVar[bool] = True
    autocasts: ClassVar[bool] = False
    is_video: ClassVar[bool] = False
    time_factor: int | None = None

    objective: Objective
    factor: int
    block: int

    released: bool = False

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        self.pipeline = pipeline

    @property
    def denoiser(self) -> torch.nn.Module:
        """The network that is fitted."""
        return getattr(self.pipeline, self.component)

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of x_0."""

    @property
    def device(self) -> torch.device:
        """Where the images are expected."""
        return self.pipeline.device

    @property
    def group(self) -> int:
        """Frames per forward pass, always."""
        return self.groups.get(self.device.type, 1)

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """x_0 of images.

        Args:
            images: (B, 3, H, W) float32 in [-1, 1], sides multiples of `block`.

        Returns:
            (B, channels, H / factor, W / factor) float32; the same bytes for the same image.
        """

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape (C, h, w) of the white noise that an image of `block` multiples needs."""
        return self.channels, height // self.factor, width // self.factor

    def noise(self, x_0: Tensor, preservations: Sequence[Preservation | None], white: Tensor) -> Tensor:
        """Structured noise of each x_0.

        Its phase is that of the periodic component, without the seam at which a periodic transform joins opposite
        borders: it would be kept as if it were structure of the scene.

        Args:
            x_0: (B, C, h, w) float32 from `encode`.
            preservations: one per image, in cycles per image pixel; None keeps all phase.
            white: (B, C, h, w) float32 white noise of unit variance.

        Returns:
            (B, C, h, w) float32, unit variance on average.
        """
        white = white.to(x_0.device)
        if self.released:
            return released_noise(x_0, [self._on_grid(kept) for kept in preservations], white)
        noise = [
            structured_noise(source, draw, self._on_grid(kept), seamless=True)
            for source, draw, kept in zip(x_0, white, preservations, strict=True)
        ]
        return torch.stack(noise)

    def _on_grid(self, kept: Preservation | None) -> Preservation | None:
        return None if kept is None else kept.on_grid(self.factor)

    @abstractmethod
    def corrupt(self, x_0: Tensor, eps: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The forward process, and what the network is to predict.

        Args:
            x_0: (B, C, h, w) float32.
            eps: likewise.
            t: (B,) float32 in [0, 1]; 1 is noise. Uniform t is the family's usual training distribution
                unless its documentation says otherwise.

        Returns:
            x_t and the target of `predict`, both like x_0.
        """

    @abstractmethod
    def predict(self, denoiser: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        """Runs the network.

        Args:
            denoiser: `self.denoiser`, or the same wrapped for parallel training.
            x_t: (B, C, h, w) from `corrupt`.
            t: (B,) as given to `corrupt`.
            condition: from `condition`, for B images.

        Returns:
            (B, C, h, w) float32, to compare with the target of `corrupt`.
        """

    def loss(self, prediction: Tensor, target: Tensor, condition: Any) -> Tensor:
        """Mean squared error over all that the network is asked for, a scalar float32.

        Args:
            prediction: from `predict`.
            target: from `corrupt`.
            condition: as given to `predict`.
        """
        return loss(prediction, target)

    @abstractmethod
    def condition(self, preservations: Sequence[Preservation | None], prompts: Sequence[str]) -> Any:
        """What the network is told beside x_t and t, for one image per entry; without gradients."""

    @abstractmethod
    def generate(
        self, x_0: Tensor, eps: Tensor, preservations: Sequence[Preservation | None], sampling: Sampling
    ) -> Tensor:
        """Denoises from t = strength to 0 with the family's own diffusers pipeline.

        Args:
            x_0: (B, C, h, w) float32 from `encode`.
            eps: likewise, from `noise`.
            preservations: of the noise, one per image.
            sampling: mode, steps and conditions.

        Returns:
            (B, 3, H, W) float32 images, about [-1, 1], not clamped.
        """

    @property
    def takes_control(self) -> bool:
        """Whether a ControlNet is attached, which then needs its pictures."""
        return False

    def attach_controlnet(self, folder: Path) -> None:
        """Makes `Sampling.control` usable with a ControlNet of this family.

        Raises:
            UsageError: there is no ControlNet in the folder, or the family takes none.
        """
        raise UsageError(f"A model of the {self.name} family takes no ControlNet; leave controlnet out.")

    def save_memory(self, offload: bool, tiling: bool) -> None:
        """Trades time for memory.

        Args:
            offload: parts of the pipeline wait in main memory until they are needed; call before any use of
                the GPU.
            tiling: the autoencoder works through large pictures in overlapping tiles.

        Raises:
            UsageError: the family is small and has no such parts.
        """
        if offload or tiling:
            raise UsageError(f"A model of the {self.name} family needs no offload and no tiling; leave them out.")

    def save_pretrained(self, folder: Path) -> None:
        """Writes the pipeline as a diffusers folder (safetensors)."""
        self.pipeline.save_pretrained(folder)

    @classmethod
    @abstractmethod
    def from_pretrained(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> Family:
        """Loads a diffusers folder.

        Args:
            folder: with `model_index.json` and safetensors.
            device: where it computes.
            dtype: of the network's weights; the pixel family keeps float32 and computes under autocast.
        """


def reflected(images: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """(B, C, H, W) with reflected borders; wider than one side is reflected again, which `F.pad` refuses."""
    while top or bottom or left or right:
        rows, columns = (size - 1 for size in images.shape[-2:])
        step = (min(left, columns), min(right, columns), min(top, rows), min(bottom, rows))
        images = F.pad(images, step, mode="reflect")
        left, right, top, bottom = left - step[0], right - step[1], top - step[2], bottom - step[3]
    return images
