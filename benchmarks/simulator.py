"""How fast the simulator is: `python benchmarks/simulator.py --cars 30`.

Prints one JSON object. `ticks_per_s`: synchronous ticks of a bare connection, the world stream read as a client reads
it, cars rolling and no sensor; `server_ms`: processor time that such a tick takes of the server's process; `world_ms`:
of that, the world's tick and its snapshot. Each is the best of five rounds.

`pictures`, by map and look: `frames_per_s_per_core` of one camera with colours, depth, semantics and instances from
one pass at clear noon, other cars in sight; `ms`: processor time of such a frame; `rays_ms`: of bare casts of the same
rays, those to the sun included; `ratio`: of the two within a round. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.maps import read_map
from phipd_sim2real.simulator.process import Endpoint, simulator_process
from phipd_sim2real.simulator.scene import Geometry
from phipd_sim2real.simulator.sensing import due, expose
from phipd_sim2real.simulator.studio import Studio
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import World

DELTA_S = 0.05
ROUNDS = 5
MOUNT = Transform((0.5, 0.0, 1.6))
CAR = [1, "vehicle.tesla.model3", []]
ROLLING = VehicleControl(throttle=0.04)
"""Slow; who misses a bend all the same rolls into what stands there, at the cost that this has."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", default="Riverside01", help="one of ours or an .xodr file")
    parser.add_argument("--cars", type=int, default=30)
    parser.add_argument("--ticks", type=int, default=1000)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 320), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--frames", type=int, default=8, help="rounds of the pictures")
    parser.add_argument("--scenes", nargs="*", default=["Riverside01 source", "Meadow01 target"], help="map and look")
    options = parser.parse_args()
    figures = ticking(options.map, options.cars, options.ticks)
    figures["pictures"] = {scene: picturing(*scene.split(), *options.size, options.frames) for scene in options.scenes}
    print(json.dumps(figures, indent=2))


def ticking(map_name: str, cars: int, ticks: int) -> dict[str, Any]:
    """All figures of ticks."""
    with simulator_process(map_name) as endpoint:
        figures = bare_ticks(endpoint, cars, ticks)
    return {"map": Path(map_name).stem, "cars": cars, **figures, "world_ms": world_ms(map_name, cars, ticks)}


def bare_ticks(endpoint: Endpoint, cars: int, ticks: int) -> dict[str, float]:
    """Ticks of a connection that waits for each."""
    peer = Peer(endpoint.port)
    peer.call("set_episode_settings", [True, False, [True, DELTA_S], True, 0.01, 10, 0.0, True, 0.0, 0.0, True])
    points = peer.call("get_map_info")[0][1][1]
    for index in range(cars):
        actor = peer.call("spawn_actor", CAR, points[index * len(points) // cars])[0][1]
        peer.call("apply_control_to_vehicle", actor[0], list(ROLLING))
    stream_id, stream_port = struct.unpack_from("<IH", peer.call("get_sensor_token", 1)[0][1][0])
    threading.Thread(target=_swallow, args=(stream_id, stream_port), daemon=True).start()
    peer.call("tick_cue")
    rates, costs = zip(*(_round(peer, endpoint.pid, ticks // ROUNDS) for _ in range(ROUNDS)), strict=True)
    return {"ticks_per_s": round(max(rates)), "server_ms": round(min(costs), 3)}


def _round(peer: Peer, pid: int, ticks: int) -> tuple[float, float]:
    """Ticks per second, and the server's processor time of one, milliseconds."""
    begin, worked = time.perf_counter(), _processor_s(pid)
    for _ in range(ticks):
        peer.call("tick_cue")
    return ticks / (time.perf_counter() - begin), (_processor_s(pid) - worked) / ticks * 1000.0


def _processor_s(pid: int) -> float:
    """Processor time that a process has used, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _swallow(stream_id: int, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(struct.pack("<I", stream_id))
        while stream.recv(1 << 20):
            pass


class Peer:
    """A bare RPC connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unpacker, self._id = msgpack.Unpacker(raw=False), 0

    def call(self, method: str, *arguments: Any) -> Any:
        """Asks and waits."""
        self._id += 1
        self._socket.sendall(msgpack.packb([0, self._id, method, [[False], *arguments]]))
        while True:
            for reply in self._unpacker:
                return reply[3]
            self._unpacker.feed(self._socket.recv(1 << 16))


def world_ms(map_name: str, cars: int, ticks: int) -> float:
    """Processor time of a world tick with its snapshot, milliseconds; the best of five rounds."""
    world = World(read_map(map_name), library(tuple(LOOKS)))
    world.settings = EpisodeSettings(synchronous=True, fixed_delta=DELTA_S)
    points = world.episode.roads.spawn_points
    for index in range(cars):
        car = world.spawn(CAR, Transform(*points[index * len(points) // cars]))
        world.vehicle(car.actor_id).control = ROLLING
    world.tick()
    best = math.inf
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(ticks // ROUNDS):
            world.tick()
            world.snapshot()
        best = min(best, (time.process_time() - begin) / (ticks // ROUNDS))
    return round(best * 1000.0, 3)


def picturing(map_name: str, look: str, width: int, height: int, frames: int) -> dict[str, float]:
    """All figures of pictures of one map in one look; the first frame, which builds the scene, does not count."""
    studio, world = Studio(tuple(LOOKS), seed=0), driven(map_name, look, width, height)
    rays = _Rays()
    spent = []
    for _ in range(frames + 1):
        world.tick()
        exposure = expose(world, due(world, lambda stream_id: True), seed=0)
        with rays.noted():
            begin = time.process_time()
            studio.develop(exposure)
            whole = time.process_time() - begin
        spent.append((whole, rays.cast_again()))
    whole, bare = np.array(spent[1:]).T
    return {
        "frames_per_s_per_core": round(float(1.0 / np.median(whole)), 2),
        "ms": round(float(np.median(whole)) * 1000.0, 1),
        "rays_ms": round(float(np.median(bare)) * 1000.0, 1),
        "ratio": round(float(np.median(whole / bare)), 2),
    }


def driven(map_name: str, look: str, width: int, height: int) -> World:
    """Six cars that drive one behind another, the first of them with four cameras."""
    world = World(read_map(map_name), library(tuple(LOOKS)))
    world.settings = EpisodeSettings(synchronous=True, fixed_delta=DELTA_S)
    cars = [world.vehicle(world.spawn(CAR, point).actor_id) for point in world.episode.roads.spawn_points[:6]]
    for car in cars:
        car.control = VehicleControl(throttle=0.5)
    size = [["image_size_x", 1, str(width)], ["image_size_y", 1, str(height)]]
    for kind in ("rgb", "depth", "semantic_segmentation", "instance_segmentation"):
        own = [["look", 3, look]] if kind == "rgb" else []
        world.spawn([1, f"sensor.camera.{kind}", [*size, *own]], MOUNT, cars[0].actor_id)
    return world


class _Rays:
    """Notes every cast of a frame, and casts the same rays again with nothing around it."""

    def __init__(self) -> None:
        self._casts: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes the casts within the block."""
        cast, blocked, casts = Geometry.cast, Geometry.blocked, self._casts
        casts.clear()
        Geometry.cast = lambda *rays: casts.append((cast, rays)) or cast(*rays)  # type: ignore[method-assign]
        Geometry.blocked = lambda *rays: casts.append((blocked, rays)) or blocked(*rays)  # type: ignore[method-assign]
        try:
            yield
        finally:
            Geometry.cast, Geometry.blocked = cast, blocked  # type: ignore[method-assign]

    def cast_again(self) -> float:
        """Processor time of the noted casts, seconds."""
        begin = time.process_time()
        for call, rays in self._casts:
            call(*rays)
        return time.process_time() - begin


if __name__ == "__main__":
    main()
