"""Artificial light: street lamps, head lamps, and what they add to a surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.surface import Surface, dot, interleaved

MOST_STREET_LAMPS = 8
_STREET_REACH = 24.0
_STREET_DISTANCE = 90.0
_STREET_COLOUR = np.array([1.0, 0.72, 0.42], np.float32) * 26.0
_HEAD_COLOUR = np.array([1.0, 0.93, 0.8], np.float32) * 420.0
_HEAD_REACH = {"position": 8.0, "low": 60.0, "high": 110.0}
_HEAD_DISTANCE = 80.0
_HEAD_NEAR_M2 = 190.0
_FAINTEST = 1e-3
"""Radiance on a white wall that is too little to look for shadows in, a tenth of a night's sky."""
_GLARE = 0.06
"""Share of a low beam that goes above the horizontal."""


class LightState(IntFlag):
    """CARLA's VehicleLightState, as far as it is drawn."""

    POSITION, LOW_BEAM, HIGH_BEAM, BRAKE = 1, 2, 4, 8


@dataclass(frozen=True)
class Lamp:
    """A spot light without size.

    Attributes:
        position: (3,) float32 world metres.
        axis: (3,) float32 unit vector along which it shines most.
        colour: (3,) float32 linear RGB, times square metres: radiance on a white wall one metre away.
        inner, outer: cosines of the cone with full light and of the cone that holds all of it.
        reach: metres after which it is ignored.
        near: square metres: closer by it grows no brighter, as lenses spread a beam's lower edge.
        above: share of its light that goes above the horizontal.
    """

    position: np.ndarray
    axis: np.ndarray
    colour: np.ndarray
    inner: float
    outer: float
    reach: float
    near: float = 0.25
    above: float = 1.0


def street_lamps(heads: np.ndarray, eye: np.ndarray) -> list[Lamp]:
    """The nearest of (n, 3) lamp heads, shining down."""
    distance = np.linalg.norm(heads - eye, axis=1)
    near = np.argsort(distance)[:MOST_STREET_LAMPS]
    down = np.array([0, 0, -1], np.float32)
    return [
        Lamp(heads[k].astype(np.float32), down, _STREET_COLOUR, 0.62, 0.17, _STREET_REACH)
        for k in near
        if distance[k] < _STREET_DISTANCE
    ]


def head_lamps(actors: Sequence[ActorShape], eye: np.ndarray) -> list[Lamp]:
    """Head lamps that are on: one spot in the middle of each front stands for both."""
    lamps = []
    for actor in actors:
        beam = _beam(actor.lights)
        pose = actor.pose_actor_in_world
        if beam is None or np.linalg.norm(pose[:3, 3] - eye) > _HEAD_DISTANCE:
            continue
        nose = np.add(actor.bbox_centre_xyz, (actor.extent_xyz[0] + 0.1, 0.0, -0.1 * actor.extent_xyz[2]))
        aim = np.array([1.0, 0.0, 0.0 if beam == "high" else -0.035])
        axis = pose[:3, :3] @ (aim / np.linalg.norm(aim))
        colour = _HEAD_COLOUR * np.float32({"position": 0.02, "low": 1.0, "high": 2.5}[beam])
        place = (pose[:3, :3] @ nose + pose[:3, 3]).astype(np.float32)
        above = _GLARE if beam == "low" else 1.0
        lamps.append(Lamp(place, axis.astype(np.float32), colour, 0.985, 0.82, _HEAD_REACH[beam], _HEAD_NEAR_M2, above))
    return lamps


def _beam(lights: int) -> str | None:
    if lights & LightState.HIGH_BEAM:
        return "high"
    if lights & LightState.LOW_BEAM:
        return "low"
    return "position" if lights & LightState.POSITION else None


def irradiance(
    lamps: Sequence[Lamp], surface: Surface, hidden: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """(3, N) float32 light of all lamps on a surface.

    Args:
        lamps: those that may matter.
        surface: N points.
        hidden: tells for (M, 3) points, (M, 3) unit directions and (M,) metres whether something is in between.
    """
    total = np.zeros_like(surface.point)
    for lamp in lamps:
        offset = lamp.position[:, None] - surface.point
        ahead = -lamp.axis @ offset
        rows = np.flatnonzero((ahead > 0) & (ahead < lamp.reach) & (np.abs(offset[0]) < lamp.reach))
        if not len(rows):
            continue
        towards = offset.take(rows, axis=1)
        squared = dot(towards, towards)
        distance = np.sqrt(squared)
        ray = towards / np.maximum(distance, 1e-3)
        cone = np.clip((ahead.take(rows) / np.maximum(distance, 1e-3) - lamp.outer) / (lamp.inner - lamp.outer), 0, 1)
        facing = np.clip(dot(ray, surface.normal.take(rows, axis=1)), 0, 1)
        fall = np.clip(1 - squared / lamp.reach**2, 0, 1) / np.maximum(squared, lamp.near)
        strength = cone * cone * facing * fall
        if lamp.above < 1:
            strength = strength * (lamp.above + (1 - lamp.above) * np.clip(1 + ray[2] * 60, 0, 1))
        lit = np.flatnonzero(strength * lamp.colour[0] > _FAINTEST)
        rows, ray, distance, strength = rows.take(lit), ray.take(lit, axis=1), distance.take(lit), strength.take(lit)
        points = surface.point.take(rows, axis=1) + surface.normal.take(rows, axis=1) * np.float32(0.03)
        strength = np.where(hidden(interleaved(points), interleaved(ray), distance), 0, strength)
        for channel, colour in zip(total, lamp.colour, strict=True):
            channel[rows] += strength * colour
    return total
