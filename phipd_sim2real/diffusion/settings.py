"""What an enhancement can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from phipd_sim2real.settings import Settings

Positive = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "bf16", "float32"]


class EnhanceSettings(Settings):
    """How frames are enhanced."""

    model: str = "street-small"
    """Name of a shipped model, or folder of a fitted one."""

    cutoff: Annotated[float, Field(ge=0, le=1)] | None = 0.2
    """Cycles per pixel up to which the source's phase is kept; None (`null`) keeps all."""

    strength: Annotated[float, Field(gt=0, le=1)] = 0.8
    """1 starts from structured noise alone; less starts from the source with that share of noise. At 1 a small
    model gives wide even areas of large frames, such as the road, the colour of the sky."""

    steps: Positive = 4
    """Denoising steps."""

    seed: Annotated[int, Field(ge=0)] = 0

    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95

    precision: Precision = "auto"
