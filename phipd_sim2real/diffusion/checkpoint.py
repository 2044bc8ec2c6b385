"""Everything a fit needs to go on, in one safetensors file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path


@dataclass
class TrainingState:
    """A network in training.

    Attributes:
        unet: the network.
        ema: exponential moving average of its parameters, by name.
        optimizer: AdamW over its parameters.
        step: optimizer steps done.
        losses: loss of every step.
    """

    unet: torch.nn.Module
    ema: dict[str, Tensor]
    optimizer: torch.optim.AdamW
    step: int = 0
    losses: list[float] = field(default_factory=list)

    @classmethod
    def begin(cls, unet: torch.nn.Module, learning_rate: float) -> TrainingState:
        """State before the first step."""
        ema = {name: parameter.detach().clone() for name, parameter in unet.named_parameters()}
        return cls(unet, ema, torch.optim.AdamW(unet.parameters(), lr=learning_rate, fused=True))

    def update_ema(self, decay: float) -> None:
        """One averaging step; the decay rises to its value as steps come in."""
        share = 1 - min(decay, (1 + self.step) / (10 + self.step))
        parameters = [parameter.detach() for parameter in self.unet.parameters()]
        torch._foreach_lerp_(list(self.ema.values()), parameters, share)

    def save(self, path: Path, identity: str) -> None:
        """Writes the state atomically; `identity` names the settings and data it belongs to."""
        tensors = {"step": torch.tensor(self.step), "losses": torch.tensor(self.losses, dtype=torch.float64)}
        for name, parameter in self.unet.named_parameters():
            tensors[f"unet.{name}"] = parameter.detach()
            tensors[f"ema.{name}"] = self.ema[name]
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = value
        with atomic_path(path) as temporary:
            save_file(
                {key: value.cpu().contiguous() for key, value in tensors.items()}, temporary, {"identity": identity}
            )

    def restore(self, path: Path, identity: str) -> None:
        """Continues from a saved state.

        Raises:
            UsageError: it was made with other settings or other data.
        """
        with safe_open(path, framework="pt") as file:
            if file.metadata()["identity"] != identity:
                raise UsageError(
                    f"{path} comes from a fit with other settings or other data; use the same ones, "
                    "or give another --out."
                )
            self.step = int(file.get_tensor("step"))
            self.losses = file.get_tensor("losses").tolist()
            for name, parameter in self.unet.named_parameters():
                parameter.data.copy_(file.get_tensor(f"unet.{name}"))
                self.ema[name].copy_(file.get_tensor(f"ema.{name}"))
                self.optimizer.state[parameter] = {
                    key: file.get_tensor(f"optimizer.{key}.{name}").to(parameter.device)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
