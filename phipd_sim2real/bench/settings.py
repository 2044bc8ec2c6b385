"""What the benchmarks can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.diffusion.settings import EnhanceSettings, Positive, Precision
from phipd_sim2real.preparation import Step
from phipd_sim2real.settings import Settings

Strength = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Twins(Settings):
    """Two models that differ in their noise alone."""

    phi_pd: str = "street-small"
    """Fitted with structured noise: a shipped name or a folder."""

    gaussian: str
    """Fitted with noise that keeps no phase, on the same pictures, with the same network and steps. It is enhanced
    with at cutoff 0, which is SDEdit."""


class Sweep(Settings):
    """How pictures are made from each kind of noise."""

    candidates: Annotated[dict[str, EnhanceSettings], Field(min_length=1)]
    """Settings of φ-PD by name; `model`, `steps`, `seed`, `precision` and `jpeg_quality` are the benchmark's."""

    strengths: Annotated[tuple[Strength, ...], Field(min_length=2)] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    """Strengths of the Gaussian twin, rising."""

    steps: Positive = 4
    """Denoising steps of both."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Of the noise of both."""

    precision: Precision = "auto"
    """Arithmetic of both networks."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if list(self.strengths) != sorted(set(self.strengths)):
            raise ValueError(f"strengths={self.strengths} must rise")
        return self

    def phase_preserving(self, name: str, model: str, jpeg_quality: int) -> EnhanceSettings:
        """Full settings of a candidate."""
        return self.candidates[name].model_copy(update=self._shared(model, jpeg_quality))

    def gaussian(self, strength: float, model: str, jpeg_quality: int) -> EnhanceSettings:
        """Full settings of SDEdit at one strength."""
        return EnhanceSettings(cutoff=0.0, strength=strength, **self._shared(model, jpeg_quality))

    def _shared(self, model: str, jpeg_quality: int) -> dict[str, object]:
        shared = {name: getattr(self, name) for name in ("steps", "seed", "precision")}
        return shared | {"model": model, "jpeg_quality": jpeg_quality}


class StyleSettings(Settings):
    """Transfer to another look."""

    models: Twins
    """Fitted to that look."""

    look: str = "dusk"
    """The look; its streets must be the source look's, so that the clips can be rendered in it."""

    target: CaptureSettings
    """Held-out pictures of the look."""


class SeedTableSettings(Settings):
    """φ-PD against Gaussian SDEdit at matched realism."""

    prepare: tuple[Step, ...] = ()
    """What is made first, in order: pictures to fit to, and models."""

    models: Twins
    """Fitted to the target look."""

    sweep: Sweep
    """Settings of both."""

    clips: CaptureSettings
    """Clips that are reported on, with all labels."""

    selection: CaptureSettings
    """Other clips, on which φ-PD's setting is chosen."""

    target: CaptureSettings
    """Held-out pictures of the target look, for the realism of the report."""

    selection_target: CaptureSettings
    """Other pictures of the target look, for the realism of the choice."""

    style: StyleSettings | None = None
    """Transfer to another look; None leaves that row out."""

    least_gap_closed: Share = 0.5
    """A candidate may be chosen only if it closes at least this share of the source's distance to the target look."""

    lpips_weights: Path | None = None
    """Weights of LPIPS for the distance to the other look; None measures it without learnt weights."""

    resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    """Bootstrap draws of whole clips."""

    bootstrap_seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _chosen_elsewhere(self) -> Self:
        for ours, theirs in ((self.clips, self.selection), (self.target, self.selection_target)):
            if set(ours.maps) & set(theirs.maps):
                raise ValueError(f"{ours.name} and {theirs.name} share a map; what is reported needs maps of its own")
        if not (self.clips.images.labels and self.selection.images.labels):
            raise ValueError("clips and selection need images.labels: true, for exact flow and outlines")
        return self


class StripSettings(Settings):
    """One picture at several cutoffs."""

    frame: Path | None = None
    """The picture; None takes one of the clips."""

    cutoffs: Annotated[tuple[float, ...], Field(min_length=1)] = (0.02, 0.05, 0.1, 0.2, 0.4)
    """Cycles per pixel."""

    strength: Strength = 1.0

    free_below: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Cycles per pixel below which the phase is let go too."""

    show_source: bool = False
    """Put the picture as it was in front."""


class CurvesSettings(Settings):
    """Realism against label safety."""

    prepare: tuple[Step, ...] = ()
    """What is made first, in order: pictures to fit to, and models."""

    models: Twins

    sweep: Sweep
    """Candidates of φ-PD at rising cutoffs, drawn as one curve per strength, and the twin's strengths."""

    clips: CaptureSettings
    """Clips with labels."""

    target: CaptureSettings
    """Held-out pictures of the target look."""

    strip: StripSettings = StripSettings()
    """Beside the curves: one picture at several cutoffs."""

    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Bootstrap draws of whole clips."""

    bootstrap_seed: Annotated[int, Field(ge=0)] = 0
