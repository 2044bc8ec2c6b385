"""The folder of a benchmark. Every part is complete or absent, so that a run goes on where it was stopped.

logs/NAME                captured clips and target pictures
enhanced/NAME-HASH       the clips enhanced with one setting, a drive log
measures/NAME-HASH.npz   what was measured of it
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from phipd_sim2real.bench.clips import Clip, pictures, read_clips
from phipd_sim2real.bench.measures import VERSION, Perceptual, SetMeasures, measure_set, picture_set
from phipd_sim2real.bench.realism import RealismScale
from phipd_sim2real.bench.resampling import clip_weights
from phipd_sim2real.capture.log import capture_log, check_capture
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.diffusion.logs import enhance_log
from phipd_sim2real.diffusion.models import weights_sha256
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.colour import LabStatistics, lab_frechet
from phipd_sim2real.settings import settings_hash


@dataclass(frozen=True)
class TargetSet:
    """Pictures of a look, which realism is measured against.

    Attributes:
        log: where they lie.
        scale: texture KID to them.
        colours: Lab of all their pixels.
        weights: (1 + resamples, segments) of the bootstrap.
    """

    log: DriveLog
    scale: RealismScale
    colours: LabStatistics
    weights: np.ndarray

    def kid(self, measures: SetMeasures, weights: np.ndarray) -> np.ndarray:
        """(draws,) texture KID of results; clips and target segments are drawn together."""
        return self.scale.kid(measures.patches, weights, self.weights)

    def frechet(self, measures: SetMeasures) -> float:
        """Lab Fréchet distance of all results."""
        return lab_frechet(measures.colours, self.colours).value


@dataclass
class ClipSet:
    """Clips in memory, and where their results go."""

    log: DriveLog
    truth: DriveLog | None
    _clips: list[Clip] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the log's folder; with the other look's where the clips were rendered in it too."""
        return self.log.root.name if self.truth is None else self.truth.root.name

    @property
    def clips(self) -> list[Clip]:
        """Read on first use."""
        if not self._clips:
            self._clips = list(read_clips(self.log, self.truth))
        return self._clips


class Workspace:
    """The parts of one folder, made where they are absent."""

    def __init__(self, folder: Path, resamples: int, seed: int, progress: ProgressCallback | None = None) -> None:
        self.folder, self.progress = folder, progress
        self._resamples, self._seed = resamples, seed

    def check(self, captures: list[CaptureSettings]) -> None:
        """Refuses captures that cannot work, before any work.

        Raises:
            UsageError: as `check_capture`.
        """
        for settings in captures:
            check_capture(settings, self._log(settings))

    def capture(self, settings: CaptureSettings) -> DriveLog:
        """Captures a log, or what is missing of it."""
        capture_log(settings, self._log(settings), self.progress)
        return DriveLog(self._log(settings))

    def clips(self, settings: CaptureSettings, look: str | None = None) -> ClipSet:
        """Captures clips; with `look`, the same drives in another look too."""
        log = self.capture(settings)
        if look is None:
            return ClipSet(log, None)
        twin = settings.model_copy(update={"name": f"{settings.name}-{look}", "look": look})
        return ClipSet(log, self.capture(twin))

    def target(self, settings: CaptureSettings) -> TargetSet:
        """Captures the pictures of a look and takes their features."""
        log = self.capture(settings)
        patches, colours = picture_set(pictures(log, segment) for segment in log.segments)
        weights = self.weights(len(log.segments), of="target")
        return TargetSet(log, RealismScale(patches), colours, weights)

    def weights(self, clips: int, of: str = "clips") -> np.ndarray:
        """(1 + resamples, clips) of the bootstrap; clips and targets have draws of their own."""
        return clip_weights(clips, self._resamples, self._seed + (of == "target"))

    def enhance(self, clips: ClipSet, settings: EnhanceSettings) -> DriveLog:
        """Enhances clips with one setting."""
        out = self.folder / "enhanced" / f"{clips.name}-{_key(settings)}"
        enhance_log(clips.log, out, settings, self.progress)
        return DriveLog(out)

    def measured(
        self, clips: ClipSet, settings: EnhanceSettings | None, perceptual: Perceptual | None = None
    ) -> SetMeasures:
        """Measures of clips enhanced with one setting; None measures the clips as they were captured."""
        key = "source" if settings is None else _key(settings)
        stamp = hashlib.sha256(f"{VERSION}/{_identity(clips)}/{perceptual is not None}".encode()).hexdigest()[:8]
        path = self.folder / "measures" / f"{clips.name}-{key}-{stamp}.npz"
        if not path.is_file():
            log = clips.log if settings is None else self.enhance(clips, settings)
            self._tell(f"measure {clips.name}-{key}", 0)
            pairs = ((clip, pictures(log, clip.segment)) for clip in clips.clips)
            measure_set(pairs, perceptual).save(path)
            self._tell(f"measure {clips.name}-{key}", 1)
        return SetMeasures.load(path)

    def _log(self, settings: CaptureSettings) -> Path:
        return self.folder / "logs" / settings.name

    def _tell(self, label: str, done: int) -> None:
        if self.progress is not None:
            self.progress(label, done, 1)


def _key(settings: EnhanceSettings) -> str:
    """Names a setting by what decides the pictures."""
    return settings_hash(settings.model_copy(update={"model": weights_sha256(settings.model)}))[:12]


def _identity(clips: ClipSet) -> str:
    """Names what clips were captured with."""
    logs = [clips.log] if clips.truth is None else [clips.log, clips.truth]
    return "/".join(log.provenance.config_hash for log in logs)
