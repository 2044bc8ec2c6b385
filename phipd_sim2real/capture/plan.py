"""The segments of a capture and what is drawn for each of them from its seed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.capture.settings import CaptureSettings


@dataclass(frozen=True)
class PlannedSegment:
    """One drive to record.

    Attributes:
        name: file name of its tables.
        map_name: as the server names it.
        seed: of everything that is random in it; independent of the other segments.
    """

    name: str
    map_name: str
    seed: int

    @property
    def is_file(self) -> bool:
        """Whether the map is an OpenDRIVE file, which only a simulator started with it can load."""
        return self.map_name.endswith(".xodr")

    @property
    def short_map_name(self) -> str:
        """Last part of the map's name: `Carla/Maps/Town10HD` and `maps/Town10HD.xodr` become `Town10HD`."""
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
    planned = []
    for index in range(settings.segments):
        map_name = settings.maps[index % len(settings.maps)]
        seed = int(np.random.SeedSequence([settings.seed, index]).generate_state(1)[0] >> 1)
        planned.append(PlannedSegment(f"{settings.name}-{_slug(map_name)}-{index:04d}", map_name, seed))
    return tuple(planned)


def vary(settings: CaptureSettings, segment: PlannedSegment) -> Variation:
    """Draws speed, lane offset and weather of a segment from its seed."""
    rng = np.random.default_rng(segment.seed)
    traffic, weather = settings.traffic, settings.weather
    return Variation(
        slower_percent=float(rng.uniform(-traffic.fastest_percent, traffic.slowest_percent)),
        lane_offset_m=float(rng.uniform(-traffic.lane_offset_m, traffic.lane_offset_m)),
        weather={
            "sun_azimuth_angle": float(rng.uniform(0, 360)),
            "sun_altitude_angle": float(rng.uniform(*weather.sun_altitude_degrees)),
            "cloudiness": float(rng.uniform(*weather.cloudiness_percent)),
            "fog_density": float(rng.uniform(*weather.fog_percent)),
            "wetness": float(rng.uniform(*weather.wetness_percent)),
        },
        traffic_seed=1 + segment.seed % (2**30),
        rng=rng,
    )


def short_map_name(map_name: str) -> str:
    """A map's name without folders and extension."""
    return map_name.rsplit("/", 1)[-1].removesuffix(".xodr")


def _slug(map_name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", short_map_name(map_name).lower()).strip("-")
