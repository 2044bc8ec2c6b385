"""How fast the simulator is: `python benchmarks/simulator.py --cars 30`.

Prints one JSON object. `ticks_per_s`: synchronous ticks of a bare connection, the world stream read as a client reads
it, cars rolling and no sensor; `server_ms`: processor time that such a tick takes of the server's process; `world_ms`:
of that, the world's tick and its snapshot.
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
from pathlib import Path
from typing import Any

import msgpack

from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.maps import read_map
from phipd_sim2real.simulator.process import Endpoint, simulator_process
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import World

DELTA_S = 0.05
CAR = [1, "vehicle.tesla.model3", []]
ROLLING = VehicleControl(throttle=0.04)
"""Slow enough that nobody reaches a bend while it is measured."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", default="Riverside01", help="one of ours or an .xodr file")
    parser.add_argument("--cars", type=int, default=30)
    parser.add_argument("--ticks", type=int, default=1000)
    options = parser.parse_args()
    print(json.dumps(measured(options.map, options.cars, options.ticks), indent=2))


def measured(map_name: str, cars: int, ticks: int) -> dict[str, Any]:
    """All figures."""
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
    begin, worked = time.perf_counter(), _processor_s(endpoint.pid)
    for _ in range(ticks):
        peer.call("tick_cue")
    rate, worked = ticks / (time.perf_counter() - begin), _processor_s(endpoint.pid) - worked
    return {"ticks_per_s": round(rate), "server_ms": round(worked / ticks * 1000.0, 3)}


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
    for _ in range(5):
        begin = time.process_time()
        for _ in range(ticks // 5):
            world.tick()
            world.snapshot()
        best = min(best, (time.process_time() - begin) / (ticks // 5))
    return round(best * 1000.0, 3)


if __name__ == "__main__":
    main()
