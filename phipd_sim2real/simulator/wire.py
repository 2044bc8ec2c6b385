"""CARLA 0.9.16 on the wire: msgpack-RPC replies, stream headers and the binary world snapshot."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

VERSION = "0.9.16"

# Indices of the client's sensor registry: they say how a stream's payload is read.
COLLISION, DEPTH, NORMALS, GNSS, IMU, OBSTACLE, FLOW, RADAR = 0, 1, 2, 4, 5, 7, 8, 9
SEMANTIC_LIDAR, LIDAR, RGB, SEMANTICS, INSTANCES, WORLD = 10, 11, 13, 14, 15, 17

FAR_METRES = 1000.0
"""Depth of the sky, and the largest that CARLA's 24 bits hold."""

LARGEST = 1e7
"""Bound of coordinates, speeds and angles that a client may send."""

_TOKEN = struct.Struct("<IHBB16s")
_HEADER = struct.Struct("<QQd6f")
_CAMERA = struct.Struct("<IIf")
_EPISODE = struct.Struct("<Qdf3iI")
_ACTOR = struct.Struct("<IB6f9f")
_VEHICLE = struct.Struct("<fff???ifB?IB")
_WALKER = struct.Struct("<4f?")
_LIGHT = struct.Struct("<32s4fI?B")
_STATE_BYTES = 54
_TCP, _CLIENTS_HOST = 1, 0
_ACTIVE = 1


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


class LightSeen(NamedTuple):
    """The traffic light that a vehicle drives up to; at none it sees green. States: red 0, yellow 1, green 2."""

    state: int = 2
    light_id: int = 0


class VehicleEntry(NamedTuple):
    """What a snapshot tells of a vehicle beside its motion; `speed_limit` in km/h."""

    control: VehicleControl
    speed_limit: float
    light: LightSeen = LightSeen()

    def packed(self) -> bytes:
        """As the snapshot has it."""
        control, light = self.control, self.light
        return _VEHICLE.pack(
            control.throttle,
            control.steer,
            control.brake,
            control.hand_brake,
            control.reverse,
            control.manual_gear_shift,
            control.gear,
            self.speed_limit,
            light.state,
            light.light_id != 0,
            light.light_id,
            0,
        )


class WalkerEntry(NamedTuple):
    """What a snapshot tells of a walker: direction (unit vector), speed (m/s) and whether it jumps."""

    direction: tuple[float, float, float]
    speed: float
    jump: bool

    def packed(self) -> bytes:
        """As the snapshot has it."""
        return _WALKER.pack(*self.direction, self.speed, self.jump)


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

    def packed(self) -> bytes:
        """As the snapshot has it."""
        return _LIGHT.pack(self.sign_id.encode()[:31], *self[1:])


class SignEntry(NamedTuple):
    """What a snapshot tells of a traffic sign: OpenDRIVE's id."""

    sign_id: str

    def packed(self) -> bytes:
        """As the snapshot has it."""
        return self.sign_id.encode()[:31]


class ActorEntry(NamedTuple):
    """One actor of a snapshot: velocity m/s, angular velocity deg/s, acceleration m/s², CARLA's axes."""

    actor_id: int
    transform: Transform
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    angular_velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: tuple[float, float, float] = (0.0, 0.0, 0.0)
    state: VehicleEntry | WalkerEntry | LightEntry | SignEntry | None = None


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
    motion = _ACTOR.pack(
        entry.actor_id,
        _ACTIVE,
        *entry.transform.location,
        *entry.transform.rotation,
        *entry.velocity,
        *entry.angular_velocity,
        *entry.acceleration,
    )
    state = entry.state.packed() if entry.state is not None else b""
    return motion + state.ljust(_STATE_BYTES, b"\0")


def camera_payload(header: bytes, fov_degrees: float, pixels: np.ndarray) -> bytes:
    """A camera's payload.

    Args:
        header: from `stream_header`.
        fov_degrees: horizontal field of view.
        pixels: (H, W, 4) uint8 BGRA, or (H, W, 2) float32 optical flow.
    """
    height, width = pixels.shape[:2]
    return header + _CAMERA.pack(width, height, fov_degrees) + pixels.tobytes()


def rgb_to_bgra(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 colours as (H, W, 4) BGRA, opaque."""
    bgra = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    bgra[..., :3] = rgb[..., ::-1]
    return bgra


def depth_to_bgra(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) float32 metres as CARLA's 24-bit depth: metres = 1000 (R + 256 G + 65536 B) / (2²⁴ - 1)."""
    code = np.round(np.clip(depth_m.astype(np.float64) / FAR_METRES, 0.0, 1.0) * (2**24 - 1)).astype(np.uint32)
    return _bgra(blue=code >> 16, green=code >> 8, red=code)


def semantics_to_bgra(labels: np.ndarray) -> np.ndarray:
    """(H, W) uint8 CityObjectLabel in the red channel."""
    return _bgra(blue=np.zeros_like(labels), green=np.zeros_like(labels), red=labels)


def instances_to_bgra(labels: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """(H, W) uint8 label in red and uint16 instance in green + 256 blue."""
    return _bgra(blue=instances >> 8, green=instances, red=labels)


def normals_to_bgra(normals: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit normals in CARLA's world axes as colours, red x, green y, blue z: (n + 1) / 2; black for none."""
    codes = np.round((normals.astype(np.float64) + 1.0) / 2.0 * 255.0).astype(np.uint8)
    red, green, blue = np.moveaxis(np.where(normals.any(-1, keepdims=True), codes, 0), -1, 0)
    return _bgra(blue, green, red)


def flow_to_pixels(flow_px: np.ndarray) -> np.ndarray:
    """(H, W, 2) pixels, right and down, as CARLA's optical flow: shares of half the picture, x right and y up.

    CARLA sends the velocity in normalised device coordinates, the present place less the place at the tick before,
    within [-2, 2] (carla-simulator/carla, OpticalFlowCamera.cpp; issue 4795 measures the same). What was not in
    front of the camera has no flow.
    """
    height, width = flow_px.shape[:2]
    scaled = flow_px * np.float32([2.0 / width, -2.0 / height])
    return np.clip(np.nan_to_num(scaled), -2.0, 2.0).astype(np.float32)


def _bgra(blue: np.ndarray, green: np.ndarray, red: np.ndarray) -> np.ndarray:
    bgra = np.full((*red.shape, 4), 255, np.uint8)
    for channel, values in enumerate((blue, green, red)):
        bgra[..., channel] = values & 0xFF
    return bgra
