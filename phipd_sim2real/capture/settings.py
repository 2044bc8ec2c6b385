"""What a capture records, and from where."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from phipd_sim2real.capture.rig import unset
from phipd_sim2real.capture.variety import PlanSettings, TrafficSettings, WeatherSettings
from phipd_sim2real.settings import Settings

Label = Literal[
    "camera_box",
    "projected_lidar_box",
    "lidar_camera_synced_box",
    "object_visibility",
    "camera_flow",
    "ego_state",
    "map_lane",
    "traffic_light",
]
OF_PICTURES = ("camera_box", "projected_lidar_box", "lidar_camera_synced_box", "object_visibility", "camera_flow")
"""Labels that are made from depth and semantics."""

EMBEDDED = "embedded"
DECISECONDS = 10
"""Poses are recorded ten times a second, as in Waymo's logs."""


class ImageSettings(Settings):
    """Which pictures are kept."""

    period_s: float = Field(default=0.1, ge=0.1, le=10)
    """Time between pictures, a multiple of 0.1 s."""

    window_s: tuple[float, float] | None = None
    """First and last time within the segment; None takes pictures all along."""

    jpeg_quality: int = Field(default=90, ge=50, le=100)
    """Quality of the colour pictures. Depth, semantics and instances are stored without loss."""

    labels: bool = True
    """Record depth, semantics and instances beside every colour picture."""

    @field_validator("period_s")
    @classmethod
    def _falls_on_poses(cls, value: float) -> float:
        if abs(value * DECISECONDS - round(value * DECISECONDS)) > 1e-6:
            raise ValueError("must be a multiple of 0.1 s, the time between poses")
        return value


class CaptureSettings(Settings):
    """One drive log from a CARLA server or from the embedded simulator."""

    name: str = Field(default="capture", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    """Begins every segment's name."""

    endpoint: str = Field(default=EMBEDDED, pattern=r"^(embedded|[A-Za-z0-9_.-]+:[0-9]{1,5})$")
    """`embedded` starts our simulator; `host:port` uses a running CARLA server."""

    maps: tuple[str, ...] = Field(min_length=1)
    """Maps to drive on, in turn."""

    segments: int = Field(default=10, ge=1, le=100_000)
    """Number of drives; with a plan, the plan counts them."""

    seconds: float = Field(default=20.0, ge=1, le=600)
    """Time from the first to the last pose of a drive."""

    warm_up_s: float = Field(default=3.0, ge=0, le=60)
    """Driving before the recording begins."""

    look: str | None = None
    """Family of appearance; only the embedded simulator has this choice."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    """Every segment derives its own seed from this one and its number."""

    delta_s: float = Field(default=0.1, ge=0.01, le=0.1)
    """Time step of the simulation; 0.1 s must be a multiple of it. CARLA's physics wants 0.05 or less."""

    rig: Path = Path("configs/rigs/front-one.yaml")
    """Ego vehicle and cameras (YAML)."""

    images: ImageSettings = ImageSettings()
    """Which pictures are kept."""

    labels: tuple[Label, ...] = Field(default=(), exclude_if=unset)
    """Further tables: 2-D boxes and visibility of objects, optical flow to the next picture, the ego's velocity,
    acceleration and controls, lanes near its path, traffic lights."""

    traffic: TrafficSettings = TrafficSettings()
    """Who drives, and how."""

    weather: WeatherSettings = WeatherSettings()
    """Ranges of the weather."""

    plan: PlanSettings | None = Field(default=None, exclude_if=unset)
    """Combinations of maps, weathers, traffic and scenes, in place of `segments`, `traffic` and `weather`."""

    workers: int = Field(default=1, ge=1, le=64)
    """Segments captured at the same time, each on a simulator of its own; 1 with a CARLA server."""

    retries: int = Field(default=2, ge=0, le=20)
    """How often a segment is begun again after a crash or a hang of client or server."""

    connect_s: float = Field(default=60.0, ge=1, le=3600)
    """How long to wait for the server to answer."""

    stall_s: float = Field(default=60.0, ge=5, le=3600)
    """A client that shows no progress for so long is stopped, and its segment is begun again."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        stride = 1 / (DECISECONDS * self.delta_s)
        if abs(stride - round(stride)) > 1e-6:
            raise ValueError(f"delta_s = {self.delta_s} must divide 0.1 s; take 0.1, 0.05, 0.025, 0.02 or 0.01")
        if self.images.window_s is not None:
            first, last = self.images.window_s
            if not 0 <= first <= last <= self.seconds:
                raise ValueError(f"images.window_s = [{first}, {last}] must lie within the {self.seconds} s of a drive")
        wanting = [label for label in self.labels if label in OF_PICTURES]
        if wanting and not self.images.labels:
            raise ValueError(f"labels {', '.join(wanting)} are made from depth; set images.labels to true")
        if self.plan is not None and {"segments", "traffic", "weather"} & self._given():
            raise ValueError(
                "a plan says how many drives there are, and in what traffic and weather: remove segments, "
                "traffic and weather beside it"
            )
        if self.plan is not None:
            _require_known_counts(self.plan, self.maps)
        if self.endpoint != EMBEDDED and self.workers > 1:
            raise ValueError(f"workers = {self.workers} with a CARLA server; one server serves one worker, set it to 1")
        return self

    def _given(self) -> set[str]:
        """Settings that differ from their defaults."""
        fields = type(self).model_fields
        return {name for name in fields if getattr(self, name) != fields[name].default}

    @property
    def ticks_per_pose(self) -> int:
        """Simulation steps between two recorded poses."""
        return round(1 / (DECISECONDS * self.delta_s))

    def image_ticks(self) -> range:
        """Simulation steps, counted from the start of the recording, at which pictures are kept."""
        first, last = self.images.window_s or (0.0, self.seconds)
        start = math.ceil(first * DECISECONDS - 1e-6) * self.ticks_per_pose
        stop = min(round(last / self.delta_s) + 1, self.total_ticks)
        return range(start, stop, round(self.images.period_s * DECISECONDS) * self.ticks_per_pose)

    @property
    def total_ticks(self) -> int:
        """Recorded simulation steps of a segment, its first and its last moment included."""
        return round(self.seconds / self.delta_s) + 1


def short_map_name(map_name: str) -> str:
    """A map's name without folders and extension: `Carla/Maps/Town10HD` and `maps/Town10HD.xodr` become `Town10HD`."""
    return map_name.rsplit("/", 1)[-1].removesuffix(".xodr")


def _require_known_counts(plan: PlanSettings, maps: tuple[str, ...]) -> None:
    names = [
        f"{short_map_name(name)}/{weather}/{traffic}"
        for name in maps
        for weather in plan.weathers
        for traffic in plan.traffic
    ]
    if unknown := set(plan.counts) - set(names):
        raise ValueError(f"plan.counts names {', '.join(sorted(unknown))}; the combinations are {', '.join(names)}")
