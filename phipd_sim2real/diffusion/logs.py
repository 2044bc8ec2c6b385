"""Enhancing a drive log: new camera images, every label carried over byte for byte."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.diffusion.frames import BATCH, frame_seed
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.diffusion.summary import EnhanceSummary, enhanced_provenance
from phipd_sim2real.drivelog import (
    CAMERA,
    TIMESTAMP,
    DriveLog,
    SegmentWriter,
    column,
    completed_segments,
    decode_jpeg,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.errors import UsageError
from phipd_sim2real.progress import ProgressCallback

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.enhancer import Enhancer

IMAGES = "camera_image"
IMAGE = column(IMAGES, "image")


def enhance_log(
    log: DriveLog, out: Path, settings: EnhanceSettings, progress: ProgressCallback | None = None
) -> EnhanceSummary:
    """Enhances every complete segment of a log; segments that are enhanced already are left as they are.

    Args:
        log: the source.
        out: folder of the enhanced log.
        settings: model and method. A frame's seed derives from (seed, segment, timestamp, camera).
        progress: called as progress(label, frames done, frames in all).

    Raises:
        UsageError: the log has no segment, the model is not there, or `out` holds a log made otherwise.
    """
    if not log.segments:
        raise UsageError(f"The drive log {log.root} has no complete segment; finish its capture first.")
    if out.resolve() == log.root.resolve():
        raise UsageError(f"{out} is the source itself; give another output folder.")
    planned = log.provenance.planned_segments or log.segments
    provenance = enhanced_provenance(settings, log.provenance.config_hash, log.provenance, planned)
    done = completed_segments(out, provenance.config_hash)
    _refuse_other_labels(log, out, done)
    path = {"path": os.path.relpath(log.root, out)}
    write_provenance(out, provenance.model_copy(update={"source_log": (provenance.source_log or {}) | path}))
    counts = {segment: log.completion(segment).rows.get(IMAGES, 0) for segment in log.segments}
    frames = _Counter("enhance", sum(counts.values()), progress, sum(counts[segment] for segment in done))
    missing = [segment for segment in log.segments if segment not in done]
    if missing:
        from phipd_sim2real.diffusion.enhancer import Enhancer  # torch, where there is work

        enhancer = Enhancer.from_pretrained(settings.model, precision=settings.precision)
        for segment in missing:
            _enhance_segment(log, segment, out, provenance.config_hash, enhancer, settings, frames)
    return EnhanceSummary(kind="drive log", frames=frames.total, enhanced=sum(counts[segment] for segment in missing))


def _refuse_other_labels(log: DriveLog, out: Path, done: Collection[str]) -> None:
    """Enhanced segments carry their source's labels: a source that was captured anew since has others."""
    for segment in sorted(done & set(log.segments)):
        kept, source = DriveLog(out).completion(segment).sha256, log.completion(segment).sha256
        if any(kept[component] != source[component] for component in source if component != IMAGES):
            raise UsageError(
                f"Segment {segment} in {out} was made from other labels than {log.root} holds now; "
                "remove it, or give another output folder."
            )


class _Counter:
    """Frames done, told to whoever watches."""

    def __init__(self, label: str, total: int, progress: ProgressCallback | None, done: int) -> None:
        self.label, self.total, self.done, self._progress = label, total, 0, progress
        self.add(done)

    def add(self, count: int) -> None:
        self.done += count
        if self._progress is not None:
            self._progress(self.label, self.done, self.total)


def _enhance_segment(
    log: DriveLog,
    segment: str,
    out: Path,
    config_hash: str,
    enhancer: Enhancer,
    settings: EnhanceSettings,
    frames: _Counter,
) -> None:
    with SegmentWriter(out, segment, config_hash) as writer:
        for component in log.components(segment):
            if component != IMAGES:
                writer.copy(component, log)
        if IMAGES not in log.components(segment):
            return
        rows = log.table(IMAGES, segment).to_dict("records")
        for batch in _batches(rows, BATCH):
            images = np.stack([decode_jpeg(rows[index][IMAGE]) for index in batch])
            seeds = [frame_seed(settings.seed, segment, rows[index][TIMESTAMP], rows[index][CAMERA]) for index in batch]
            enhanced = enhancer.enhance(images, seeds, settings.cutoff, settings.strength, settings.steps)
            for index, image in zip(batch, enhanced, strict=True):
                rows[index][IMAGE] = encode_jpeg(image, settings.jpeg_quality)
            frames.add(len(batch))
        for row in rows:
            writer.append(IMAGES, row)


def _batches(rows: list[dict[str, Any]], size: int) -> Iterator[list[int]]:
    """Row numbers in batches of one camera each: cameras may differ in picture size."""
    cameras: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        cameras.setdefault(row[CAMERA], []).append(index)
    for indices in cameras.values():
        for start in range(0, len(indices), size):
            yield indices[start : start + size]
