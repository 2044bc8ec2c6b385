"""Walkers: points that go where their control says, upright, on road or sidewalk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from phipd_sim2real.simulator.actors import Solid, Vector
from phipd_sim2real.simulator.snapshots import ActorEntry, WalkerEntry
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.wire import Transform, read_vector

GRAVITY_M_S2 = 9.81
JUMP_M_S = 4.2
FASTEST_M_S = 20.0


class WalkerControl(NamedTuple):
    """Where a walker goes: a direction in the world (scaled to length 1), a speed in m/s, and whether it jumps."""

    direction: Vector = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False

    @classmethod
    def read(cls, fields: Sequence[Any]) -> WalkerControl:
        """From the message.

        Raises:
            ValueError: not three fields, or not finite.
        """
        direction, speed, jump = fields
        x, y, z = read_vector(direction)
        length = math.sqrt(x * x + y * y + z * z) or 1.0
        speed = min(FASTEST_M_S, max(0.0, read_vector((speed, 0.0, 0.0))[0]))
        return cls((x / length, y / length, z / length), speed, bool(jump))


@dataclass
class Walker(Solid):
    """A walker; as in CARLA its origin is in the middle of its body.

    Attributes:
        control: as last told.
        carried: whether something else, such as the client's crowd, gives its place tick by tick.
        standing: whether its feet are on the ground.
    """

    control: WalkerControl = field(default_factory=WalkerControl)
    carried: bool = False
    standing: bool = False

    def below(self, transform: Transform) -> Transform:
        x, y, z = transform.location
        return Transform((x, y, z - self.body.half_size[2]), transform.rotation)

    def place(self, transform: Transform) -> None:
        self.transform = transform
        self.carried = self.standing = False

    def carry(self, transform: Transform, speed: float) -> None:
        """Takes place and speed (m/s) from outside for this tick."""
        self.transform, self.carried = transform, True
        yaw = math.radians(transform.rotation[1])
        self.velocity = (speed * math.cos(yaw), speed * math.sin(yaw), 0.0)
        self.control = WalkerControl((math.cos(yaw), math.sin(yaw), 0.0), speed)

    @property
    def moves(self) -> bool:
        """Whether its next tick needs the ground."""
        return self.simulated and (self.control.speed > 0.0 or not self.standing or any(self.velocity))

    def move(self, delta_s: float) -> None:
        """Moves it through one tick on the plane, and up where it jumps."""
        if self.carried or not self.simulated:
            return
        (dx, dy, _), speed, jump = self.control
        (x, y, z), (pitch, yaw, roll) = self.transform
        rise = self.velocity[2]
        if jump and self.standing:
            rise, self.standing = JUMP_M_S, False
        if speed > 0.0:
            yaw = math.degrees(math.atan2(dy, dx))
        self.velocity = (dx * speed, dy * speed, rise)
        z += rise * delta_s
        self.transform = Transform((x + dx * speed * delta_s, y + dy * speed * delta_s, z), (pitch, yaw, roll))

    def settle(self, ground_m: float, delta_s: float) -> None:
        """Falls, and stands on ground of the given height."""
        (x, y, z), rotation = self.transform
        lowest = ground_m + self.body.half_size[2]
        rise = self.velocity[2] - GRAVITY_M_S2 * delta_s
        self.standing = self.standing or (z <= lowest and rise <= 0.0)
        if self.standing:
            z, rise = lowest, 0.0
        self.transform = Transform((x, y, z), rotation)
        self.velocity = (self.velocity[0], self.velocity[1], rise)

    def entry(self) -> ActorEntry:
        return ActorEntry(
            self.actor_id,
            self.transform,
            self.velocity,
            self.angular_velocity,
            self.acceleration,
            WalkerEntry(self.control.direction, self.control.speed, self.control.jump),
        )

    def semantic_tags(self) -> bytes:
        return bytes([Label.PEDESTRIANS])
