"""Orders to actors that come as calls and as batch commands alike: each takes the world, an actor's id and fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from phipd_sim2real.simulator.dynamics import Target
from phipd_sim2real.simulator.physics import apply_physics
from phipd_sim2real.simulator.traffic_lights import LightState
from phipd_sim2real.simulator.walkers import WalkerControl
from phipd_sim2real.simulator.wire import Transform, VehicleControl, read_vector
from phipd_sim2real.simulator.world import World


def control(world: World, actor_id: int, fields: Sequence[Any]) -> None:
    """Pedals and wheel."""
    car = world.vehicle(actor_id)
    car.control, car.target = VehicleControl.read(fields), None


def ackermann(world: World, actor_id: int, fields: Sequence[Any]) -> None:
    """Speed and wheel angle to be reached; jerk has no effect."""
    steer, steer_speed, speed, acceleration, _ = (read_vector((value, 0.0, 0.0))[0] for value in fields)
    world.vehicle(actor_id).target = Target(steer, abs(steer_speed), speed, abs(acceleration))


def walk(world: World, actor_id: int, fields: Sequence[Any]) -> None:
    """A walker's direction and speed."""
    walker = world.walker(actor_id)
    walker.control, walker.carried = WalkerControl.read(fields), False


def carry(world: World, actor_id: int, place: Sequence[Any], speed: float) -> None:
    """A walker's place and speed, as the client's crowd gives them."""
    world.walker(actor_id).carry(Transform.read(place), float(speed))


def physics(world: World, actor_id: int, fields: Sequence[Any]) -> None:
    """A vehicle's `VehiclePhysicsControl`."""
    apply_physics(world.vehicle(actor_id), fields)


def place(world: World, actor_id: int, fields: Sequence[Any]) -> None:
    """Pose; of an attached actor, relative to its parent."""
    world.place(actor_id, Transform.read(fields))


def locate(world: World, actor_id: int, location: Sequence[float]) -> None:
    """Location, the rotation stays."""
    world.place(actor_id, Transform(read_vector(location), world.actor(actor_id).transform.rotation))


def velocity(world: World, actor_id: int, fields: Sequence[float]) -> None:
    """Velocity in the world, m/s."""
    world.solid(actor_id).push(read_vector(fields))


def spin(world: World, actor_id: int, fields: Sequence[float]) -> None:
    """Angular velocity, degrees/s, for the next tick; only the turn about the vertical acts."""
    world.vehicle(actor_id).spin = math.radians(read_vector(fields)[2])


def impulse(world: World, actor_id: int, fields: Sequence[float], where: Sequence[float] | None = None) -> None:
    """Impulse in the world, N·s; it acts on the middle wherever it is given."""
    world.solid(actor_id).kick(read_vector(fields))


def force(world: World, actor_id: int, fields: Sequence[float], where: Sequence[float] | None = None) -> None:
    """Force in the world, N, over one tick."""
    world.solid(actor_id).kick([value * world.delta_s for value in read_vector(fields)])


def angular_impulse(world: World, actor_id: int, fields: Sequence[float]) -> None:
    """Angular impulse, N·m·s; only that about the vertical acts."""
    car = world.vehicle(actor_id)
    half_length, half_width, _ = car.body.half_size
    inertia = car.weight * (half_length**2 + half_width**2) / 3.0
    car.spin += read_vector(fields)[2] / inertia


def torque(world: World, actor_id: int, fields: Sequence[float]) -> None:
    """Torque, N·m, over one tick."""
    angular_impulse(world, actor_id, [value * world.delta_s for value in read_vector(fields)])


def simulate(world: World, actor_id: int, enabled: bool) -> None:
    """Physics on or off."""
    world.solid(actor_id).simulated = bool(enabled)


def collisions(world: World, actor_id: int, enabled: bool) -> None:
    """Whether others run into it."""
    world.solid(actor_id).collides = bool(enabled)


def lamps(world: World, actor_id: int, state: int | Sequence[int]) -> None:
    """A vehicle's light flags."""
    world.vehicle(actor_id).light_state = int(state if isinstance(state, int) else state[0])


def show(world: World, actor_id: int, state: int) -> None:
    """A traffic light's state."""
    world.traffic_light(actor_id).show(LightState(state))


def nothing(world: World, actor_id: int, *_: Any) -> None:
    """An order that a world without its object takes: gravity never stops, telemetry is not drawn."""
    world.actor(actor_id)
