"""The world stream's payload: the episode's state and 119 bytes of every actor."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from phipd_sim2real.simulator.wire import WORLD, Transform, VehicleControl, stream_header

_EPISODE = struct.Struct("<Qdf3iI")
_STATE_BYTES = 54
_ACTIVE = 1


class LightSeen(NamedTuple):
    """The traffic light that a vehicle drives up to; at none it sees green. States: red 0, yellow 1, green 2."""

    state: int = 2
    light_id: int = 0


class VehicleEntry(NamedTuple):
    """What a snapshot tells of a vehicle beside its motion; `speed_limit` in km/h."""

    control: VehicleControl
    speed_limit: float
    light: LightSeen = LightSeen()

    def fields(self) -> tuple[Any, ...]:
        """In the snapshot's order; the last is a failure, of which there are none."""
        state, light_id = self.light
        return (*self.control, self.speed_limit, state, light_id != 0, light_id, 0)


class WalkerEntry(NamedTuple):
    """What a snapshot tells of a walker: direction (unit vector), speed (m/s) and whether it jumps."""

    direction: tuple[float, float, float]
    speed: float
    jump: bool

    def fields(self) -> tuple[Any, ...]:
        """In the snapshot's order."""
        return (*self.direction, self.speed, self.jump)


class LightEntry(NamedTuple):
    """What a snapshot tells of a traffic light: OpenDRIVE's id, seconds per state and in this one, its state."""

    sign_id: str
    green_s: float
    yellow_s: float
    red_s: float
    elapsed_s: float
    pole_index: int
    frozen: bool
    state: int

    def fields(self) -> tuple[Any, ...]:
        """In the snapshot's order."""
        return (self.sign_id.encode()[:31], *self[1:])


class SignEntry(NamedTuple):
    """What a snapshot tells of a traffic sign: OpenDRIVE's id."""

    sign_id: str

    def fields(self) -> tuple[Any, ...]:
        """In the snapshot's order."""
        return (self.sign_id.encode()[:31],)


class ActorEntry(NamedTuple):
    """One actor of a snapshot: velocity m/s, angular velocity deg/s, acceleration m/s², CARLA's axes."""

    actor_id: int
    transform: Transform
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    angular_velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: tuple[float, float, float] = (0.0, 0.0, 0.0)
    state: VehicleEntry | WalkerEntry | LightEntry | SignEntry | None = None


def snapshot(
    frame: int, elapsed_s: float, delta_s: float, episode: int, map_changed: bool, actors: Sequence[ActorEntry]
) -> bytes:
    """A whole payload of the world stream: header, episode state, 119 bytes per actor.

    The platform's time is given as simulated time, so that equal runs send equal bytes.
    """
    parts = [
        stream_header(WORLD, frame, elapsed_s, Transform()),
        _EPISODE.pack(episode, elapsed_s, delta_s, 0, 0, 0, int(map_changed)),
    ]
    parts.extend(_actor(entry) for entry in actors)
    return b"".join(parts)


def _actor(entry: ActorEntry) -> bytes:
    """One pack of all fields: a tick has an entry per actor."""
    (location, rotation), state = entry.transform, entry.state
    return _LAYOUTS[type(state)].pack(
        entry.actor_id,
        _ACTIVE,
        *location,
        *rotation,
        *entry.velocity,
        *entry.angular_velocity,
        *entry.acceleration,
        *(state.fields() if state is not None else ()),
    )


def _layout(state: str) -> struct.Struct:
    """Of an actor whose state is laid out like this, filled up to the size of the largest."""
    return struct.Struct(f"<IB15f{state}{_STATE_BYTES - struct.calcsize('<' + state)}x")


_LAYOUTS = {
    type(None): _layout(""),
    VehicleEntry: _layout("fff???ifB?IB"),
    WalkerEntry: _layout("4f?"),
    LightEntry: _layout("32s4fI?B"),
    SignEntry: _layout("32s"),
}
