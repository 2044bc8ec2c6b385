"""Sensors that speak only when something happens: collisions and obstacles ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

from phipd_sim2real.simulator.actors import Vector
from phipd_sim2real.simulator.attributes import truth
from phipd_sim2real.simulator.collisions import static_kind
from phipd_sim2real.simulator.triangles import Label

if TYPE_CHECKING:
    from phipd_sim2real.simulator.casting import Rays, Stage

_RINGS = ((0.0, 1), (0.5, 8), (1.0, 16))
"""Share of the radius and number of the rays that stand for a sphere pushed forward."""


def collision_body(actor: list[Any], other: list[Any], impulse: Vector) -> bytes:
    """The message of `sensor.other.collision`; impulse in N·s, CARLA's axes."""
    return msgpack.packb([actor, other, list(impulse)])


def static_actor(tag: int) -> list[Any]:
    """An `Actor` message for a part of the static world, id 0, as CARLA makes one for walls and trees."""
    nowhere = [0.0, 0.0, 0.0]
    return [0, 0, [0, static_kind(Label(tag)), []], [nowhere, nowhere, nowhere, 0], bytes([tag]), b""]


def nearest_obstacle(
    stage: Stage, pose_sensor_in_world: np.ndarray, attributes: Mapping[str, str]
) -> tuple[float, int, int] | None:
    """What a sphere of `hit_radius` meets first on its way `distance` metres forward.

    The sphere is sampled by parallel rays: each starts where the sphere's front would be.

    Returns:
        Metres that the sphere travels, the instance (0 for the static world) and the tag; None for nothing.
    """
    radius, reach = float(attributes["hit_radius"]), float(attributes["distance"])
    offsets = np.concatenate([_circle(share * radius, count) for share, count in _RINGS])
    starts = np.column_stack([np.zeros(len(offsets)), offsets]) @ pose_sensor_in_world[:3, :3].T
    forward = np.broadcast_to(pose_sensor_in_world[:3, 0], starts.shape)
    seen = stage.see(_rays(starts + pose_sensor_in_world[:3, 3], forward))
    tags, instances = stage.labels(seen)
    bulge = np.sqrt(np.maximum(radius**2 - (offsets**2).sum(1), 0.0))
    travelled = np.maximum(seen.distance - bulge, 0.0)
    if truth(attributes["only_dynamics"]):
        travelled = np.where(instances > 0, travelled, np.inf)
    first = int(np.argmin(travelled))
    return (float(travelled[first]), int(instances[first]), int(tags[first])) if travelled[first] <= reach else None


def obstacle_body(actor: list[Any], other: list[Any], distance: float) -> bytes:
    """The message of `sensor.other.obstacle`; distance in metres."""
    return msgpack.packb([actor, other, distance])


def _circle(radius: float, count: int) -> np.ndarray:
    angle = np.arange(count) * (2 * np.pi / count)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def _rays(origins: np.ndarray, directions: np.ndarray) -> Rays:
    from phipd_sim2real.simulator.casting import Rays

    return Rays(np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32))
