"""Measures of a model in training, on pictures that it never sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from phipd_sim2real.diffusion.families import Family, Sampling
from phipd_sim2real.diffusion.fit_batches import to_levels, told, white_like
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.observation_settings import ValidationSettings
from phipd_sim2real.files import write_text
from phipd_sim2real.phase import Cutoff
from phipd_sim2real.quality import LabStatistics, lab_frechet, phase_coherence, summarise, texture_features, texture_kid
from phipd_sim2real.quality.measurement import Direction, Measurement

TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
LOSS = "loss"


@dataclass(frozen=True)
class Measured:
    """One measure of one step, over `valid` of `total` pictures."""

    step: int
    name: str
    value: float
    unit: str
    better: Direction
    valid: int
    total: int


@dataclass(frozen=True)
class Validation:
    """Held-out pictures or clips, and how they are measured. Every picture has one seed, at every step the same.

    Attributes:
        settings: what is measured.
        pictures: of the wanted look, held out.
        sources: of the look to be enhanced.
        prompt: what the model is told of all of them.
    """

    settings: ValidationSettings
    pictures: UnpairedImages
    sources: UnpairedImages
    prompt: str

    def measured(self, family: Family, step: int) -> list[Measured]:
        """All measures of a model at a step: loss, distance of the look, structure that was kept."""
        losses = [self._loss(family, index) for index in range(len(self.pictures))]
        clips = [self._middle(self.sources, index) for index in range(len(self.sources))]
        results = _frames([self._enhanced(family, clip, index) for index, clip in enumerate(clips)])
        sources = _frames(clips)
        pairs = zip(sources, results, strict=True)
        structure = summarise([phase_coherence(*pair, self.settings.cutoff) for pair in pairs])
        total = len(sources)
        return [
            Measured(step, LOSS, float(np.mean(losses)), "1", "lower", len(losses), len(losses)),
            *(
                Measured(step, look.name, look.value, look.unit, look.better, total if look.valid else 0, total)
                for look in self._looks(results)
            ),
            Measured(step, structure.name, structure.mean, structure.unit, structure.better, structure.valid, total),
        ]

    def _looks(self, results: Sequence[np.ndarray]) -> list[Measurement]:
        """Distances of results from the held-out pictures, in colour and in texture."""
        wanted = _frames([self._middle(self.pictures, index) for index in range(len(self.pictures))])
        colours = [LabStatistics(), LabStatistics()]
        for statistics, pictures in zip(colours, (wanted, results), strict=True):
            for picture in pictures:
                statistics.add(picture)
        textures = [np.concatenate([texture_features(picture) for picture in side]) for side in (results, wanted)]
        return [lab_frechet(*colours), texture_kid(*textures).measurement]

    @torch.no_grad()
    def _loss(self, family: Family, index: int) -> float:
        """Mean over the noise levels `TIMES`."""
        picture = to_levels(self._middle(self.pictures, index)[None], family.device)
        x_0, eps, cutoffs = self._noised(family, picture, index)
        condition = told(family, picture, cutoffs, [self.prompt])
        losses = []
        for time in TIMES:
            t = torch.tensor([time], device=family.device)
            x_t, target = family.corrupt(x_0, eps, t)
            prediction = family.predict(family.denoiser, x_t, t, condition)
            losses.append(family.loss(prediction, target, condition).item())
        return float(np.mean(losses))

    @torch.no_grad()
    def _enhanced(self, family: Family, source: np.ndarray, index: int) -> np.ndarray:
        levels = to_levels(source[None], family.device)
        x_0, eps, cutoffs = self._noised(family, levels, index)
        sampling = Sampling(self.settings.strength, self.settings.steps, prompt=self.prompt)
        return generated(family, levels, x_0, eps, cutoffs, sampling)[0]

    def _noised(self, family: Family, picture: torch.Tensor, index: int) -> tuple:
        cutoffs = [Cutoff.isotropic(self.settings.cutoff)]
        x_0 = family.encode(picture)
        white = white_like(x_0, [frame_seed(0, "validation", index)])
        return x_0, family.noise(x_0, cutoffs, white), cutoffs

    def _middle(self, pictures: UnpairedImages, index: int) -> np.ndarray:
        return pictures.middle(index, self.settings.height, self.settings.width, self.settings.frames)


def generated(
    family: Family,
    levels: torch.Tensor,
    x_0: torch.Tensor,
    eps: torch.Tensor,
    cutoffs: list[Cutoff],
    sampling: Sampling,
) -> np.ndarray:
    """What a model makes of pictures (B, 3, H, W), or of clips (B, 3, T, H, W) and their own first frames.

    Returns:
        (B, H, W, 3) or (B, T, H, W, 3) uint8 RGB.
    """
    first = {"first": levels[:, :, 0]} if levels.ndim == 5 else {}
    return to_pictures(family.generate(x_0, eps, cutoffs, sampling, **first))


def _frames(members: list[np.ndarray]) -> list[np.ndarray]:
    """Pictures, or all frames of clips: (H, W, 3) each."""
    return [frame for member in members for frame in member.reshape(-1, *member.shape[-3:])]


def to_pictures(images: torch.Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] -> (B, H, W, 3) uint8; clips (B, 3, T, H, W) -> (B, T, H, W, 3)."""
    levels = ((images.float() + 1) * 127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).movedim(1, -1).cpu().numpy()


def best(rows: Sequence[Measured], name: str) -> Measured:
    """The row in which a measure was best."""
    chosen = [row for row in rows if row.name == name and row.valid]
    return (min if chosen[0].better == "lower" else max)(chosen, key=lambda row: row.value)


def write_rows(path: Path, rows: Sequence[Measured]) -> None:
    """The measures as CSV, one line each."""
    names = [field.name for field in fields(Measured)]
    lines = [",".join(names)]
    for row in rows:
        values = (f"{value:.6g}" if isinstance(value, float) else str(value) for value in vars(row).values())
        lines.append(",".join(values))
    write_text(path, "\n".join(lines) + "\n")
