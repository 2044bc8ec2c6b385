"""Images that a periodic transform may see: without the seam at which it joins opposite borders."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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
    v = torch.zeros_like(images)  # the jumps, eq. 10
    rows, columns = images[..., -1, :] - images[..., 0, :], images[..., -1] - images[..., 0]
    v[..., 0, :] += rows
    v[..., -1, :] -= rows
    v[..., 0] += columns
    v[..., -1] -= columns
    height, width = images.shape[-2:]
    q = torch.fft.fftfreq(height, device=images.device, dtype=images.dtype)[:, None]
    r = torch.fft.rfftfreq(width, device=images.device, dtype=images.dtype)
    laplacian = 2 * torch.cos(2 * math.pi * q) + 2 * torch.cos(2 * math.pi * r) - 4
    laplacian[0, 0] = 1  # v has no mean
    smooth = torch.fft.irfft2(torch.fft.rfft2(v) / laplacian, s=(height, width))  # eq. 11
    return images - smooth
