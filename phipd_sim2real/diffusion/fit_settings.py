"""What a fit can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from phipd_sim2real.diffusion.observation_settings import (
    CyclesPerPixel,
    Frames,
    SampleSettings,
    ValidationSettings,
)
from phipd_sim2real.diffusion.settings import Positive, Precision
from phipd_sim2real.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class ModelSettings(Settings):
    """The pixel network: diffusers' UNet2DModel on 4×4 pixel blocks."""

    channels: tuple[Positive, ...] = (64, 128, 160)
    """Channels per level; each level halves the resolution. Multiples of 16."""

    layers_per_block: Positive = 1
    """Residual blocks per level."""

    patch: Literal[2, 4, 8] = 4
    """Side of the pixel block that becomes one cell."""

    @model_validator(mode="after")
    def _divisible(self) -> ModelSettings:
        if any(channels % 16 for channels in self.channels):
            raise ValueError(f"channels={self.channels} must be multiples of 16, the size of a norm group")
        return self

    @property
    def block(self) -> int:
        """Image sides must be multiples of this many pixels."""
        return self.patch * 2 ** (len(self.channels) - 1)


class CropSettings(Settings):
    """Crops of one size."""

    height: Annotated[int, Field(ge=32)] = 96
    """Pixels; a multiple of the model's block, as the width: of patch · 2^(levels − 1) for the pixel network,
    of 16 or 64 for models with a VAE."""

    width: Annotated[int, Field(ge=32)] = 128

    count: Positive = 16
    """Crops per micro-batch and process."""

    frames: Frames = 1
    """Consecutive pictures of a crop, for video models: 4 k + 1. Clips are learnt with their first frame given, as
    they are generated; single pictures are learnt with none."""


class ExponentialCutoff(Settings):
    """The paper's law of cutoffs: start + an exponential draw, so that strong and weak structure are both seen."""

    start: CyclesPerPixel = 0.0
    """r_0 in cycles per pixel: every crop keeps at least this."""

    mean: Annotated[float, Field(gt=0, le=0.5)] = 0.02
    """Mean of the exponential draw in cycles per pixel. The paper's 10 bins are 10 / (8 · 64) = 0.02 for images
    of 512 pixels."""

    highest: Annotated[float, Field(gt=0, le=0.5)] = 0.5
    """Draws above this are set to it."""

    @model_validator(mode="after")
    def _rising(self) -> ExponentialCutoff:
        if self.start > self.highest:
            raise ValueError(f"start={self.start} is above highest={self.highest}")
        return self


class LoraSettings(Settings):
    """Low-rank adapters on frozen weights."""

    rank: Positive = 16

    alpha: Annotated[float, Field(gt=0)] | None = None
    """The adapters' product is scaled by alpha / rank; None takes the rank, hence 1."""

    targets: tuple[str, ...] | None = None
    """Endings of the names of the layers that get adapters; None takes the projections of all attention, and the
    convolutions of the pixel network too."""

    merge: bool = False
    """Export whole weights with the adapters added, instead of the adapters and a note of their base."""


class FitSettings(Settings):
    """How a model is fitted to the unpaired pictures of a drive log or a folder."""

    data: Path
    """A drive log or a folder of images of the wanted look."""

    max_images: Positive = 20_000
    """Pictures used, evenly spread over what there is."""

    initial: str | None = None
    """Model to start from, which decides the family: name or folder; None builds the pixel network with random
    weights."""

    model: ModelSettings = ModelSettings()
    """The pixel network; only without `initial`."""

    lora: LoraSettings | None = None
    """Fit low-rank adapters instead of all weights."""

    prompt: str = ""
    """What a model with a text encoder is told about every picture."""

    captions: bool = False
    """Read the prompt of each picture of a folder from the text file beside it (`a.jpg`, `a.txt`)."""

    prompt_dropout: Share = 0.1
    """Share of crops for which the prompt is left empty, so that guidance works; only models with a text encoder."""

    steps: Positive = 8_000
    """Optimizer steps in all; a larger number continues a finished fit."""

    crops: Annotated[tuple[CropSettings, ...], Field(min_length=1)] = (CropSettings(),)
    """Each step draws one of these batches; several sizes teach a model to see small and large frames alike."""

    accumulate: Positive = 1
    """Micro-batches per optimizer step, each of its own crop size."""

    stride: Positive = 1
    """Pictures from one frame of a clip to the next: 2 makes clips of 5 Hz from data of 10 Hz."""

    scale: tuple[float, float] = (0.67, 1.25)
    """Range of crop pixels per image pixel, log-uniform; larger shows less of the picture, enlarged."""

    cutoff: tuple[float, float] | ExponentialCutoff = (0.0, 0.5)
    """Range of the cutoff in cycles per pixel, uniform; 0 is Gaussian noise. Or the paper's exponential law."""

    free_below: CyclesPerPixel = 0.0
    """In a third of the crops the phase below a frequency of up to this (cycles per pixel) is let go too."""

    times: Literal["uniform", "logit_normal"] = "uniform"
    """Law of the noise level; logit-normal dwells on the middle, as large flow-matching models were trained."""

    learning_rate: Annotated[float, Field(gt=0)] = 4e-4

    warmup_steps: Annotated[int, Field(ge=0)] = 200

    decay_steps: Annotated[int, Field(ge=0)] = 0
    """The last steps, over which the learning rate falls to zero along a cosine. A fit that has decayed is not
    continued by more steps."""

    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999

    seed: Annotated[int, Field(ge=0)] = 0

    precision: Precision = "auto"
    """`auto` computes in bf16 where the device has it."""

    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time, the same gradients."""

    checkpoint_every: Positive = 500
    """Steps between checkpoints, and between lines of the loss log."""

    samples: SampleSettings | None = None
    """Sheets of samples; None writes none."""

    validation: ValidationSettings | None = None
    """Measures on held-out pictures; None trains on all."""

    @model_validator(mode="after")
    def _consistent(self) -> FitSettings:
        ranges = {"scale": (0.1, self.scale)}
        if not isinstance(self.cutoff, ExponentialCutoff):
            ranges["cutoff"] = (0.0, self.cutoff)
        for name, (low, (first, last)) in ranges.items():
            if not low <= first <= last:
                raise ValueError(f"{name}={first, last} must be a rising range from {low} up")
        if self.initial is None:
            self.check_sizes(self.model.block)
            self.check_frames(None)
            if self.lora is not None:
                raise ValueError("lora needs a model to adapt; name it with initial")
        if (span := (self.frames - 1) * self.stride + 1) > self.max_images:
            raise ValueError(f"max_images={self.max_images} is less than the {span} pictures that one clip takes")
        return self

    @property
    def frames(self) -> int:
        """Of the longest clip that is asked for; 1 where there are pictures alone."""
        return max(size.frames for _, size in self._sizes())

    @property
    def observed_frames(self) -> int:
        """Of the longest clip that is measured or shown."""
        return max((size.frames for name, size in self._sizes() if name != "crops"), default=1)

    @property
    def highest_cutoff(self) -> float:
        """Largest cutoff that is drawn, cycles per pixel."""
        return self.cutoff.highest if isinstance(self.cutoff, ExponentialCutoff) else self.cutoff[1]

    def check_sizes(self, block: int) -> None:
        """Refuses sizes that a model cannot take.

        Raises:
            ValueError: a side of a crop, a sample or a validation picture is no multiple of `block` pixels.
        """
        for name, size in self._sizes():
            if size.height % block or size.width % block:
                raise ValueError(f"{name} of {size.width}×{size.height} need sides that are multiples of {block} here")

    def check_frames(self, step: int | None) -> None:
        """Refuses clips that a model cannot take.

        Args:
            step: frames of a clip per latent frame after the first; None for models of single pictures.

        Raises:
            ValueError: clips for a model of pictures, or clips of another length than a multiple of `step`, plus 1.
        """
        for name, size in self._sizes():
            if size.frames > 1 and step is None:
                raise ValueError(f"{name} of {size.frames} frames are for video models; this one needs frames=1")
            if step is not None and (size.frames - 1) % step:
                raise ValueError(f"{name} of {size.frames} frames are not possible; take a multiple of {step}, plus 1")

    def _sizes(self) -> list[tuple[str, CropSettings | SampleSettings | ValidationSettings]]:
        """All sizes that are asked for, and where."""
        asked = {"crops": self.crops, "samples": (self.samples,), "validation": (self.validation,)}
        return [(name, size) for name, sizes in asked.items() for size in sizes if size is not None]
