"""What drives differ in: weather, traffic, and the scenes that a plan asks for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from phipd_sim2real.settings import Settings

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")]
Scene = Literal["straight", "turn", "stop", "follow"]
SCENES: tuple[Scene, ...] = ("straight", "turn", "stop", "follow")
NEED_TRAFFIC = ("stop", "follow")

PRESETS = (
    "Default", "ClearNoon", "CloudyNoon", "WetNoon", "WetCloudyNoon", "SoftRainNoon", "MidRainyNoon", "HardRainNoon",
    "ClearSunset", "CloudySunset", "WetSunset", "WetCloudySunset", "SoftRainSunset", "MidRainSunset", "HardRainSunset",
    "ClearNight", "CloudyNight", "WetNight", "WetCloudyNight", "SoftRainNight", "MidRainyNight", "HardRainNight",
    "DustStorm",
)  # fmt: skip
"""Weather presets of CARLA 0.9.16."""


class TrafficSettings(Settings):
    """Who drives, and how."""

    cars: int = Field(default=8, ge=0, le=200)
    """Other cars in the world; fewer where the map has fewer spawn points."""

    slowest_percent: float = Field(default=30.0, ge=0, le=90)
    """The ego drives up to this much below the speed limit."""

    fastest_percent: float = Field(default=20.0, ge=0, le=50)
    """The ego drives up to this much above the speed limit."""

    lane_offset_m: float = Field(default=0.5, ge=0, le=1)
    """The ego keeps up to this far left or right of its lane's centre, a constant per segment."""


class WeatherSettings(Settings):
    """Ranges from which each segment draws its weather."""

    sun_altitude_degrees: tuple[float, float] = (20.0, 70.0)
    """Height of the sun over the horizon; its azimuth is uniform."""

    cloudiness_percent: tuple[float, float] = (0.0, 60.0)
    """Share of the sky that is covered."""

    fog_percent: tuple[float, float] = (0.0, 0.0)
    """Density of fog."""

    wetness_percent: tuple[float, float] = (0.0, 0.0)
    """How wet the road is."""

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        for name, (low, high) in self.model_dump().items():
            if not (-90 if name.startswith("sun") else 0) <= low <= high <= 100:
                raise ValueError(f"{name} = [{low}, {high}] must be [low, high] within the parameter's range")
        return self


class PlanSettings(Settings):
    """Drives on every map, in every weather, in every traffic, with scenes of every kind."""

    weathers: dict[Name, WeatherSettings | str] = Field(min_length=1)
    """Name -> ranges, or one of CARLA's presets such as ClearNoon."""

    traffic: dict[Name, TrafficSettings] = Field(min_length=1)
    """Name -> how dense and how fast."""

    per_combination: int = Field(default=1, ge=1, le=100_000)
    """Drives for each map, weather and traffic."""

    counts: dict[str, int] = Field(default_factory=dict)
    """MAP/WEATHER/TRAFFIC -> drives, where they differ from `per_combination`; 0 leaves a combination out."""

    scenes: dict[Scene, int] = Field(default_factory=lambda: dict.fromkeys(SCENES, 1), min_length=1)
    """Scene -> share. Drives are staged in turn: going straight, turning at a junction, stopping behind a car that
    stops, following a car. Without other cars only straight and turn can be staged."""

    tries: int = Field(default=3, ge=1, le=20)
    """How many starts are tried for a drive to show its scene. Each is driven without cameras first; with 1, no
    drive is, and what comes is kept."""

    @field_validator("weathers")
    @classmethod
    def _presets_exist(cls, value: dict[str, WeatherSettings | str]) -> dict[str, WeatherSettings | str]:
        unknown = [weather for weather in value.values() if isinstance(weather, str) and weather not in PRESETS]
        if unknown:
            raise ValueError(f"CARLA has no weather preset {', '.join(unknown)}; it has {', '.join(PRESETS)}")
        return value

    @field_validator("scenes", "counts")
    @classmethod
    def _counts_are_not_negative(cls, value: dict[str, int]) -> dict[str, int]:
        if any(count < 0 for count in value.values()):
            raise ValueError("shares and counts must be 0 or more")
        return value

    @model_validator(mode="after")
    def _scenes_fit_the_traffic(self) -> Self:
        for name, traffic in self.traffic.items():
            if not self.cycle(traffic):
                raise ValueError(
                    f"traffic {name!r} has no cars, so it needs scenes straight or turn; given {self.scenes}"
                )
        return self

    def cycle(self, traffic: TrafficSettings) -> tuple[Scene, ...]:
        """Scenes in the order in which drives take them: round by round, as often as their shares say."""
        shares = {scene: self.scenes.get(scene, 0) for scene in SCENES if traffic.cars or scene not in NEED_TRAFFIC}
        return tuple(scene for turn in range(max(shares.values())) for scene, share in shares.items() if share > turn)

    def drives(self, map_name: str, weather: str, traffic: str) -> int:
        """Number of drives of one combination; the map's name without folders."""
        return self.counts.get(f"{map_name}/{weather}/{traffic}", self.per_combination)
