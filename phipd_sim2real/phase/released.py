"""The noise that the published φ-PD weights were trained with, its deviations from the paper included."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CLIP_QUANTILE = 0.95
CLAMP = 5.0


def released_structured_noise(
    source: Tensor,
    noise: Tensor,
    cutoff_radius: float | None = None,
    transition_width: float = 2.0,
    pad_factor: float = 1.5,
) -> Tensor:
    """Structured noise as the published weights expect it; new models use `structured_noise`.

    Known deviations, kept on purpose: phases and magnitudes are limited from above at their 95 % quantile
    over the whole batch, phases mix linearly instead of on the circle, the noise is reflect-padded, and the
    crop after the transform is not undone, so variance is about 0.95 and a frame depends on its batch.

    Args:
        source: (B, C, H, W) real.
        noise: real unit-variance noise of the same shape.
        cutoff_radius: bins of the *padded* transform up to which phase is kept; None keeps all.
        transition_width: sigma of the Gaussian fall-off beyond it, in bins.
        pad_factor: size of the padded transform relative to the image's.

    Returns:
        (B, C, H, W) of the source's dtype; computed in float32.
    """
    if source.shape != noise.shape or source.ndim != 4:
        raise ValueError(
            f"source {tuple(source.shape)} and noise {tuple(noise.shape)} must have one shape (B, C, H, W)."
        )
    pad_y, pad_x = (int(size * (pad_factor - 1)) // 2 for size in source.shape[-2:])
    padded, padded_noise = (
        F.pad(image.float(), (pad_x, pad_x, pad_y, pad_y), mode="reflect") for image in (source, noise)
    )
    F_eps = torch.fft.fft2(padded_noise)
    phase = _limited(torch.fft.fft2(padded).angle())
    if cutoff_radius is not None:
        M = _mask(*padded.shape[-2:], cutoff_radius, transition_width, source.device)
        phase = M * phase + (1 - M) * F_eps.angle()
    result = torch.fft.ifft2(torch.polar(_limited(F_eps.abs()), phase)).real
    result = torch.where(result.abs() > CLAMP, padded_noise, result)
    height, width = source.shape[-2:]
    return result[..., pad_y : pad_y + height, pad_x : pad_x + width].to(source.dtype)


def _limited(values: Tensor) -> Tensor:
    """Limits values from above at their quantile; `torch.quantile` would refuse more than 2^24 of them."""
    ordered = values.flatten().sort().values
    position = CLIP_QUANTILE * (ordered.numel() - 1)
    below = int(position)
    above = min(below + 1, ordered.numel() - 1)
    return values.clamp(max=torch.lerp(ordered[below], ordered[above], position - below).item())


def _mask(height: int, width: int, radius: float, sigma: float, device: torch.device) -> Tensor:
    """M of eq. 10 over the full transform, (height, width); the radius stops at half the shorter side."""
    v = torch.fft.fftfreq(height, 1 / height, device=device)[:, None]
    u = torch.fft.fftfreq(width, 1 / width, device=device)[None, :]
    beyond = (torch.hypot(u, v) - min(radius, height / 2, width / 2)).clamp(min=0)
    return torch.exp(-(beyond**2) / (2 * sigma**2))
