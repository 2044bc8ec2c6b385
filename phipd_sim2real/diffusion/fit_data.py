"""The pictures of a fit: those that are learnt, those that are held out, those that are only enhanced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.unpaired_clips import UnpairedClips
from phipd_sim2real.errors import UsageError


@dataclass(frozen=True)
class FitData:
    """What a fit reads: pictures, or where any clip is asked for, clips.

    Attributes:
        training: pictures that are learnt.
        held_out: pictures of the same look that are never trained on; None without validation.
        sources: pictures of the look to be enhanced; the held-out ones where none are given.
    """

    training: UnpairedImages
    held_out: UnpairedImages | None
    sources: UnpairedImages | None

    @classmethod
    def load(cls, settings: FitSettings) -> FitData:
        """Reads what the settings name.

        Raises:
            UsageError: a folder is absent, empty, without captions that were asked for or clips as long as were
                asked for, or cannot be split.
        """
        training = _read(settings, settings.data, settings.frames, settings.captions)
        validation, observed = settings.validation, settings.observed_frames
        if validation is None:
            return cls(training, None, None)
        if validation.data is None:
            training, held_out = training.split(validation.share)
            if isinstance(training, UnpairedClips):
                training.require(max(crop.frames for crop in settings.crops), "what is not held out")
        else:
            held_out = _read(settings, validation.data, observed)
        sources = held_out if validation.sources is None else _read(settings, validation.sources, observed)
        held_out, sources = (images.spread(validation.pictures, observed) for images in (held_out, sources))
        if min(len(held_out), len(sources)) < 2:
            raise UsageError(
                f"Validation has {len(held_out)} held-out {'pictures' if observed == 1 else 'clips'} and "
                f"{len(sources)} sources; distances between sets need two of each. Raise validation.share or name "
                "folders with more."
            )
        return cls(training, held_out, sources)

    @property
    def shown(self) -> UnpairedImages:
        """Pictures that sample sheets start from: none that is learnt, where there are others."""
        return self.training if self.sources is None else self.sources

    def provenance(self) -> dict[str, Any]:
        """Count, domain and SHA-256 of every set."""
        sets = {"images": self.training, "held_out": self.held_out, "sources": self.sources}
        return {
            name: {"count": len(images.encoded), "domain": images.domain, "sha256": images.sha256}
            for name, images in sets.items()
            if images is not None
        }

    def named_by_content(self, settings: FitSettings) -> FitSettings:
        """The settings with hashes of the pictures in place of where they lie."""
        validation = settings.validation
        if validation is not None:
            places = {"data": Path(self.held_out.sha256), "sources": Path(self.sources.sha256)}
            validation = validation.model_copy(update=places)
        return settings.model_copy(update={"data": Path(self.training.sha256), "validation": validation})


def _read(settings: FitSettings, data: Path, frames: int, captions: bool = False) -> UnpairedImages:
    """Pictures, or clips of up to `frames` frames."""
    if settings.frames == 1:
        return UnpairedImages.load(data, settings.max_images, captions)
    return UnpairedClips.load(data, settings.max_images, captions, frames, settings.stride)
