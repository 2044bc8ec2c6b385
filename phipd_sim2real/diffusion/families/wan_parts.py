"""What Wan needs beside diffusers' pipeline: steps from a level of noise, two networks as one."""

from __future__ import annotations

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor


class EulerSteps(FlowMatchEulerDiscreteScheduler):
    """Euler steps of flow matching at noise levels of one's choice, for pipelines that ask for a number of steps.

    With latents of the first level, a pipeline without a strength does SDEdit.
    """

    _levels: list[float]

    @classmethod
    def of(cls, sigmas: list[float], shift: float, num_train_timesteps: int) -> EulerSteps:
        """Steps at given levels.

        Args:
            sigmas: falling levels in (0, 1], before the shift.
            shift: applied to them.
            num_train_timesteps: the network's timestep at level 1.
        """
        scheduler = cls(num_train_timesteps=num_train_timesteps, shift=shift)
        scheduler._levels = sigmas
        return scheduler

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Takes the chosen levels, of which there are as many as steps."""
        super().set_timesteps(num_inference_steps, sigmas=self._levels, device=device)


class Experts(torch.nn.Module):
    """Wan 2.2's two networks as one that is fitted: each sample goes to the one of its noise level.

    Attributes:
        transformer: for high noise.
        transformer_2: for low noise.
        boundary: timestep from which noise is high, on the scheduler's scale.
    """

    def __init__(self, transformer: torch.nn.Module, transformer_2: torch.nn.Module, boundary: float) -> None:
        super().__init__()
        self.transformer, self.transformer_2, self.boundary = transformer, transformer_2, boundary

    def enable_gradient_checkpointing(self) -> None:
        """As of each network."""
        self.transformer.enable_gradient_checkpointing()
        self.transformer_2.enable_gradient_checkpointing()

    def forward(self, timestep: Tensor, return_dict: bool = False, **inputs: Tensor | None) -> tuple[Tensor]:
        """As the networks' own forward: (B, …) tensors by name, `timestep` (B,) or (B, tokens), whose highest counts;
        a tuple of the prediction."""
        high = timestep.view(len(timestep), -1).amax(1) >= self.boundary
        chosen = [(self.transformer, high.nonzero()[:, 0]), (self.transformer_2, (~high).nonzero()[:, 0])]
        parts = [_run(network, rows, timestep, inputs) for network, rows in chosen if len(rows)]
        order = torch.cat([rows for _, rows in chosen]).argsort()
        return (torch.cat(parts)[order],)


def _run(network: torch.nn.Module, rows: Tensor, timestep: Tensor, inputs: dict[str, Tensor | None]) -> Tensor:
    chosen = {name: None if value is None else value[rows] for name, value in inputs.items()}
    return network(timestep=timestep[rows], return_dict=False, **chosen)[0]
