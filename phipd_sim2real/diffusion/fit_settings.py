"""What a fit can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from phipd_sim2real.diffusion.settings import Positive, Precision
from phipd_sim2real.settings import Settings


class ModelSettings(Settings):
    """The network: diffusers' UNet2DModel on 4×4 pixel blocks."""

    channels: tuple[Positive, ...] = (64, 128, 160)
    """Channels per level; each level halves the resolution. Multiples of 16."""

    layers_per_block: Positive = 1
    """Residual blocks per level."""

    patch: Literal[2, 4, 8] = 4
    """Side of the pixel block that becomes one cell."""

    margin: Annotated[int, Field(ge=0)] = 16
    """Pixels reflected around the image for the noise's transform only, so that its periodic border lies
    outside the picture."""

    @model_validator(mode="after")
    def _divisible(self) -> ModelSettings:
        if any(channels % 16 for channels in self.channels):
            raise ValueError(f"channels={self.channels} must be multiples of 16, the size of a norm group")
        return self


class CropSettings(Settings):
    """Crops of one size."""

    height: Annotated[int, Field(ge=32)] = 96
    """Pixels; a multiple of patch · 2^(levels − 1), as the width."""

    width: Annotated[int, Field(ge=32)] = 128

    count: Positive = 16
    """Crops per step and process."""


class FitSettings(Settings):
    """How a model is fitted to the unpaired pictures of a drive log or a folder."""

    data: Path
    """A drive log or a folder of images of the wanted look."""

    max_images: Positive = 20_000
    """Pictures used, evenly spread over what there is."""

    initial: str | None = None
    """Name or folder of a model to start from; None starts from random weights."""

    model: ModelSettings = ModelSettings()

    steps: Positive = 8_000
    """Optimizer steps in all; a larger number continues a finished fit."""

    crops: Annotated[tuple[CropSettings, ...], Field(min_length=1)] = (CropSettings(),)
    """Each step draws one of these batches; several sizes teach a model to see small and large frames alike."""

    scale: tuple[float, float] = (0.67, 1.25)
    """Range of crop pixels per image pixel, log-uniform; larger shows less of the picture, enlarged."""

    cutoff: tuple[float, float] = (0.0, 0.5)
    """Range of the cutoff in cycles per pixel, uniform; 0 is Gaussian noise."""

    free_below: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """In a third of the crops the phase below a frequency of up to this (cycles per pixel) is let go too."""

    learning_rate: Annotated[float, Field(gt=0)] = 4e-4

    warmup_steps: Annotated[int, Field(ge=0)] = 200

    decay_steps: Annotated[int, Field(ge=0)] = 0
    """The last steps, over which the learning rate falls to zero along a cosine. A fit that has decayed is not
    continued by more steps."""

    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999

    seed: Annotated[int, Field(ge=0)] = 0

    precision: Precision = "auto"
    """`auto` computes in bf16 where the device has it."""

    checkpoint_every: Positive = 500
    """Steps between checkpoints, and between lines of the loss log."""

    @model_validator(mode="after")
    def _consistent(self) -> FitSettings:
        block = self.model.patch * 2 ** (len(self.model.channels) - 1)
        for crop in self.crops:
            if crop.height % block or crop.width % block:
                raise ValueError(f"crops of {crop.width}×{crop.height} need sides that are multiples of {block} here")
        for name, low in (("scale", 0.1), ("cutoff", 0.0)):
            first, last = getattr(self, name)
            if not low <= first <= last:
                raise ValueError(f"{name}={first, last} must be a rising range from {low} up")
        return self
