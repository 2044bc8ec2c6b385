"""Videos of any length under a model of short clips: windows, each begun by the last frame of the one before.

The method's authors have no way for long videos. This is the plain one: the look drifts only as far as each clip
drifts from its first frame, and every window's structure comes from its own source frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from phipd_sim2real.diffusion.clip_noise import white_noise
from phipd_sim2real.diffusion.families.family import Sampling
from phipd_sim2real.diffusion.families.wan import WanFamily
from phipd_sim2real.diffusion.frame_grid import FrameGrid
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.requests import check
from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.enhancer import Enhancer
    from phipd_sim2real.phase import Preservation

WINDOW = 49
"""Frames of a clip, as the authors use Wan."""

White = Callable[[int, tuple[int, int, int, int]], Tensor]
"""(number of the window's first frame, (C, T', h, w)) -> white noise of unit variance of that shape, float32."""


@dataclass(frozen=True)
class Clips:
    """How a video is enhanced, window by window.

    Attributes:
        family: the model.
        cutoff: region of kept phase; None keeps all.
        sampling: mode, steps, prompts and guidance.
        seed: of the video. A window's noise derives from it and the number of the window's first frame.
        white: replaces the noise drawn from the seed.
        window: frames of a clip: a multiple of the model's frames per latent frame, and one more.
    """

    family: WanFamily
    cutoff: Preservation | None
    sampling: Sampling
    seed: int
    white: White | None = None
    window: int = WINDOW

    def __post_init__(self) -> None:
        step = self.family.time_factor
        if self.window <= 1 or self.window % step != 1:
            raise UsageError(f"Clips of {self.window} frames are not possible; take a multiple of {step}, plus 1.")

    def enhance(self, frames: Iterable[np.ndarray], first: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Enhances a video; holds one window of it in memory.

        Args:
            frames: (H, W, 3) uint8 RGB in order of time, all of one size.
            first: (H, W, 3) uint8, the video's first frame as it is to look, such as an image model makes it;
                None begins with the source's own, whose look the model then tends to keep.

        Yields:
            (H, W, 3) uint8 RGB, one for each frame.
        """
        held: list[np.ndarray] = []
        start = 0
        for frame in frames:
            held.append(frame)
            if len(held) == self.window:
                enhanced = self._enhanced(held, first, start)
                yield from enhanced[bool(start) :]
                held, first, start = held[-1:], enhanced[-1], start + self.window - 1
        if len(held) > bool(start):
            yield from self._enhanced(held, first, start)[bool(start) :]

    def _enhanced(self, held: list[np.ndarray], first: np.ndarray | None, start: int) -> np.ndarray:
        """One window, (T, H, W, 3) uint8; its end is filled up with its last frame to a possible length."""
        family, (height, width) = self.family, held[0].shape[:2]
        spare = family.time_factor if len(held) == 1 else (1 - len(held)) % family.time_factor
        images = np.stack([*held, *held[-1:] * spare, held[0] if first is None else first])
        levels = FrameGrid(family).padded(images)
        x_0 = family.encode(levels[:-1].transpose(0, 1)[None])
        channels, rows, columns = family.noise_shape(*levels.shape[-2:])
        white = (self.white or self._drawn)(start, (channels, x_0.shape[2], rows, columns))
        eps = family.noise(x_0, [self.cutoff], white[None])
        clip = family.generate(x_0, eps, [self.cutoff], self.sampling, levels[-1:])
        result = ((clip[0, :, : len(held), :height, :width] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return result.permute(1, 2, 3, 0).cpu().numpy()

    def _drawn(self, start: int, shape: tuple[int, int, int, int]) -> Tensor:
        return white_noise(shape, frame_seed(self.seed, "clip", start))


def enhance_stream(
    enhancer: Enhancer,
    frames: Iterable[np.ndarray],
    seed: int,
    cutoff: Preservation | float | Literal["auto"] | None = "auto",
    first: np.ndarray | None = None,
    white: White | None = None,
    window: int = WINDOW,
    control: np.ndarray | Literal["canny"] | None = None,
    **asked: Any,
) -> Iterator[np.ndarray]:
    """Enhances a video; what is left open is the model's own, as with `Enhancer.enhance`.

    Args:
        enhancer: with a video model.
        frames: see `Clips.enhance`.
        seed: of the video.
        cutoff: see `Enhancer.enhance`.
        first: see `Clips.enhance`.
        white: see `Clips`.
        window: likewise.
        control: none: diffusers' pipeline has no ControlNet.
        asked: `strength`, `steps`, `prompt`, `negative_prompt` and `guidance` as for `Enhancer.enhance`.

    Yields:
        (H, W, 3) uint8 RGB, one for each frame.

    Raises:
        UsageError: something is outside of what is allowed.
    """
    if control is not None:
        raise UsageError("Wan's image-to-video pipeline takes no ControlNet; leave controlnet and control out.")
    ahead = iter(frames)
    begin = next(ahead, None)
    if begin is None:
        return
    sampling = enhancer.sampling(**asked)
    check(enhancer.family, begin[None], [seed], sampling, {}, ())
    preservation = enhancer.preservation(cutoff, *begin.shape[:2])
    clips = Clips(enhancer.family, preservation, sampling, seed, white, window)
    yield from clips.enhance(chain([begin], ahead), first)
