"""Two processes share every batch and keep the same weights."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from phipd_sim2real.errors import UsageError
from planner_eval.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]
RANK = Path(__file__).with_name("planner_rank.py")


def _free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def _started(rank: int, port: str, arguments: list[str]) -> subprocess.Popen:
    """One of two processes with the environment that they have under `accelerate launch`."""
    world = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    environment = os.environ | world | meeting | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, str(RANK), *arguments], env=environment, stderr=subprocess.PIPE, text=True)


def test_two_processes_share_the_batches_and_stay_equal(day_log, tiny_settings, tmp_path):
    settings = tiny_settings.model_copy(update={"steps": 3, "checkpoint_every": 2})
    arguments = [str(day_log.root), settings.model_dump_json(), str(tmp_path / "planner"), str(tmp_path)]
    port = _free_port()
    ranks = [_started(rank, port, arguments) for rank in (0, 1)]
    for rank in ranks:
        _, errors = rank.communicate()
        assert rank.returncode == 0, errors[-2000:]
    first, second = (json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in (0, 1))
    assert len(first["seen"]) == len(second["seen"]) >= settings.steps * settings.batch_size // 2
    assert not set(first["seen"]) & set(second["seen"])
    assert first["weights"] == second["weights"]
    assert len(set(first["weights"])) == settings.steps
    assert (tmp_path / "planner/training.json").is_file()


def test_a_batch_that_cannot_be_shared_is_refused(tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 3)
    with pytest.raises(UsageError, match=r"train\.batch_size"):
        Trainer(None, tiny_settings, tmp_path / "none", "hash")
