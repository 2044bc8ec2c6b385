"""Enhancing the frames of one camera in their order, with noise that knows of the frames before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise, repeat, tee
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.diffusion.frames import BATCH
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import Flow

if TYPE_CHECKING:
    from torch import Tensor

    from phipd_sim2real.diffusion.enhancer import Enhancer

Motion = Callable[[int, np.ndarray, np.ndarray], Flow]
"""(number of a frame, its picture, the next one) -> motion from the one to the other."""


def enhance_clip(
    enhancer: Enhancer, frames: Iterable[np.ndarray], seeds: Iterable[int], motion: Motion, settings: EnhanceSettings
) -> Iterator[np.ndarray]:
    """Enhances frames of one size as they come; `BATCH` of them are in memory at a time.

    The result depends on frames, seeds, motion and settings; `settings.temporal` says how frames hang together.

    Args:
        enhancer: the model of `settings`.
        frames: (H, W, 3) uint8 RGB each, in the order of time.
        seeds: one per frame, or more; a video model takes the first for the whole clip.
        motion: asked in mode `warp` only.
        settings: the method.

    Yields:
        (H, W, 3) uint8 RGB per frame.

    Raises:
        UsageError: the model cannot do the temporal mode.
    """
    from phipd_sim2real.diffusion.enhancer import method  # torch, where there is work

    _refuse(enhancer, settings)
    how = method(settings)
    if enhancer.is_video:
        yield from enhancer.enhance_stream(frames, next(iter(seeds)), **how)
        return
    whites: Iterable[Tensor | None] = repeat(None)
    if settings.temporal != "frame":  # what is teed is held until both have read it
        (frames, shown), (seeds, drawn) = tee(frames), tee(seeds)
        whites = _whites(enhancer, shown, drawn, motion, settings.temporal)
    for batch in _batches(zip(frames, seeds, whites, strict=False)):
        pictures, own, white = zip(*batch, strict=True)
        images = np.stack(pictures)
        yield from enhancer.enhance(images, own, **how, **_noise(enhancer, images, white, how["cutoff"], settings))


def _refuse(enhancer: Enhancer, settings: EnhanceSettings) -> None:
    if settings.temporal != "frame" and enhancer.is_video:
        raise UsageError(f"A video model makes clips of its own accord; temporal={settings.temporal} is for others.")
    if settings.temporal == "3d" and enhancer.family.released:
        raise UsageError("The published noise is made frame by frame; give temporal=frame or warp, or noise=exact.")


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def _whites(
    enhancer: Enhancer, frames: Iterator[np.ndarray], seeds: Iterator[int], motion: Motion, mode: str
) -> Iterator[Tensor]:
    """White noise of each frame, (C, h, w) float32 on the CPU."""
    from phipd_sim2real.phase.temporal import warped_noise

    if mode == "3d":
        return _draws(enhancer, frames, seeds)
    frames, sized = tee(frames)
    flows = (motion(number, *pair) for number, pair in enumerate(pairwise(frames)))
    return warped_noise(_draws(enhancer, sized, seeds), (_on_grid(enhancer, flow) for flow in flows))


def _noise(
    enhancer: Enhancer, images: np.ndarray, whites: tuple[Any, ...], cutoff: Any, settings: EnhanceSettings
) -> dict[str, Tensor]:
    """What `Enhancer.enhance` is given of noise."""
    if settings.temporal == "frame":
        return {}
    import torch

    from phipd_sim2real.phase.temporal import coherent_structured_noise, structured_noise_3d

    white = torch.stack(whites)
    if enhancer.family.released:
        return {"white": white}  # its structure is part of what the weights were fitted with
    kept = enhancer.preservation(cutoff, *images.shape[1:3])
    kept = None if kept is None else kept.on_grid(enhancer.family.factor)
    with torch.inference_mode():
        canvas = enhancer.canvas(images)
        structured = structured_noise_3d if settings.temporal == "3d" else coherent_structured_noise
        return {"noise": structured(canvas, white.to(canvas.device), kept)}


def _draws(enhancer: Enhancer, frames: Iterator[np.ndarray], seeds: Iterator[int]) -> Iterator[Tensor]:
    import torch

    for image, seed in zip(frames, seeds, strict=False):
        generator = torch.Generator().manual_seed(int(seed))
        yield torch.randn(enhancer.noise_shape(*image.shape[:2]), generator=generator)


def _on_grid(enhancer: Enhancer, flow: Flow) -> tuple[Tensor, Tensor]:
    """Motion in cells of the noise, (h, w, 2) float32, and where it counts, (h, w) bool; what is reflected around a
    frame moves as its border."""
    import torch
    import torch.nn.functional as F

    height, width = flow.valid.shape
    top, left, factor = enhancer.noise_window(height, width)
    rows, columns = enhancer.noise_shape(height, width)[1:]
    both = np.concatenate([flow.forward / factor, flow.valid[..., None]], axis=-1).astype(np.float32)
    planes = torch.from_numpy(both).permute(2, 0, 1)[None]
    planes = F.pad(planes, (0, -width % factor, 0, -height % factor), mode="replicate")
    cells = F.avg_pool2d(planes, factor)
    right, bottom = columns - left - cells.shape[-1], rows - top - cells.shape[-2]
    cells = F.pad(cells, (left, right, top, bottom), mode="replicate")[0].permute(1, 2, 0)
    return cells[..., :2], cells[..., 2] > 0.5
