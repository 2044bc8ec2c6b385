"""A kinematic bicycle that throttle, brake and steer drive, in CARLA's axes (y right, yaw clockwise)."""

from __future__ import annotations

import math
from typing import NamedTuple

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
GRIP_M_S2 = 9.81
"""Dry road: the tyres hold one g, sideways and lengthways together."""


class Motion(NamedTuple):
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


class Mechanics(NamedTuple):
    """What the road and the pedals meet.

    Attributes:
        wheelbase: metres.
        max_steer: front wheel angle at full steer, radians.
        grip: m/s² that the tyres hold.
        drag: per metre, of the square of the speed.
    """

    wheelbase: float
    max_steer: float = MAX_STEER_RAD
    grip: float = GRIP_M_S2
    drag: float = DRAG_PER_M


class Target(NamedTuple):
    """What an Ackermann controller is told: radians (right positive), rad/s, m/s, m/s²; a rate of 0 is unlimited."""

    steer: float
    steer_rate: float
    speed: float
    acceleration: float


def drive(motion: Motion, control: VehicleControl, mechanics: Mechanics, delta_s: float) -> Motion:
    """Advances a vehicle by one tick under constant control.

    The rear axle moves on exact arcs; equal substeps make ticks of 0.05 s and 0.1 s behave alike.

    Args:
        motion: before the tick.
        control: throttle and brake 0…1, steer -1…1.
        mechanics: the vehicle's.
        delta_s: seconds, > 0.
    """
    count, dt = _substeps(delta_s)
    x, y, yaw, speed, steer, yaw_rate = motion
    target = mechanics.max_steer * min(1.0, max(-1.0, control.steer))
    for _ in range(count):
        turn = min(STEER_RATE_RAD_S * dt, max(-STEER_RATE_RAD_S * dt, target - steer))
        before, steer = speed, steer + turn
        speed = _next_speed(before, control, mechanics, dt)
        yaw_rate = _held_yaw_rate(speed, steer, (speed - before) / dt, mechanics)
        x, y, yaw = _arc(x, y, yaw, speed, yaw_rate, mechanics.wheelbase, dt)
    return Motion(x, y, yaw, speed, steer, yaw_rate)


def follow(motion: Motion, target: Target, mechanics: Mechanics, delta_s: float) -> Motion:
    """Advances a vehicle by one tick towards an Ackermann target, within what engine, brakes and tyres can."""
    count, dt = _substeps(delta_s)
    x, y, yaw, speed, steer, yaw_rate = motion
    turn_rate = min(target.steer_rate or STEER_RATE_RAD_S, STEER_RATE_RAD_S)
    wheel = min(mechanics.max_steer, max(-mechanics.max_steer, target.steer))
    for _ in range(count):
        steer += min(turn_rate * dt, max(-turn_rate * dt, wheel - steer))
        push = min(DRIVE_M_S2, DRIVE_W_KG / max(abs(speed), 1.0))
        slowing = abs(target.speed) < abs(speed) or target.speed * speed < 0.0
        most = min(abs(target.acceleration) or math.inf, BRAKE_M_S2 if slowing else push)
        change = min(most * dt, max(-most * dt, target.speed - speed))
        speed += change
        yaw_rate = _held_yaw_rate(speed, steer, change / dt, mechanics)
        x, y, yaw = _arc(x, y, yaw, speed, yaw_rate, mechanics.wheelbase, dt)
    return Motion(x, y, yaw, speed, steer, yaw_rate)


def coast(motion: Motion, speed: float, yaw_rate: float, wheelbase: float, delta_s: float) -> Motion:
    """Advances a vehicle at a prescribed speed (m/s) and yaw rate (rad/s), whatever its pedals say."""
    steer = math.atan2(yaw_rate * wheelbase, abs(speed)) if speed else 0.0
    turned = speed * math.tan(steer) / wheelbase
    x, y, yaw = _arc(motion.x, motion.y, motion.yaw, speed, turned, wheelbase, delta_s)
    return Motion(x, y, yaw, speed, steer, turned)


def _substeps(delta_s: float) -> tuple[int, float]:
    count = max(1, math.ceil(delta_s / SUBSTEP_S - 1e-9))
    return count, delta_s / count


def _next_speed(speed: float, control: VehicleControl, mechanics: Mechanics, dt: float) -> float:
    """Pedals, rolling resistance and drag; brakes and resistance stop a car but never push it back."""
    throttle, brake = min(1.0, max(0.0, control.throttle)), min(1.0, max(0.0, control.brake))
    push = throttle * min(DRIVE_M_S2, DRIVE_W_KG / max(abs(speed), 1.0))
    speed += (-push if control.reverse else push) * dt
    hold = min(mechanics.grip, brake * BRAKE_M_S2 + (BRAKE_M_S2 if control.hand_brake else 0.0))
    loss = (hold + ROLLING_M_S2 + mechanics.drag * speed * speed) * dt
    return math.copysign(max(0.0, abs(speed) - loss), speed)


def _held_yaw_rate(speed: float, steer: float, acceleration: float, mechanics: Mechanics) -> float:
    """The bicycle's yaw rate, or what the tyres still hold sideways: beyond it the car runs wide."""
    yaw_rate = speed * math.tan(steer) / mechanics.wheelbase
    sideways = abs(speed * yaw_rate)
    if sideways * sideways + acceleration * acceleration <= mechanics.grip * mechanics.grip:
        return yaw_rate
    left = max(mechanics.grip * mechanics.grip - acceleration * acceleration, (0.3 * mechanics.grip) ** 2)
    return math.copysign(min(abs(yaw_rate), math.sqrt(left) / max(abs(speed), 0.1)), yaw_rate)


def _arc(
    x: float, y: float, yaw: float, speed: float, yaw_rate: float, wheelbase: float, dt: float
) -> tuple[float, float, float]:
    """Moves the rear axle along an arc; x, y are midway between the axles."""
    half = wheelbase / 2.0
    turn = yaw_rate * dt
    middle = yaw + turn / 2.0
    bend = turn / 2.0
    chord = speed * dt * (math.sin(bend) / bend if bend else 1.0)
    after = yaw + turn
    return (
        x + chord * math.cos(middle) + half * (math.cos(after) - math.cos(yaw)),
        y + chord * math.sin(middle) + half * (math.sin(after) - math.sin(yaw)),
        math.remainder(after, 2.0 * math.pi),
    )
