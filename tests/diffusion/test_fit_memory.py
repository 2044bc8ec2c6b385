"""Ways to fit on less memory or more devices, which change how a step is computed and not what it means."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.models import WEIGHTS

ONE_RANK = Path(__file__).with_name("one_rank.py")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def exact(tiny_fit):
    """float32, where rounding leaves little."""
    return tiny_fit.model_copy(update={"precision": "float32", "steps": 4})


def test_gradient_checkpointing_changes_no_weight(exact, tmp_path):
    plain = load_file(fit(exact, tmp_path / "plain") / WEIGHTS)
    again = load_file(fit(exact.model_copy(update={"gradient_checkpointing": True}), tmp_path / "again") / WEIGHTS)
    for name, value in plain.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=2e-4)


def test_micro_batches_are_averaged(exact, tmp_path):
    settings = exact.model_copy(update={"accumulate": 3, "checkpoint_every": 1})
    folder = fit(settings, tmp_path / "whole")
    fit(settings.model_copy(update={"steps": 2}), tmp_path / "parts")
    fit(settings, tmp_path / "parts")
    assert (folder / WEIGHTS).read_bytes() == (tmp_path / "parts" / WEIGHTS).read_bytes()
    losses = [float(line.split(",")[1]) for line in (folder / "training/loss.csv").read_text().splitlines()[1:]]
    single = fit(exact.model_copy(update={"checkpoint_every": 1}), tmp_path / "single")
    alone = [float(line.split(",")[1]) for line in (single / "training/loss.csv").read_text().splitlines()[1:]]
    assert losses[0] == pytest.approx(alone[0], rel=0.5)  # a mean of three like it, not a sum
    assert losses != alone


def _started(rank: int, port: str, arguments: list[str]) -> subprocess.Popen:
    """One of two processes with the environment that they have under `accelerate launch`."""
    world = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    environment = os.environ | world | meeting | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ONE_RANK), *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def _free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_two_processes_learn_from_other_crops_and_stay_equal(exact, tmp_path):
    arguments = [exact.model_dump_json(), str(tmp_path / "model"), str(tmp_path)]
    port = _free_port()
    ranks = [_started(rank, port, arguments) for rank in (0, 1)]
    for rank in ranks:
        _, errors = rank.communicate()
        assert rank.returncode == 0, errors[-2000:]
    first, second = (json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in (0, 1))
    assert not set(first["seen"]) & set(second["seen"])
    assert first["weights"] == second["weights"]
    assert len(set(first["weights"])) == exact.steps
    assert first["losses"] != second["losses"]
    alone = fit(exact, tmp_path / "alone")
    together, single = load_file(tmp_path / "model" / WEIGHTS), load_file(alone / WEIGHTS)
    assert any(not torch.equal(together[name], single[name]) for name in single)
