"""How close a capture comes to the bare simulation: `python benchmarks/capture.py [--rig RIG] [--labels ...]`.

One drive on the embedded simulator in blocks of ticks, in turn bare, where every frame is rendered and received and
nothing is done with it, and recorded, with everything encoded and written; a block ends when all of it is written.
Prints one JSON object, medians over blocks per tick: wall time, and processor time of the simulator, of the client and
of the client's main thread, which ticks. `share_of_bare_rate` is the ratio of the wall times. On a machine with
others on it, or with fewer than three cores, encoding takes processor time from the renderer, whatever it waits for:
`tick_path_share`, with only the main thread's own work beside the bare tick, says what free cores would leave.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from phipd_sim2real.capture.connection import connect, server_info
from phipd_sim2real.capture.drive import DriveRecorder, warm_up_ticks
from phipd_sim2real.capture.pipeline import RowPipeline
from phipd_sim2real.capture.plan import plan_segments, vary
from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.capture.rows import Row
from phipd_sim2real.capture.session import episode, world_mode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.traffic import start_traffic
from phipd_sim2real.drivelog import SegmentWriter
from phipd_sim2real.simulator.process import Endpoint, simulator_process

CLOCKS = ("wall_s", "server_cpu_s", "client_cpu_s", "main_thread_cpu_s")


def clocks(server_pid: int) -> np.ndarray:
    """(4,) s of `CLOCKS`."""
    fields = Path(f"/proc/{server_pid}/stat").read_text().rsplit(")", 1)[1].split()
    server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return np.array([time.perf_counter(), server, time.process_time(), time.thread_time()])


def wait_until_written(pipeline: RowPipeline) -> None:
    """Waits until all that was handed over is appended to the tables."""
    reached = threading.Event()

    def tell() -> Iterator[tuple[str, Row]]:
        reached.set()
        yield from ()

    pipeline.append(tell())
    reached.wait()


def measure(endpoint: Endpoint, settings: CaptureSettings, out: Path, ticks: int, rounds: int) -> dict[str, np.ndarray]:
    """(rounds, 4) s per tick of `CLOCKS`, by the kind of block; the first round warms up and is left out."""
    client = connect(endpoint.host, endpoint.port, 60.0)
    server, rig, segment = server_info(client), load_rig(settings.rig), plan_segments(settings)[0]
    variation, mode = vary(settings, segment), world_mode(client)
    with (
        SegmentWriter(out, segment.name, "benchmark") as writer,
        episode(client, segment.short_map_name, settings.delta_s, variation.traffic_seed, mode) as held,
    ):
        cast = start_traffic(held, rig, settings, segment, variation)
        for _ in range(warm_up_ticks(settings, held.tick().timestamp.elapsed_seconds, embedded=True)):
            held.tick()
        with RowPipeline(writer) as pipeline:
            recorder = DriveRecorder(held, cast, server, settings, rig, variation, writer, pipeline)
            recorder.attach()
            numbers = iter(range(settings.total_ticks))

            def block(tick: Callable[[int], object]) -> np.ndarray:
                begun = clocks(endpoint.pid)
                for _ in range(ticks):
                    tick(next(numbers))
                wait_until_written(pipeline)
                return (clocks(endpoint.pid) - begun) / ticks

            kinds = {
                "bare": recorder.observe,
                "recorded": lambda number: recorder.record(number, *recorder.observe(number)),
            }
            found = [{kind: block(tick) for kind, tick in kinds.items()} for _ in range(rounds + 1)]
    return {kind: np.stack([blocks[kind] for blocks in found[1:]]) for kind in kinds}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rig", type=Path, default=Path("configs/rigs/front-three.yaml"))
    parser.add_argument("--ticks", type=int, default=8, help="of a block")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--map", default="Orchard01")
    parser.add_argument("--labels", nargs="*", default=[], help="further tables, such as camera_box camera_flow")
    arguments = parser.parse_args()
    settings = CaptureSettings(
        name="benchmark",
        maps=(arguments.map,),
        segments=1,
        seconds=max(1.0, 0.1 * 2 * arguments.ticks * (arguments.rounds + 1)),
        warm_up_s=1.0,
        look="source",
        rig=arguments.rig,
        labels=tuple(arguments.labels),
    )
    with simulator_process(arguments.map) as endpoint, tempfile.TemporaryDirectory() as folder:
        found = measure(endpoint, settings, Path(folder), arguments.ticks, arguments.rounds)
    bare, recorded = found["bare"], found["recorded"]
    shares = bare[:, 0] / recorded[:, 0]
    middle = {kind: np.median(values, axis=0) for kind, values in found.items()}
    bare_s = min(middle["bare"][:2])  # the wall time, or the simulator's own where it had to wait for a core
    extra_s = middle["recorded"][3] - middle["bare"][3]
    result = {
        "rig": str(arguments.rig),
        "cameras": len(load_rig(settings.rig).cameras),
        "labels": arguments.labels,
        "per_tick": {kind: dict(zip(CLOCKS, values.round(4).tolist(), strict=True)) for kind, values in middle.items()},
        "share_of_bare_rate": round(float(np.median(shares)), 3),
        "share_range": [round(float(shares.min()), 3), round(float(shares.max()), 3)],
        "tick_path_share": round(float(bare_s / (bare_s + extra_s)), 3),
        "client_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
