"""What differs with CARLA itself, tried on the simulator: cameras that send every frame, kept or dropped here."""

import subprocess
import sys
from pathlib import Path

import pytest

for package in ("carla", "embreex", "msgpack"):
    pytest.importorskip(package, reason="needs the carla extra")

ROOT = Path(__file__).parents[2]
CLIENT = """
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from phipd_sim2real.capture import worker
from phipd_sim2real.capture.plan import plan_segments
from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.capture.connection import connect, server_info
from phipd_sim2real.capture.session import world_mode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.drivelog.completion import read_completions
from phipd_sim2real.simulator.process import simulator_process

settings = CaptureSettings(
    maps=("Orchard01",), segments=1, seconds=1.0, warm_up_s=0.2, delta_s=0.05, rig=Path(sys.argv[2]),
    images={"period_s": 0.2, "window_s": (0.4, 0.8)}, traffic={"cars": 1},
)
with simulator_process("Orchard01") as endpoint:
    client = connect(endpoint.host, endpoint.port, 20)
    before = world_mode(client)
    worker.server_info = lambda client: replace(server_info(client), domain="carla")
    probed, probe = [], worker.check_camera_metadata
    worker.check_camera_metadata = lambda world: probed.append(world.get_settings().synchronous_mode) or probe(world)
    segment = plan_segments(settings)[0]
    out = Path(sys.argv[1])
    job = worker.Job(
        host=endpoint.host, port=endpoint.port, settings=settings, rig=load_rig(settings.rig), out=out, config_hash="h"
    )
    lines = [segment.name, None]
    events = SimpleNamespace(send=lambda *_, **__: None, beat=lambda: None)
    worker._run(job, events, SimpleNamespace(take=lambda: lines.pop(0)))
    assert probed == [True], "the pictures are probed once, before the first segment"
    assert world_mode(client) == before
rows = read_completions(out)[segment.name].rows
assert (rows["vehicle_pose"], rows["camera_image"], rows["camera_depth"]) == (11, 3, 3), rows
"""


def test_frames_of_every_tick_are_matched_and_thinned_out(tmp_path):
    command = [sys.executable, "-c", CLIENT, tmp_path / "log", ROOT / "configs/rigs/front-one.yaml"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
