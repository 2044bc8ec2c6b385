"""How alike the noise of two draws is."""

from __future__ import annotations

from torch import Tensor


def correlated_noise(shared: Tensor, own: Tensor, correlation: float) -> Tensor:
    """White noise that has a part in common with the other draws of its group, such as the frames of a clip.

    Two draws with the same `shared` correlate by c = `correlation`. Given the phase of one source by
    `structured_noise`, they correlate by E|z_1||z_2| of complex Gaussians, `pi/4 · 2F1(-1/2, -1/2; 1; c²)`:
    0.785 for independent draws, 0.835 for c = 0.5, 0.955 for c = 0.9, 1 for c = 1. Without phase they
    correlate by c.

    Args:
        shared: unit-variance white noise that the draws of a group share.
        own: another of the same shape, of this draw alone.
        correlation: c in [0, 1].

    Returns:
        Unit-variance white noise of the same shape.
    """
    if shared.shape != own.shape:
        raise ValueError(f"shared {tuple(shared.shape)} and own {tuple(own.shape)} must have one shape.")
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation={correlation} is outside of [0, 1]; 0 makes independent draws, 1 equal ones.")
    return correlation**0.5 * shared + (1 - correlation) ** 0.5 * own
