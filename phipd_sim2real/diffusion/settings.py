"""What an enhancement can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from phipd_sim2real.diffusion.profiles import ProfileSettings, read_profile
from phipd_sim2real.settings import Settings

__all__ = ["EnhanceSettings", "ProfileSettings", "RigiditySettings"]

Positive = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "bf16", "float32"]


Share = Annotated[float, Field(ge=0, le=1)]


class RigiditySettings(Settings):
    """How far the source's phase is kept at each place, on complex wavelets of 4 octaves from 0.5 cycles per cell of
    the model's grid down; what is coarser is always free."""

    elsewhere: Share
    """Where no class is, or everywhere without classes: 0 is Gaussian noise, 1 the source's phase."""

    classes: dict[str, Share] = Field(default_factory=dict)
    """Class -> its own rigidity, read from the log's `camera_semantics`: lane_paint, kerbs, poles, traffic_signs,
    vehicles, or one of CARLA's labels, such as road_line, pole, pedestrian, sidewalk. Where several reach, the most
    rigid holds."""

    widened_px: Annotated[int, Field(ge=0, le=64)] = 4
    """Pixels by which a class more rigid than elsewhere is widened, so that its outline lies inside."""

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: dict[str, float]) -> dict[str, float]:
        if classes:
            from phipd_sim2real.diffusion.label_pictures import class_names

            if unknown := sorted(set(classes) - set(class_names())):
                raise ValueError(f"there are no classes {unknown}; there are {', '.join(sorted(class_names()))}")
        return classes


class EnhanceSettings(Settings):
    """How frames are enhanced."""

    model: str = "street-small"
    """Name of a shipped model, folder of a fitted one, or name of a diffusers model on the Hugging Face hub."""

    cutoff: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] | None = "auto"
    """Cycles per image pixel up to which the source's phase is kept; None (`null`) keeps all, `auto` is the
    model's own: 0.2 for street-small, 1/48 for models on latents, whose finest is 1/16."""

    free_below: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Cycles per pixel below which the phase is let go: the lowest band carries the source's light."""

    profile: Annotated[ProfileSettings | None, BeforeValidator(read_profile)] = None
    """Kept phase per band, in place of `cutoff` and `free_below`: edges and shares, a .yaml file with them, or the
    name of a shipped one by its task: `planning`, `detection` or `segmentation`. Provenance holds the values."""

    rigidity: RigiditySettings | None = None
    """Kept phase by place, in place of `cutoff`, `free_below` and `profile`."""

    noise: Literal["auto", "exact", "released"] = "auto"
    """`released` is what the published weights were fitted with; `auto` is what the model's folder says."""

    strength: Annotated[float, Field(gt=0, le=1)] = 0.8
    """1 starts from structured noise alone; less starts from the source with that share of noise. At 1 a small
    model gives wide even areas of large frames, such as the road, the colour of the sky."""

    enlarge: Annotated[float, Field(ge=1, le=4, exclude_if=lambda value: value == 1)] = 1.0
    """Factor by which frames are enlarged for the model and its pictures shrunk again: finer blocks and less grain,
    for its square in time. A model should have seen pictures so large. Frequencies stay those of the frames."""

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

    control: Literal["canny", "depth", "semantics"] | None = None
    """What the ControlNet sees, frame by frame: `canny` edges of the source; `depth` (inverse, near is white) or
    `semantics` (colours of ADE20K) of a drive log's own labels. Other pictures are given through
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

    correlation: Share = 0.0
    """How much of their white noise the frames of one clip - a camera of a segment, a video - share: 0 nothing, 1
    all. Structure makes noise of one phase more alike than that: 0.5 gives 0.835 where all phase is kept. Goes with
    `temporal=frame` alone: the shared part stays where it is on the screen, and the other modes have their own."""

    seed: Annotated[int, Field(ge=0)] = 0

    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95

    precision: Precision = "auto"

    @model_validator(mode="after")
    def _together(self) -> EnhanceSettings:
        if (self.controlnet is None) != (self.control is None):
            raise ValueError("controlnet and control go together: the network, and what it sees")
        plain = self.cutoff != "auto" or self.free_below != 0
        given = {"cutoff or free_below": plain, "profile": self.profile, "rigidity": self.rigidity}
        if len(ways := [name for name, value in given.items() if value]) > 1:
            raise ValueError(f"{' and '.join(ways)} each say which phase is kept: give one of them")
        if self.rigidity is not None and (self.noise == "released" or self.temporal == "3d"):
            raise ValueError("rigidity has no published noise and no temporal=3d; give noise=exact, temporal=frame")
        if self.correlation and self.temporal != "frame":
            raise ValueError(f"correlation goes with temporal=frame; {self.temporal} has a way of its own")
        return self
