"""Weather to light, and the sky's colour in any direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from phipd_sim2real.simulator.look import Look
from phipd_sim2real.simulator.textures import fractal_tile, mixed, raised, sample_tile, smoothstep


@dataclass(frozen=True)
class Weather:
    """The part of CARLA's WeatherParameters that the picture follows; degrees, and percent 0..100."""

    sun_azimuth_deg: float = 40.0
    sun_altitude_deg: float = 45.0
    cloudiness: float = 10.0
    fog_density: float = 0.0
    precipitation_deposits: float = 0.0
    wetness: float = 0.0
    precipitation: float = 0.0
    fog_distance: float = 0.0

    @classmethod
    def from_carla(cls, parameters: Sequence[float]) -> Weather:
        """From CARLA's 14 WeatherParameters in the wire's order."""
        cloudiness, rain, deposits, _, azimuth, altitude, fog, distance, _, wetness = parameters[:10]
        return cls(azimuth, altitude, cloudiness, fog, deposits, wetness, rain, distance)


@dataclass(frozen=True)
class Light:
    """Light of one look in one weather; colours are (3,) float32 linear RGB.

    Attributes:
        sun_direction: (3,) unit vector to the sun, right-handed world.
        sun: direct light on a surface that faces it.
        sky: ambient light on a surface that faces up; bounce: on one that faces down.
        zenith, horizon, cloud: the sky's colours.
        cover: cloudiness, 0..1.
        spread: radius of the sun's disc as a tangent: sharp shadows near 0, soft ones near 1.
        haze: optical density per metre.
        wet: 0 dry to 1 wet ground.
        drift: (2,) where in the noise the clouds lie.
        night: 0 by day to 1 when the sun is well below the horizon.
        puddles: 0 none to 1 half of the road.
        fog: optical density per metre beyond `fog_start`, beside the haze.
        fog_start: metres.
    """

    sun_direction: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    bounce: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    cloud: np.ndarray
    cover: float
    spread: float
    haze: float
    wet: float
    drift: tuple[float, float]
    night: float = 0.0
    puddles: float = 0.0
    fog: float = 0.0
    fog_start: float = 0.0


def light(look: Look, weather: Weather) -> Light:
    """What a look makes of a weather."""
    part, colours = look.sky, look.colours
    cover = part.least_cloud + (1 - part.least_cloud) * _share(weather.cloudiness)
    direction = _sun_direction(weather, part.sun_height)
    low = float(1 - np.clip(direction[2] / 0.5, 0, 1))
    warm = np.array([1, 1 - 0.22 * low, 1 - 0.48 * low], np.float32)
    thick = float(smoothstep(0.3, 1.0, np.float64(cover)))
    shade = float(1 - 0.8 * smoothstep(0.35, 1.0, np.float64(cover)))
    zenith = colours["zenith"] * (1 - thick) + colours["overcast"] * thick * 0.92
    horizon = colours["horizon"] * (1 - thick) + colours["overcast"] * thick * 1.12
    horizon = horizon * (1 - 0.5 * low * (1 - warm))
    fog, start = 14 * _share(weather.fog_density), max(0.0, weather.fog_distance - NEAR_FOG_M)
    by_day = Light(
        sun_direction=direction,
        sun=colours["sun_colour"] * warm * np.float32(part.sun * shade * (1 - 0.45 * low)),
        sky=(0.4 * zenith + 0.6 * horizon) * np.float32(part.ambient * (0.9 + 0.5 * thick)),
        bounce=(colours["asphalt"] + colours["soil"][0]) * np.float32(0.55 * part.ambient),
        zenith=zenith,
        horizon=horizon,
        cloud=colours["cloud"] * warm,
        cover=cover,
        spread=0.02 + 0.75 * thick,
        haze=(part.haze + (0 if start else fog)) / 1000,
        wet=_share(max(weather.wetness, weather.precipitation_deposits * 0.8)),
        drift=(weather.sun_azimuth_deg * 13.7, weather.cloudiness * 7.3),
        puddles=max(0.0, _share(weather.precipitation_deposits) - 0.2) / 0.8,
        fog=((fog if start else 0) + _thickening(weather)) / 1000,
        fog_start=start,
    )
    return _after_sunset(by_day, weather.sun_altitude_deg)


NEAR_FOG_M = 0.75
"""CARLA's fog_distance of a clear noon: fog that begins no farther away begins at the camera."""


def _thickening(weather: Weather) -> float:
    """Optical density per kilometre of dense fog and of falling rain."""
    return 60 * max(0.0, _share(weather.fog_density) - 0.3) ** 2 + 3 * _share(weather.precipitation)


def _after_sunset(by_day: Light, altitude_deg: float) -> Light:
    """Dusk from 8° above the horizon down to 10° below it, then night: a blue sky hundreds of times darker."""
    night = float(1 - smoothstep(-10.0, 8.0, np.float64(altitude_deg)))
    if night == 0.0:
        return by_day
    dark = np.float32(DARKNESS**night)
    tint = 1 + np.float32(night) * np.array([-0.35, -0.1, 0.45], np.float32)
    sunset = np.float32(smoothstep(-6.0, 8.0, np.float64(altitude_deg)))
    red = 1 + np.float32(4 * night * (1 - night) * (1 - by_day.cover)) * np.array([0.5, -0.12, -0.5], np.float32)
    return replace(
        by_day,
        sun=by_day.sun * sunset + by_day.sky * np.float32(0.3 * night) * dark * tint,
        sky=by_day.sky * dark * tint,
        bounce=by_day.bounce * dark,
        zenith=by_day.zenith * dark * tint,
        horizon=by_day.horizon * dark * tint * red,
        cloud=by_day.cloud * dark * tint,
        night=night,
    )


DARKNESS = 0.006
"""Light of a night's sky against the day's."""


def _share(percent: float) -> float:
    return float(np.clip(percent / 100, 0, 1))


def _sun_direction(weather: Weather, height: float) -> np.ndarray:
    """(3,) float32 unit vector to the sun; its altitude is at least 8° times `height`."""
    altitude = np.radians(np.clip(weather.sun_altitude_deg, 8, 90) * height)
    azimuth = np.radians(weather.sun_azimuth_deg)
    flat = np.cos(altitude)
    # CARLA's azimuth turns clockwise seen from above: y points right there and left here.
    return np.array([flat * np.cos(azimuth), -flat * np.sin(azimuth), np.sin(altitude)], np.float32)


def sky_radiance(light: Light, directions: np.ndarray, sun_disc: bool = True) -> np.ndarray:
    """(3, N) float32 linear radiance of the sky along (3, N) unit directions; below the horizon it is haze."""
    height = np.maximum(directions[2], 0)
    share = (1 - np.sqrt(height)) ** 2
    colour = mixed(light.zenith[:, None], light.horizon[:, None], share)
    towards_sun = np.maximum(light.sun_direction @ directions, 0)
    if sun_disc:
        colour += _clouds(light, directions, height, towards_sun, colour)
    glow = 0.25 * raised(towards_sun, 8) + (0.35 + light.cover) * raised(towards_sun, 90)
    if sun_disc:
        glow = glow + (1 - light.cover) ** 2 * 30 * smoothstep(0.9992, 0.9999, towards_sun)
    colour += glow * (light.sun * np.float32(0.5 * (1 - 0.6 * light.cover)))[:, None]
    if light.fog and sun_disc:
        veil = 1 - np.exp(-_FOG_LAYER_M * np.float32(light.fog) / (height + 0.05))
        colour = mixed(colour, (light.horizon * np.float32(0.95))[:, None], veil)
    return colour


_FOG_LAYER_M = 120.0
"""Thickness of the fog overhead."""


def _clouds(
    light: Light, directions: np.ndarray, height: np.ndarray, towards_sun: np.ndarray, colour: np.ndarray
) -> np.ndarray:
    """What clouds add to the clear sky's colour: fractal noise on a plane high above."""
    reach = 1 / (height + 0.09)
    x = directions[0] * reach + np.float32(light.drift[0])
    y = directions[1] * reach + np.float32(light.drift[1])
    density = sample_tile(fractal_tile(901, 1.7, 1, 120), x, y, 9.0)
    body = smoothstep(1.7 - 3.2 * light.cover, 2.4 - 2.4 * light.cover, density)
    body = body * np.clip(height * 9, 0, 1) * (0.92 - 0.3 * max(light.cover - 0.6, 0))
    bright = 0.82 + 0.18 * raised(towards_sun, 4) - 0.14 * light.cover * np.clip(density, 0, 2)
    return body * (light.cloud[:, None] * (bright * np.float32(1.5 - 0.6 * light.cover)) - colour)
