"""The RPC methods by name: what each takes from the message, does to the world, and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from phipd_sim2real.simulator import wire
from phipd_sim2real.simulator.commands import apply_command
from phipd_sim2real.simulator.maps import FOLDER, MAPS, RoadMap, read_map
from phipd_sim2real.simulator.physics import physics_control, telemetry
from phipd_sim2real.simulator.wire import Transform, VehicleControl, read_vector
from phipd_sim2real.simulator.world import WORLD_STREAM, EpisodeSettings, RequestError, require_attachment

if TYPE_CHECKING:
    from phipd_sim2real.simulator.server import Connection, Server


class Answer(Enum):
    """How a method's result is wrapped."""

    VALUE, VOID, BARE = "value", "void", "bare"


@dataclass(frozen=True)
class Method:
    """A method: its wrapping, and a function of (server, connection, arguments…), plain or async."""

    answer: Answer
    call: Callable[..., Any | Awaitable[Any]]


METHODS: dict[str, Method] = {}


def _method(answer: Answer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        METHODS[function.__name__] = Method(answer, function)
        return function

    return register


def _constant(name: str, answer: Answer, value: Any = None) -> None:
    METHODS[name] = Method(answer, lambda server, connection, *arguments: value)


# What a world of roads and cars has none of, and what has no effect in it.
_EMPTY = (
    "get_required_files",
    "query_lights_state",
    "get_environment_objects",
    "get_all_level_BBs",
    "get_light_boxes",
    "get_names_of_all_objects",
    "get_group_traffic_lights",
)
_WITHOUT_EFFECT = (
    "reset_all_traffic_lights",
    "freeze_all_traffic_lights",
    "update_lights_state",
    "draw_debug_shape",
    "set_actor_autopilot",
    "set_actor_collisions",
    "set_actor_enable_gravity",
    "enable_sensor_for_ros",
    "disable_sensor_for_ros",
)
for _name in _EMPTY:
    _constant(_name, Answer.VALUE, [])
for _name in _WITHOUT_EFFECT:
    _constant(_name, Answer.VOID)
_constant("version", Answer.VALUE, wire.VERSION)


@_method(Answer.VALUE)
def get_episode_info(server: Server, connection: Connection) -> list[Any]:
    return [server.world.episode.episode_id, [wire.stream_token(WORLD_STREAM, server.streams.port)]]


@_method(Answer.VALUE)
def get_sensor_token(server: Server, connection: Connection, stream_id: int) -> list[bytes]:
    server.streams.promise(stream_id)
    return [wire.stream_token(stream_id, server.streams.port)]


@_method(Answer.VALUE)
def get_episode_settings(server: Server, connection: Connection) -> list[Any]:
    server.pacer.settings_asked()
    return server.world.settings.wire()


@_method(Answer.VALUE)
def set_episode_settings(server: Server, connection: Connection, fields: list[Any]) -> int:
    settings = EpisodeSettings.read(fields)
    if settings.fixed_delta is not None and not 0.001 <= settings.fixed_delta <= 1.0:
        raise RequestError(f"fixed_delta_seconds={settings.fixed_delta:g} is outside 0.001…1 s")
    server.world.settings = settings
    return server.world.frame


@_method(Answer.VALUE)
def get_map_info(server: Server, connection: Connection) -> list[Any]:
    episode = server.world.episode
    return [episode.map.name, [point.wire() for point in episode.roads.spawn_points]]


@_method(Answer.VALUE)
def get_map_data(server: Server, connection: Connection) -> str:
    return server.world.episode.map.xodr


@_method(Answer.VALUE)
def get_available_maps(server: Server, connection: Connection) -> list[str]:
    own = server.start_map.name
    return sorted({own, *(f"{FOLDER}/{name}" for name in MAPS)})


@_method(Answer.VALUE)
def get_actor_definitions(server: Server, connection: Connection) -> list[Any]:
    return [blueprint.wire() for blueprint in server.world.blueprints.values()]


@_method(Answer.VALUE)
async def tick_cue(server: Server, connection: Connection) -> int:
    return await server.tick()


@_method(Answer.VALUE)
def get_spectator(server: Server, connection: Connection) -> list[Any]:
    spectator = next(iter(server.world.episode.actors.values()))
    return spectator.wire(server.streams.port)


@_method(Answer.VALUE)
def spawn_actor(server: Server, connection: Connection, description: list[Any], place: list[Any]) -> list[Any]:
    return server.world.spawn(description, Transform.read(place)).wire(server.streams.port)


@_method(Answer.VALUE)
def spawn_actor_with_parent(
    server: Server,
    connection: Connection,
    description: list[Any],
    place: list[Any],
    parent_id: int,
    attachment: int,
    socket_name: str = "",
) -> list[Any]:
    require_attachment(attachment)
    return server.world.spawn(description, Transform.read(place), parent_id).wire(server.streams.port)


@_method(Answer.VALUE)
def destroy_actor(server: Server, connection: Connection, actor_id: int) -> bool:
    return server.world.destroy(actor_id)


@_method(Answer.VALUE)
def get_actors_by_id(server: Server, connection: Connection, ids: list[int]) -> list[Any]:
    actors = server.world.episode.actors
    return [actors[actor_id].wire(server.streams.port) for actor_id in ids if actor_id in actors]


@_method(Answer.VALUE)
def get_actor_bounding_box(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return server.world.actor(actor_id).bounding_box()


@_method(Answer.VOID)
async def load_new_episode(
    server: Server, connection: Connection, name: str, reset_settings: bool = True, layers: int = 0
) -> None:
    await server.load(_map_to_load(server, name), reset_settings)


def _map_to_load(server: Server, name: str) -> RoadMap:
    """An empty name is the running map; a name from outside never opens a file."""
    episode, short = server.world.episode, name.rsplit("/", 1)[-1]
    if not name:
        return episode.map
    if short == server.start_map.name.rsplit("/", 1)[-1]:
        return server.start_map
    if server.uploaded is not None and short == "OpenDriveMap":
        return server.uploaded
    if short not in MAPS:
        raise RequestError(f"there is no map {name!r}; the maps are {', '.join(sorted(MAPS))}")
    return read_map(short)


@_method(Answer.VOID)
def copy_opendrive_to_file(server: Server, connection: Connection, xodr: str, parameters: list[Any]) -> None:
    if "<OpenDRIVE" not in xodr:
        raise RequestError("the text holds no <OpenDRIVE> element")
    server.uploaded = RoadMap(f"{FOLDER}/OpenDriveMap", xodr)


@_method(Answer.VALUE)
def is_traffic_manager_running(server: Server, connection: Connection, port: int) -> bool:
    return port in server.traffic_managers


@_method(Answer.VALUE)
def get_traffic_manager_running(server: Server, connection: Connection, port: int) -> list[Any]:
    if port not in server.traffic_managers:
        raise RequestError(f"there is no traffic manager on port {port}")
    return [server.traffic_managers[port].host, port]


@_method(Answer.VALUE)
def add_traffic_manager_running(server: Server, connection: Connection, address: list[Any]) -> bool:
    return server.add_traffic_manager(str(address[0]), int(address[1]), connection)


@_method(Answer.VALUE)
def destroy_traffic_manager(server: Server, connection: Connection, port: int) -> bool:
    return server.traffic_managers.pop(port, None) is not None


@_method(Answer.BARE)
async def apply_batch(server: Server, connection: Connection, commands: list[Any], tick: bool = False) -> list[Any]:
    results = [_apply(server, command) for command in commands]
    if tick:
        await server.tick()
    elif server.traffic_managers:
        await server.pacer.rest()
    return results


def _apply(server: Server, command: list[Any]) -> list[Any]:
    try:
        kind, fields = command[0]
        return wire.value_reply(apply_command(server.world, kind, fields))
    except RequestError as error:
        return wire.value_refusal(str(error))


@_method(Answer.VALUE)
def get_weather_parameters(server: Server, connection: Connection) -> list[float]:
    return list(server.world.episode.weather)


@_method(Answer.VOID)
def set_weather_parameters(server: Server, connection: Connection, weather: list[float]) -> None:
    count = len(server.world.episode.weather)
    if len(weather) != count:
        raise RequestError(f"weather has {len(weather)} parameters, not {count}")
    server.world.episode.weather = tuple(float(value) for value in weather)


@_method(Answer.VALUE)
def get_vehicle_light_states(server: Server, connection: Connection) -> list[Any]:
    return [[car.actor_id, car.light_state] for car in server.world.vehicles]


@_method(Answer.VALUE)
def get_vehicle_light_state(server: Server, connection: Connection, actor_id: int) -> list[int]:
    return [server.world.vehicle(actor_id).light_state]


@_method(Answer.VOID)
def set_vehicle_light_state(server: Server, connection: Connection, actor_id: int, state: list[int]) -> None:
    server.world.vehicle(actor_id).light_state = int(state[0])


@_method(Answer.VOID)
def apply_control_to_vehicle(server: Server, connection: Connection, actor_id: int, control: list[Any]) -> None:
    server.world.vehicle(actor_id).control = VehicleControl.read(control)


@_method(Answer.VOID)
def set_actor_transform(server: Server, connection: Connection, actor_id: int, place: list[Any]) -> None:
    server.world.place(actor_id, Transform.read(place))


@_method(Answer.VOID)
def set_actor_location(server: Server, connection: Connection, actor_id: int, location: list[float]) -> None:
    rotation = server.world.actor(actor_id).transform.rotation
    server.world.place(actor_id, Transform(read_vector(location), rotation))


@_method(Answer.VOID)
def set_actor_target_velocity(server: Server, connection: Connection, actor_id: int, velocity: list[float]) -> None:
    server.world.vehicle(actor_id).push(read_vector(velocity))


@_method(Answer.VOID)
def enable_actor_constant_velocity(
    server: Server, connection: Connection, actor_id: int, velocity: list[float]
) -> None:
    server.world.vehicle(actor_id).constant_speed = read_vector(velocity)[0]


@_method(Answer.VOID)
def disable_actor_constant_velocity(server: Server, connection: Connection, actor_id: int) -> None:
    server.world.vehicle(actor_id).constant_speed = None


@_method(Answer.VOID)
def set_actor_simulate_physics(server: Server, connection: Connection, actor_id: int, enabled: bool) -> None:
    server.world.vehicle(actor_id).simulated = bool(enabled)


@_method(Answer.VALUE)
def get_physics_control(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return physics_control(server.world.vehicle(actor_id))


@_method(Answer.VALUE)
def get_telemetry_data(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return telemetry(server.world.vehicle(actor_id))
