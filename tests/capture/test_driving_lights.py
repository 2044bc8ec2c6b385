"""Everybody drives with lights after dusk, and without them by day."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("carla", reason="needs the carla extra")
pytest.importorskip("embreex", reason="needs the carla extra")

ROOT = Path(__file__).parents[2]
CLIENT = """
import json, os, sys
from phipd_sim2real.capture.connection import connect
from phipd_sim2real.capture.plan import plan_segments, vary
from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.capture.session import episode, world_mode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.traffic import start_traffic
from phipd_sim2real.simulator.process import simulator_process

shown = {}
with simulator_process("Orchard01") as endpoint:
    client = connect(endpoint.host, endpoint.port, 20)
    before = world_mode(client)
    for when, sun in (("day", 30), ("night", -20)):
        weather = {"sun_altitude_degrees": [sun, sun]}
        settings = CaptureSettings(maps=("Orchard01",), weather=weather, traffic={"cars": 3})
        segment = plan_segments(settings)[0]
        with episode(client, "Orchard01", 0.05, 1, before) as held:
            start_traffic(held, load_rig(settings.rig), settings, segment, vary(settings, segment))
            held.tick()
            states = client.get_world().get_vehicles_light_states()
            shown[when] = sorted(int(states[car.id]) for car in held.vehicles)
print(json.dumps(shown))
sys.stdout.flush()
os._exit(0)
"""


def test_cars_have_their_lights_on_at_night():
    done = subprocess.run([sys.executable, "-c", CLIENT], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    position_and_low_beam = 1 | 2
    assert json.loads(done.stdout.splitlines()[-1]) == {"day": [0] * 4, "night": [position_and_low_beam] * 4}
