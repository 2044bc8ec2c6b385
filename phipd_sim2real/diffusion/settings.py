"""What an enhancement can be told."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from phipd_sim2real.settings import Settings

Positive = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "bf16", "float32"]


class ProfileSettings(Settings):
    """A share of kept phase per band of spatial frequency."""

    edges: tuple[Annotated[float, Field(ge=0)], ...]
    """Ascending edges of the bands, cycles per pixel; one more than there are shares."""

    shares: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """0 is Gaussian noise, 1 the source's phase."""

    @model_validator(mode="after")
    def _bands(self) -> ProfileSettings:
        ascending = all(low < high for low, high in pairwise(self.edges))
        if not ascending or len(self.edges) != len(self.shares) + 1 or not self.shares:
            raise ValueError(f"edges={self.edges} must ascend, and be one more than shares={self.shares}")
        return self


class EnhanceSettings(Settings):
    """How frames are enhanced."""

    model: str = "street-small"
    """Name of a shipped model, folder of a fitted one, or name of a diffusers model on the Hugging Face hub."""

    cutoff: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] | None = "auto"
    """Cycles per image pixel up to which the source's phase is kept; None (`null`) keeps all, `auto` is the
    model's own: 0.2 for street-small, 1/48 for models on latents, whose finest is 1/16."""

    free_below: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Cycles per pixel below which the phase is let go: the lowest band carries the source's light."""

    profile: ProfileSettings | None = None
    """Kept phase per band, in place of `cutoff` and `free_below`."""

    noise: Literal["auto", "exact", "released"] = "auto"
    """`released` is what the published weights were fitted with; `auto` is what the model's folder says."""

    strength: Annotated[float, Field(gt=0, le=1)] = 0.8
    """1 starts from structured noise alone; less starts from the source with that share of noise. At 1 a small
    model gives wide even areas of large frames, such as the road, the colour of the sky."""

    steps: Positive | Literal["auto"] = "auto"
    """Denoising steps; `auto` is the model's own: 4 for street-small, 30 for most."""

    prompt: str | None = None
    """What the pictures show; None is what the model was fitted with, if anything."""

    negative_prompt: str | None = None
    """What they should not show."""

    guidance: Annotated[float, Field(ge=1)] | Literal["auto"] = "auto"
    """How much the prompt counts; 1 takes it as it is, `auto` is usual for the kind of model."""

    controlnet: str | None = None
    """Folder of a ControlNet of the model's kind."""

    control: Literal["canny"] | None = None
    """What the ControlNet sees: edges of the source. Depth and other pictures are given through
    `Enhancer.enhance`."""

    control_scale: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the ControlNet."""

    offload: bool = False
    """Parts of a large model wait in main memory until the GPU needs them."""

    tiling: bool = False
    """A model on latents works through large pictures in overlapping tiles to save memory."""

    temporal: Literal["frame", "warp", "3d"] = "frame"
    """How the noise of consecutive frames hangs together: `frame` not at all, `warp` along the motion (exact where a
    log has depth, else estimated from the pictures), `3d` by a phase over space and time of 16 frames at a time."""

    seed: Annotated[int, Field(ge=0)] = 0

    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95

    precision: Precision = "auto"

    @model_validator(mode="after")
    def _together(self) -> EnhanceSettings:
        if (self.controlnet is None) != (self.control is None):
            raise ValueError("controlnet and control go together: the network, and what it sees")
        return self
