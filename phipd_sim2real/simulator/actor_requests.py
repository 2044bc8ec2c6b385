"""RPC methods on vehicles, walkers, props, traffic lights and signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phipd_sim2real.simulator import orders
from phipd_sim2real.simulator.methods import Answer, constant, method, order
from phipd_sim2real.simulator.physics import physics_control, telemetry
from phipd_sim2real.simulator.wire import read_vector
from phipd_sim2real.simulator.world import RequestError

if TYPE_CHECKING:
    from phipd_sim2real.simulator.connection import Connection
    from phipd_sim2real.simulator.server import Server

order("apply_control_to_vehicle", orders.control)
order("apply_ackermann_control_to_vehicle", orders.ackermann)
order("apply_control_to_walker", orders.walk)
order("apply_physics_control", orders.physics)
order("set_actor_transform", orders.place)
order("set_actor_location", orders.locate)
order("set_actor_target_velocity", orders.velocity)
order("set_actor_target_angular_velocity", orders.spin)
order("add_actor_impulse", orders.impulse)
order("add_actor_impulse_at_location", orders.impulse)
order("add_actor_force", orders.force)
order("add_actor_force_at_location", orders.force)
order("add_actor_angular_impulse", orders.angular_impulse)
order("add_actor_torque", orders.torque)
order("set_actor_simulate_physics", orders.simulate)
order("set_actor_collisions", orders.collisions)
order("set_vehicle_light_state", orders.lamps)
order("set_traffic_light_state", orders.show)
for _name in (
    "set_actor_autopilot",
    "set_actor_enable_gravity",
    "set_actor_dead",
    "show_vehicle_debug_telemetry",
    "open_vehicle_door",
    "close_vehicle_door",
    "set_wheel_pitch_angle",
):
    order(_name, orders.nothing)
for _name in ("enable_sensor_for_ros", "disable_sensor_for_ros"):
    constant(_name, Answer.VOID)
constant("is_sensor_enabled_for_ros", Answer.VALUE, False)


@method(Answer.VALUE)
def get_vehicle_light_states(server: Server, connection: Connection) -> list[Any]:
    return [[car.actor_id, car.light_state] for car in server.world.vehicles]


@method(Answer.VALUE)
def get_vehicle_light_state(server: Server, connection: Connection, actor_id: int) -> list[int]:
    return [server.world.vehicle(actor_id).light_state]


@method(Answer.VOID)
def enable_actor_constant_velocity(
    server: Server, connection: Connection, actor_id: int, velocity: list[float]
) -> None:
    server.world.vehicle(actor_id).constant_speed = read_vector(velocity)[0]


@method(Answer.VOID)
def disable_actor_constant_velocity(server: Server, connection: Connection, actor_id: int) -> None:
    server.world.vehicle(actor_id).constant_speed = None


@method(Answer.VALUE)
def get_physics_control(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return physics_control(server.world.vehicle(actor_id))


@method(Answer.VALUE)
def get_telemetry_data(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return telemetry(server.world.vehicle(actor_id))


@method(Answer.VALUE)
def get_ackermann_controller_settings(server: Server, connection: Connection, actor_id: int) -> list[float]:
    return list(server.world.vehicle(actor_id).ackermann)


@method(Answer.VOID)
def apply_ackermann_controller_settings(
    server: Server, connection: Connection, actor_id: int, gains: list[float]
) -> None:
    car = server.world.vehicle(actor_id)
    if len(gains) != len(car.ackermann):
        raise RequestError(f"an Ackermann controller has {len(car.ackermann)} gains, not {len(gains)}")
    car.ackermann = tuple(float(gain) for gain in gains)


@method(Answer.VALUE)
def get_wheel_steer_angle(server: Server, connection: Connection, actor_id: int, wheel: int) -> float:
    return server.world.vehicle(actor_id).wheel_angle(int(wheel))


@method(Answer.VOID)
def set_wheel_steer_direction(
    server: Server, connection: Connection, actor_id: int, wheel: int, degrees: float
) -> None:
    server.world.vehicle(actor_id).wheel_angles[int(wheel)] = float(degrees)


@method(Answer.VALUE)
def get_wheel_pitch_angle(server: Server, connection: Connection, actor_id: int, wheel: int) -> float:
    server.world.vehicle(actor_id)
    return 0.0


@method(Answer.VALUE)
def get_group_traffic_lights(server: Server, connection: Connection, actor_id: int) -> list[int]:
    lights = server.world.episode.lights
    return [light.actor_id for light in lights.cycle_of(server.world.traffic_light(actor_id)).lights]


@method(Answer.VALUE)
def get_light_boxes(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return [server.world.traffic_light(actor_id).lamp_box()]


def _set_time(server: Server, actor_id: int, name: str, seconds: float) -> None:
    if not 0.0 <= seconds < 1e6:
        raise RequestError(f"{name}={seconds:g} is not a time of 0…1e6 s")
    light = server.world.traffic_light(actor_id)
    for member in server.world.episode.lights.cycle_of(light).phase_of(light):
        setattr(member, name, float(seconds))


@method(Answer.VOID)
def set_traffic_light_green_time(server: Server, connection: Connection, actor_id: int, seconds: float) -> None:
    _set_time(server, actor_id, "green_s", seconds)


@method(Answer.VOID)
def set_traffic_light_yellow_time(server: Server, connection: Connection, actor_id: int, seconds: float) -> None:
    _set_time(server, actor_id, "yellow_s", seconds)


@method(Answer.VOID)
def set_traffic_light_red_time(server: Server, connection: Connection, actor_id: int, seconds: float) -> None:
    _set_time(server, actor_id, "red_s", seconds)


@method(Answer.VOID)
def freeze_traffic_light(server: Server, connection: Connection, actor_id: int, frozen: bool) -> None:
    server.world.episode.lights.cycle_of(server.world.traffic_light(actor_id)).freeze(bool(frozen))


@method(Answer.VOID)
def freeze_all_traffic_lights(server: Server, connection: Connection, frozen: bool) -> None:
    for cycle in server.world.episode.lights.cycles:
        cycle.freeze(bool(frozen))


@method(Answer.VOID)
def reset_traffic_light_group(server: Server, connection: Connection, actor_id: int) -> None:
    server.world.episode.lights.cycle_of(server.world.traffic_light(actor_id)).reset()


@method(Answer.VOID)
def reset_all_traffic_lights(server: Server, connection: Connection) -> None:
    for cycle in server.world.episode.lights.cycles:
        cycle.reset()
