"""What the simulator sends, as digests: `python benchmarks/same_bytes.py`, run under each interpreter or version.

Prints one JSON object; equal digests (SHA-256, shortened) mean equal bytes. `trajectories`, by map: place, speed,
turning and acceleration of every actor at every tick, as a client sees them while its Traffic Manager drives.
`pictures`, by map and look: each kind of camera in several weathers, lit head lamps in sight. Maps are ours or .xodr
files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.episode import CLEAR_NOON, EpisodeSettings
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.maps import read_map
from phipd_sim2real.simulator.process import simulator_process
from phipd_sim2real.simulator.sensing import due, expose
from phipd_sim2real.simulator.sensor_blueprints import CAMERAS
from phipd_sim2real.simulator.studio import Studio
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import World

if TYPE_CHECKING:
    import carla

DELTA_S = 0.05
CAR = [1, "vehicle.tesla.model3", []]
LOW_BEAM = 2
MOUNT = Transform((0.5, 0.0, 1.6))
WEATHERS = (
    CLEAR_NOON,
    (80.0, 60.0, 70.0, 10.0, 120.0, 25.0, 20.0, 5.0, 0.1, 80.0, *CLEAR_NOON[10:]),
    (20.0, 0.0, 0.0, 10.0, 0.0, -30.0, 2.0, 0.75, 0.1, 0.0, *CLEAR_NOON[10:]),
)
"""Noon, a wet evening and a night, as CARLA's 14 parameters."""


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", nargs="*", default=["Riverside01", "Meadow01"], help="of the pictures")
    parser.add_argument("--towns", nargs="*", default=["Market01"], help="of the trajectories")
    parser.add_argument("--looks", nargs="*", default=list(LOOKS), choices=list(LOOKS))
    parser.add_argument("--cars", type=int, default=30)
    parser.add_argument("--ticks", type=int, default=500)
    parser.add_argument("--size", type=int, nargs=2, default=(240, 160), metavar=("WIDTH", "HEIGHT"))
    options = parser.parse_args()
    said = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "trajectories": {Path(town).stem: trajectories(town, options.cars, options.ticks) for town in options.towns},
        "pictures": {
            f"{Path(name).stem} {look}": pictures(name, look, *options.size)
            for name in options.maps
            for look in options.looks
        },
    }
    print(json.dumps(said, indent=2))


def trajectories(map_name: str, cars: int, ticks: int) -> str:
    """Digest of a drive of the client's Traffic Manager with a fixed seed, on a server of its own."""
    import carla

    with simulator_process(map_name) as endpoint:
        client = carla.Client(endpoint.host, endpoint.port)
        client.set_timeout(120.0)
        world = client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, DELTA_S
        world.apply_settings(settings)
        manager = client.get_trafficmanager(_free_port())
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(1)
        world.tick(120.0)
        fleet = _fleet(world, cars)
        for car in fleet:
            car.set_autopilot(True, manager.get_port())
        digest = hashlib.sha256()
        for _ in range(ticks):
            world.tick(120.0)
            digest.update(_states(world.get_snapshot()))
        for car in fleet:
            car.set_autopilot(False, manager.get_port())
        world.tick(120.0)
        manager.set_synchronous_mode(False)
        manager.shut_down()
    return digest.hexdigest()[:16]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _fleet(world: carla.World, cars: int) -> list[carla.Vehicle]:
    kinds = [b for b in world.get_blueprint_library().filter("vehicle.*") if b.get_attribute("base_type") == "car"]
    kinds.sort(key=lambda blueprint: blueprint.id)
    points = world.get_map().get_spawn_points()
    chosen = [points[index * len(points) // cars] for index in range(cars)]
    return [world.spawn_actor(kinds[index % len(kinds)], point) for index, point in enumerate(chosen)]


def _states(snapshot: carla.WorldSnapshot) -> bytes:
    rows = [[snapshot.timestamp.elapsed_seconds] * 15]
    for actor in snapshot:
        pose = actor.get_transform()
        place, turn = pose.location, pose.rotation
        row = [place.x, place.y, place.z, turn.pitch, turn.yaw, turn.roll]
        for vector in (actor.get_velocity(), actor.get_angular_velocity(), actor.get_acceleration()):
            row += [vector.x, vector.y, vector.z]
        rows.append(row)
    return b"".join(np.array(row).tobytes() for row in rows)


def pictures(map_name: str, look: str, width: int, height: int) -> dict[str, str]:
    """Digest of all pictures of each kind of camera."""
    world, studio = _staged(map_name, look, width, height), Studio(tuple(LOOKS), seed=1)
    kinds = {sensor.stream_id: sensor.blueprint.type_id.rsplit(".", 1)[-1] for sensor in world.sensors}
    digests = {kind: hashlib.sha256() for kind in kinds.values()}
    for weather in WEATHERS:
        world.episode.weather = weather
        world.tick()
        exposure = expose(world, due(world, lambda stream_id: True), seed=1)
        for stream_id, payload in studio.develop(exposure):
            digests[kinds[stream_id]].update(payload)
    return {kind: digest.hexdigest()[:16] for kind, digest in digests.items()}


def _staged(map_name: str, look: str, width: int, height: int) -> World:
    """A car with one camera of each kind behind another, both driving."""
    world = World(read_map(map_name), library(tuple(LOOKS)), seed=1)
    world.settings = EpisodeSettings(synchronous=True, fixed_delta=DELTA_S)
    points = world.episode.roads.spawn_points
    cars = [world.vehicle(world.spawn(CAR, point).actor_id) for point in points[:6]]
    for car in cars:
        car.control, car.light_state = VehicleControl(throttle=0.5), LOW_BEAM
    size = [["image_size_x", 1, str(width)], ["image_size_y", 1, str(height)]]
    for kind in CAMERAS:
        own = [["look", 3, look]] if kind == "rgb" else []
        world.spawn([1, f"sensor.camera.{kind}", [*size, *own]], MOUNT, cars[0].actor_id)
    return world


if __name__ == "__main__":
    main()
