"""The client's Traffic Manager on a town, run after run: `python benchmarks/traffic.py TOWN.xodr[.gz] --runs 10`.

Every run is a client process of its own against one simulator: it loads the map afresh, spawns the cars, drives
them synchronously, and is given up as hung when it has said nothing for `--patience` seconds. Prints one JSON
object: `hangs`; `lane_error_*_m`, distance of a car's middle from its lane's on straights, the largest mean and the
worst of all runs; `crossed`, cars that passed a stop line, by what the light showed then; `stuck`, cars that stood for
the last 60 s; `hashes`, digests of all positions of all ticks by seed, one each where runs repeat.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.simulator.process import simulator_process

if TYPE_CHECKING:
    import carla

DELTA_S = 0.05
STRAIGHT_DEGREES, STRAIGHT_M = 0.5, 30.0
"""A lane that turns less than this over 10 m ahead and the metres behind is straight."""
SETTLING_TICKS = 100
STOOD_TICKS = 1200


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("town", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--cars", type=int, default=30)
    parser.add_argument("--ticks", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1, help="runs take seeds 1…N in turn")
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)  # the port, in the client's process
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client is not None:
        print(json.dumps(drive(options.client, options.cars, options.ticks, options.seed)))
        return
    with tempfile.TemporaryDirectory() as folder, simulator_process(str(_plain(options.town, Path(folder)))) as running:
        runs = [_one(running.port, options, 1 + index % options.seeds) for index in range(options.runs)]
    print(json.dumps(summary(runs), indent=2))


def _plain(town: Path, folder: Path) -> Path:
    if town.suffix != ".gz":
        return town
    plain = folder / town.stem
    plain.write_bytes(gzip.decompress(town.read_bytes()))
    return plain


def _one(port: int, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One run in a process of its own; what hangs is ended and counted."""
    command = [sys.executable, __file__, str(options.town), "--client", str(port), "--seed", str(seed)]
    command += ["--cars", str(options.cars), "--ticks", str(options.ticks)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        last = ""
        watch = _Watch(client, options.patience)
        for line in client.stdout:
            last = line
            watch.heard()
        watch.stop()
    result = json.loads(last) if client.returncode == 0 else {"failed": client.returncode, "hung": watch.fired}
    print(f"seed {seed}: {json.dumps(result)}", file=sys.stderr, flush=True)
    return result | {"seed": seed}


class _Watch:
    """Ends a process that has been silent for too long."""

    def __init__(self, process: subprocess.Popen[str], patience_s: float) -> None:
        self.fired = False
        self._process, self._patience_s = process, patience_s
        self._heard, self._end = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def heard(self) -> None:
        """Notes a sign of life."""
        self._heard = time.monotonic()

    def stop(self) -> None:
        """Ends the watch."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.5):
            if time.monotonic() - self._heard > self._patience_s:
                self.fired = True
                self._process.kill()
                return


def drive(port: int, cars: int, ticks: int, seed: int) -> dict[str, Any]:
    """One run of the client; says a line every 100 ticks."""
    import carla

    client = carla.Client("127.0.0.1", port)
    client.set_timeout(120.0)
    world = client.reload_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DELTA_S
    world.apply_settings(settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        manager_port = probe.getsockname()[1]
    manager = client.get_trafficmanager(manager_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(seed)
    world.tick()
    fleet = _spawn(world, cars, seed)
    for car in fleet:
        car.set_autopilot(True, manager_port)
    run = Run(world, fleet)
    begin = time.monotonic()
    for tick in range(ticks):
        world.tick(120.0)
        run.observe(tick)
        if tick % 100 == 0:
            print(json.dumps(tick), flush=True)
    run.seconds = time.monotonic() - begin
    for car in fleet:
        car.set_autopilot(False, manager_port)
    world.tick()
    for car in fleet:
        car.destroy()
    world.tick()
    manager.set_synchronous_mode(False)
    manager.shut_down()
    settings.synchronous_mode = False
    world.apply_settings(settings)
    return run.result(ticks)


def _spawn(world: carla.World, cars: int, seed: int) -> list[carla.Vehicle]:
    """Four-wheeled vehicles at spawn points spread over the map."""
    library = world.get_blueprint_library().filter("vehicle.*")
    kinds = sorted((b for b in library if b.get_attribute("base_type") == "car"), key=lambda b: b.id)
    points = world.get_map().get_spawn_points()
    step, fleet = max(1, len(points) // (2 * cars)), []
    for index in range(0, len(points), step):
        car = world.try_spawn_actor(kinds[(index // step + seed) % len(kinds)], points[index])
        if car is not None:
            fleet.append(car)
        if len(fleet) == cars:
            break
    return fleet


class Run:
    """What is measured of one run.

    Attributes:
        seconds: that the ticks took, measuring included.
    """

    def __init__(self, world: carla.World, fleet: list[carla.Vehicle]) -> None:
        self._world, self._map, self._fleet = world, world.get_map(), fleet
        self._digest = hashlib.sha256()
        self._errors: list[float] = []
        self._stood = np.zeros(len(fleet), int)
        self._crossings: Counter[str] = Counter()
        lights = world.get_actors().filter("traffic.traffic_light*")
        stops = [(light, waypoint.transform) for light in lights for waypoint in light.get_stop_waypoints()]
        self._lights = [light for light, _ in stops]
        self._lines = np.array([(t.location.x, t.location.y, math.radians(t.rotation.yaw)) for _, t in stops])
        self._before = np.full((len(fleet), len(stops)), np.nan)
        self.seconds = 0.0

    def observe(self, tick: int) -> None:
        """Takes in one tick."""
        snapshot = self._world.get_snapshot()
        states = [snapshot.find(car.id) for car in self._fleet]
        places = [state.get_transform() for state in states]
        rows = np.array([(p.location.x, p.location.y, p.location.z, p.rotation.yaw) for p in places])
        self._digest.update(rows.tobytes())
        moving = np.array([state.get_velocity().length() for state in states]) > 0.1
        self._stood = np.where(moving, 0, self._stood + 1)
        if tick >= SETTLING_TICKS:
            for place in places[tick % 10 :: 10]:
                self._measure_lane(place)
        self._watch_lines(rows[:, 0], rows[:, 1], np.radians(rows[:, 3]))

    def _measure_lane(self, place: carla.Transform) -> None:
        lane = self._map.get_waypoint(place.location)
        around = [*lane.next(10.0), *(w for back in (10.0, 20.0, STRAIGHT_M) for w in lane.previous(back))]
        bend = max((abs(_turn(lane, w)) for w in around), default=180.0)
        aligned = abs(_degrees(place.rotation.yaw - lane.transform.rotation.yaw)) < 1.0
        if bend < STRAIGHT_DEGREES and aligned and not lane.is_junction:
            gap = place.location - lane.transform.location
            self._errors.append(abs(gap.dot(lane.transform.get_right_vector())))

    def _watch_lines(self, x: np.ndarray, y: np.ndarray, yaw: np.ndarray) -> None:
        """Counts cars whose middle passes a stop line, by what its light shows then."""
        if not len(self._lines):
            return
        c, s = np.cos(self._lines[:, 2]), np.sin(self._lines[:, 2])
        dx, dy = x[:, None] - self._lines[:, 0], y[:, None] - self._lines[:, 1]
        ahead, aside = dx * c + dy * s, np.abs(dy * c - dx * s)
        near = (np.abs(ahead) < 8.0) & (aside < 1.75) & (np.cos(yaw[:, None] - self._lines[:, 2]) > 0.7)
        ahead = np.where(near, ahead, np.nan)
        for _, line in np.argwhere((self._before < 1.0) & (ahead >= 1.0)).tolist():
            self._crossings[str(self._lights[line].get_state())] += 1
        self._before = ahead

    def result(self, ticks: int) -> dict[str, Any]:
        """The run in figures."""
        errors = self._errors or [math.nan]
        return {
            "cars": len(self._fleet),
            "ticks_per_s": round(ticks / self.seconds, 1),
            "lane_error_mean_m": round(sum(errors) / len(errors), 4),
            "lane_error_worst_m": round(max(errors), 4),
            "lane_samples": len(self._errors),
            "crossed": dict(self._crossings),
            "stuck": int((self._stood >= STOOD_TICKS).sum()),
            "hash": self._digest.hexdigest()[:16],
        }


def _turn(lane: carla.Waypoint, other: carla.Waypoint) -> float:
    return _degrees(other.transform.rotation.yaw - lane.transform.rotation.yaw)


def _degrees(angle: float) -> float:
    return math.remainder(angle, 360.0)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """All runs in figures."""
    done = [run for run in runs if "hash" in run]
    crossed: Counter[str] = Counter()
    hashes: dict[int, set[str]] = {}
    for run in done:
        crossed.update(run["crossed"])
        hashes.setdefault(run["seed"], set()).add(run["hash"])
    return {
        "runs": len(runs),
        "done": len(done),
        "hangs": sum(bool(run.get("hung")) for run in runs),
        "lane_error_mean_m": max((run["lane_error_mean_m"] for run in done), default=None),
        "lane_error_worst_m": max((run["lane_error_worst_m"] for run in done), default=None),
        "crossed": dict(crossed),
        "stuck": sum(run["stuck"] for run in done),
        "ticks_per_s": [run["ticks_per_s"] for run in done],
        "hashes": {seed: sorted(found) for seed, found in hashes.items()},
    }


if __name__ == "__main__":
    main()
