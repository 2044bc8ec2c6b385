"""What stands or moves in the world: vehicles, sensors on them, and the spectator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phipd_sim2real.geometry import pose_from_carla, pose_to_carla
from phipd_sim2real.simulator.blueprints import Blueprint
from phipd_sim2real.simulator.dynamics import Motion, coast, drive
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.wire import ActorEntry, Transform, VehicleControl, VehicleEntry, stream_token

LABEL_CAR, LABEL_BUS = 14, 16


@dataclass
class Actor:
    """Anything with an id; the base of vehicles and sensors, and the spectator itself.

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
class Vehicle(Actor):
    """A vehicle on the kinematic bicycle.

    Attributes:
        motion: its state on the ground plane.
        control: pedals and wheel as last told.
        velocity, acceleration, angular_velocity: of the origin in the world, CARLA's axes, m and degrees.
        speed_limit: km/h.
        simulated: whether its physics are on; off, only transforms move it.
        constant_speed: m/s forward whatever the pedals say, None for pedals.
        light_state: CARLA's light flags, stored and told, not drawn.
    """

    motion: Motion = field(init=False)
    control: VehicleControl = field(default_factory=VehicleControl)
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: tuple[float, float, float] = (0.0, 0.0, 0.0)
    angular_velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    speed_limit: float = 0.0
    simulated: bool = True
    constant_speed: float | None = None
    light_state: int = 0

    def __post_init__(self) -> None:
        assert self.blueprint.body is not None
        self.body = self.blueprint.body
        self.place(self.transform)

    def place(self, transform: Transform) -> None:
        """Puts it somewhere; speed along the body is kept."""
        speed = self.motion.speed if hasattr(self, "motion") else 0.0
        self.transform = transform
        x, y, _ = transform.location
        self.motion = Motion(x, y, math.radians(transform.rotation[1]), speed)

    def push(self, velocity: Sequence[float]) -> None:
        """Sets its speed from a world velocity (m/s); what points sideways is lost in the tyres."""
        c, s = math.cos(self.motion.yaw), math.sin(self.motion.yaw)
        speed = velocity[0] * c + velocity[1] * s
        self.motion = Motion(self.motion.x, self.motion.y, self.motion.yaw, speed, self.motion.steer)
        self.velocity = (float(velocity[0]), float(velocity[1]), float(velocity[2]))

    def advance(self, delta_s: float, roads: Roads) -> None:
        """Moves it through one tick."""
        before = self.velocity
        if self.simulated:
            self._move(delta_s, roads)
        self.acceleration = tuple((now - then) / delta_s for now, then in zip(self.velocity, before, strict=True))
        x, y, _ = self.transform.location
        self.speed_limit = roads.speed_limit_kmh(x, y)

    def _move(self, delta_s: float, roads: Roads) -> None:
        wheelbase = self.body.wheelbase
        if self.constant_speed is None:
            self.motion = drive(self.motion, self.control, wheelbase, delta_s)
        else:
            self.motion = coast(self.motion, self.constant_speed, self.motion.yaw_rate, wheelbase, delta_s)
        yaw = self.motion.yaw
        z, pitch = roads.ground(self.motion.x, self.motion.y, self.transform.location[2], yaw, wheelbase)
        self.transform = Transform((self.motion.x, self.motion.y, z), (pitch, math.degrees(yaw), 0.0))
        self.velocity = (*self.motion.velocity(wheelbase), self.motion.speed * math.tan(math.radians(pitch)))
        self.angular_velocity = (0.0, 0.0, math.degrees(self.motion.yaw_rate))

    def entry(self) -> ActorEntry:
        state = VehicleEntry(self.control, self.speed_limit)
        return ActorEntry(self.actor_id, self.transform, self.velocity, self.angular_velocity, self.acceleration, state)

    def bounding_box(self) -> list[Any]:
        half_size = self.body.half_size
        return [[0.0, 0.0, half_size[2]], list(half_size), [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        bus = self.attributes["base_type"] == "bus"
        return bytes([LABEL_BUS if bus else LABEL_CAR])

    def colour(self) -> tuple[int, int, int]:
        """Paint, 0…255."""
        red, green, blue = (int(part) for part in self.attributes["color"].split(","))
        return red, green, blue


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
        pose = pose_from_carla(*parent.transform) @ pose_from_carla(*self.mount)
        location, rotation = pose_to_carla(pose)
        self.transform = Transform(tuple(map(float, location)), tuple(map(float, rotation)))

    def token(self, port: int) -> bytes:
        return stream_token(self.stream_id, port) if self.stream_id else b""


def overlap(vehicle: Vehicle, other: Vehicle) -> bool:
    """Whether two vehicles' rectangles on the ground meet (separating axes)."""
    return not any(_apart(vehicle, other, axis) for axis in (*_axes(vehicle), *_axes(other)))


def contact_normal(vehicle: Vehicle, other: Vehicle) -> tuple[float, float]:
    """Unit vector on the ground from `other` to `vehicle`, along the axis on which they overlap least."""

    def overlapping(axis: tuple[float, float]) -> float:
        return _reach(vehicle, axis) + _reach(other, axis) - abs(_apartness(vehicle, other, axis))

    axis = min((*_axes(vehicle), *_axes(other)), key=overlapping)
    return axis if _apartness(vehicle, other, axis) <= 0 else (-axis[0], -axis[1])


def _axes(vehicle: Vehicle) -> tuple[tuple[float, float], tuple[float, float]]:
    c, s = math.cos(vehicle.motion.yaw), math.sin(vehicle.motion.yaw)
    return (c, s), (-s, c)


def _apart(vehicle: Vehicle, other: Vehicle, axis: tuple[float, float]) -> bool:
    return abs(_apartness(vehicle, other, axis)) > _reach(vehicle, axis) + _reach(other, axis)


def _apartness(vehicle: Vehicle, other: Vehicle, axis: tuple[float, float]) -> float:
    """Signed distance of `other` from `vehicle` along an axis, metres."""
    return (other.motion.x - vehicle.motion.x) * axis[0] + (other.motion.y - vehicle.motion.y) * axis[1]


def _reach(vehicle: Vehicle, axis: tuple[float, float]) -> float:
    forward, right = _axes(vehicle)
    along = abs(forward[0] * axis[0] + forward[1] * axis[1]) * vehicle.body.half_size[0]
    return along + abs(right[0] * axis[0] + right[1] * axis[1]) * vehicle.body.half_size[1]
