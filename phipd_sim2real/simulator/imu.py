"""Inertial unit and satellite receiver: readings of a sensor's last places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgpack
import numpy as np

from phipd_sim2real.geometry import pose_from_carla, vector_from_carla
from phipd_sim2real.simulator.rigid_motion import RigidMotion
from phipd_sim2real.simulator.wire import Transform

GRAVITY = 9.81
"""m/s², CARLA's."""


def accelerometer(history: Sequence[Transform], delta_s: float) -> np.ndarray:
    """(3,) m/s² in CARLA's sensor axes, gravity's counterforce included: a sensor at rest reads +9.81 upwards.

    The motion's share is the second difference of the last three places, as in CARLA, and 0 until there are three.

    Args:
        history: places at the end of the last ticks, newest first.
        delta_s: of a tick.
    """
    felt = np.array([0.0, 0.0, GRAVITY])
    if len(history) == 3:
        now, then, first = (vector_from_carla(place.location) for place in history)
        felt = felt + (now - 2 * then + first) / delta_s**2
    turn = pose_from_carla(*history[0])[:3, :3]
    return vector_from_carla(turn.T @ felt)


def gyroscope(history: Sequence[Transform], delta_s: float) -> np.ndarray:
    """(3,) rad/s in CARLA's sensor axes, where turning right is positive about z; arguments as `accelerometer`."""
    if len(history) < 2:
        return np.zeros(3)
    turned = RigidMotion(pose_from_carla(*history[0]), pose_from_carla(*history[1]), delta_s).angular_velocity
    # An axis of rotation is a pseudo-vector: mirroring y turns round its x and z.
    return turned * (-1.0, 1.0, -1.0)


def compass(transform: Transform) -> float:
    """Heading in [0, 2π) rad: 0 is north, which is CARLA's -y, and π/2 is east, its +x."""
    return (math.radians(transform.rotation[1]) + math.pi / 2) % (2 * math.pi)


def imu_body(
    history: Sequence[Transform], delta_s: float, attributes: Mapping[str, str], rng: np.random.Generator
) -> bytes:
    """The message of `sensor.other.imu`, with its noise."""
    acceleration = accelerometer(history, delta_s) + rng.normal(0.0, _triple(attributes, "noise_accel_stddev"))
    turning = gyroscope(history, delta_s) + rng.normal(0.0, _triple(attributes, "noise_gyro_stddev"))
    turning = turning + _triple(attributes, "noise_gyro_bias")
    return msgpack.packb([acceleration.tolist(), turning.tolist(), compass(history[0])])


def gnss_body(place: Sequence[float], attributes: Mapping[str, str], rng: np.random.Generator) -> bytes:
    """The message of `sensor.other.gnss`: latitude and longitude in degrees and altitude in metres, with noise."""
    names = ("lat", "lon", "alt")
    spread = [float(attributes[f"noise_{name}_stddev"]) for name in names]
    bias = [float(attributes[f"noise_{name}_bias"]) for name in names]
    return msgpack.packb((np.asarray(place) + bias + rng.normal(0.0, spread)).tolist())


def _triple(attributes: Mapping[str, str], name: str) -> list[float]:
    return [float(attributes[f"{name}_{axis}"]) for axis in "xyz"]
