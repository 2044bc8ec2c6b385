"""How much phase of the source is kept in each band of spatial frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from phipd_sim2real.phase.border import periodic_component


@dataclass(frozen=True)
class Profile:
    """A share of kept phase for every band, in place of one cutoff; a `Preservation`.

    The shares hold at the middles of their bands, change linearly between them, and stay constant beyond the
    first and the last.

    Attributes:
        edges: K + 1 ascending edges of the bands, cycles per pixel.
        shares: K shares in [0, 1]: 0 is Gaussian noise, 1 the source's phase.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        ascending = all(low < high for low, high in pairwise(self.edges))
        if len(self.edges) < 2 or not ascending or not 0 <= self.edges[0] < self.edges[-1] < float("inf"):
            raise ValueError(f"edges={self.edges} are not at least two ascending frequencies >= 0.")
        if len(self.shares) != len(self.edges) - 1 or not all(0 <= share <= 1 for share in self.shares):
            raise ValueError(f"shares={self.shares} must be {len(self.edges) - 1} numbers in [0, 1], one per band.")

    @classmethod
    def learned(
        cls, luminance: Tensor, regions: Tensor, edges: Sequence[float], weights: Tensor | None = None
    ) -> Profile:
        """Keeps in each band the share that labelled geometry explains; texture and shading are let go.

        The pictures are set against cartoons of themselves, in which every region has its mean luminance. The
        share of a band is the magnitude-squared coherence of the two, |Σ S C*|² / (Σ|S|² Σ|C|²) over its bins
        and all pictures: 1 where the band holds nothing but outlines of regions.

        Args:
            luminance: (N, H, W) float.
            regions: (N, H, W) integer labels; what differs in label, such as instance and class, is another region.
            edges: as of a `Profile`; every band must hold a bin of an H × W transform.
            weights: (N, H, W) in [0, 1], where a task looks, such as near lane paint; None is everywhere.

        Raises:
            ValueError: shapes differ, or a band has no bin or no energy.
        """
        if luminance.ndim != 3 or luminance.shape != regions.shape:
            raise ValueError(
                f"luminance {tuple(luminance.shape)} and regions {tuple(regions.shape)} must have one shape (N, H, W)."
            )
        seen = torch.ones_like(luminance) if weights is None else weights
        S, C = (_spectra(pictures, seen) for pictures in (luminance, _cartoons(luminance, regions)))
        bands = _bands(*luminance.shape[1:], edges, luminance.device)
        cross, power_S, power_C = (_summed(product, bands) for product in (S * C.conj(), S * S.conj(), C * C.conj()))
        coherence = cross.abs().square() / (power_S.real * power_C.real)
        if not coherence.isfinite().all():
            empty = [i for i, value in enumerate(coherence.tolist()) if not value >= 0]
            raise ValueError(
                f"Bands {empty} of edges {tuple(edges)} hold no bin or no energy of these pictures; widen them."
            )
        return cls(tuple(map(float, edges)), tuple(coherence.clamp(max=1).tolist()))

    def on_grid(self, factor: float) -> Profile:
        """The same bands on a coarser grid of `factor` pixels per cell, such as a latent one."""
        if not 0 < factor < float("inf"):
            raise ValueError(f"factor={factor} is not a finite number above 0; it is pixels per cell, 8 is usual.")
        return Profile(tuple(edge * factor for edge in self.edges), self.shares)

    def mask(self, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """The share of source phase in each bin of `rfft2`, (height, width // 2 + 1) float32 in [0, 1]."""
        edges, shares = torch.tensor(self.edges, device=device), torch.tensor(self.shares, device=device)
        if len(shares) == 1:
            return shares.expand(height, width // 2 + 1).clone()
        middles = (edges[:-1] + edges[1:]) / 2
        k = _frequency(height, width, device).clamp(middles[0], middles[-1])
        above = torch.searchsorted(middles, k).clamp(1, len(middles) - 1)
        part = (k - middles[above - 1]) / (middles[above] - middles[above - 1])
        return torch.lerp(shares[above - 1], shares[above], part)


def _frequency(height: int, width: int, device: torch.device | None) -> Tensor:
    v, u = torch.fft.fftfreq(height, device=device)[:, None], torch.fft.rfftfreq(width, device=device)
    return torch.hypot(u, v)


def _bands(height: int, width: int, edges: Sequence[float], device: torch.device) -> Tensor:
    """(K, bins) bool: the bins of each band; the mean is in none."""
    k = _frequency(height, width, device).flatten()
    return torch.stack([(k > 0) & (low <= k) & (k < high) for low, high in pairwise(edges)])


def _summed(product: Tensor, bands: Tensor) -> Tensor:
    return torch.stack([product.flatten(1)[:, band].sum() for band in bands])


def _spectra(pictures: Tensor, weights: Tensor) -> Tensor:
    """`rfft2` of pictures as seen through weights, without the mean of what is seen and without a seam."""
    mean = (pictures * weights).sum((1, 2), keepdim=True) / weights.sum((1, 2), keepdim=True)
    return torch.fft.rfft2(periodic_component((pictures - mean) * weights))


def _cartoons(luminance: Tensor, regions: Tensor) -> Tensor:
    """Pictures in which every region has its mean luminance."""
    cartoons = []
    for picture, labels in zip(luminance, regions, strict=True):
        _, region, count = labels.flatten().unique(return_inverse=True, return_counts=True)
        total = torch.zeros_like(count, dtype=picture.dtype).index_add_(0, region, picture.flatten())
        cartoons.append((total / count)[region].view_as(picture))
    return torch.stack(cartoons)
