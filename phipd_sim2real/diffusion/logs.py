"""Enhancing a drive log: new camera images, every label carried over byte for byte."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.diffusion.clips import Motion, enhance_clip
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.labels import Labels, RecordedLabels, needed_labels, refuse_missing_labels
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.diffusion.summary import EnhanceSummary, enhanced_provenance
from phipd_sim2real.drivelog import (
    CAMERA,
    TIMESTAMP,
    DriveLog,
    column,
    completed_segments,
    decode_jpeg,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.drivelog.repaint import IMAGES, Row, repaint_segment
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion import Flow, RecordedMotion, estimated_flow, has_exact_motion
from phipd_sim2real.progress import ProgressCallback

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.enhancer import Enhancer

IMAGE = column(IMAGES, "image")


def enhance_log(
    log: DriveLog, out: Path, settings: EnhanceSettings, progress: ProgressCallback | None = None
) -> EnhanceSummary:
    """Enhances every complete segment of a log; segments that are enhanced already are left as they are.

    Args:
        log: the source.
        out: folder of the enhanced log.
        settings: model and method. A frame's seed derives from (seed, segment, timestamp, camera), and what a frame
            takes over from others comes from those of its camera and segment alone.
        progress: called as progress(label, frames done, frames in all).

    Raises:
        UsageError: the log has no segment, or lacks labels that settings look at, the model is not there, or `out`
            holds a log made otherwise.
    """
    if not log.segments:
        raise UsageError(f"The drive log {log.root} has no complete segment; finish its capture first.")
    if out.resolve() == log.root.resolve():
        raise UsageError(f"{out} is the source itself; give another output folder.")
    refuse_missing_labels(log, settings)
    planned = log.provenance.planned_segments or log.segments
    provenance = enhanced_provenance(settings, log.provenance.config_hash, log.provenance, planned)
    done = completed_segments(out, provenance.config_hash)
    _refuse_other_labels(log, out, done)
    path = {"path": os.path.relpath(log.root, out)}
    recorded = {
        "source_log": (provenance.source_log or {}) | path,
        "config": provenance.config | _motion(log, settings),
    }
    write_provenance(out, provenance.model_copy(update=recorded))
    counts = {segment: log.completion(segment).rows.get(IMAGES, 0) for segment in log.segments}
    frames = _Counter("enhance", sum(counts.values()), progress, sum(counts[segment] for segment in done))
    missing = [segment for segment in log.segments if segment not in done]
    if missing:
        from phipd_sim2real.diffusion.clip_noise import refuse_noise  # torch, where there is work
        from phipd_sim2real.diffusion.enhancer import Enhancer

        enhancer = Enhancer.from_settings(settings)
        refuse_noise(enhancer, settings, _sizes(log, missing) if settings.rigidity else ())
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
    def repaint(camera: int, rows: list[Row]) -> list[Row]:
        labels = RecordedLabels(log, segment, camera, [row[TIMESTAMP] for row in rows], needed_labels(settings))
        _enhance_camera(rows, _motion_of(log, segment, camera, rows), labels, segment, enhancer, settings, frames)
        return rows

    repaint_segment(log, segment, out, config_hash, repaint)


def _enhance_camera(
    rows: list[Row],
    motion: Motion,
    labels: Labels,
    segment: str,
    enhancer: Enhancer,
    settings: EnhanceSettings,
    frames: _Counter,
) -> None:
    """Replaces the pictures of one camera, in the order of time."""
    seeds = [frame_seed(settings.seed, segment, row[TIMESTAMP], row[CAMERA]) for row in rows]
    images = (decode_jpeg(data) for data in [row[IMAGE] for row in rows])
    for row, image in zip(rows, enhance_clip(enhancer, images, seeds, motion, settings, labels), strict=True):
        row[IMAGE] = encode_jpeg(image, settings.jpeg_quality)
        frames.add(1)


def _sizes(log: DriveLog, segments: Collection[str]) -> set[tuple[int, int]]:
    """Sizes (H, W) of the pictures: of the first of each camera, which are alike."""
    pictured = (segment for segment in segments if IMAGES in log.components(segment))
    tables = (log.table(IMAGES, segment, [IMAGE]).drop_duplicates(CAMERA) for segment in pictured)
    return {decode_jpeg(data).shape[:2] for table in tables for data in table[IMAGE]}


def _motion_of(log: DriveLog, segment: str, camera: int, rows: list[Row]) -> Motion:
    """Motion from each row's picture to the next."""
    if not has_exact_motion(log, segment):
        return lambda number, first, second: estimated_flow(first, second)
    recorded: list[RecordedMotion] = []

    def exact(number: int, first: np.ndarray, second: np.ndarray) -> Flow:
        if not recorded:
            recorded.append(RecordedMotion(log, segment, camera))  # its labels are read where they are needed
        return recorded[0].flow(rows[number][TIMESTAMP], rows[number + 1][TIMESTAMP])

    return exact


def _motion(log: DriveLog, settings: EnhanceSettings) -> dict[str, Any]:
    """What the provenance says of where motion came from, by segment."""
    if settings.temporal != "warp":
        return {}
    kinds = {segment: "exact" if has_exact_motion(log, segment) else "estimated" for segment in log.segments}
    return {"motion": kinds}
