"""A world of a CARLA server, held in synchronous mode and left as it was found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phipd_sim2real.capture.connection import CALL_LIMIT_S, LEAVE_LIMIT_S, free_port
from phipd_sim2real.errors import StageError

if TYPE_CHECKING:
    import carla


@dataclass(frozen=True)
class WorldMode:
    """Settings of a world that a capture changes and puts back."""

    synchronous: bool
    fixed_delta_s: float | None
    substep_delta_s: float
    substeps: int


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
        self._vehicles: list[carla.Vehicle] = []

    @property
    def vehicles(self) -> Sequence[carla.Vehicle]:
        """Those that were spawned, in this order."""
        return self._vehicles

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
        self._vehicles.append(vehicle)
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
        for vehicle in self._vehicles:
            vehicle.destroy()
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


def _hold(world: carla.World, delta_s: float) -> None:
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = delta_s
    settings.max_substep_delta_time = 0.01
    settings.max_substeps = max(settings.max_substeps, math.ceil(delta_s / 0.01 - 1e-9))
    world.apply_settings(settings)
