"""A kinematic bicycle that throttle, brake and steer drive, in CARLA's axes (y right, yaw clockwise)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from phipd_sim2real.simulator.wire import VehicleControl

SUBSTEP_S = 0.01
MAX_STEER_RAD = math.radians(30.0)
"""Front wheel angle at full steer; with more, the Traffic Manager's fixed gains make cars cut the bends."""

STEER_RATE_RAD_S = math.radians(400.0)
DRIVE_M_S2 = 5.0
DRIVE_W_KG = 45.0
BRAKE_M_S2 = 8.0
ROLLING_M_S2 = 0.15
DRAG_PER_M = 0.0006


@dataclass(frozen=True)
class Motion:
    """State of a vehicle on the ground plane.

    Attributes:
        x, y: of the actor's origin, midway between the axles, metres.
        yaw: radians, clockwise from above.
        speed: of the rear axle along the body, m/s, negative in reverse.
        steer: angle of the front wheels, radians, positive right.
        yaw_rate: rad/s.
    """

    x: float
    y: float
    yaw: float
    speed: float = 0.0
    steer: float = 0.0
    yaw_rate: float = 0.0

    def velocity(self, wheelbase: float) -> tuple[float, float]:
        """Velocity of the origin in the world, m/s."""
        sideways = self.yaw_rate * wheelbase / 2.0
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return self.speed * c - sideways * s, self.speed * s + sideways * c


def drive(motion: Motion, control: VehicleControl, wheelbase: float, delta_s: float) -> Motion:
    """Advances a vehicle by one tick under constant control.

    The rear axle moves on exact arcs; equal substeps make ticks of 0.05 s and 0.1 s behave alike.

    Args:
        motion: before the tick.
        control: throttle and brake 0…1, steer -1…1.
        wheelbase: metres.
        delta_s: seconds, > 0.
    """
    substeps = max(1, math.ceil(delta_s / SUBSTEP_S - 1e-9))
    dt = delta_s / substeps
    target = MAX_STEER_RAD * min(1.0, max(-1.0, control.steer))
    for _ in range(substeps):
        turn = min(STEER_RATE_RAD_S * dt, max(-STEER_RATE_RAD_S * dt, target - motion.steer))
        speed = _next_speed(motion.speed, control, dt)
        motion = _roll(replace(motion, steer=motion.steer + turn, speed=speed), wheelbase, dt)
    return motion


def coast(motion: Motion, speed: float, yaw_rate: float, wheelbase: float, delta_s: float) -> Motion:
    """Advances a vehicle at a prescribed speed (m/s) and yaw rate (rad/s), whatever its pedals say."""
    angle = math.atan2(yaw_rate * wheelbase, abs(speed)) if speed else 0.0
    return _roll(replace(motion, speed=speed, steer=angle), wheelbase, delta_s)


def _next_speed(speed: float, control: VehicleControl, dt: float) -> float:
    """Pedals, rolling resistance and drag; brakes and resistance stop a car but never push it back."""
    throttle, brake = min(1.0, max(0.0, control.throttle)), min(1.0, max(0.0, control.brake))
    push = throttle * min(DRIVE_M_S2, DRIVE_W_KG / max(abs(speed), 1.0))
    speed += (-push if control.reverse else push) * dt
    hold = brake * BRAKE_M_S2 + (BRAKE_M_S2 if control.hand_brake else 0.0)
    loss = (hold + ROLLING_M_S2 + DRAG_PER_M * speed * speed) * dt
    return math.copysign(max(0.0, abs(speed) - loss), speed)


def _roll(motion: Motion, wheelbase: float, dt: float) -> Motion:
    half = wheelbase / 2.0
    yaw_rate = motion.speed * math.tan(motion.steer) / wheelbase
    turn = yaw_rate * dt
    middle = motion.yaw + turn / 2.0
    bend = turn / 2.0
    chord = motion.speed * dt * (math.sin(bend) / bend if bend else 1.0)
    yaw = motion.yaw + turn
    return replace(
        motion,
        x=motion.x + chord * math.cos(middle) + half * (math.cos(yaw) - math.cos(motion.yaw)),
        y=motion.y + chord * math.sin(middle) + half * (math.sin(yaw) - math.sin(motion.yaw)),
        yaw=math.remainder(yaw, 2.0 * math.pi),
        yaw_rate=yaw_rate,
    )
