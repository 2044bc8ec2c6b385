"""How close a capture comes to the bare simulation: `python benchmarks/capture.py [--rig RIG] [--labels ...]`.

Drives the same seconds twice a round on the embedded simulator, in turn: bare, where every frame is rendered and
received and nothing is done with it, and captured, with everything encoded, written and hashed. Prints one JSON object:
seconds and the client's CPU seconds of each (all rounds), pictures per second, the share of the bare rate that the
capture reaches (median over rounds, and its range), and the largest memory of the client. The renderer and the encoders
share the machine: with fewer than three free cores, encoding takes time from the renderer, whatever it waits for.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from phipd_sim2real.capture.cameras import CameraArray
from phipd_sim2real.capture.drive import warm_up_ticks
from phipd_sim2real.capture.plan import plan_segments, vary
from phipd_sim2real.capture.recorder import Recording
from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.capture.session import connect, episode, server_info, world_mode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.traffic import start_traffic
from phipd_sim2real.simulator.process import simulator_process


class Stopwatch:
    """Starts at the tick before the first picture, so that loading and warming up do not count."""

    def __init__(self, ticks_before: int) -> None:
        self._left = ticks_before
        self._begun = (0.0, 0.0)

    def beat(self) -> None:
        """Called after every tick."""
        self._left -= 1
        if self._left == 0:
            self._begun = (time.perf_counter(), time.process_time())

    def seconds(self) -> tuple[float, float]:
        """Since the start, and CPU seconds of this process."""
        return time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]


def bare_seconds(recording: Recording) -> tuple[float, float]:
    """Seconds, and CPU seconds of the client, of a drive of which every frame is rendered and received."""
    settings, segment = recording.settings, plan_segments(recording.settings)[0]
    variation = vary(settings, segment)
    with episode(
        recording.client, segment.short_map_name, settings.delta_s, variation.traffic_seed, recording.restore_to
    ) as held:
        cast = start_traffic(held, recording.rig, settings, segment, variation)
        for _ in range(warm_up_ticks(settings, held.tick().timestamp.elapsed_seconds, embedded=True)):
            held.tick()
        watch = Stopwatch(1)
        watch.beat()
        attributes = {"sensor_tick": str(settings.images.period_s), "look": settings.look}
        cameras = CameraArray(held, cast.ego, recording.rig, settings.images.labels, attributes)
        for _ in range(settings.total_ticks):
            cameras.take(held.tick().frame)
        held.remove_sensors()
    return watch.seconds()


def capture_seconds(recording: Recording, out: Path) -> tuple[float, float]:
    """The same of a drive that is captured."""
    settings, segment = recording.settings, plan_segments(recording.settings)[0]
    watch = Stopwatch(round(settings.warm_up_s / settings.delta_s))
    timed = Recording(recording.client, recording.server, settings, recording.rig, recording.restore_to, watch.beat)
    timed.record(segment, out, "benchmark")
    return watch.seconds()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rig", type=Path, default=Path("configs/rigs/front-three.yaml"))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--map", default="Orchard01")
    parser.add_argument("--labels", nargs="*", default=[], help="further tables, such as camera_box camera_flow")
    arguments = parser.parse_args()
    settings = CaptureSettings(
        name="benchmark",
        maps=(arguments.map,),
        segments=1,
        seconds=arguments.seconds,
        warm_up_s=1.0,
        look="source",
        rig=arguments.rig,
        labels=tuple(arguments.labels),
    )
    bare, captured = [], []
    with simulator_process(arguments.map) as endpoint, tempfile.TemporaryDirectory() as folder:
        client = connect(endpoint.host, endpoint.port, 60.0)
        recording = Recording(
            client, server_info(client), settings, load_rig(settings.rig), world_mode(client), lambda: None
        )
        for number in range(arguments.rounds + 1):  # the first round builds the scene, and is not counted
            bare.append(bare_seconds(recording))
            captured.append(capture_seconds(recording, Path(folder) / str(number)))
    (bare_s, bare_cpu_s), (captured_s, captured_cpu_s) = (np.array(values[1:]).T for values in (bare, captured))
    shares = bare_s / captured_s
    pictures = settings.total_ticks * len(recording.rig.cameras)
    result = {
        "rig": str(arguments.rig),
        "labels": arguments.labels,
        "pictures": pictures,
        "bare_s": bare_s.round(2).tolist(),
        "capture_s": captured_s.round(2).tolist(),
        "bare_cpu_s": bare_cpu_s.round(2).tolist(),
        "capture_cpu_s": captured_cpu_s.round(2).tolist(),
        "bare_pictures_per_s": round(pictures / float(np.median(bare_s)), 2),
        "capture_pictures_per_s": round(pictures / float(np.median(captured_s)), 2),
        "share_of_bare_rate": round(float(np.median(shares)), 3),
        "share_range": [round(float(shares.min()), 3), round(float(shares.max()), 3)],
        "client_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
