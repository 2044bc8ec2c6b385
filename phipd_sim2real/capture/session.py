"""A connection to a CARLA server: made patiently, checked, and left as it was found."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phipd_sim2real.errors import StageError, UsageError

if TYPE_CHECKING:
    import carla

FIRST_ANSWER_S = 2.0
CALL_LIMIT_S = 60.0
"""A real server needs tens of seconds to load a map."""
LEAVE_LIMIT_S = 5.0
"""Tidying up does not wait long for a server that may be gone."""


@dataclass(frozen=True)
class ServerInfo:
    """What a server says of itself.

    Attributes:
        version: of CARLA's protocol.
        domain: `carla`, or `carla-protocol simulator` where the blueprints say that pictures are synthetic.
        maps: names of its maps.
        vehicles: blueprints of vehicles.
        looks: families of appearance; CARLA has none.
    """

    version: str
    domain: str
    maps: tuple[str, ...]
    vehicles: tuple[str, ...]
    looks: tuple[str, ...]

    @property
    def is_embedded(self) -> bool:
        """Whether it is our simulator."""
        return self.domain != "carla"


@dataclass(frozen=True)
class WorldMode:
    """Settings of a world that a capture changes and puts back."""

    synchronous: bool
    fixed_delta_s: float | None
    substep_delta_s: float
    substeps: int


def connect(host: str, port: int, wait_s: float) -> carla.Client:
    """Connects to a server and checks its version.

    A client made before the server listens never connects, so every try makes a new one.

    Args:
        host: name or address.
        port: RPC port.
        wait_s: how long to try.

    Raises:
        UsageError: nobody answers, or the server's version is not the client's.
    """
    carla = import_carla()
    deadline = time.monotonic() + wait_s
    while True:
        client = carla.Client(host, port)
        client.set_timeout(min(FIRST_ANSWER_S, wait_s))
        try:
            server = client.get_server_version()
            break
        except RuntimeError:
            if time.monotonic() > deadline:
                raise UsageError(
                    f"No CARLA server answered at {host}:{port} within {wait_s:g} s; start one there, "
                    "or set endpoint to 'embedded' for the simulator that comes with this package."
                ) from None
    if server != client.get_client_version():
        raise UsageError(
            f"The server at {host}:{port} is CARLA {server} and the client is {client.get_client_version()}; "
            f"start a server of version {client.get_client_version()}."
        )
    client.set_timeout(CALL_LIMIT_S)
    return client


def import_carla() -> Any:
    """The carla module.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import carla
    except ImportError as error:
        raise UsageError(
            "The carla package is missing; run `make setup`, or pip install 'phipd-sim2real[carla]'."
        ) from error
    return carla


def server_info(client: carla.Client) -> ServerInfo:
    """Asks a server what it is."""
    library = client.get_world().get_blueprint_library()
    camera = library.find("sensor.camera.rgb")
    looks = camera.get_attribute("look").recommended_values if camera.has_attribute("look") else ()
    return ServerInfo(
        version=client.get_server_version(),
        domain="carla-protocol simulator" if camera.has_attribute("synthetic") else "carla",
        maps=tuple(sorted(client.get_available_maps())),
        vehicles=tuple(sorted(blueprint.id for blueprint in library.filter("vehicle.*"))),
        looks=tuple(looks),
    )


def semantic_labels() -> dict[int, str]:
    """The client's CityObjectLabel: id in semantic pictures -> name. Ids have moved between versions of CARLA."""
    names = {int(label): name for name, label in import_carla().CityObjectLabel.names.items()}
    return dict(sorted(names.items()))


def world_mode(client: carla.Client) -> WorldMode:
    """The settings that `episode` will change, to be put back later."""
    settings = client.get_world().get_settings()
    return WorldMode(
        settings.synchronous_mode,
        settings.fixed_delta_seconds,
        settings.max_substep_delta_time,
        settings.max_substeps,
    )


def restore_mode(client: carla.Client, mode: WorldMode) -> None:
    """Puts the settings of the world back, so that a server shared with others does not stand still."""
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode = mode.synchronous
    settings.fixed_delta_seconds = mode.fixed_delta_s
    settings.max_substep_delta_time = mode.substep_delta_s
    settings.max_substeps = mode.substeps
    world.apply_settings(settings)


class Episode:
    """A freshly loaded world in synchronous mode, with a Traffic Manager of its own.

    Made by `episode`. Actors and sensors made through it are removed at its end, in the one order in which
    the client is known not to crash: autopilots off, tick, sensors stopped, actors destroyed, tick, Traffic
    Manager out of synchronous mode and shut down, world out of synchronous mode.

    Attributes:
        world: the world.
        map: its map.
        traffic_manager: in synchronous mode, seeded.
        delta_s: simulated time per tick.
    """

    def __init__(
        self, world: carla.World, map_: carla.Map, traffic_manager: carla.TrafficManager, delta_s: float
    ) -> None:
        self.world = world
        self.map = map_
        self.traffic_manager = traffic_manager
        self.delta_s = delta_s
        self._driven: list[carla.Vehicle] = []
        self._sensors: list[carla.Sensor] = []
        self._actors: list[carla.Actor] = []

    def tick(self) -> carla.WorldSnapshot:
        """Advances the world by one step and returns the snapshot of that very step."""
        frame = self.world.tick(CALL_LIMIT_S)
        snapshot = self.world.get_snapshot()
        if snapshot.frame != frame:
            raise StageError(f"The world is at frame {snapshot.frame} after tick {frame}; somebody else ticks it too.")
        return snapshot

    def spawn_vehicle(
        self, blueprint: carla.ActorBlueprint, transform: carla.Transform, autopilot: bool = True
    ) -> carla.Vehicle | None:
        """Spawns a vehicle, driven by the Traffic Manager or not; None where something stands in the way."""
        vehicle = self.world.try_spawn_actor(blueprint, transform)
        if vehicle is None:
            return None
        self._actors.append(vehicle)
        if autopilot:
            self._driven.append(vehicle)
            vehicle.set_autopilot(True, self.traffic_manager.get_port())
        return vehicle

    def spawn_sensor(
        self, blueprint: carla.ActorBlueprint, transform: carla.Transform, parent: carla.Actor
    ) -> carla.Sensor:
        """Spawns a sensor fixed to an actor."""
        sensor = self.world.spawn_actor(blueprint, transform, attach_to=parent)
        self._sensors.append(sensor)
        return sensor

    def remove_sensors(self) -> None:
        """Stops and destroys all sensors, in this order."""
        for sensor in self._sensors:
            sensor.stop()
        for sensor in self._sensors:
            sensor.destroy()
        self._sensors.clear()

    def clear(self) -> None:
        """Removes everything that was spawned."""
        for vehicle in self._driven:
            vehicle.set_autopilot(False, self.traffic_manager.get_port())
        self.world.tick(LEAVE_LIMIT_S)
        self.remove_sensors()
        for actor in self._actors:
            actor.destroy()
        self.world.tick(LEAVE_LIMIT_S)


@contextmanager
def episode(client: carla.Client, map_name: str, delta_s: float, seed: int, restore_to: WorldMode) -> Iterator[Episode]:
    """Loads a map afresh and holds it in synchronous mode.

    Args:
        client: from `connect`.
        map_name: one of the server's maps.
        delta_s: simulated time per tick.
        seed: of the Traffic Manager.
        restore_to: settings that the world gets back, whatever happens.
    """
    with ExitStack() as stack:
        world = client.load_world(map_name)
        stack.enter_context(synchronous(client, world, delta_s, restore_to))
        traffic_manager = client.get_trafficmanager(free_port())
        stack.callback(traffic_manager.shut_down)
        traffic_manager.set_synchronous_mode(True)
        stack.callback(traffic_manager.set_synchronous_mode, False)
        traffic_manager.set_random_device_seed(seed)
        # Its thread may still be in a turn that it began asynchronously, and would act once on the first cars.
        world.tick()
        held = Episode(world, world.get_map(), traffic_manager, delta_s)
        stack.callback(held.clear)
        try:
            yield held
        except BaseException:
            client.set_timeout(LEAVE_LIMIT_S)
            raise


@contextmanager
def synchronous(client: carla.Client, world: carla.World, delta_s: float, restore_to: WorldMode) -> Iterator[None]:
    """Holds a world in synchronous mode; afterwards it gets the settings `restore_to`, whatever happened."""
    try:
        _hold(world, delta_s)
        yield
    finally:
        restore_mode(client, restore_to)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, so that no two Traffic Managers meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _hold(world: carla.World, delta_s: float) -> None:
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = delta_s
    settings.max_substep_delta_time = 0.01
    settings.max_substeps = max(settings.max_substeps, math.ceil(delta_s / 0.01 - 1e-9))
    world.apply_settings(settings)
