"""Structured noise whose phase is kept locally: in one part of the picture more than in another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 4
TRANSITION = 1 / 3  # of a band's edge: the widest at which only neighbouring bands overlap, as in Meyer's wavelets
NEIGHBOURS = 7  # cells across which the noise's power is kept


class Band(NamedTuple):
    """One oriented complex wavelet: its frequency response on the box of bins that holds it.

    Attributes:
        level: octave; 0 is the finest, from 1/6 cycles per pixel up.
        rows: bins of `fft2` that the box takes, along y.
        columns: along x.
        g: (rows, columns) float32 response. With those of the mirrored bins and the low-pass rest, the squares
            of all bands sum to 1: a tight frame, of which each coefficient has one side of the spectrum alone
            and so a phase.
    """

    level: int
    rows: Tensor
    columns: Tensor
    g: Tensor


def local_structured_noise(source: Tensor, noise: Tensor, rigidity: Tensor, levels: int = LEVELS) -> Tensor:
    """Gives white noise the local phase of `source`, as far as `rigidity` says at each place.

    Where `structured_noise` takes the phase of waves that span the picture, this takes that of complex wavelets
    of four orientations, sampled in the frequency domain at the width of their bands: the noise's magnitudes
    stay where they are, and edges of the source are kept in one place and let go in another. What lies below
    the coarsest level, the light of the scene, is always the noise's.

    A frame has more coefficients than the picture has pixels, so that no picture has exactly the coefficients
    asked for; the nearest one is taken, and the power that a band loses by it is given back place by place.

    Args:
        source: (..., H, W) float32 or float64, sides of at least 2^(levels + 2).
        noise: unit-variance white noise of the same shape.
        rigidity: (H, W) in [0, 1], or (levels, H, W) with the finest level first. 0 keeps the noise as it is,
            1 takes the source's phase; between them phases mix on the circle.
        levels: octaves, from 0.5 cycles per pixel down.

    Returns:
        (..., H, W) noise; exactly `noise` for rigidity 0. For rigidity 1 of road pictures its variance is 0.93,
        its spectrum flat within 0.83 to 1.07.
    """
    _check(source, noise, rigidity, levels)
    height, width = source.shape[-2:]
    F_I = torch.fft.fft2(source - source.mean((-2, -1), keepdim=True), norm="ortho")
    F_eps = torch.fft.fft2(noise, norm="ortho")
    rounding = 2 * torch.finfo(source.dtype).eps * F_I.abs().amax((-2, -1), keepdim=True)
    change = torch.zeros_like(F_eps)
    for level, rows, columns, g in bands(height, width, levels, source.device):
        box = (..., rows[:, None], columns)
        w_I, w_eps = (torch.fft.ifft2(spectrum[box] * g, norm="ortho") for spectrum in (F_I, F_eps))
        M = _sampled(rigidity if rigidity.ndim == 2 else rigidity[level], *g.shape)
        turned = w_eps.abs() * _mixed(w_I, w_eps, M, rounding)
        turned = torch.where(M > 0, turned * _gain(turned, w_eps, g), w_eps)
        change[box] += g * torch.fft.fft2(turned - w_eps, norm="ortho")
    return noise + 2 * torch.fft.ifft2(change, norm="ortho").real


def bands(height: int, width: int, levels: int, device: torch.device | None = None) -> Iterator[Band]:
    """The wavelets of a picture's size: per level one upright, one level and two diagonal orientations."""
    for level in range(levels):
        (low_v, down, up), (low_u, right, _) = (_windows(size, level, device) for size in (height, width))
        for v, u in ((down, low_u), (low_v, right), (down, right), (up, right)):
            rows, columns = _support(v), _support(u)
            yield Band(level, rows, columns, v[rows][:, None] * u[columns])


def _windows(size: int, level: int, device: torch.device | None) -> tuple[Tensor, Tensor, Tensor]:
    """Along one axis: what is below a level, and its positive and its negative frequencies.

    A bin that is its own mirror image counts half to either side.
    """
    f = torch.fft.fftfreq(size, device=device)
    below = _low_pass(f, 0.25 / 2**level)
    above = _low_pass(f, 0.5 / 2**level) if level else torch.ones_like(f)
    power = (above**2 - below**2).clamp(min=0)
    positive, mirrored = (f > 0).float(), f.abs() == 0.5
    return below, *((power * side.masked_fill(mirrored, 0.5)).sqrt() for side in (positive, 1 - positive))


def _low_pass(f: Tensor, edge: float) -> Tensor:
    """Falls from 1 to 0 around an edge, such that the square of the complement is the high-pass."""
    x = ((f.abs() / edge - 1 + TRANSITION) / (2 * TRANSITION)).clamp(0, 1)
    return torch.cos(torch.pi / 2 * x**2 * (3 - 2 * x))


def _support(window: Tensor) -> Tensor:
    """Bins between the first and the last that a window holds, in order of frequency."""
    size = len(window)
    bins = torch.arange(size, device=window.device) - size // 2  # the lowest, where there is a middle one, is f = -1/2
    if window[1 : size // 2].sum() >= window[-(size // 2) + 1 :].sum():
        bins = bins + (size % 2 == 0)  # which then ends the positive side
    held = (window[bins] > 1e-4).nonzero().flatten()
    return bins[held[0] : held[-1] + 1] % size


def _sampled(rigidity: Tensor, rows: int, columns: int) -> Tensor:
    """Rigidity at the places of a band's coefficients."""
    (height, width), device = rigidity.shape, rigidity.device
    y, x = (torch.arange(n, device=device) * size // n for n, size in ((rows, height), (columns, width)))
    return rigidity[y[:, None], x]


def _mixed(w_I: Tensor, w_eps: Tensor, M: Tensor, rounding: Tensor) -> Tensor:
    """Unit phases between those of two coefficients, on the circle; the noise's where there is none."""
    u_eps = w_eps.sgn()
    mix = M * torch.where(w_I.abs() <= rounding, u_eps, w_I.sgn()) + (1 - M) * u_eps
    return torch.where(mix.abs() <= torch.finfo(M.dtype).eps, u_eps, mix.sgn())


def _gain(turned: Tensor, w_eps: Tensor, g: Tensor) -> Tensor:
    """What gives a band the noise's power back, from place to place, after `g` has let through what it does."""
    before, after = (_around(torch.fft.ifft2(g * torch.fft.fft2(w)).abs() ** 2) for w in (w_eps, turned))
    return (before / after).sqrt()


def _around(power: Tensor) -> Tensor:
    """Mean over the `NEIGHBOURS` × `NEIGHBOURS` cells around each."""
    planes = power.reshape(-1, 1, *power.shape[-2:])
    return F.avg_pool2d(F.pad(planes, (NEIGHBOURS // 2,) * 4, "circular"), NEIGHBOURS, 1).view(power.shape)


def _check(source: Tensor, noise: Tensor, rigidity: Tensor, levels: int) -> None:
    size = source.shape[-2:]
    if source.shape != noise.shape or min(size, default=0) < 2 ** (levels + 2):
        raise ValueError(
            f"source {tuple(source.shape)} and noise {tuple(noise.shape)} must have one shape (..., H, W) with "
            f"sides of at least {2 ** (levels + 2)} for {levels} levels."
        )
    if rigidity.shape not in {size, (levels, *size)} or not 0 <= rigidity.min() <= rigidity.max() <= 1:
        raise ValueError(
            f"rigidity {tuple(rigidity.shape)} must be {tuple(size)} or {(levels, *size)} and within [0, 1]."
        )
