"""The loss of a planner: how far the proposals are from what happened, and whether the best one was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from planner_eval.config import LossSettings


def planning_loss(
    layers: Sequence[Tensor], logits: Tensor, future: Tensor, valid: Tensor, scale: Tensor, settings: LossSettings
) -> Tensor:
    """Regression of the proposals after every layer, plus the cross entropy of choosing the best.

    The best proposal is the one whose last path costs least; it gets the share 1 - `others` of the regression, and
    all proposals, the best included, share the rest evenly.

    Args:
        layers: (N, K, 20, 2) metres after each layer of the decoder.
        logits: (N, K).
        future: (N, 20, 2) metres.
        valid: (N, 20) bool.
        scale: (20, 2) metres; errors are taken in units of each waypoint's root mean square of both.
        settings: kind and weights.

    Returns:
        The scalar loss, mean over the batch.
    """
    weights = _time_weights(valid, settings)
    scale = scale.square().mean(dim=-1, keepdim=True).sqrt()  # a metre aside weighs as much as a metre ahead
    costs = [(_penalty((paths - future[:, None]) / scale, settings) * weights).sum(dim=-1) for paths in layers]
    best = costs[-1].detach().argmin(dim=1)
    count = costs[-1].shape[1]
    is_best = torch.arange(count, device=best.device) == best[:, None]
    share = settings.others / count + (1 - settings.others) * is_best
    *earlier, last = [(cost * share).sum(dim=1).mean() for cost in costs]
    regression = last + settings.earlier_layers * sum(earlier)
    return regression + settings.choice * nn.functional.cross_entropy(logits, best)


def _time_weights(valid: Tensor, settings: LossSettings) -> Tensor:
    """(N, 1, 20): weights of the waypoints, which sum to 1 over the valid ones."""
    times = torch.arange(1, valid.shape[1] + 1, device=valid.device) / valid.shape[1]
    weights = valid * times**settings.time_power
    return (weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6))[:, None]


def _penalty(error: Tensor, settings: LossSettings) -> Tensor:
    """(N, K, 20): penalty of both coordinates' errors."""
    if settings.kind == "l1":
        return error.abs().sum(dim=-1)
    zeros = torch.zeros_like(error)
    return nn.functional.huber_loss(error, zeros, reduction="none", delta=settings.huber_delta).sum(dim=-1)
