"""Images that a periodic transform may see: without the seam at which it joins opposite borders."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor


class SmoothPart(NamedTuple):
    """What a picture loses with its seam, in the frequency domain.

    Attributes:
        spectrum: (..., columns, H) complex, its `rfft2` with u before v; the mean is zero.
        peak: (...) real, a magnitude that no bin exceeds.
    """

    spectrum: Tensor
    peak: Tensor


def periodic_component(images: Tensor) -> Tensor:
    """The image without the smooth part that makes its opposite borders differ.

    L. Moisan, "Periodic plus smooth image decomposition", J. Math. Imaging Vis. 39 (2011), eq. 10 and 11: the
    smooth component solves Poisson's equation for the jumps across the border, so that what is left is close to
    the image inside and joins itself without a seam. Nothing is padded or cropped: structured noise made from it
    keeps every phase of the periodic component exactly.

    Args:
        images: (..., H, W) real.

    Returns:
        (..., H, W) of the same dtype and mean.
    """
    height, width = images.shape[-2:]
    smooth = smooth_part(images, width // 2 + 1).spectrum
    return images - torch.fft.irfft2(smooth.mT, s=(height, width))


def smooth_part(images: Tensor, columns: int) -> SmoothPart:
    """The smooth part of (..., H, W) images in the first columns of `rfft2`.

    The right side of Poisson's equation is zero but on the border, where rows and columns hold one jump with
    either sign: its transform is made of the jumps' own, in one dimension.
    """
    down, right = _unit_jumps(*images.shape[-2:], columns, images.device, images.dtype)
    J_down = torch.fft.rfft(images[..., -1, :] - images[..., 0, :])[..., :columns]
    J_right = torch.fft.fft(images[..., -1] - images[..., 0])
    spectrum = (J_down[..., None] * down).addcmul_(J_right[..., None, :], right)
    steepest = 0.5 / math.sin(math.pi / max(images.shape[-2:]))  # magnitude of the responses at the lowest frequency
    return SmoothPart(spectrum, steepest * (J_down.abs().amax(-1) + J_right.abs().amax(-1)))


@lru_cache(maxsize=8)
def _unit_jumps(
    height: int, width: int, columns: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Spectra of the smooth parts of a unit jump at one place of the border, down and to the right.

    Returns:
        (columns, height) complex each: eq. 10 over the Laplacian of eq. 11.
    """
    with torch.inference_mode(False):  # the next caller may be outside of it
        v = torch.fft.fftfreq(height, device=device, dtype=torch.float64)
        u = torch.fft.rfftfreq(width, device=device, dtype=torch.float64)[:columns, None]
        laplacian = -4 * (torch.sin(math.pi * v) ** 2 + torch.sin(math.pi * u) ** 2)
        laplacian[0, 0] = 1  # jumps have no mean
        complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        return tuple(((1 - torch.exp(2j * math.pi * k)) / laplacian).to(complex_dtype) for k in (v[None, :], u))
