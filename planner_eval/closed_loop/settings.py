"""How planners are driven and compared."""

from __future__ import annotations

from pydantic import Field

from phipd_sim2real.driving import DrivingSettings
from phipd_sim2real.settings import Settings


class FollowerSettings(Settings):
    """The controller between a plan and the pedals: pure pursuit for the wheel, PI for the speed."""

    look_ahead_s: float = Field(default=0.8, gt=0, le=5)
    """The point aimed at lies this far ahead, times the speed."""

    look_ahead_m: tuple[float, float] = (3.0, 15.0)
    """Least and largest distance of it."""

    proportional: float = Field(default=0.5, ge=0)
    """Pedal per m/s of missing speed."""

    integral: float = Field(default=0.1, ge=0)
    """Pedal per metre of it."""

    preview_s: float = Field(default=0.5, gt=0, le=2)
    """The speed wanted is that of the plan over so long from now on."""


class ClosedLoopSettings(Settings):
    """Closed-loop drives of every planner on the same routes."""

    driving: DrivingSettings
    """The world and the routes."""

    follower: FollowerSettings = FollowerSettings()
    """The controller, the same for every planner."""

    baseline: str = "source"
    """Arm from which paired differences are taken."""

    off_route_m: float = Field(default=10.0, gt=0)
    """A drive ends where the car is farther than this from its route."""

    clips: bool = True
    """Keep the pictures of drives that did not succeed, where the planner has a camera."""

    resamples: int = Field(default=10_000, ge=100)
    """Draws of the bootstrap over routes."""

    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Covered probability of the intervals."""

    seed: int = Field(default=0, ge=0)
    """Of the bootstrap."""
