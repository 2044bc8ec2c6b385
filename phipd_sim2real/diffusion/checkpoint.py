"""Everything a fit needs to go on, in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from phipd_sim2real.diffusion.validation import Measured
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path

ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class TrainingState:
    """Weights in training; frozen ones are none of its business.

    Attributes:
        weights: what is trained, by name.
        ema: exponential moving average of it, by name.
        optimizer: AdamW over it.
        step: optimizer steps done.
        losses: loss of every step.
        validation: what was measured on held-out pictures, in order.
        chosen: the average at the step that measured best, by name; empty where the last one is taken.
    """

    weights: dict[str, torch.nn.Parameter]
    ema: dict[str, Tensor]
    optimizer: torch.optim.AdamW
    step: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[Measured] = field(default_factory=list)
    chosen: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def begin(cls, network: torch.nn.Module, learning_rate: float) -> TrainingState:
        """State before the first step, of all parameters that ask for gradients."""
        weights = {name: value for name, value in network.named_parameters() if value.requires_grad}
        ema = {name: value.detach().clone() for name, value in weights.items()}
        return cls(weights, ema, torch.optim.AdamW(weights.values(), lr=learning_rate, fused=True))

    def update_ema(self, decay: float) -> None:
        """One averaging step; the decay rises to its value as steps come in."""
        share = 1 - min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.ema.values()), self._values(), share)

    def swap(self) -> None:
        """Exchanges the weights and their average: the network computes with the average until the next call."""
        for weight, average in zip(self._values(), self.ema.values(), strict=True):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)

    def keep(self) -> None:
        """Notes the average as the one that measured best."""
        self.chosen = {name: average.clone() for name, average in self.ema.items()}

    def choose(self) -> None:
        """Makes the average that measured best, if one was noted, the one that is exported."""
        for name, average in self.chosen.items():
            self.ema[name].copy_(average)

    def save(self, path: Path, identity: str) -> None:
        """Writes the state atomically; `identity` names the settings and data it belongs to."""
        tensors = {"step": torch.tensor(self.step), "losses": torch.tensor(self.losses, dtype=torch.float64)}
        for name, weight in self.weights.items():
            tensors[f"weights.{name}"] = weight.detach()
            tensors[f"ema.{name}"] = self.ema[name]
            if self.chosen:
                tensors[f"chosen.{name}"] = self.chosen[name]
            for key, value in self.optimizer.state[weight].items():
                tensors[f"optimizer.{key}.{name}"] = value
        # One entry: safetensors writes several in an order that changes from run to run.
        notes = {"fit": json.dumps({"identity": identity, "validation": [asdict(row) for row in self.validation]})}
        with atomic_path(path) as temporary:
            save_file({key: value.cpu().contiguous() for key, value in tensors.items()}, temporary, notes)

    def restore(self, path: Path, identity: str) -> None:
        """Continues from a saved state.

        Raises:
            UsageError: it was made with other settings or other data.
        """
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()["fit"])
            if notes["identity"] != identity:
                raise UsageError(
                    f"{path} comes from a fit with other settings or other data; use the same ones, "
                    "or give another --out."
                )
            stored = set(file.keys())
            self.step = int(file.get_tensor("step"))
            self.losses = file.get_tensor("losses").tolist()
            self.validation = [Measured(**row) for row in notes["validation"]]
            for name, weight in self.weights.items():
                weight.data.copy_(file.get_tensor(f"weights.{name}"))
                self.ema[name].copy_(file.get_tensor(f"ema.{name}"))
                if f"chosen.{name}" in stored:
                    self.chosen[name] = file.get_tensor(f"chosen.{name}").to(weight.device)
                moments = {key: f"optimizer.{key}.{name}" for key in ADAM}
                if stored.issuperset(moments.values()):  # a network of several experts may not have used this one yet
                    values = {key: file.get_tensor(moment).to(weight.device) for key, moment in moments.items()}
                    self.optimizer.state[weight] = values

    def _values(self) -> Sequence[Tensor]:
        return [weight.detach() for weight in self.weights.values()]
