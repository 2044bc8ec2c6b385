"""Structured noise: the magnitudes of white noise with the phase of an image."""

from __future__ import annotations

import torch
from torch import Tensor

from phipd_sim2real.phase.cutoff import Cutoff


def structured_noise(source: Tensor, noise: Tensor, cutoff: Cutoff | None = None) -> Tensor:
    """Gives white noise the spatial phase of `source`.

    NeuralRemaster (arXiv 2512.05106), eq. 7 (full preservation) and eq. 10 (frequency-selective). Three
    points differ from the paper, so that the result is real, unbiased and of unit variance: magnitudes come
    from a real noise image, which makes them even in k; phases mix on the circle, where a linear mix of
    wrapped angles pulls toward zero; and bins in which the source has no magnitude, hence no phase, keep the
    noise's.

    Args:
        source: (..., H, W) real, any scale.
        noise: real unit-variance white noise of the same shape.
        cutoff: region of kept phase; None keeps all.

    Returns:
        (..., H, W) of the source's dtype, unit variance on average. Half precision is computed in float32.
        With all phase kept, diffusion acts on magnitudes alone:
        `a x0 + b result == ifft2((a |F x0| + b |F noise|) exp(j phase(F x0)))`.
    """
    _check(source, noise)
    size, dtype = source.shape[-2:], source.dtype
    compute = torch.promote_types(dtype, torch.float32)
    F_eps = torch.fft.rfft2(noise.to(compute))
    phase_eps = _unit(F_eps, torch.ones_like(F_eps), floor=0)
    F_I, rounding = _spectrum(source.to(compute))
    phase = _unit(F_I, phase_eps, floor=rounding)  # exp(j phi_I)
    if cutoff is not None:
        M = cutoff.mask(*size, device=source.device).to(compute)
        eps = torch.finfo(compute).eps
        phase = _unit(M * phase + (1 - M) * phase_eps, phase_eps, floor=eps)  # eq. 10, on the circle
    return torch.fft.irfft2(F_eps.abs() * phase, s=size).to(dtype)  # eq. 7


def _spectrum(image: Tensor) -> tuple[Tensor, Tensor]:
    """`rfft2` of an image, and the magnitude up to which a bin may be rounding alone.

    The mean stays out of the transform and is put back: rounding of a large mean would reach every bin.
    """
    mean = image.mean(dim=(-2, -1), keepdim=True)
    spectrum = torch.fft.rfft2(image - mean)
    rounding = 2 * torch.finfo(image.dtype).eps * spectrum.abs().amax(dim=(-2, -1), keepdim=True)
    spectrum[..., :1, :1] = mean * (image.shape[-2] * image.shape[-1])
    return spectrum, rounding


def _unit(z: Tensor, fallback: Tensor, floor: Tensor | float) -> Tensor:
    """z / |z| per bin; `fallback` where |z| is not above the floor and its phase means nothing."""
    magnitude = z.abs()
    undefined = magnitude <= floor
    return torch.where(undefined, fallback, z / magnitude.masked_fill(undefined, 1))


def _check(source: Tensor, noise: Tensor) -> None:
    if source.shape != noise.shape or source.ndim < 2:
        raise ValueError(
            f"source {tuple(source.shape)} and noise {tuple(noise.shape)} must have one shape (..., H, W)."
        )
    if not (source.is_floating_point() and noise.is_floating_point()):
        raise ValueError(
            f"source is {source.dtype} and noise {noise.dtype}; both must be real floating point, "
            "so convert uint8 images first."
        )
