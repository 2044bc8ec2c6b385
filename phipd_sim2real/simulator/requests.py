"""RPC methods of the session: episodes, settings, maps, ticks, spawning, batches, Traffic Managers and weather."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from phipd_sim2real.simulator import wire
from phipd_sim2real.simulator.commands import apply_command, require_attachment
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.maps import FOLDER, MAPS, RoadMap, read_map
from phipd_sim2real.simulator.methods import Answer, constant, method
from phipd_sim2real.simulator.wire import Transform
from phipd_sim2real.simulator.world import WORLD_STREAM, RequestError

if TYPE_CHECKING:
    from phipd_sim2real.simulator.connection import Connection
    from phipd_sim2real.simulator.server import Server


constant("version", Answer.VALUE, wire.VERSION)


@method(Answer.VALUE)
def get_episode_info(server: Server, connection: Connection) -> list[Any]:
    return [server.world.episode.episode_id, [wire.stream_token(WORLD_STREAM, server.streams.port)]]


@method(Answer.VALUE)
def get_sensor_token(server: Server, connection: Connection, stream_id: int) -> list[bytes]:
    server.streams.promise(stream_id)
    return [wire.stream_token(stream_id, server.streams.port)]


@method(Answer.VALUE)
def get_episode_settings(server: Server, connection: Connection) -> list[Any]:
    server.pacer.settings_asked()
    return server.world.settings.wire()


@method(Answer.VALUE)
def set_episode_settings(server: Server, connection: Connection, fields: list[Any]) -> int:
    settings = EpisodeSettings.read(fields)
    if settings.fixed_delta is not None and not 0.001 <= settings.fixed_delta <= 1.0:
        raise RequestError(f"fixed_delta_seconds={settings.fixed_delta:g} is outside 0.001…1 s")
    server.world.settings = settings
    return server.world.frame


@method(Answer.VALUE)
def get_map_info(server: Server, connection: Connection) -> list[Any]:
    episode = server.world.episode
    return [episode.map.name, [point.wire() for point in episode.roads.spawn_points]]


@method(Answer.VALUE)
def get_map_data(server: Server, connection: Connection) -> str:
    return server.world.episode.map.xodr


@method(Answer.VALUE)
def get_available_maps(server: Server, connection: Connection) -> list[str]:
    own = server.start_map.name
    return sorted({own, *(f"{FOLDER}/{name}" for name in MAPS)})


@method(Answer.VALUE)
def get_actor_definitions(server: Server, connection: Connection) -> list[Any]:
    return [blueprint.wire() for blueprint in server.world.blueprints.values()]


@method(Answer.VALUE)
def tick_cue(server: Server, connection: Connection) -> int | Awaitable[int]:
    server.ticker = connection
    return server.advance() if server.at_rest else server.tick()


@method(Answer.VALUE)
def get_spectator(server: Server, connection: Connection) -> list[Any]:
    spectator = next(iter(server.world.episode.actors.values()))
    return spectator.wire(server.streams.port)


@method(Answer.VALUE)
def spawn_actor(server: Server, connection: Connection, description: list[Any], place: list[Any]) -> list[Any]:
    return server.world.spawn(description, Transform.read(place)).wire(server.streams.port)


@method(Answer.VALUE)
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


@method(Answer.VALUE)
def destroy_actor(server: Server, connection: Connection, actor_id: int) -> bool:
    return server.world.destroy(actor_id)


@method(Answer.VALUE)
def get_actors_by_id(server: Server, connection: Connection, ids: list[int]) -> list[Any]:
    actors = server.world.episode.actors
    return [actors[actor_id].wire(server.streams.port) for actor_id in ids if actor_id in actors]


@method(Answer.VALUE)
def get_actor_bounding_box(server: Server, connection: Connection, actor_id: int) -> list[Any]:
    return server.world.actor(actor_id).bounding_box()


@method(Answer.VOID)
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


@method(Answer.VOID)
def copy_opendrive_to_file(server: Server, connection: Connection, xodr: str, parameters: list[Any]) -> None:
    if "<OpenDRIVE" not in xodr:
        raise RequestError("the text holds no <OpenDRIVE> element")
    server.uploaded = RoadMap(f"{FOLDER}/OpenDriveMap", xodr)


@method(Answer.VALUE)
def is_traffic_manager_running(server: Server, connection: Connection, port: int) -> bool:
    return port in server.traffic_managers


@method(Answer.VALUE)
def get_traffic_manager_running(server: Server, connection: Connection, port: int) -> list[Any]:
    if port not in server.traffic_managers:
        raise RequestError(f"there is no traffic manager on port {port}")
    return [server.traffic_managers[port].host, port]


@method(Answer.VALUE)
def add_traffic_manager_running(server: Server, connection: Connection, address: list[Any]) -> bool:
    return server.add_traffic_manager(str(address[0]), int(address[1]), connection)


@method(Answer.VALUE)
def destroy_traffic_manager(server: Server, connection: Connection, port: int) -> bool:
    return server.traffic_managers.pop(port, None) is not None


@method(Answer.BARE)
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


@method(Answer.VALUE)
def get_weather_parameters(server: Server, connection: Connection) -> list[float]:
    return list(server.world.episode.weather)


@method(Answer.VOID)
def set_weather_parameters(server: Server, connection: Connection, weather: list[float]) -> None:
    count = len(server.world.episode.weather)
    if len(weather) != count:
        raise RequestError(f"weather has {len(weather)} parameters, not {count}")
    server.world.episode.weather = tuple(float(value) for value in weather)
