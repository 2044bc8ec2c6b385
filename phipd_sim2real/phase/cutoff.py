"""Up to which spatial frequency the phase of the source is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Preservation(Protocol):
    """What says which phase is kept: hashable, because masks are cached by it."""

    def mask(self, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """M of eq. 10: the share of source phase in each bin of `rfft2`, (height, width // 2 + 1) float32 in [0, 1]."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Cutoff:
    """An elliptical low-pass region of kept phase, in physical units instead of bins.

    NeuralRemaster (arXiv 2512.05106), eq. 10, counts bins of the transform, which means another detail size
    for every image size and other limits across than down. Cycles per pixel mean the same detail everywhere:
    0.1 keeps what is wider than about 5 px, 0.5 is the finest that a pixel grid holds.

    Attributes:
        cycles_per_pixel_x: horizontal semi-axis, >= 0.
        cycles_per_pixel_y: vertical semi-axis, >= 0. Zero on either axis keeps no phase: Gaussian noise.
        softness: standard deviation of the Gaussian fall-off beyond the ellipse, as a fraction of its
            semi-axes, >= 0; zero is a hard edge.
        free_below: cycles per pixel below which the phase is let go again, >= 0. The lowest band carries the
            light of the source, its glow and its shading; zero keeps it.
    """

    cycles_per_pixel_x: float
    cycles_per_pixel_y: float
    softness: float = 0.15
    free_below: float = 0.0

    def __post_init__(self) -> None:
        for name in ("cycles_per_pixel_x", "cycles_per_pixel_y", "softness", "free_below"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}={value} is not a finite number >= 0; 0.2 is usual.")

    @classmethod
    def isotropic(cls, cycles_per_pixel: float, softness: float = 0.15, free_below: float = 0.0) -> Cutoff:
        """The same detail size in both directions."""
        return cls(cycles_per_pixel, cycles_per_pixel, softness, free_below)

    @classmethod
    def bins(cls, radius: float, height: int, width: int, transition_width: float = 2.0) -> Cutoff:
        """The paper's cutoff: `radius` bins of a height × width transform, Gaussian sigma in bins."""
        if radius <= 0:
            raise ValueError(f"radius={radius} is not above 0; Gaussian noise is Cutoff.isotropic(0).")
        return cls(radius / width, radius / height, transition_width / radius)

    def on_grid(self, factor: float) -> Cutoff:
        """The same physical cutoff on a coarser grid, such as a latent one: the same lowest bins are kept.

        Args:
            factor: pixels per cell, 8 for most image autoencoders. Detail finer than two cells has no bin there:
                from `0.5 / factor` cycles per pixel on, the whole grid is kept.
        """
        if not 0 < factor < float("inf"):
            raise ValueError(f"factor={factor} is not a finite number above 0; it is pixels per cell, 8 is usual.")
        return Cutoff(
            self.cycles_per_pixel_x * factor, self.cycles_per_pixel_y * factor, self.softness, self.free_below * factor
        )

    def mask(self, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """M of eq. 10: the share of source phase in each bin of `rfft2`.

        Returns:
            (height, width // 2 + 1) float32 in [0, 1].
        """
        if self.cycles_per_pixel_x == 0 or self.cycles_per_pixel_y == 0:
            return torch.zeros(height, width // 2 + 1, device=device)
        v = torch.fft.fftfreq(height, device=device)[:, None]
        u = torch.fft.rfftfreq(width, device=device)[None, :]
        return self._kept(u, v) * self._held(torch.hypot(u, v))

    def _kept(self, u: Tensor, v: Tensor) -> Tensor:
        """1 inside the ellipse, falling off beyond it."""
        beyond = (torch.hypot(u / self.cycles_per_pixel_x, v / self.cycles_per_pixel_y) - 1).clamp(min=0)
        if self.softness == 0:
            return (beyond == 0).float()
        return torch.exp(-(beyond**2) / (2 * self.softness**2))

    def _held(self, frequency: Tensor) -> Tensor | float:
        """0 at the mean, 1 from a little above `free_below`."""
        if self.free_below == 0:
            return 1.0
        return 1 - torch.exp(-((frequency / self.free_below) ** 4))
