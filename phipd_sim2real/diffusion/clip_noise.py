"""The noise of frames where it is more than a seed's own: moving, shared, or of a local rigidity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.models import NO_LOCAL_RELEASED
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import Flow
from phipd_sim2real.phase import Profile, correlated_noise, local_structured_noise
from phipd_sim2real.phase.temporal import coherent_structured_noise, structured_noise_3d, warped_noise
from phipd_sim2real.phase.wavelet import LEVELS

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.enhancer import Enhancer

LEAST_CELLS = 2 ** (LEVELS + 2)
"""Cells that both sides of the noise grid need for the wavelets of a local rigidity."""


def white_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Unit-variance white noise of a seed, float32 on the CPU."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(seed)))


def white_draws(enhancer: Enhancer, frames: Iterator[np.ndarray], seeds: Iterator[int]) -> Iterator[Tensor]:
    """White noise of each frame, (C, h, w) float32 on the CPU."""
    for image, seed in zip(frames, seeds, strict=False):
        yield white_noise(enhancer.noise_shape(*image.shape[:2]), seed)


def correlated_draws(
    enhancer: Enhancer, frames: Iterator[np.ndarray], seeds: Iterator[int], correlation: float
) -> Iterator[Tensor]:
    """The same, with a part that all frames of the clip share; it derives from the first frame's seed."""
    first = next(seeds)
    for own in white_draws(enhancer, frames, chain([first], seeds)):
        shared = white_noise(own.shape, frame_seed(first, "shared"))
        yield correlated_noise(shared, own, correlation)


def moving_draws(
    enhancer: Enhancer, frames: Iterator[np.ndarray], seeds: Iterator[int], flows: Iterable[Flow]
) -> Iterator[Tensor]:
    """The same, following the motion from each frame to the next."""
    return warped_noise(white_draws(enhancer, frames, seeds), (_on_grid(enhancer, flow) for flow in flows))


def rigid_noise(enhancer: Enhancer, images: np.ndarray, white: Tensor, rigidity: np.ndarray) -> dict[str, Any]:
    """Arguments of `Enhancer.enhance` for structure that is kept locally.

    Args:
        enhancer: the model.
        images: (N, H, W, 3) uint8 RGB.
        white: (N, *noise_shape(H, W)) float32.
        rigidity: (N, H, W) float32 in [0, 1].

    Returns:
        `noise`, and as `cutoff` what a model that is told one hears: phase kept in a share of all bins that is the
        mean of the frame's rigidity.
    """
    with torch.inference_mode():
        canvas = enhancer.canvas(images)
        maps = enhancer.grid.means(torch.from_numpy(rigidity))
        each = zip(canvas, white.to(canvas.device), maps, strict=True)
        noise = torch.stack([local_structured_noise(source, draw, M.clamp(0, 1)) for source, draw, M in each])
    return {"noise": noise, "cutoff": [Profile((0.0, 1.0), (float(M.mean()),)) for M in rigidity]}


def moving_noise(
    enhancer: Enhancer, images: np.ndarray, white: Tensor, cutoff: Any, settings: EnhanceSettings
) -> dict[str, Any]:
    """Arguments of `Enhancer.enhance` for the noise of `temporal` modes `warp` and `3d`."""
    if enhancer.family.released:
        return {"white": white}  # its structure is part of what the weights were fitted with
    kept = enhancer.preservation(cutoff, *images.shape[1:3])
    kept = None if kept is None else kept.on_grid(enhancer.family.factor)
    with torch.inference_mode():
        canvas = enhancer.canvas(images)
        structured = structured_noise_3d if settings.temporal == "3d" else coherent_structured_noise
        return {"noise": structured(canvas, white.to(canvas.device), kept)}


def refuse_noise(enhancer: Enhancer, settings: EnhanceSettings, sizes: Iterable[tuple[int, int]] = ()) -> None:
    """Refuses noise that a model does not take.

    Args:
        enhancer: the model.
        settings: how frames are to be enhanced.
        sizes: (H, W) of the frames, as far as they are known.

    Raises:
        UsageError: the model is a video model or was fitted with the published noise, or frames are too small.
    """
    if enhancer.is_video:
        _refuse_video(settings)
    if settings.temporal == "3d" and enhancer.family.released:
        raise UsageError("The published noise is made frame by frame; give temporal=frame or warp, or noise=exact.")
    if settings.rigidity is None:
        return
    if enhancer.family.released:
        raise UsageError(NO_LOCAL_RELEASED)
    for size in sizes:
        _refuse_small(enhancer, *size)


def _refuse_video(settings: EnhanceSettings) -> None:
    if settings.temporal != "frame":
        raise UsageError(f"A video model makes clips of its own accord; temporal={settings.temporal} is for others.")
    if settings.correlation:
        raise UsageError("A video model makes clips of its own accord; correlation is for others, leave it out.")
    if settings.rigidity is not None:
        raise UsageError("A video model takes one structure for the whole picture; give a cutoff instead of rigidity.")


def _refuse_small(enhancer: Enhancer, height: int, width: int) -> None:
    cells = enhancer.noise_shape(height, width)[1:]
    if min(cells) < LEAST_CELLS:
        least = next(side for side in count(1) if min(enhancer.noise_shape(side, side)[1:]) >= LEAST_CELLS)
        raise UsageError(
            f"Frames of {width}×{height} pixels have a noise grid of {cells[1]}×{cells[0]} cells with this model, too "
            f"few for a local rigidity; both sides need at least {least} pixels. Give larger frames, or a cutoff."
        )


def _on_grid(enhancer: Enhancer, flow: Flow) -> tuple[Tensor, Tensor]:
    """Motion in cells of the noise, (h, w, 2) float32, and where it counts, (h, w) bool; what is reflected around a
    frame moves as its border."""
    grid, factor = enhancer.grid, enhancer.family.factor
    top, left, _ = grid.noise_window()
    rows, columns = grid.noise_shape(*flow.valid.shape)[1:]
    both = np.concatenate([flow.forward * (grid.enlarge / factor), flow.valid[..., None]], axis=-1).astype(np.float32)
    planes = grid.enlarged(torch.from_numpy(both).permute(2, 0, 1)[None])
    planes = F.pad(planes, (0, -planes.shape[-1] % factor, 0, -planes.shape[-2] % factor), mode="replicate")
    cells = F.avg_pool2d(planes, factor)
    right, bottom = columns - left - cells.shape[-1], rows - top - cells.shape[-2]
    cells = F.pad(cells, (left, right, top, bottom), mode="replicate")[0].permute(1, 2, 0)
    return cells[..., :2], cells[..., 2] > 0.5
