"""The published noise on a latent grid, one frame at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import Cutoff, released_structured_noise

PADDING = 1.5


def released_noise(x_0: Tensor, cutoffs: Sequence[Cutoff | None], white: Tensor) -> Tensor:
    """`released_structured_noise` of each frame by itself: its quantiles would otherwise run over the batch.

    Args:
        x_0: (B, C, h, w) float32.
        cutoffs: one per frame, in cycles per cell.
        white: white noise like x_0.

    Raises:
        UsageError: a cutoff has no radius in bins, as the published routine takes it.
    """
    radii = [_radius(cutoff, *x_0.shape[-2:]) for cutoff in cutoffs]
    noise = [
        released_structured_noise(source[None], draw[None], radius, pad_factor=PADDING)
        for source, draw, radius in zip(x_0, white, radii, strict=True)
    ]
    return torch.cat(noise)


def bins_cutoff(radius: float, height: int, width: int) -> Cutoff:
    """The published cutoff of `radius` bins for a frame of height × width, in the frame's own unit of length."""
    return Cutoff.bins(radius, *(_transformed(size) for size in (height, width)))


def _radius(cutoff: Cutoff | None, height: int, width: int) -> float | None:
    """Bins of the padded transform; the geometric mean where the physical cutoff is no circle of bins."""
    if cutoff is None:
        return None
    if not isinstance(cutoff, Cutoff) or cutoff.free_below:
        raise UsageError(
            f"The published noise takes a plain cutoff, not {cutoff}; choose noise=exact for profiles and free bands."
        )
    rows, columns = (_transformed(size) for size in (height, width))
    return (cutoff.cycles_per_pixel_x * columns * cutoff.cycles_per_pixel_y * rows) ** 0.5


def _transformed(size: int) -> int:
    """Length of the padded transform."""
    return size + int(size * (PADDING - 1)) // 2 * 2
