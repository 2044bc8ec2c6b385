"""What latent models trained with flow matching share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from phipd_sim2real.diffusion.families.latent import LatentFamily
from phipd_sim2real.diffusion.objective import broadcast, mixed, target


class FlowFamily(LatentFamily):
    """x_t = t eps + (1 - t) x_0, v = eps - x_0 (arXiv 2512.05106, section 4); t is the scheduler's sigma."""

    component = "transformer"
    objective = "flow"

    @property
    def block(self) -> int:
        return self.factor * 2  # transformers take patches of 2 × 2 cells

    def corrupt(self, x_0: Tensor, eps: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        sigma = broadcast(t, x_0)
        return mixed(x_0, eps, 1 - sigma, sigma), target("flow", x_0, eps, 1 - sigma, sigma)

    def start(self, x_0: Tensor, eps: Tensor, strength: float) -> Tensor:
        return strength * eps + (1 - strength) * x_0

    def schedule(self, strength: float, steps: int, cells: tuple[int, int]) -> dict[str, Any]:
        """Even steps of the model's own time u, whose shifted value is sigma; the scheduler shifts them.

        The shift is sigma = a u / (1 + (a - 1) u) (arXiv 2403.03206, eq. 23), and u of the first step is the one
        that `strength` is the sigma of.
        """
        a = self.shift(cells)
        first = strength / (a - (a - 1) * strength)
        return {"sigmas": np.linspace(first, 0, steps + 1)[:-1].tolist(), "num_inference_steps": steps}

    def shift(self, cells: tuple[int, int]) -> float:
        """a of the schedule for a grid of (h, w) cells; where it is dynamic, exp(mu) grows with the picture."""
        config = self.pipeline.scheduler.config
        if not config.use_dynamic_shifting:
            return self.pipeline.scheduler.shift
        slope = (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len)
        mu = config.base_shift + slope * (cells[0] * cells[1] // 4 - config.base_image_seq_len)
        return math.exp(mu)
