"""Structured noise: the magnitudes of white noise with the phase of an image."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from phipd_sim2real.phase.border import smooth_part
from phipd_sim2real.phase.cutoff import Preservation

CACHED_VALUES = 2**17
"""Values transformed at a time on a CPU: their spectra stay in a core's cache, which halves the time."""


def structured_noise(
    source: Tensor, noise: Tensor, cutoff: Preservation | None = None, seamless: bool = False
) -> Tensor:
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
        seamless: take the phase of `periodic_component(source)`, which knows no seam between opposite borders,
            at a fraction of what making that component costs.

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
    if M is not None and len(M) == 0:
        return noise.detach().to(dtype, copy=True)
    together = len(images) if images.is_cuda else max(1, CACHED_VALUES // (size[0] * size[1]))
    if len(images) <= together:
        return _structured(images, draws, M, seamless).view(source.shape).to(dtype)
    result = torch.empty_like(images)
    for part in map(slice, range(0, len(images), together), range(together, len(images) + together, together)):
        result[part] = _structured(images[part], draws[part], M, seamless)
    return result.view(source.shape).to(dtype)


@lru_cache(maxsize=8)
def _mask(cutoff: Preservation, height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """M over the columns in which any phase is kept, doubled for real and imaginary parts: (columns, height, 2)."""
    with torch.inference_mode(False):  # the next caller may be outside of it
        M = cutoff.mask(height, width, device).to(dtype).T
        kept = (torch.finfo(dtype).eps < M).any(1) * torch.arange(1, len(M) + 1, device=device)
        return M[: int(kept.max()), :, None].repeat(1, 1, 2)


def _structured(images: Tensor, draws: Tensor, M: Tensor | None, seamless: bool) -> Tensor:
    """Structured noise of (B, H, W) images.

    Rows are transformed first; of the columns of their spectra then those alone that M keeps phase in. Spectra
    are (B, columns, H), u before v: what a transform along columns leaves in memory.

    The mean stays out of the transform and is put back: rounding of a large mean would reach every bin.
    """
    height, width = images.shape[1:]
    rows = torch.fft.rfft(draws)
    columns = rows.shape[-1] if M is None else len(M)
    means = images.sum((1, 2), keepdim=True).div_(height * width)
    rows_I = torch.fft.rfft(images - means)
    F_eps, F_I = (torch.fft.fft(x[..., :columns], dim=1).mT for x in (rows, rows_I))
    removed = None
    if seamless:
        smooth, peak = smooth_part(images, columns)
        F_I.sub_(smooth)
        removed = peak.square_()
    F, power_eps = _with_phase(F_I, F_eps, means.mul_(height * width).view(-1), removed)
    if M is None:
        return torch.fft.irfft(torch.fft.ifft(F).mT, n=width)
    _replace(rows[..., :columns], torch.fft.ifft(_mixed(F, F_eps, M, power_eps)).mT)
    return torch.fft.irfft(rows, n=width)


def _replace(rows: Tensor, others: Tensor) -> None:
    """Copies; one large transposed plane is turned by itself, which PyTorch does in cached blocks."""
    rows.squeeze(0).copy_(others[0].contiguous() if len(others) == 1 else others)


def _with_phase(F_I: Tensor, F_eps: Tensor, constants: Tensor, removed: Tensor | None) -> tuple[Tensor, Tensor]:
    """|F_eps| exp(j phi_I), eq. 7, and |F_eps|²; bins in which `F_I` may be rounding alone stay the noise's.

    Angles are never taken: a spectrum times a ratio of magnitudes costs a tenth of arctangent, sine and cosine.

    Args:
        F_I: spectra without means; overwritten.
        F_eps: of the noise.
        constants: (B,) what belongs into the bins of the means.
        removed: (B,) highest power of what was subtracted from `F_I`: its rounding is still there.
    """
    power, power_eps = _power(F_I), _power(F_eps)
    rounding = power.amax((1, 2)) if removed is None else power.amax((1, 2)).add_(removed)
    rounding.mul_((2 * torch.finfo(power.dtype).eps) ** 2)
    F_I[:, 0, 0], power[:, 0, 0] = constants, constants.square()
    kept = F_I.mul_(torch.div(power, power_eps).rsqrt_())
    if power.is_cuda or power.amin().item() <= rounding.amax().item():  # asking a GPU would wait for the answer
        kept = torch.where(power <= rounding[:, None, None], F_eps, kept)
    return kept, power_eps


def _mixed(kept: Tensor, F_eps: Tensor, M: Tensor, power_eps: Tensor) -> Tensor:
    """Mixes two spectra of equal magnitudes by M on the circle, eq. 10; opposite phases mix to the noise's."""
    mix = torch.view_as_real(kept)
    torch.lerp(torch.view_as_real(F_eps), mix, M, out=mix)
    gain = torch.div(_power(kept), power_eps).rsqrt_()
    limit = 1 / torch.finfo(gain.dtype).eps
    kept.mul_(gain)
    if gain.is_cuda or not gain.amax().item() <= limit:  # written so that 0/0 counts
        return torch.where(gain <= limit, kept, F_eps)
    return kept


def _power(spectrum: Tensor) -> Tensor:
    """|z|² per bin; several times faster than `abs`, which guards against overflow."""
    return torch.add(*torch.view_as_real(spectrum).square().unbind(-1))


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
