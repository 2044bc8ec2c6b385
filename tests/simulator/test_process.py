"""The process: one JSON line, and an end with its user however that one ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from phipd_sim2real.errors import StageError
from phipd_sim2real.simulator.__main__ import main
from phipd_sim2real.simulator.maps import opendrive
from phipd_sim2real.simulator.process import simulator_process

pytest.importorskip("carla", reason="needs the carla wheel")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid, limit_s=15.0):
    deadline = time.monotonic() + limit_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_it_serves_a_file_and_ends_with_the_block(tmp_path):
    path = tmp_path / "mine.xodr"
    path.write_text(opendrive("Quarry01"))
    with simulator_process(str(path), seed=3) as endpoint:
        assert endpoint.map_name == "Simulator/Maps/mine"
        assert endpoint.version == "0.9.16"
        with socket.create_connection((endpoint.host, endpoint.port), timeout=5):
            assert alive(endpoint.pid)
    assert not alive(endpoint.pid)


def test_it_ends_when_its_parent_is_killed():
    starter = (
        "import subprocess, sys, time\n"
        "server = subprocess.Popen([sys.executable, '-m', 'phipd_sim2real.simulator', '--port', '0'])\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE)
    said = json.loads(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(said["pid"])


def test_a_map_that_is_not_there_is_a_usage_error(capsys):
    assert main(["--map", "Nowhere", "--port", "0"]) == 2
    assert "Riverside01" in capsys.readouterr().err
    with pytest.raises(StageError, match="code 2"), simulator_process("Nowhere"):
        pass


def test_a_port_that_is_taken_is_a_usage_error(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert "address already in use" in capsys.readouterr().err
