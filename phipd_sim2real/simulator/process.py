"""Starts the simulator as a process of its own and ends it with its user.

It cannot be a thread: the client holds Python's lock during some calls and would wait for itself.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from phipd_sim2real.errors import StageError

START_LIMIT_S = 120.0
STOP_LIMIT_S = 5.0


@dataclass(frozen=True)
class Endpoint:
    """Where a simulator serves.

    Attributes:
        host, port: for `carla.Client`.
        map_name: full name of its map.
        version: of CARLA's protocol.
        pid: of its process.
    """

    host: str
    port: int
    map_name: str
    version: str
    pid: int


@contextmanager
def simulator_process(map_name: str, seed: int = 0, port: int = 0) -> Iterator[Endpoint]:
    """Runs a simulator for the length of the block.

    Args:
        map_name: one of our maps or the path of an .xodr file.
        seed: of scenery and camera grain.
        port: RPC port, 0 for any free one.

    Raises:
        StageError: it did not start; the message carries what it said.
    """
    command = [sys.executable, "-m", "phipd_sim2real.simulator", "--map", map_name]
    command += ["--seed", str(seed), "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        said = _first_line(process)
        yield Endpoint(said["host"], said["port"], said["map"], said["version"], said["pid"])
    finally:
        _stop(process)


def _first_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    deadline = time.monotonic() + START_LIMIT_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not selector.select(timeout=1.0):
            if time.monotonic() > deadline:
                raise StageError(f"The simulator said nothing within {START_LIMIT_S:g} s of its start.")
    line = process.stdout.readline()
    if not line:
        code = process.wait(STOP_LIMIT_S)
        raise StageError(f"The simulator ended with code {code} before it served; its reason is printed above.")
    return json.loads(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
