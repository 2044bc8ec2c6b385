"""Settings of the planner, its training and its evaluation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from phipd_sim2real.settings import Settings
from planner_eval.collision import EgoSize

BucketAxis = Literal["speed", "intent", "curvature", "time_of_day", "cluster"]


def _small_resnet() -> dict[str, Any]:
    return {
        "model_type": "resnet",
        "embedding_size": 32,
        "hidden_sizes": [32, 64, 96],
        "depths": [1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage2", "stage3"],
    }


class PlannerSettings(Settings):
    """What the camera planner looks at and how large it is."""

    cameras: tuple[int, ...] = Field(default=(1,), min_length=1)
    """Waymo camera ids that the planner sees; 1 is FRONT."""

    vision: bool = True
    """False makes the blind floor: the same network without pictures, which knows past and intent only."""

    image_width: int = Field(default=192, ge=32)
    """Width to which the seen rows are resized before the backbone, px."""

    image_height: int = Field(default=80, ge=32)
    """Height to which the seen rows are resized before the backbone, px."""

    crop: tuple[float, float] = (0.375, 1.0)
    """First and last row that the planner sees, as shares of the picture's height. The default leaves out the
    sky of a camera whose horizon is in the middle, which frees pixels for the road."""

    backbone: dict[str, Any] = Field(default_factory=_small_resnet)
    """Configuration of a `transformers` backbone: `model_type` and the arguments of its config class. The maps named
    in `out_features` are added up at the size of the first. Dropout would make a resumed training another one."""

    backbone_weights: str | None = None
    """Local folder or hub id whose pretrained backbone (and configuration) replaces `backbone`."""

    cell_width: int = Field(default=24, ge=1)
    """Numbers that a point of a path gets from each place it looks at."""

    width: int = Field(default=96, ge=8)
    """Width of all tokens."""

    layers: int = Field(default=2, ge=1)
    """Layers of the decoder; each bends the paths once."""

    heads: int = Field(default=4, ge=1)
    """Heads of its attention."""

    fan_curvature: float = Field(default=0.02, ge=0)
    """Curvature of the outermost of the paths from which the proposals start, 1/m."""

    proposals: int = Field(default=1, ge=1)
    """Trajectories per sample (K)."""

    @field_validator("crop")
    @classmethod
    def _is_a_band(cls, crop: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= crop[0] < crop[1] <= 1:
            raise ValueError("crop needs 0 <= first < last <= 1, for example [0.35, 1.0]")
        return crop

    @model_validator(mode="after")
    def _shares_its_width(self) -> PlannerSettings:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads; {self.width} is none of {self.heads}")
        return self

    @field_validator("backbone")
    @classmethod
    def _has_a_type(cls, backbone: dict[str, Any]) -> dict[str, Any]:
        if "model_type" not in backbone:
            raise ValueError("backbone needs model_type, for example 'resnet', 'convnext' or 'dinov2'")
        return backbone


class LossSettings(Settings):
    """What a training makes small."""

    kind: Literal["huber", "l1"] = "huber"
    """Penalty of an error, in units of the training set's spread around constant velocity."""

    huber_delta: float = Field(default=0.1, gt=0)
    """Where the Huber penalty turns from quadratic to linear."""

    time_power: float = Field(default=0.0, ge=0)
    """Weight of the waypoint at t seconds is (t / 5 s) to this power; 0 weighs all alike."""

    others: float = Field(default=0.2, ge=0, le=1)
    """Share of the regression that all proposals get evenly; the best one gets the rest."""

    choice: float = Field(default=0.1, ge=0)
    """Weight of choosing the best proposal."""

    earlier_layers: float = Field(default=0.5, ge=0)
    """Weight of the paths after each layer before the last."""


class JitterSettings(Settings):
    """How far a camera is changed, with its projection: largest values, drawn evenly on both sides of none."""

    shift: float = Field(default=0.05, ge=0, lt=0.5)
    """Shift to each side, as a share of the picture's width and height."""

    zoom: float = Field(default=0.1, ge=0, lt=0.5)
    """Change of the focal length, as a share."""

    roll_degrees: float = Field(default=2.0, ge=0, le=45)
    """Rotation around the picture's centre."""


class PhotometricSettings(Settings):
    """Strengths of the photometric augmentation; factors are drawn between 1 / (1 + strength) and 1 + strength."""

    probability: float = Field(default=0.8, ge=0, le=1)
    """Of each of gamma, contrast, brightness, saturation, hue, blur and noise."""

    gamma: float = Field(default=1.0, ge=0)
    contrast: float = Field(default=1.0, ge=0)
    """Factor on the distance to middle grey."""

    brightness: float = Field(default=0.3, ge=0, le=1)
    """Offset as a share of white."""

    saturation: float = Field(default=2.0, ge=0)
    hue_degrees: float = Field(default=90.0, ge=0, le=180)
    blur_px: float = Field(default=1.5, ge=0)
    """Standard deviation at the planner's size."""

    noise: float = Field(default=0.1, ge=0, le=1)
    """Standard deviation as a share of white."""

    grey_probability: float = Field(default=0.2, ge=0, le=1)
    shuffle_probability: float = Field(default=0.2, ge=0, le=1)
    posterise_probability: float = Field(default=0.2, ge=0, le=1)


class AugmentSettings(Settings):
    """How samples are changed in training. Every draw depends on (seed, step) alone."""

    mirror: bool = True
    """Mirror half of the samples left to right, with their path, intent and cameras."""

    jitter: JitterSettings | None = JitterSettings()
    """Change the cameras a little; null leaves them."""

    photometric: Literal["none", "strong"] = "none"
    """Change the look of the pictures: of the study's arms only the rival that relies on this does."""

    strong: PhotometricSettings = PhotometricSettings()
    """What strong means."""


class TrainSettings(Settings):
    """How a planner is trained. The same settings serve every arm: arms differ in their pictures only."""

    planner: PlannerSettings = PlannerSettings()

    steps: int = Field(default=800, ge=1)
    """Optimiser steps."""

    batch_size: int = Field(default=32, ge=1)
    """Samples per step."""

    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak rate of AdamW, after a linear warm-up over 5 % of the steps, before a cosine descent to zero."""

    weight_decay: float = Field(default=0.05, ge=0)
    """Decay of AdamW, on matrices only."""

    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """Decay per step of the averaged weights that are kept."""

    history_dropout: float = Field(default=0.5, ge=0, le=1)
    """Share of samples that see no past but the present speed, so that the picture has to decide.
    At 1 the planner never sees its past path, in training or after."""

    loss: LossSettings = LossSettings()

    augment: AugmentSettings = AugmentSettings()

    precision: Literal["bf16", "fp32"] = "bf16"
    """Precision of the forward pass."""

    threads: int = Field(default=1, ge=1)
    """CPU threads of the arithmetic. It is fixed because sums in another order give other bytes."""

    seed: int = Field(default=0, ge=0)
    """Of weights, order and augmentation. Every draw depends on (seed, step) alone."""

    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between checkpoints, from which an interrupted training goes on to the same bytes."""


class BucketSettings(Settings):
    """Parts of the frames that are scored on their own, fixed before the evaluation."""

    axes: tuple[BucketAxis, ...] = ("speed", "intent", "curvature", "time_of_day", "cluster")
    """What the frames are divided by: speed at t = 0, intent, curvature of the driven path, and what the source says
    of the time of day and the scenario cluster. A frame of which it is unknown is in no bucket of that axis."""

    speed_edges_m_s: tuple[float, ...] = Field(default=(0.5, 5.0, 10.0), min_length=1)
    """Inner borders of the buckets of speed, rising."""

    curvature_edges_per_m: tuple[float, ...] = Field(default=(0.005, 0.02), min_length=1)
    """Inner borders of the buckets of curvature, rising: radii of 200 m and 50 m."""

    min_segments: int = Field(default=30, ge=1)
    """Tables say "insufficient" of buckets with fewer segments; files keep the values with their N."""

    @field_validator("speed_edges_m_s", "curvature_edges_per_m")
    @classmethod
    def _rise(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if any(first >= second for first, second in zip((0.0, *edges), edges, strict=False)):
            raise ValueError("borders of buckets must be positive and rise, for example [0.5, 5.0, 10.0]")
        return edges


class EvaluateSettings(Settings):
    """How arms are compared."""

    baseline: str = "source"
    """Arm from which paired differences are taken."""

    resamples: int = Field(default=10_000, ge=100)
    """Draws of the segment bootstrap."""

    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Covered probability of the intervals."""

    seed: int = Field(default=0, ge=0)
    """Of the bootstrap."""

    batch_size: int = Field(default=32, ge=1)
    """Samples planned at once."""

    ego: EgoSize = EgoSize()
    """Box of the ego, for collisions."""

    buckets: BucketSettings = BucketSettings()
    """Parts of the frames that are scored on their own."""

    max_failed_share: float = Field(default=0.02, ge=0, le=1)
    """The evaluation fails where more than this share of the frames cannot be planned or has no truth."""
