"""Sensors that speak only when something happens: collisions and obstacles ahead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

from phipd_sim2real.geometry import pose_from_carla, vector_from_carla
from phipd_sim2real.simulator.actors import Vehicle, contact_normal, overlap
from phipd_sim2real.simulator.attributes import truth
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.wire import Transform

if TYPE_CHECKING:
    from phipd_sim2real.simulator.casting import Rays, Stage

_GROUND = (Label.ROADS, Label.ROAD_LINES, Label.SIDEWALKS, Label.TERRAIN)
_BUMPER_HEIGHTS = (0.4, 0.9)
_RINGS = ((0.0, 1), (0.5, 8), (1.0, 16))
"""Share of the radius and number of the rays that stand for a sphere pushed forward."""


@dataclass(frozen=True)
class Bumper:
    """A vehicle that may run into the static world.

    Attributes:
        wire: the vehicle as a message.
        transform: CARLA's axes.
        half_size: metres.
        velocity: m/s, CARLA's axes.
        mass: kg.
    """

    wire: list[Any]
    transform: Transform
    half_size: tuple[float, float, float]
    velocity: tuple[float, float, float]
    mass: float

    @classmethod
    def of(cls, vehicle: Vehicle) -> Bumper:
        """A vehicle as it is now."""
        body = vehicle.body
        return cls(vehicle.wire(0), vehicle.transform, body.half_size, vehicle.velocity, body.mass)


def crashes(vehicle: Vehicle, others: Sequence[Vehicle]) -> Iterator[bytes]:
    """`CollisionEvent` messages of a vehicle, one for every other that it overlaps.

    The impulse is that of a perfectly plastic hit: reduced mass times closing speed along the contact's normal.
    """
    for other in others:
        high = abs(vehicle.transform.location[2] - other.transform.location[2])
        if other is vehicle or high > 2 * vehicle.body.half_size[2] or not overlap(vehicle, other):
            continue
        normal = np.array([*contact_normal(vehicle, other), 0.0])
        closing = max(0.0, float(normal @ np.subtract(other.velocity, vehicle.velocity)))
        mass = vehicle.body.mass * other.body.mass / (vehicle.body.mass + other.body.mass)
        yield collision_body(vehicle.wire(0), other.wire(0), normal * (mass * closing))


def collision_body(actor: list[Any], other: list[Any], impulse: np.ndarray) -> bytes:
    """The message of `sensor.other.collision`; impulse in kg·m/s, CARLA's axes."""
    return msgpack.packb([actor, other, impulse.tolist()])


def scrapes(bumper: Bumper, stage: Stage) -> Iterator[bytes]:
    """`CollisionEvent` messages of a vehicle with the static world: at most one for each kind of thing.

    What lies across the vehicle's outline at bumper height is hit.
    """
    pose = pose_from_carla(*bumper.transform)
    long, wide, _ = bumper.half_size
    ring = np.array([(long, wide), (long, -wide), (-long, -wide), (-long, wide)])
    corners = np.concatenate([np.column_stack([ring, np.full(4, height)]) for height in _BUMPER_HEIGHTS])
    ends = np.concatenate([np.roll(part, -1, axis=0) for part in np.split(corners, 2)])
    starts, ends = (points @ pose[:3, :3].T + pose[:3, 3] for points in (corners, ends))
    length = np.linalg.norm(ends - starts, axis=1)
    seen = stage.see(_rays(starts, (ends - starts) / length[:, None]))
    tags, instances = stage.labels(seen)
    hit = (seen.distance < length) & (instances == 0) & ~np.isin(tags, _GROUND)
    velocity = vector_from_carla(bumper.velocity)
    for tag in np.unique(tags[hit]):
        point = seen.points()[hit & (tags == tag)].mean(0)
        away = (pose[:3, 3] - point) * (1, 1, 0)
        normal = away / max(np.linalg.norm(away), 1e-6)
        impulse = normal * (bumper.mass * max(0.0, float(-normal @ velocity)))
        yield collision_body(bumper.wire, static_actor(int(tag)), vector_from_carla(impulse))


def static_actor(tag: int) -> list[Any]:
    """An `Actor` message for a part of the static world, id 0, as CARLA makes one for walls and trees."""
    name = _STATIC_NAMES.get(Label(tag), Label(tag).name.lower())
    nowhere = [0.0, 0.0, 0.0]
    return [0, 0, [0, f"static.{name}", []], [nowhere, nowhere, nowhere, 0], bytes([tag]), b""]


_STATIC_NAMES = {
    Label.ROADS: "road",
    Label.SIDEWALKS: "sidewalk",
    Label.BUILDINGS: "building",
    Label.FENCES: "fence",
    Label.POLES: "pole",
    Label.TRAFFIC_SIGNS: "trafficsign",
    Label.ROAD_LINES: "roadline",
}


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
