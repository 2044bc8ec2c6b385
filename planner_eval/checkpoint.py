"""Checkpoints of a training: all that the next step depends on, in one safetensors file, no pickles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path


def save_checkpoint(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.AdamW,
    losses: np.ndarray,
    step: int,
    config_hash: str,
) -> None:
    """Writes the state after `step` steps, atomically."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    tensors["losses"] = torch.from_numpy(losses)
    metadata = {"step": str(step), "config_hash": config_hash}
    with atomic_path(path) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary, metadata)


def load_checkpoint(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.AdamW,
    losses: np.ndarray,
    config_hash: str,
) -> int:
    """Restores what `save_checkpoint` wrote, in place.

    Returns:
        The number of steps done; 0 where there is no checkpoint.

    Raises:
        UsageError: the checkpoint belongs to other settings or data.
    """
    if not path.is_file():
        return 0
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata["config_hash"] != config_hash:
        raise UsageError(f"{path} was made with other settings or data; remove it or give another folder.")
    model.load_state_dict(_under(tensors, "model."))
    average.load_state_dict(_under(tensors, "average."))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _under(tensors, "optimizer.").items():
        index, field = name.split(".", 1)
        state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():  # a fused step wants them laid out as the parameter
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = torch.empty_like(parameter).copy_(moments[name])
    losses[:] = tensors["losses"].numpy()
    return int(metadata["step"])


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
