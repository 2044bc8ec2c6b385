"""Structured noise of a clip: random parts that move with the scene instead of boiling.

Warping noise by interpolation would blur it and break the network's assumptions, so noise is carried as particles
(compare Chang et al., "How I Warped Your Noise", ICLR 2024, and Burgert et al., "Go-with-the-Flow", 2025): which
particle shows in which cell depends on the motion alone, never on the values, so every frame is exactly white.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from phipd_sim2real.phase.cutoff import Preservation

DETERMINED = math.pi / 4
"""Share of the power that the source alone decides, as in phase-preserving noise with Rayleigh magnitudes."""

REACH = 24.0
"""Cells over which a spectrum's envelope looks; longer follows the spectrum more closely and moves less well."""

DISTANCE_STEPS = 2**20


class Particles(NamedTuple):
    """White noise whose values have places: one particle in every cell.

    Attributes:
        values: (C, H, W) float32, independent, unit variance.
        offsets: (2, H, W) float32 x and y of each particle from its cell's centre, in [-0.5, 0.5) cells.
    """

    values: Tensor
    offsets: Tensor


def warped_noise(draws: Iterable[Tensor], motions: Iterable[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    """White noise of a clip that follows the motion.

    Args:
        draws: per frame (C, H, W) float32 white noise: the first frame's own, then what fills cells that nothing
            moves to.
        motions: from each frame to the next: (H, W, 2) float32 forward motion in cells, x before y, and (H, W) bool,
            where it leads to a place that is seen.

    Yields:
        (C, H, W) float32 per frame; each by itself white and of unit variance, exactly.
    """
    draws = iter(draws)
    first = next(draws)
    particles = Particles(first, first.new_zeros(2, *first.shape[-2:]))
    yield first
    for fresh, (forward, valid) in zip(draws, motions, strict=True):
        particles = advected(particles, forward, valid, fresh)
        yield particles.values


def advected(particles: Particles, forward: Tensor, valid: Tensor, fresh: Tensor) -> Particles:
    """Moves particles by one frame.

    Of several that come to one cell, the nearest to its centre stays; a cell to which none comes gets a fresh one.

    Args:
        particles: of this frame.
        forward: (H, W, 2) motion of the particles of each cell, in cells, x before y.
        valid: (H, W) bool, where particles arrive at all.
        fresh: (C, H, W) white noise.
    """
    channels, height, width = particles.values.shape
    rows, columns = torch.meshgrid(*(torch.arange(n, device=forward.device) for n in (height, width)), indexing="ij")
    moved = 0.5 + particles.offsets + forward.permute(2, 0, 1)  # in its own cell: equal motion rounds alike everywhere
    offsets = moved - moved.floor() - 0.5
    cell = torch.stack([columns, rows]) + moved.floor()
    inside = (cell >= 0).all(0) & (cell[0] < width) & (cell[1] < height) & valid
    target = (cell[1] * width + cell[0]).long()[inside]
    count = height * width
    distance = (offsets.square().sum(0) * DISTANCE_STEPS).long()
    rank = (distance * count + rows * width + columns)[inside]  # no two alike: the winner is certain
    winner = torch.full((count,), torch.iinfo(torch.int64).max, device=rank.device)
    winner.scatter_reduce_(0, target, rank, "amin")
    taken = winner < torch.iinfo(torch.int64).max
    winner = torch.where(taken, winner % count, 0)
    values = torch.where(taken, particles.values.flatten(1)[:, winner], fresh.flatten(1))
    offsets = torch.where(taken, offsets.flatten(1)[:, winner], 0.0)
    return Particles(values.view(channels, height, width), offsets.view(2, height, width))


def coherent_structured_noise(
    source: Tensor, noise: Tensor, cutoff: Preservation | None = None, determined: float = DETERMINED
) -> Tensor:
    """Structured noise that moves as its source and its noise move.

    In phase-preserving noise (arXiv 2512.05106, eq. 7) pi/4 of the kept band's power is the source with all
    magnitudes made equal, the rest random magnitudes. Neither moves with the scene:
    equal magnitudes raise bins that hold next to nothing, and random ones act as a filter as wide as the picture.
    Here the first part is the source through its *smooth* spectral envelope, a filter of short reach, and the second
    is the noise itself, so that both follow local motion; shares and spectrum stay the same.

    Args:
        source: (..., H, W) real.
        noise: white, unit variance, same shape; of `warped_noise` for a clip.
        cutoff: M, region of kept phase; None keeps all.
        determined: share of power from the source where M is 1, in [0, 1].

    Returns:
        (..., H, W) like source, unit variance on average over noise. Bins of the source without power, and its mean,
        whose phase is a mere sign, stay the noise's.
    """
    size = source.shape[-2:]
    compute = torch.promote_types(source.dtype, torch.float32)
    image = source.to(compute)
    rounding = (8 * torch.finfo(compute).eps * image.abs().amax(dim=(-2, -1), keepdim=True)) ** 2
    G = _flattened(image - image.mean(dim=(-2, -1), keepdim=True), rounding)
    M = torch.ones(size[0], size[1] // 2 + 1, dtype=compute, device=source.device)
    if cutoff is not None:
        M = cutoff.mask(*size, device=source.device).to(compute)
    M = torch.where(G.abs() > 0, M, 0.0) * determined**0.5
    scale = (_power(M) / _power(M * G).clamp(min=torch.finfo(compute).tiny)).sqrt()
    F_eps = torch.fft.rfft2(noise.to(compute), norm="ortho")
    mixed = scale * M * G + (1 - M**2).sqrt() * F_eps
    return torch.fft.irfft2(mixed, s=size, norm="ortho").to(source.dtype)


def structured_noise_3d(
    clip: Tensor, noise: Tensor, cutoff: Preservation | None = None, cycles_per_frame: float | None = None
) -> Tensor:
    """Gives white noise the phase of a whole clip over (T, H, W).

    The clip counts as periodic in time too. Being white in time as well, this noise changes from frame to frame.

    Args:
        clip: (T, ..., H, W) real.
        noise: white, unit variance, same shape.
        cutoff: spatial region of kept phase; None keeps all.
        cycles_per_frame: temporal frequency up to which phase is kept, in (0, 0.5]; None keeps all.

    Returns:
        Like clip, unit variance on average.
    """
    if clip.shape != noise.shape or clip.ndim < 3:
        raise ValueError(f"clip {tuple(clip.shape)} and noise {tuple(noise.shape)} must have one shape (T, ..., H, W).")
    dims, size = (0, -2, -1), (clip.shape[0], *clip.shape[-2:])
    compute = torch.promote_types(clip.dtype, torch.float32)
    F_I, F_eps = (torch.fft.rfftn(x.to(compute), dim=dims) for x in (clip, noise))
    phase_eps = torch.polar(torch.ones_like(F_eps.abs()), F_eps.angle())
    rounding = 2 * torch.finfo(compute).eps * F_I.abs().amax(dim=dims, keepdim=True)
    phase = torch.where(F_I.abs() <= rounding, phase_eps, torch.polar(torch.ones_like(F_I.abs()), F_I.angle()))
    M = torch.ones(size[1], size[2] // 2 + 1, dtype=compute, device=clip.device)
    if cutoff is not None:
        M = cutoff.mask(*size[1:], device=clip.device).to(compute)
    if cycles_per_frame is not None:
        kept = torch.fft.fftfreq(size[0], device=clip.device).abs() <= cycles_per_frame
        M = M * kept.to(compute).view(-1, *(1,) * (clip.ndim - 1))
    mixed = M * phase + (1 - M) * phase_eps
    magnitude = mixed.abs()
    undefined = magnitude <= torch.finfo(compute).eps
    unit = torch.where(undefined, phase_eps, mixed / magnitude.masked_fill(undefined, 1))
    return torch.fft.irfftn(F_eps.abs() * unit, s=size, dim=dims).to(clip.dtype)


def _flattened(image: Tensor, rounding: Tensor) -> Tensor:
    """`rfft2` of an image divided by its smooth envelope: unit power on average around every bin; 0 where empty.

    The envelope is the power spectrum blurred by tapering the autocorrelation. Frequency is multiplied in
    before, which makes the steep spectra of pictures nearly even and the blur harmless. Power up to `rounding` is none.
    """
    height, width = image.shape[-2:]
    v = torch.fft.fftfreq(height, device=image.device, dtype=image.dtype)[:, None]
    u = torch.fft.rfftfreq(width, device=image.device, dtype=image.dtype)[None, :]
    raised = torch.fft.rfft2(image, norm="ortho") * torch.hypot(u, v)
    power = raised.abs().square()
    dy, dx = (torch.fft.fftfreq(n, 1 / n, device=image.device, dtype=image.dtype) for n in (height, width))
    taper = torch.exp(-(dy[:, None] ** 2 + dx[None, :] ** 2) / (2 * REACH**2))
    blurred = torch.fft.rfft2(torch.fft.irfft2(power, s=(height, width)) * taper).real
    floor = torch.maximum(torch.finfo(image.dtype).eps * blurred.amax(dim=(-2, -1), keepdim=True), rounding)
    empty = (blurred <= floor) | (power == 0)
    return torch.where(empty, 0.0, raised / blurred.masked_fill(empty, 1).sqrt())


def _power(spectrum: Tensor) -> Tensor:
    """Sum of squares over a half spectrum, (..., 1, 1); inner columns stand for two."""
    return spectrum.abs().square().sum(dim=(-2, -1), keepdim=True)
