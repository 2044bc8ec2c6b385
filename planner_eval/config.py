"""Settings of the planner, its training and its evaluation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

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
    """Configuration of a `transformers` backbone: `model_type` and the arguments of its config class."""

    backbone_weights: str | None = None
    """Local folder or hub id whose pretrained backbone (and configuration) replaces `backbone`."""

    cell_width: int = Field(default=24, ge=1)
    """Numbers kept of each cell of the backbone's map, after its viewing ray was mixed in."""

    width: int = Field(default=96, ge=8)
    """Width of the tokens of a cell, the past and the intent."""

    hidden: int = Field(default=256, ge=8)
    """Width of the two layers that turn all of it into waypoints."""

    proposals: int = Field(default=1, ge=1)
    """Trajectories per sample (K)."""

    @field_validator("crop")
    @classmethod
    def _is_a_band(cls, crop: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= crop[0] < crop[1] <= 1:
            raise ValueError("crop needs 0 <= first < last <= 1, for example [0.35, 1.0]")
        return crop

    @field_validator("backbone")
    @classmethod
    def _has_a_type(cls, backbone: dict[str, Any]) -> dict[str, Any]:
        if "model_type" not in backbone:
            raise ValueError("backbone needs model_type, for example 'resnet', 'convnext' or 'dinov2'")
        return backbone


class TrainSettings(Settings):
    """How a planner is trained. The same settings serve every arm: arms differ in their pictures only."""

    planner: PlannerSettings = PlannerSettings()

    steps: int = Field(default=600, ge=1)
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

    mirror: bool = True
    """Mirror half of the samples left to right, with their path, intent and cameras."""

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
