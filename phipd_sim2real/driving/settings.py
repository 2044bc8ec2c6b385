"""Where a planner drives, and in what conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from phipd_sim2real.capture.settings import EMBEDDED
from phipd_sim2real.capture.variety import PRESETS
from phipd_sim2real.settings import Settings


class DrivingSettings(Settings):
    """The world that is driven in."""

    endpoint: str = Field(default=EMBEDDED, pattern=r"^(embedded|[A-Za-z0-9_.-]+:[0-9]{1,5})$")
    """`embedded` starts our simulator; `host:port` uses a running CARLA server."""

    maps: tuple[str, ...] = Field(min_length=1)
    """Maps to drive on, in turn."""

    routes: int = Field(default=10, ge=1, le=10_000)
    """Number of routes."""

    length_m: float = Field(default=150.0, gt=0, le=10_000)
    """Length of every route, after the warm-up."""

    seconds: float = Field(default=40.0, ge=1, le=3600)
    """Time after which a drive that has not ended counts as timed out."""

    warm_up_s: float = Field(default=4.0, ge=4, le=60)
    """Driving along the route before the planner takes over, so that it has a past to look at."""

    cruise_m_s: float = Field(default=8.0, gt=0, le=40)
    """Speed of the warm-up and of the reference where the road is straight."""

    look: str | None = None
    """Family of appearance; only the embedded simulator has this choice."""

    weather: str = "ClearNoon"
    """One of CARLA's presets."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    """Of routes and traffic."""

    rig: Path = Path("configs/rigs/front-one.yaml")
    """Ego vehicle and cameras (YAML)."""

    cars: int = Field(default=0, ge=0, le=200)
    """Other cars, driven by the Traffic Manager."""

    delta_s: float = Field(default=0.05, ge=0.01, le=0.1)
    """Time step of the simulation, at which the car is steered."""

    plan_period_s: float = Field(default=0.25, gt=0, le=1)
    """Time between two plans, a multiple of `delta_s`."""

    jpeg_quality: int = Field(default=90, ge=50, le=100)
    """Pictures pass through JPEG, as those that planners are trained on."""

    connect_s: float = Field(default=60.0, ge=1, le=3600)
    """How long to wait for the server to answer."""

    @field_validator("weather")
    @classmethod
    def _is_a_preset(cls, weather: str) -> str:
        if weather not in PRESETS:
            raise ValueError(f"there is no weather {weather!r}; the presets are {', '.join(PRESETS)}")
        return weather

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        ratio = self.plan_period_s / self.delta_s
        if abs(ratio - round(ratio)) > 1e-6:
            raise ValueError(f"plan_period_s = {self.plan_period_s} must be a multiple of delta_s = {self.delta_s}")
        return self

    @property
    def ticks_per_plan(self) -> int:
        """Simulation steps between two plans."""
        return round(self.plan_period_s / self.delta_s)
