"""What stands or moves in the world: the base of all actors, bodies, sensors on them, and the spectator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phipd_sim2real.geometry import pose_from_carla, pose_to_carla
from phipd_sim2real.simulator.blueprints import Blueprint
from phipd_sim2real.simulator.footprints import Footprint
from phipd_sim2real.simulator.snapshots import ActorEntry
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.wire import Transform, stream_token

SLIDING_M_S2 = 5.0

Vector = tuple[float, float, float]
STILL: Vector = (0.0, 0.0, 0.0)


@dataclass
class Actor:
    """Anything with an id; the base of all others, and the spectator itself.

    Attributes:
        actor_id: unique within an episode.
        blueprint: what it was made from.
        attributes: its blueprint's values with the client's changes.
        transform: world pose, CARLA's axes.
        parent_id: the actor it is fixed to, 0 for none.
        history: its transforms at the end of the last ticks, newest first, at most three.
    """

    actor_id: int
    blueprint: Blueprint
    attributes: Mapping[str, str]
    transform: Transform
    parent_id: int = 0
    history: tuple[Transform, ...] = field(default=(), init=False)

    def remember(self) -> None:
        """Notes its place at the end of a tick."""
        self.history = (self.transform, *self.history)[:3]

    @property
    def before(self) -> Transform:
        """Its place one tick ago; where it is now in its first tick."""
        return self.history[1] if len(self.history) > 1 else self.transform

    def entry(self) -> ActorEntry:
        """Its part of a snapshot."""
        return ActorEntry(self.actor_id, self.transform)

    def wire(self, port: int) -> list[Any]:
        """`Actor` on the wire; `port` is where streams are served."""
        values = [[name, int(self.blueprint.attributes[name].type), value] for name, value in self.attributes.items()]
        description = [self.blueprint.uid, self.blueprint.type_id, values]
        return [
            self.actor_id,
            self.parent_id,
            description,
            self.bounding_box(),
            self.semantic_tags(),
            self.token(port),
        ]

    def bounding_box(self) -> list[Any]:
        """`BoundingBox` on the wire: centre, half sizes, rotation, actor id."""
        return [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """CityObjectLabels of its parts."""
        return b""

    def token(self, port: int) -> bytes:
        """Its stream token; empty without a stream."""
        return b""


@dataclass
class Solid(Actor):
    """Anything with a body: it is seen, and others run into it.

    Attributes:
        velocity, acceleration, angular_velocity: of the origin in the world, CARLA's axes, m and degrees.
        simulated: whether its physics are on; off, only transforms move it.
        collides: whether others run into it.
        mount: pose relative to its parent, of a body that is fixed to one.
    """

    velocity: Vector = STILL
    acceleration: Vector = STILL
    angular_velocity: Vector = STILL
    simulated: bool = True
    collides: bool = True
    mount: Transform = field(default_factory=Transform)

    def __post_init__(self) -> None:
        assert self.blueprint.body is not None
        self.body = self.blueprint.body
        self.radius = math.hypot(*self.body.half_size[:2])

    @property
    def mass(self) -> float:
        """kg; infinite where physics are off."""
        return self.body.mass if self.simulated else math.inf

    @property
    def foot(self) -> Transform:
        """Pose of the point on the ground below its middle."""
        return self.below(self.transform)

    def below(self, transform: Transform) -> Transform:
        """Pose of the point on the ground below its middle, were it at `transform`."""
        return transform

    @property
    def xy(self) -> tuple[float, float]:
        """Its place on the plane, metres."""
        return self.transform.location[:2]

    @property
    def footprint(self) -> Footprint:
        """Its rectangle on the ground."""
        x, y = self.xy
        half_length, half_width, _ = self.body.half_size
        return Footprint(x, y, math.radians(self.transform.rotation[1]), half_length, half_width)

    def place(self, transform: Transform) -> None:
        """Puts it somewhere."""
        self.transform = transform

    def follow(self, parent: Actor | None) -> None:
        """Takes its pose from its parent's."""
        if parent is not None:
            self.place(mounted(parent, self.mount))

    def push(self, velocity: Sequence[float]) -> None:
        """Sets its velocity in the world, m/s."""
        self.velocity = (float(velocity[0]), float(velocity[1]), float(velocity[2]))

    def kick(self, impulse: Sequence[float]) -> None:
        """Changes its velocity by an impulse in the world, N·s."""
        self.push([speed + change / self.body.mass for speed, change in zip(self.velocity, impulse, strict=True)])

    def move(self, delta_s: float) -> None:
        """Moves it through one tick on the plane."""

    def shift(self, x: float, y: float, velocity: Vector) -> None:
        """Moves it to where a collision leaves it, at the velocity that remains, m/s."""
        self.transform = Transform((x, y, self.transform.location[2]), self.transform.rotation)
        self.velocity = velocity

    def entry(self) -> ActorEntry:
        return ActorEntry(self.actor_id, self.transform, self.velocity, self.angular_velocity, self.acceleration)

    def bounding_box(self) -> list[Any]:
        half_size = self.body.half_size
        up = half_size[2] + self.foot.location[2] - self.transform.location[2]
        return [[0.0, 0.0, up], list(half_size), [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        return bytes([Label.DYNAMIC])

    def colour(self) -> tuple[int, int, int]:
        """Paint, 0…255."""
        red, green, blue = (int(part) for part in self.attributes.get("color", self.body.colours[0]).split(","))
        return red, green, blue


@dataclass
class Prop(Solid):
    """A thing that stands where it was put; with physics on, it slides when it is pushed."""

    simulated: bool = False

    def move(self, delta_s: float) -> None:
        speed = math.hypot(self.velocity[0], self.velocity[1])
        if speed == 0.0:
            return
        left = max(0.0, speed - SLIDING_M_S2 * delta_s) / speed
        (x, y, z), rotation = self.transform
        vx, vy = self.velocity[0] * left, self.velocity[1] * left
        self.velocity = (vx, vy, 0.0)
        self.transform = Transform((x + vx * delta_s, y + vy * delta_s, z), rotation)


@dataclass
class Sensor(Actor):
    """A sensor, fixed to its parent or standing in the world.

    Attributes:
        mount: pose relative to the parent, or in the world without one.
        stream_id: its stream; 0 for sensors that the client computes itself.
    """

    mount: Transform = field(default_factory=Transform)
    stream_id: int = 0

    def follow(self, parent: Actor | None) -> None:
        """Takes its pose from its parent's; rotations compose as matrices."""
        if parent is None:
            self.transform = self.mount
            return
        self.transform = mounted(parent, self.mount)

    def token(self, port: int) -> bytes:
        return stream_token(self.stream_id, port) if self.stream_id else b""


def mounted(parent: Actor, mount: Transform) -> Transform:
    """World pose of what is fixed to an actor at `mount`."""
    pose = pose_from_carla(*parent.transform) @ pose_from_carla(*mount)
    location, rotation = pose_to_carla(pose)
    return Transform(tuple(map(float, location)), tuple(map(float, rotation)))
