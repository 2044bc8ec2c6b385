"""What a network learns to predict from a noisy picture: the noise, the v of Salimans & Ho, or the flow's velocity.

All three are linear in (x_0, eps) at a given noise level, so each prediction tells the same clean picture:
with x_t = alpha x_0 + sigma eps,

| objective       | target                  | x_0 from a prediction p          | levels at t                  |
|-----------------|-------------------------|----------------------------------|------------------------------|
| `epsilon`       | eps                     | (x_t - sigma p) / alpha          | alpha = √ā, sigma = √(1 - ā) |
| `v_prediction`  | alpha eps - sigma x_0   | (alpha x_t - sigma p) / (α² + σ²)| the same                     |
| `flow`          | eps - x_0               | (x_t - sigma p) / (alpha + sigma)| alpha = 1 - t, sigma = t     |
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Objective = Literal["flow", "epsilon", "v_prediction"]


def mixed(x_0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The noisy picture x_t = alpha x_0 + sigma eps.

    Args:
        x_0: (B, C, H, W), clean.
        eps: noise of unit variance, same shape.
        alpha: level of the signal, broadcast to x_0.
        sigma: level of the noise, likewise.
    """
    return alpha * x_0 + sigma * eps


def target(objective: Objective, x_0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What an ideal network answers to `mixed(x_0, eps, alpha, sigma)`, shaped as x_0."""
    if objective == "epsilon":
        return eps
    if objective == "v_prediction":
        return alpha * eps - sigma * x_0  # arXiv 2202.00512, appendix D
    return eps - x_0  # arXiv 2512.05106, section 4


def clean(objective: Objective, prediction: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_0 as a prediction has it; alpha must be above 0 for `epsilon`, which says nothing of x_0 at alpha = 0."""
    if objective == "epsilon":
        return (x_t - sigma * prediction) / alpha
    if objective == "v_prediction":
        return (alpha * x_t - sigma * prediction) / (alpha**2 + sigma**2)
    return (x_t - sigma * prediction) / (alpha + sigma)


def converted(
    prediction: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor, given: Objective, wanted: Objective
) -> Tensor:
    """The same prediction in the terms of another objective; sigma must be above 0."""
    x_0 = clean(given, prediction, x_t, alpha, sigma)
    return target(wanted, x_0, (x_t - alpha * x_0) / sigma, alpha, sigma)


def loss(prediction: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error over everything, a scalar float32."""
    return (prediction.float() - wanted.float()).square().mean()


def broadcast(levels: Tensor, like: Tensor) -> Tensor:
    """(B,) levels shaped to multiply (B, ...) pictures, float32."""
    return levels.to(torch.float32).reshape(-1, *[1] * (like.ndim - 1))
