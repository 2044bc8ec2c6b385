"""A script that knows nothing of this project runs unchanged."""

import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from phipd_sim2real.capture.connection import free_port
from phipd_sim2real.simulator.process import simulator_process

pytest.importorskip("carla", reason="needs the carla wheel")
pytest.importorskip("embreex", reason="needs the ray caster")


def test_it_drives_and_saves(tmp_path):
    script = Path(__file__).with_name("public_api_script.py")
    with simulator_process("Orchard01") as endpoint:
        command = [sys.executable, str(script), str(endpoint.port), str(tmp_path), str(free_port())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert len(script.read_text().splitlines()) == 40
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == 15
    assert all(cv2.imread(str(path)).shape == (180, 320, 3) for path in pictures)
    assert cv2.imread(str(next(tmp_path.glob("rgb-*")))).std() > 10
