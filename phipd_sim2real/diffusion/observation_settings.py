"""What is shown and measured of a model while it is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from phipd_sim2real.diffusion.settings import Positive
from phipd_sim2real.settings import Settings

CyclesPerPixel = Annotated[float, Field(ge=0, le=0.5)]
Frames = Annotated[int, Field(ge=1)]
"""Of a clip: for video models a multiple of their frames per latent frame (Wan: 4), plus 1. 1 is a single picture."""


class SampleSettings(Settings):
    """Sheets of source, noise and result, written to `training/samples/` while the fit runs."""

    every: Positive = 500
    """Steps between sheets."""

    pictures: Positive = 3

    cutoffs: Annotated[tuple[CyclesPerPixel, ...], Field(min_length=1)] = (0.05, 0.2)
    """One row each per picture, in cycles per pixel."""

    height: Annotated[int, Field(ge=32)] = 192
    """Pixels of the middle of a picture that are shown; multiples as for crops."""

    width: Annotated[int, Field(ge=32)] = 320

    frames: Frames = 1
    """Of the clips that are shown instead of pictures, from their own first frame; a sheet has the first, the
    middle and the last."""

    strength: Annotated[float, Field(gt=0, le=1)] = 1.0

    steps: Positive = 8


class ValidationSettings(Settings):
    """Measures on pictures that are never trained on, written to `training/validation.csv`."""

    data: Path | None = None
    """A drive log or folder of held-out pictures of the wanted look; None sets `share` of the data aside."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the data's segments (drive log) or pictures (folder; of clips its sub-folders) that is set aside,
    chosen by hash."""

    sources: Path | None = None
    """Pictures of the look to be enhanced, for the measures of look and structure; None takes held-out ones."""

    every: Positive = 500
    """Steps between validations; the moving average of the weights is measured."""

    pictures: Annotated[int, Field(ge=2)] = 16

    height: Annotated[int, Field(ge=48)] = 192
    """Pixels of the middle of a picture that are used; multiples as for crops."""

    width: Annotated[int, Field(ge=48)] = 320

    frames: Frames = 1
    """Of the clips that are measured instead of pictures, from their own first frame; `pictures` then counts clips."""

    cutoff: CyclesPerPixel = 0.2
    """Of every measure, in cycles per pixel."""

    strength: Annotated[float, Field(gt=0, le=1)] = 1.0

    steps: Positive = 4

    choose: Literal["last", "loss", "texture_kid", "lab_frechet"] = "last"
    """The averaged weights of which step become the model: of the last, or of the one where this measure was best."""
