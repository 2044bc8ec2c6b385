"""Structured noise: the magnitudes of white noise with the phase of an image."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from phipd_sim2real.phase.cutoff import Preservation

CACHED_VALUES = 2**17
"""Values transformed at a time on a CPU: their spectra stay in a core's cache, which halves the time."""


def structured_noise(source: Tensor, noise: Tensor, cutoff: Preservation | None = None) -> Tensor:
    """Gives white noise the spatial phase of `source`.

    NeuralRemaster (arXiv 2512.05106), eq. 7 (full preservation) and eq. 10 (frequency-selective). Three
    points differ from the paper, so that the result is real, unbiased and of unit variance: magnitudes come
    from a real noise image, which makes them even in k; phases mix on the circle, where a linear mix of
    wrapped angles pulls toward zero; and bins in which the source has no magnitude, hence no phase, keep the
    noise's. No gradient passes through.

    Args:
        source: (..., H, W) real; contrast between 1e-12 and 1e12, or none.
        noise: real unit-variance white noise of the same shape.
        cutoff: region of kept phase, such as a `Cutoff` or a `Profile`; None keeps all.

    Returns:
        (..., H, W) of the source's dtype, unit variance on average. Half precision is computed in float32.
        With all phase kept, diffusion acts on magnitudes alone:
        `a x0 + b result == ifft2((a |F x0| + b |F noise|) exp(j phase(F x0)))`.
    """
    _check(source, noise)
    size, dtype = source.shape[-2:], source.dtype
    compute = torch.promote_types(dtype, torch.float32)
    images, draws = (x.detach().to(compute).reshape(-1, *size) for x in (source, noise))
    M = None if cutoff is None else _mask(cutoff, *size, source.device, compute)
    result = torch.empty_like(images)
    together = len(images) if images.is_cuda else max(1, CACHED_VALUES // (size[0] * size[1]))
    for start in range(0, len(images), together):
        part = slice(start, start + together)
        torch.fft.irfft2(_spectrum(images[part], draws[part], M), s=size, out=result[part])
    return result.view(source.shape).to(dtype)


@lru_cache(maxsize=8)
def _mask(cutoff: Preservation, height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """M over the columns in which any phase is kept, doubled for real and imaginary parts: (height, columns, 2)."""
    with torch.inference_mode(False):  # the next caller may be outside of it
        M = cutoff.mask(height, width, device).to(dtype)
        columns = int(((torch.finfo(dtype).eps < M).any(0) * torch.arange(1, M.shape[1] + 1, device=device)).max())
        return M[:, :columns, None].repeat(1, 1, 2)


def _spectrum(images: Tensor, draws: Tensor, M: Tensor | None) -> Tensor:
    """`rfft2` of the structured noise of (B, H, W) images.

    The mean stays out of the transform and is put back: rounding of a large mean would reach every bin.
    """
    F_eps = torch.fft.rfft2(draws)
    if M is not None and M.shape[1] == 0:
        return F_eps
    means = images.flatten(1).mean(1)
    F_I = torch.fft.rfft2(images - means[:, None, None])
    constants = means * images[0].numel()
    if M is None:
        return _with_phase(F_I, F_eps, constants)[0]
    band = F_eps[..., : M.shape[1]]
    kept, power_eps = _with_phase(F_I[..., : M.shape[1]], band, constants)
    band.copy_(_mixed(kept, band, M, power_eps))
    return F_eps


def _with_phase(F_I: Tensor, F_eps: Tensor, constants: Tensor) -> tuple[Tensor, Tensor]:
    """|F_eps| exp(j phi_I), eq. 7, and |F_eps|²; bins in which `F_I` may be rounding alone stay the noise's.

    Angles are never taken: a spectrum times a ratio of magnitudes costs a tenth of arctangent, sine and cosine.
    """
    power = _power(F_I)
    rounding = (2 * torch.finfo(power.dtype).eps) ** 2 * power.flatten(1).amax(1)[:, None, None]
    F_I[:, 0, 0], power[:, 0, 0] = constants, constants**2
    power_eps = _power(F_eps)
    kept = F_I.mul_(torch.div(power_eps, power).sqrt_())
    if _may_hold(power.flatten(1).amin(1)[:, None, None] <= rounding):
        kept = torch.where(power <= rounding, F_eps, kept)
    return kept, power_eps


def _mixed(kept: Tensor, F_eps: Tensor, M: Tensor, power_eps: Tensor) -> Tensor:
    """Mixes two spectra of equal magnitudes by M on the circle, eq. 10; opposite phases mix to the noise's."""
    mix = torch.view_as_real(kept).sub_(torch.view_as_real(F_eps)).mul_(M).add_(torch.view_as_real(F_eps))
    mix = torch.view_as_complex(mix)
    gain = power_eps.div_(_power(mix)).sqrt_()
    limit = 1 / torch.finfo(gain.dtype).eps
    mix.mul_(gain)
    if _may_hold(~(gain.amax() <= limit)):  # written so that 0/0 counts
        return torch.where(gain <= limit, mix, F_eps)
    return mix


def _power(spectrum: Tensor) -> Tensor:
    """|z|² per bin; several times faster than `abs`, which guards against overflow."""
    squares = torch.view_as_real(spectrum).square()
    return squares[..., 0] + squares[..., 1]


def _may_hold(condition: Tensor) -> bool:
    """Whether a condition holds anywhere; not asked of a GPU, which would have to wait for the answer."""
    return condition.is_cuda or bool(condition.any())


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
