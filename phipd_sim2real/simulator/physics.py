"""What a vehicle says of its mechanics: the numbers of the kinematic bicycle in CARLA's structures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from phipd_sim2real.simulator.dynamics import DRAG_PER_M, GRIP_M_S2, MAX_STEER_RAD
from phipd_sim2real.simulator.vehicles import Vehicle

CM = 100.0
TYRE_FRICTION, DRAG_COEFFICIENT = 3.5, 0.3
"""What stands for `GRIP_M_S2` and for the nominal drag."""

FIELDS, MASS, WHEELS = 17, 11, 15
"""Number of fields of `VehiclePhysicsControl`, and the places of two of them."""


def physics_control(vehicle: Vehicle) -> list[Any]:
    """`VehiclePhysicsControl` on the wire; engine figures are nominal, the bicycle has no engine."""
    if vehicle.physics is not None:
        return vehicle.physics
    torque = [[0.0, 300.0], [5000.0, 300.0]]
    gears = [[3.5, 0.5, 0.65]]
    return [
        torque, 5000.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0, gears,
        vehicle.body.mass, DRAG_COEFFICIENT, [0.0, 0.0, 0.0], [[0.0, 1.0], [200.0, 1.0]], _wheels(vehicle), False,
    ]  # fmt: skip


def apply_physics(vehicle: Vehicle, fields: Sequence[Any]) -> None:
    """Takes a `VehiclePhysicsControl`: mass, drag, tyre friction and the front wheels' angle act, the rest is kept.

    Raises:
        ValueError: not 17 fields, no wheels, or a mass that is not positive.
    """
    if len(fields) != FIELDS or not fields[WHEELS]:
        raise ValueError(f"physics control has {len(fields)} fields and {len(fields[WHEELS])} wheels")
    mass, drag = float(fields[MASS]), float(fields[MASS + 1])
    friction, _, max_steer = (float(value) for value in fields[WHEELS][0][:3])
    if not all(math.isfinite(value) for value in (mass, drag, friction, max_steer)) or mass <= 0.0:
        raise ValueError(f"mass {mass:g} kg, drag {drag:g}, friction {friction:g}, steer {max_steer:g} degrees")
    vehicle.physics, vehicle.weight = list(fields), mass
    vehicle.mechanics = vehicle.mechanics._replace(
        max_steer=math.radians(min(80.0, max(0.0, max_steer))),
        grip=GRIP_M_S2 * max(0.0, friction) / TYRE_FRICTION,
        drag=DRAG_PER_M * max(0.0, drag) / DRAG_COEFFICIENT,
    )


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
            wheels.append(
                [TYRE_FRICTION, 0.25, angle, body.wheel_radius * CM, 1500.0, 3000.0, 2.0, 17.0, 1000.0, position]
            )
    return wheels


def _in_world(vehicle: Vehicle, along: float, across: float, up: float) -> list[float]:
    c, s = math.cos(vehicle.motion.yaw), math.sin(vehicle.motion.yaw)
    x, y, z = vehicle.transform.location
    return [CM * (x + along * c - across * s), CM * (y + along * s + across * c), CM * (z + up)]
