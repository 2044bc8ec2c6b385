"""Enhancing the frames of one camera in their order, with noise that knows of the frames before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice, pairwise, repeat, tee
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.diffusion.frames import BATCH
from phipd_sim2real.diffusion.labels import Labels, control_pictures_of, needed_labels, rigidity_maps
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import Flow

if TYPE_CHECKING:
    from torch import Tensor

    from phipd_sim2real.diffusion.enhancer import Enhancer

Motion = Callable[[int, np.ndarray, np.ndarray], Flow]
"""(number of a frame, its picture, the next one) -> motion from the one to the other."""


def enhance_clip(
    enhancer: Enhancer,
    frames: Iterable[np.ndarray],
    seeds: Iterable[int],
    motion: Motion,
    settings: EnhanceSettings,
    labels: Labels | None = None,
) -> Iterator[np.ndarray]:
    """Enhances frames of one size as they come; `BATCH` of them are in memory at a time.

    The result depends on frames, seeds, motion, labels and settings; `settings.temporal` and `settings.correlation`
    say how frames hang together.

    Args:
        enhancer: the model of `settings`.
        frames: (H, W, 3) uint8 RGB each, in the order of time.
        seeds: one per frame, or more; a video model takes the first for the whole clip.
        motion: asked in mode `warp` only.
        settings: the method.
        labels: asked for what `labels.needed_labels` says.

    Yields:
        (H, W, 3) uint8 RGB per frame.

    Raises:
        UsageError: the model cannot do what is asked, or labels are needed and not given.
    """
    from phipd_sim2real.diffusion.clip_noise import refuse_noise  # torch, where there is work
    from phipd_sim2real.diffusion.enhancer import method

    refuse_noise(enhancer, settings)
    if labels is None and (needed := needed_labels(settings)):
        raise UsageError(f"These settings look at {' and '.join(needed)}; give labels with the frames.")
    how = method(settings)
    if enhancer.is_video:
        yield from enhancer.enhance_stream(frames, next(iter(seeds)), **how)
        return
    whites: Iterable[Tensor | None] = repeat(None)
    if settings.temporal != "frame" or settings.correlation or settings.rigidity:
        (frames, shown), (seeds, drawn) = tee(frames), tee(seeds)  # what is teed is held until both have read it
        whites = _whites(enhancer, shown, drawn, motion, settings)
    for batch in _batches(zip(count(), frames, seeds, whites, strict=False)):
        numbers, pictures, own, white = zip(*batch, strict=True)
        images = np.stack(pictures)
        if settings.control in ("depth", "semantics"):
            how["control"] = control_pictures_of(labels, settings, numbers)
        noise = {} if white[0] is None else noise_of(enhancer, images, white, settings, labels, numbers)
        yield from enhancer.enhance(images, own, **how | noise)


def noise_of(
    enhancer: Enhancer,
    images: np.ndarray,
    whites: Iterable[Tensor],
    settings: EnhanceSettings,
    labels: Labels | None,
    numbers: Iterable[int],
) -> dict[str, Any]:
    """What `Enhancer.enhance` is given of noise, made of white noise of each frame."""
    import torch

    from phipd_sim2real.diffusion.clip_noise import moving_noise, rigid_noise
    from phipd_sim2real.diffusion.enhancer import method

    white = torch.stack(list(whites))
    if settings.rigidity is not None:
        return rigid_noise(enhancer, images, white, rigidity_maps(labels, settings, images.shape[1:3], list(numbers)))
    if settings.temporal == "frame":
        return {"white": white}
    return moving_noise(enhancer, images, white, method(settings)["cutoff"], settings)


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def _whites(
    enhancer: Enhancer,
    frames: Iterator[np.ndarray],
    seeds: Iterator[int],
    motion: Motion,
    settings: EnhanceSettings,
) -> Iterator[Tensor]:
    """White noise of each frame, (C, h, w) float32 on the CPU."""
    from phipd_sim2real.diffusion.clip_noise import correlated_draws, moving_draws, white_draws

    if settings.correlation:
        return correlated_draws(enhancer, frames, seeds, settings.correlation)
    if settings.temporal != "warp":
        return white_draws(enhancer, frames, seeds)
    frames, sized = tee(frames)
    flows = (motion(number, *pair) for number, pair in enumerate(pairwise(frames)))
    return moving_draws(enhancer, sized, seeds, flows)
