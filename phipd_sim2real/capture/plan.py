"""The segments of a capture and what is drawn for each of them from its seed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.capture.connection import import_carla
from phipd_sim2real.capture.settings import CaptureSettings, short_map_name
from phipd_sim2real.capture.variety import PlanSettings, Scene, TrafficSettings, WeatherSettings

WEATHER_PARAMETERS = (
    "cloudiness", "precipitation", "precipitation_deposits", "wind_intensity", "sun_azimuth_angle",
    "sun_altitude_angle", "fog_density", "fog_distance", "fog_falloff", "wetness", "scattering_intensity",
    "mie_scattering_scale", "rayleigh_scattering_scale", "dust_storm",
)  # fmt: skip

TURNS = ("Left", "Right")
"""Words of the Traffic Manager."""


@dataclass(frozen=True)
class PlannedSegment:
    """One drive to record.

    Attributes:
        name: file name of its tables.
        map_name: as the server names it.
        seed: of everything that is random in it; independent of the other segments.
        weather, traffic: names in the plan; None without one.
        scene: that is staged; None without a plan.
        turn: `Left` or `Right` where a turn is staged: the Traffic Manager's word.
    """

    name: str
    map_name: str
    seed: int
    weather: str | None = None
    traffic: str | None = None
    scene: Scene | None = None
    turn: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether the map is an OpenDRIVE file, which only a simulator started with it can load."""
        return self.map_name.endswith(".xodr")

    @property
    def short_map_name(self) -> str:
        """The map's name without folders and extension."""
        return short_map_name(self.map_name)


@dataclass(frozen=True)
class Variation:
    """What makes a segment differ from its neighbours.

    Attributes:
        slower_percent: ego speed below the limit; negative is faster.
        lane_offset_m: metres to the right of the lane's centre (the Traffic Manager's sign).
        weather: CARLA weather parameter -> value.
        traffic_seed: of the Traffic Manager, at least 1.
        rng: chooses spawn points, blueprints and colours.
    """

    slower_percent: float
    lane_offset_m: float
    weather: dict[str, float]
    traffic_seed: int
    rng: np.random.Generator


def plan_segments(settings: CaptureSettings) -> tuple[PlannedSegment, ...]:
    """All segments of a capture; maps take turns. Names and seeds depend on the settings alone."""
    if settings.plan is not None:
        return tuple(_combinations(settings, settings.plan))
    planned = []
    for index in range(settings.segments):
        map_name = settings.maps[index % len(settings.maps)]
        planned.append(PlannedSegment(_name(settings, map_name, index), map_name, _seed(settings, index)))
    return tuple(planned)


def _combinations(settings: CaptureSettings, plan: PlanSettings) -> Iterator[PlannedSegment]:
    """Drives of a plan, round by round. Scenes shift along every axis, so that none goes with one map or weather."""
    axes = [list(enumerate(axis)) for axis in (settings.maps, plan.weathers, plan.traffic)]
    most = max([plan.per_combination, *plan.counts.values()])
    index = turns = 0
    for round_, ((m, map_name), (w, weather), (t, traffic)) in itertools.product(range(most), itertools.product(*axes)):
        if round_ >= plan.drives(short_map_name(map_name), weather, traffic):
            continue
        cycle = plan.cycle(plan.traffic[traffic])
        scene = cycle[(m + w + t + round_) % len(cycle)]
        yield PlannedSegment(
            name=_name(settings, f"{short_map_name(map_name)}-{weather}-{traffic}", index),
            map_name=map_name,
            seed=_seed(settings, index),
            weather=weather,
            traffic=traffic,
            scene=scene,
            turn=TURNS[turns % 2] if scene == "turn" else None,
        )
        index += 1
        turns += scene == "turn"


def conditions(settings: CaptureSettings, segment: PlannedSegment) -> tuple[TrafficSettings, WeatherSettings | str]:
    """Traffic of a segment, and the ranges or the preset of its weather."""
    if settings.plan is None:
        return settings.traffic, settings.weather
    return settings.plan.traffic[segment.traffic], settings.plan.weathers[segment.weather]


def vary(settings: CaptureSettings, segment: PlannedSegment, attempt: int = 0) -> Variation:
    """Draws speed, lane offset and weather of a segment from its seed; every attempt draws anew."""
    rng = np.random.default_rng(segment.seed if attempt == 0 else [segment.seed, attempt])
    traffic, weather = conditions(settings, segment)
    return Variation(
        slower_percent=float(rng.uniform(-traffic.fastest_percent, traffic.slowest_percent)),
        lane_offset_m=float(rng.uniform(-traffic.lane_offset_m, traffic.lane_offset_m)),
        weather=_preset(weather) if isinstance(weather, str) else _drawn(weather, rng),
        traffic_seed=1 + (segment.seed + attempt) % (2**30),
        rng=rng,
    )


def _drawn(weather: WeatherSettings, rng: np.random.Generator) -> dict[str, float]:
    return {
        "sun_azimuth_angle": float(rng.uniform(0, 360)),
        "sun_altitude_angle": float(rng.uniform(*weather.sun_altitude_degrees)),
        "cloudiness": float(rng.uniform(*weather.cloudiness_percent)),
        "fog_density": float(rng.uniform(*weather.fog_percent)),
        "wetness": float(rng.uniform(*weather.wetness_percent)),
    }


def _preset(name: str) -> dict[str, float]:
    """All parameters of one of CARLA's presets."""
    preset = getattr(import_carla().WeatherParameters, name)
    return {field: float(getattr(preset, field)) for field in WEATHER_PARAMETERS}


def _name(settings: CaptureSettings, what: str, index: int) -> str:
    return f"{settings.name}-{_slug(what)}-{index:04d}"


def _seed(settings: CaptureSettings, index: int) -> int:
    return int(np.random.SeedSequence([settings.seed, index]).generate_state(1)[0] >> 1)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", short_map_name(name).lower()).strip("-")
