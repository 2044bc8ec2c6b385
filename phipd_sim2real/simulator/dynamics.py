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
FULL_PUSH_M_S = DRIVE_W_KG / DRIVE_M_S2
"""Speed beyond which the engine's power bounds the push."""

BRAKE_M_S2 = 8.0
ROLLING_M_S2 = 0.15
DRAG_PER_M = 0.0006
GRIP_M_S2 = 2.0 * 9.81
"""What the tyres hold, sideways and lengthways together, as sticky as CARLA's friction of 3.5 asks for: the client's
Traffic Manager takes the corners of a town at 10 m/s, and on road tyres of one g it would meet the oncoming."""


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
    wheelbase, max_steer, grip, drag = mechanics
    push = min(1.0, max(0.0, control.throttle)) * (-1.0 if control.reverse else 1.0)
    brake = min(1.0, max(0.0, control.brake)) * BRAKE_M_S2 + (BRAKE_M_S2 if control.hand_brake else 0.0)
    resistance = min(grip, brake) + ROLLING_M_S2
    target = max_steer * min(1.0, max(-1.0, control.steer))
    fastest, bend, limit = STEER_RATE_RAD_S * dt, math.tan(steer), grip * grip
    pose = _Pose(x, y, yaw, wheelbase / 2.0)
    # The innermost loop of a tick: it asks for nothing twice and calls little.
    for _ in range(count):
        before = speed
        if steer != target:
            steer += min(fastest, max(-fastest, target - steer))
            bend = math.tan(steer)
        if push:
            fast = abs(speed)
            speed += push * (DRIVE_M_S2 if fast <= FULL_PUSH_M_S else DRIVE_W_KG / fast) * dt
        # Brakes and resistance stop a car but never push it back.
        loss = (resistance + drag * speed * speed) * dt
        speed = speed - loss if speed > loss else math.copysign(max(0.0, abs(speed) - loss), speed)
        yaw_rate = speed * bend / wheelbase
        sideways, lengthways = speed * yaw_rate, (speed - before) / dt
        if sideways * sideways + lengthways * lengthways > limit:
            yaw_rate = _held(yaw_rate, speed, lengthways, grip)
        pose.roll(speed * dt, yaw_rate * dt)
    return Motion(pose.x, pose.y, pose.yaw, speed, steer, yaw_rate)


def follow(motion: Motion, target: Target, mechanics: Mechanics, delta_s: float) -> Motion:
    """Advances a vehicle by one tick towards an Ackermann target, within what engine, brakes and tyres can."""
    count, dt = _substeps(delta_s)
    x, y, yaw, speed, steer, yaw_rate = motion
    turn_rate = min(target.steer_rate or STEER_RATE_RAD_S, STEER_RATE_RAD_S)
    wheel = min(mechanics.max_steer, max(-mechanics.max_steer, target.steer))
    pose = _Pose(x, y, yaw, mechanics.wheelbase / 2.0)
    for _ in range(count):
        steer += min(turn_rate * dt, max(-turn_rate * dt, wheel - steer))
        push = min(DRIVE_M_S2, DRIVE_W_KG / max(abs(speed), 1.0))
        slowing = abs(target.speed) < abs(speed) or target.speed * speed < 0.0
        most = min(abs(target.acceleration) or math.inf, BRAKE_M_S2 if slowing else push)
        change = min(most * dt, max(-most * dt, target.speed - speed))
        speed += change
        yaw_rate = speed * math.tan(steer) / mechanics.wheelbase
        if (speed * yaw_rate) ** 2 + (change / dt) ** 2 > mechanics.grip**2:
            yaw_rate = _held(yaw_rate, speed, change / dt, mechanics.grip)
        pose.roll(speed * dt, yaw_rate * dt)
    return Motion(pose.x, pose.y, pose.yaw, speed, steer, yaw_rate)


def coast(motion: Motion, speed: float, yaw_rate: float, wheelbase: float, delta_s: float) -> Motion:
    """Advances a vehicle at a prescribed speed (m/s) and yaw rate (rad/s), whatever its pedals say."""
    steer = math.atan2(yaw_rate * wheelbase, abs(speed)) if speed else 0.0
    turned = speed * math.tan(steer) / wheelbase
    pose = _Pose(motion.x, motion.y, motion.yaw, wheelbase / 2.0)
    pose.roll(speed * delta_s, turned * delta_s)
    return Motion(pose.x, pose.y, pose.yaw, speed, steer, turned)


def _substeps(delta_s: float) -> tuple[int, float]:
    count = max(1, math.ceil(delta_s / SUBSTEP_S - 1e-9))
    return count, delta_s / count


def _held(yaw_rate: float, speed: float, acceleration: float, grip: float) -> float:
    """The yaw rate that the tyres still hold: what they push lengthways they cannot hold sideways, and a car runs wide.

    Some hold sideways is left however hard it brakes.
    """
    sideways = math.sqrt(max(grip * grip - acceleration * acceleration, (0.3 * grip) ** 2))
    return math.copysign(min(abs(yaw_rate), sideways / max(abs(speed), 0.1)), yaw_rate)


class _Pose:
    """A place that rolls on arcs of the rear axle; x, y are `half` a wheelbase ahead of it."""

    __slots__ = ("_cos", "_half", "_sin", "x", "y", "yaw")

    def __init__(self, x: float, y: float, yaw: float, half: float) -> None:
        self.x, self.y, self.yaw, self._half = x, y, yaw, half
        self._cos, self._sin = math.cos(yaw), math.sin(yaw)

    def roll(self, way: float, turn: float) -> None:
        """Rolls along an arc of the given length (m) that turns by `turn` (radians)."""
        if turn == 0.0:
            self.x += way * self._cos
            self.y += way * self._sin
            return
        bend = turn / 2.0
        middle, after = self.yaw + bend, self.yaw + turn
        chord = way * (math.sin(bend) / bend)
        cos, sin = math.cos(after), math.sin(after)
        self.x = self.x + chord * math.cos(middle) + self._half * (cos - self._cos)
        self.y = self.y + chord * math.sin(middle) + self._half * (sin - self._sin)
        if abs(after) > math.pi:
            after = math.remainder(after, 2.0 * math.pi)
            cos, sin = math.cos(after), math.sin(after)
        self.yaw, self._cos, self._sin = after, cos, sin
