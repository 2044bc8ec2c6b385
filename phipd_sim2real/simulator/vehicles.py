"""Vehicles on the kinematic bicycle, and what of CARLA's orders acts on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from phipd_sim2real.simulator.actors import Solid, Vector
from phipd_sim2real.simulator.dynamics import Mechanics, Motion, Target, coast, drive, follow
from phipd_sim2real.simulator.footprints import Footprint
from phipd_sim2real.simulator.snapshots import ActorEntry, LightSeen, VehicleEntry
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.wire import Transform, VehicleControl

LABELS = {
    "car": Label.CAR,
    "van": Label.CAR,
    "truck": Label.TRUCK,
    "bus": Label.BUS,
    "motorcycle": Label.MOTORCYCLE,
    "bicycle": Label.BICYCLE,
}
"""CityObjectLabel by `base_type`."""


class Ground(NamedTuple):
    """What the map says of the place that a vehicle stands on.

    Attributes:
        height: metres.
        pitch: degrees along the vehicle, nose up positive.
        speed_limit: km/h.
    """

    height: float
    pitch: float
    speed_limit: float


@dataclass
class Vehicle(Solid):
    """A vehicle on the kinematic bicycle.

    Attributes:
        motion: its state on the ground plane.
        mechanics: steering, tyres and drag.
        control: pedals and wheel as last told.
        target: what an Ackermann controller was told; None while pedals count.
        ackermann: the controller's gains, told and given back: the bicycle follows its target without them.
        physics: `VehiclePhysicsControl` as last told; None for the blueprint's own.
        weight: kg.
        constant_speed: m/s forward whatever the pedals say, None for pedals.
        spin: rad/s that the next tick turns it by, beside its steering.
        speed_limit: km/h.
        light: the traffic light that it drives up to.
        light_state: CARLA's light flags; position, beams and brakes are drawn.
        wheel_angles: degrees by wheel, where set_wheel_steer_direction set them for show.
    """

    motion: Motion = field(init=False)
    control: VehicleControl = field(default_factory=VehicleControl)
    target: Target | None = None
    ackermann: tuple[float, ...] = (0.15, 0.0, 0.25, 0.01, 0.0, 0.01)
    physics: list[Any] | None = None
    constant_speed: float | None = None
    spin: float = 0.0
    speed_limit: float = 0.0
    light: LightSeen = field(default_factory=LightSeen)
    light_state: int = 0
    wheel_angles: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mechanics = Mechanics(self.body.wheelbase)
        self.weight = self.body.mass
        self.place(self.transform)

    @property
    def mass(self) -> float:
        return self.weight if self.simulated else math.inf

    @property
    def xy(self) -> tuple[float, float]:
        return self.motion[:2]

    @property
    def footprint(self) -> Footprint:
        half_length, half_width, _ = self.body.half_size
        return Footprint(self.motion.x, self.motion.y, self.motion.yaw, half_length, half_width)

    def place(self, transform: Transform) -> None:
        """Puts it somewhere; speed along the body is kept."""
        speed = self.motion.speed if hasattr(self, "motion") else 0.0
        self.transform = transform
        x, y, _ = transform.location
        self.motion = Motion(x, y, math.radians(transform.rotation[1]), speed)

    def push(self, velocity: Sequence[float]) -> None:
        """Sets its speed from a world velocity (m/s); what points sideways is lost in the tyres."""
        self.motion = self.motion._replace(speed=self._along(velocity), yaw_rate=0.0)
        self.velocity = (float(velocity[0]), float(velocity[1]), float(velocity[2]))

    def kick(self, impulse: Sequence[float]) -> None:
        """Changes its speed by an impulse in the world, N·s."""
        change = self._along(impulse) / self.weight
        self.motion = self.motion._replace(speed=self.motion.speed + change)

    def shift(self, x: float, y: float, velocity: Vector) -> None:
        self.motion = self.motion._replace(x=x, y=y, speed=self._along(velocity))
        self.transform = Transform((x, y, self.transform.location[2]), self.transform.rotation)
        self.velocity = velocity

    def _along(self, vector: Sequence[float]) -> float:
        return vector[0] * math.cos(self.motion.yaw) + vector[1] * math.sin(self.motion.yaw)

    def move(self, delta_s: float) -> None:
        """Moves it through one tick on the plane."""
        wheelbase = self.mechanics.wheelbase
        if self.constant_speed is not None:
            self.motion = coast(self.motion, self.constant_speed, self.motion.yaw_rate, wheelbase, delta_s)
        elif self.target is not None:
            self.motion = follow(self.motion, self.target, self.mechanics, delta_s)
        else:
            self.motion = drive(self.motion, self.control, self.mechanics, delta_s)
        if self.spin:
            self.motion = self.motion._replace(yaw=self.motion.yaw + self.spin * delta_s)
            self.spin = 0.0
        self.velocity = (*self.motion.velocity(wheelbase), self.velocity[2])

    def settle(self, ground: Ground) -> None:
        """Sets it on the ground where it came to be."""
        self.speed_limit = ground.speed_limit
        if not self.simulated:
            return
        motion, pitch = self.motion, ground.pitch
        self.transform = Transform((motion.x, motion.y, ground.height), (pitch, math.degrees(motion.yaw), 0.0))
        self.velocity = (self.velocity[0], self.velocity[1], motion.speed * math.tan(math.radians(pitch)))
        self.angular_velocity = (0.0, 0.0, math.degrees(motion.yaw_rate))

    def wheel_angle(self, wheel: int) -> float:
        """Degrees by which a wheel is turned, positive right; 0 front left, 1 front right, 2 and 3 rear."""
        steered = math.degrees(self.motion.steer) if wheel < 2 else 0.0
        return self.wheel_angles.get(wheel, steered)

    def entry(self) -> ActorEntry:
        state = VehicleEntry(self.control, self.speed_limit, self.light)
        return ActorEntry(self.actor_id, self.transform, self.velocity, self.angular_velocity, self.acceleration, state)

    def semantic_tags(self) -> bytes:
        return bytes([LABELS[self.attributes["base_type"]]])
