"""Sheets of samples: what a model in training makes of a few pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from phipd_sim2real.diffusion.families import Family, Sampling
from phipd_sim2real.diffusion.fit_batches import to_levels, white_noise
from phipd_sim2real.diffusion.fit_settings import SampleSettings
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.validation import to_pictures
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
        pictures: to start from.
        prompt: what the model is told of all of them.
    """

    settings: SampleSettings
    pictures: UnpairedImages
    prompt: str

    def write(self, family: Family, folder: Path, step: int) -> Path:
        """Writes `step-00500.jpg`: a row per picture and cutoff, of source, noise and result."""
        rows = [
            _row(*self._sample(family, index, cutoff))
            for index in range(len(self.pictures))
            for cutoff in self.settings.cutoffs
        ]
        sheet = np.concatenate([part for row in rows for part in (row, np.full_like(row[:GAP], 255))])[:-GAP]
        path = folder / f"step-{step:05d}.jpg"
        with atomic_path(path) as temporary:
            temporary.write_bytes(encode_jpeg(sheet, JPEG_QUALITY))
        return path

    @torch.no_grad()
    def _sample(self, family: Family, index: int, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        settings, cutoffs = self.settings, [Cutoff.isotropic(cutoff)]
        source = self.pictures.middle(index, settings.height, settings.width)
        x_0 = family.encode(to_levels(source[None], family.device))
        white = white_noise(family, settings.height, settings.width, [frame_seed(0, "sheet", index)])
        eps = family.noise(x_0, cutoffs, white)
        result = family.generate(x_0, eps, cutoffs, Sampling(settings.strength, settings.steps, prompt=self.prompt))
        return source, _shown(eps[0], settings), to_pictures(result)[0]


def _shown(eps: torch.Tensor, settings: SampleSettings) -> np.ndarray:
    """Noise as a picture: its first three channels, enlarged to the picture's size."""
    levels = to_pictures(eps[None, :3] / NOISE_SPAN)[0]
    return cv2.resize(levels, (settings.width, settings.height), interpolation=cv2.INTER_NEAREST)


def _row(*pictures: np.ndarray) -> np.ndarray:
    gap = np.full((len(pictures[0]), GAP, 3), 255, np.uint8)
    return np.concatenate([pictures[0], *(part for picture in pictures[1:] for part in (gap, picture))], axis=1)
