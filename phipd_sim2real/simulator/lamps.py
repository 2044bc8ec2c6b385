"""Artificial light: street lamps, head lamps, and what they add to a surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.surface import Surface, dot

MOST_STREET_LAMPS = 10
_STREET_REACH = 26.0
_STREET_DISTANCE = 90.0
_STREET_COLOUR = np.array([1.0, 0.72, 0.42], np.float32) * 26.0
_HEAD_COLOUR = np.array([1.0, 0.93, 0.8], np.float32) * 130.0
_HEAD_REACH = {"position": 8.0, "low": 55.0, "high": 110.0}
_HEAD_DISTANCE = 80.0


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
    """

    position: np.ndarray
    axis: np.ndarray
    colour: np.ndarray
    inner: float
    outer: float
    reach: float


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
        lamps.append(Lamp(place, axis.astype(np.float32), colour, 0.985, 0.82, _HEAD_REACH[beam]))
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
    """(N, 3) float32 light of all lamps on a surface.

    Args:
        lamps: those that may matter.
        surface: N points.
        hidden: tells for (M, 3) points, (M, 3) unit directions and (M,) metres whether something is in between.
    """
    total = np.zeros_like(surface.point)
    for lamp in lamps:
        towards = lamp.position - surface.point
        squared = dot(towards, towards)
        rows = np.flatnonzero(squared < lamp.reach**2)
        distance = np.sqrt(squared[rows])
        ray = towards[rows] / np.maximum(distance, 1e-3)[:, None]
        cone = np.clip((-ray @ lamp.axis - lamp.outer) / (lamp.inner - lamp.outer), 0, 1)
        facing = np.clip(dot(ray, surface.normal[rows]), 0, 1)
        strength = cone * cone * facing / np.maximum(squared[rows], 0.25) * (1 - squared[rows] / lamp.reach**2)
        lit = np.flatnonzero(strength > 1e-5)
        rows, ray, distance, strength = rows[lit], ray[lit], distance[lit], strength[lit]
        points = surface.point[rows] + surface.normal[rows] * np.float32(0.03)
        strength = np.where(hidden(points, ray, distance), 0, strength)
        total[rows] += strength[:, None] * lamp.colour
    return total
