"""What a vehicle says of its mechanics: the numbers of the kinematic bicycle in CARLA's structures."""

from __future__ import annotations

import math
from typing import Any

from phipd_sim2real.simulator.actors import Vehicle
from phipd_sim2real.simulator.dynamics import MAX_STEER_RAD

CM = 100.0


def physics_control(vehicle: Vehicle) -> list[Any]:
    """`VehiclePhysicsControl` on the wire; engine and tyre figures are nominal, the bicycle has neither."""
    torque = [[0.0, 300.0], [5000.0, 300.0]]
    gears = [[3.5, 0.5, 0.65]]
    return [
        torque, 5000.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0, gears,
        vehicle.body.mass, 0.3, [0.0, 0.0, 0.0], [[0.0, 1.0], [200.0, 1.0]], _wheels(vehicle), False,
    ]  # fmt: skip


def telemetry(vehicle: Vehicle) -> list[Any]:
    """`VehicleTelemetryData` on the wire, without wheels: a kinematic car has no tyre forces."""
    control = vehicle.control
    gear = -1 if control.reverse else 1
    return [vehicle.motion.speed, control.steer, control.throttle, control.brake, 0.0, gear, 0.0, []]


def _wheels(vehicle: Vehicle) -> list[Any]:
    """Front left, front right, rear left, rear right; positions in the world, centimetres as in CARLA."""
    body, steer = vehicle.body, math.degrees(MAX_STEER_RAD)
    track = body.half_size[1] - 0.12
    wheels = []
    for along, angle in ((body.wheelbase / 2.0, steer), (-body.wheelbase / 2.0, 0.0)):
        for across in (-track, track):
            position = _in_world(vehicle, along, across, body.wheel_radius)
            wheels.append([3.5, 0.25, angle, body.wheel_radius * CM, 1500.0, 3000.0, 2.0, 17.0, 1000.0, position])
    return wheels


def _in_world(vehicle: Vehicle, along: float, across: float, up: float) -> list[float]:
    c, s = math.cos(vehicle.motion.yaw), math.sin(vehicle.motion.yaw)
    x, y, z = vehicle.transform.location
    return [CM * (x + along * c - across * s), CM * (y + along * s + across * c), CM * (z + up)]
