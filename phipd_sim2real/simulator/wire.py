"""CARLA 0.9.16 on the wire: poses and controls of messages, msgpack-RPC replies, stream tokens and headers."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

VERSION = "0.9.16"

# Indices of the client's sensor registry: they say how a stream's payload is read.
COLLISION, DEPTH, NORMALS, GNSS, IMU, OBSTACLE, FLOW, RADAR = 0, 1, 2, 4, 5, 7, 8, 9
SEMANTIC_LIDAR, LIDAR, RGB, SEMANTICS, INSTANCES, WORLD = 10, 11, 13, 14, 15, 17

LARGEST = 1e7
"""Bound of coordinates, speeds and angles that a client may send."""

_TOKEN = struct.Struct("<IHBB16s")
_HEADER = struct.Struct("<QQd6f")
_TCP, _CLIENTS_HOST = 1, 0


def read_vector(fields: Sequence[float]) -> tuple[float, float, float]:
    """Three finite numbers from a message.

    Raises:
        ValueError: not three numbers of a size that a float32 of the snapshot holds.
    """
    x, y, z = (float(value) for value in fields)
    if not all(math.isfinite(value) and abs(value) < LARGEST for value in (x, y, z)):
        raise ValueError(f"({x:g}, {y:g}, {z:g}) is not three finite numbers below {LARGEST:g}")
    return x, y, z


class Transform(NamedTuple):
    """A pose in CARLA's left-handed axes: x, y, z in metres; pitch, yaw, roll in degrees."""

    location: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def read(cls, fields: Sequence[Sequence[float]]) -> Transform:
        """From the message's [[x, y, z], [pitch, yaw, roll]]."""
        location, rotation = fields
        return cls(read_vector(location), read_vector(rotation))

    def wire(self) -> list[list[float]]:
        """As the message has it."""
        return [list(self.location), list(self.rotation)]


class VehicleControl(NamedTuple):
    """Throttle and brake 0…1, steer -1 (left) … 1 (right); the field order is the wire's."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0

    @classmethod
    def read(cls, fields: Sequence[Any]) -> VehicleControl:
        """From the message; pedals and wheel are clipped to their range.

        Raises:
            ValueError: not seven fields, or not finite.
        """
        throttle, steer, brake, hand_brake, reverse, manual, gear = fields
        throttle, steer, brake = read_vector((throttle, steer, brake))
        return cls(
            min(1.0, max(0.0, throttle)),
            min(1.0, max(-1.0, steer)),
            min(1.0, max(0.0, brake)),
            bool(hand_brake),
            bool(reverse),
            bool(manual),
            int(gear),
        )


def value_reply(value: Any) -> list[Any]:
    """`Response<T>` that carries a value."""
    return [[1, value]]


def value_refusal(message: str) -> list[Any]:
    """`Response<T>` that carries an error; the client raises RuntimeError(message)."""
    return [[0, [message]]]


def void_reply() -> list[Any]:
    """`Response<void>` of a call that went well."""
    return [[False]]


def void_refusal(message: str) -> list[Any]:
    """`Response<void>` that carries an error."""
    return [[True, [message]]]


def optional(value: Any | None) -> list[Any]:
    """`std::optional` in CARLA's spelling."""
    return [False] if value is None else [True, value]


def stream_token(stream_id: int, port: int) -> bytes:
    """24 bytes that tell a client where a stream is: this server's host, `port`, TCP."""
    return _TOKEN.pack(stream_id, port, _TCP, _CLIENTS_HOST, bytes(16))


def stream_header(sensor: int, frame: int, timestamp_s: float, transform: Transform) -> bytes:
    """48 bytes before every stream payload."""
    return _HEADER.pack(sensor, frame, timestamp_s, *transform.location, *transform.rotation)
