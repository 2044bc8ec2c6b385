"""Sheets of samples: what a model in training makes of a few pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from phipd_sim2real.diffusion.families import Family, Sampling
from phipd_sim2real.diffusion.fit_batches import to_levels, white_like
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.observation_settings import SampleSettings
from phipd_sim2real.diffusion.validation import generated, to_pictures
from phipd_sim2real.drivelog import encode_jpeg
from phipd_sim2real.files import atomic_path
from phipd_sim2real.phase import Cutoff

GAP = 4
JPEG_QUALITY = 92
NOISE_SPAN = 3.0  # deviations of the noise from black to white


@dataclass(frozen=True)
class Sheets:
    """Fixed pictures and seeds, drawn again at every sheet.

    Attributes:
        settings: what is shown.
        pictures: to start from, or clips.
        prompt: what the model is told of all of them.
    """

    settings: SampleSettings
    pictures: UnpairedImages
    prompt: str

    def write(self, family: Family, folder: Path, step: int) -> Path:
        """Writes `step-00500.jpg`: a row per picture and cutoff, of source, noise and result.

        A clip has three: of its first, its middle and its last frame.
        """
        rows = [
            row
            for index in range(len(self.pictures))
            for cutoff in self.settings.cutoffs
            for row in self._sample(family, index, cutoff)
        ]
        sheet = np.concatenate([part for row in rows for part in (row, np.full_like(row[:GAP], 255))])[:-GAP]
        path = folder / f"step-{step:05d}.jpg"
        with atomic_path(path) as temporary:
            temporary.write_bytes(encode_jpeg(sheet, JPEG_QUALITY))
        return path

    @torch.no_grad()
    def _sample(self, family: Family, index: int, cutoff: float) -> list[np.ndarray]:
        settings, cutoffs = self.settings, [Cutoff.isotropic(cutoff)]
        source = self.pictures.middle(index, settings.height, settings.width, settings.frames)
        levels = to_levels(source[None], family.device)
        x_0 = family.encode(levels)
        eps = family.noise(x_0, cutoffs, white_like(x_0, [frame_seed(0, "sheet", index)]))
        sampling = Sampling(settings.strength, settings.steps, prompt=self.prompt)
        result = generated(family, levels, x_0, eps, cutoffs, sampling)[0]
        sources, results = (images.reshape(-1, *images.shape[-3:]) for images in (source, result))
        noises = _shown(eps[0], settings)
        numbers = sorted({0, len(sources) // 2, len(sources) - 1})
        return [_row(sources[i], noises[_latent(i, family)], results[i]) for i in numbers]


def _latent(frame: int, family: Family) -> int:
    """Number of the latent frame that a frame of a clip lies in."""
    return 0 if family.time_factor is None else math.ceil(frame / family.time_factor)


def _shown(eps: torch.Tensor, settings: SampleSettings) -> list[np.ndarray]:
    """Noise (C, h, w), or of a clip (C, T', h, w), as pictures: its first three channels, enlarged to their size."""
    levels = to_pictures(eps[:3].reshape(3, -1, *eps.shape[-2:])[None] / NOISE_SPAN)[0]
    size = (settings.width, settings.height)
    return [cv2.resize(level, size, interpolation=cv2.INTER_NEAREST) for level in levels]


def _row(*pictures: np.ndarray) -> np.ndarray:
    gap = np.full((len(pictures[0]), GAP, 3), 255, np.uint8)
    return np.concatenate([pictures[0], *(part for picture in pictures[1:] for part in (gap, picture))], axis=1)
