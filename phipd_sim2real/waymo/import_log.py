"""Waymo's Perception files as a drive log: segment by segment, resumable, labels and stats carried over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from phipd_sim2real.drivelog import (
    CAMERA,
    TIMESTAMP,
    Provenance,
    SegmentWriter,
    collect_versions,
    completed_segments,
    current_commit,
    read_provenance,
    update_provenance,
    write_provenance,
)
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import Settings, settings_hash
from phipd_sim2real.waymo.import_sources import FrameFailure, SegmentSource, SourceUnit, perception_sources

DOMAIN = "waymo"


class ImportSettings(Settings):
    """What is taken of Waymo's files."""

    cameras: tuple[int, ...] | None = Field(default=None, min_length=1)
    """Waymo's ids, such as [1, 2, 3]; None takes all."""

    max_failed_share: float = Field(default=0.02, ge=0, lt=1)
    """Share of a segment's frames that may be damaged, or lack picture, pose or calibration; a segment with more is
    not imported."""

    @field_validator("cameras")
    @classmethod
    def _in_order(cls, cameras: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if cameras is None else tuple(sorted(set(cameras)))

    def content_hash(self) -> str:
        """Hash of what decides on a segment's content; the share decides only whether there is one."""
        return settings_hash(ImportSettings(cameras=self.cameras))


@dataclass
class ImportSummary:
    """What an import did.

    Attributes:
        log: its folder.
        source: what was imported, in words.
        imported, kept: segments made now, and complete before.
        frames, pictures: in the segments made now.
        failures: reason -> frames of those segments that failed, within the share that is borne.
        refused: sentences on segments that were not imported.
        dropped: segments that an earlier call was to import and did not, and that this one was not given.
    """

    log: str
    source: str
    imported: int = 0
    kept: int = 0
    frames: int = 0
    pictures: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """For people."""
        text = (
            f"{self.log}: {self.imported} segments imported from {self.source} ({self.frames} frames, {self.pictures} "
            f"pictures), {self.kept} were complete already."
        )
        text += f" Failed frames: {dict(self.failures)}." if self.failures else ""
        return text + (f" Not asked for any more, and not in it: {', '.join(self.dropped)}." if self.dropped else "")

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"failures": dict(self.failures)}


def import_waymo(
    source: Path | str, out: Path, settings: ImportSettings, progress: ProgressCallback | None = None
) -> ImportSummary:
    """Imports Perception v1 files or a v2 split folder as a drive log; complete segments are left alone.

    Pictures keep their bytes, boxes and stats their values; lidar, segmentation, key points and maps are left out. The
    intent is unknown, as the dataset has none. Memory does not grow with the source: 64 pictures are held at a time.

    Args:
        source: a v1 TFRecord file, folder or glob pattern, or the folder of a v2 split.
        out: folder of the log.
        settings: cameras, and the share of frames that may fail.
        progress: called as progress(label, done, total) after every segment.

    Raises:
        UsageError: nothing to import, end-to-end records, or a folder that holds a log of other settings.
        StageError: segments could not be imported; the others are complete, and the next call tries those again.
    """
    kind, units = perception_sources(source)
    config = {"source": kind, **settings.model_dump(mode="json")}
    config_hash = settings.content_hash()
    complete = completed_segments(out, config_hash)
    planned = {unit.name: {unit.segment or unit.name} for unit in units}
    write_provenance(out, _provenance(config, config_hash))
    before = set(read_provenance(out).planned_segments)
    update_provenance(out, config=config, planned_segments=_sorted(complete, planned))
    summary, places = ImportSummary(str(out), kind), dict[str, str]()
    for number, unit in enumerate(units):
        segments = _opened(unit, summary)
        planned[unit.name] = {segment.name for segment in segments} or planned[unit.name]
        for segment in segments:
            if (other := places.setdefault(segment.name, unit.name)) != unit.name:
                summary.refused.append(f"Segment {segment.name} is in {other} and in {unit.name}; give it once.")
            elif segment.name in complete:
                summary.kept += 1
            else:
                _import_segment(segment, out, config_hash, settings, summary)
        if progress is not None:
            progress(f"import {kind}", number + 1, len(units))
    now = _sorted(complete, planned)
    summary.dropped = sorted(before - set(now))
    update_provenance(out, planned_segments=now)
    if summary.refused:
        raise StageError(
            f"{len(summary.refused)} segments were not imported: {' '.join(summary.refused)} "
            f"{summary.imported + summary.kept} are complete in {out}; the same command tries the others again."
        )
    return summary


def _sorted(complete: frozenset[str], planned: Mapping[str, set[str]]) -> tuple[str, ...]:
    return tuple(sorted(complete.union(*planned.values())))


def _opened(unit: SourceUnit, summary: ImportSummary) -> Sequence[SegmentSource]:
    """A unit's segments; none where it cannot be opened, which is noted."""
    try:
        return unit.open()
    except UsageError as error:
        summary.refused.append(str(error))
        return ()


def _provenance(config: dict[str, Any], config_hash: str) -> Provenance:
    return Provenance(
        domain=DOMAIN,
        config=config,
        config_hash=config_hash,
        seed=0,
        versions=collect_versions("waymo-open-dataset-tf-2-12-0", "protobuf", "pyarrow"),
        commit=current_commit(),
        command="phipd import-waymo",
    )


def _import_segment(
    segment: SegmentSource, out: Path, config_hash: str, settings: ImportSettings, summary: ImportSummary
) -> None:
    """Writes one segment; one that cannot be read, or of which more frames failed than may, is noted, not written."""
    try:
        seen, failures = _written(segment, out, config_hash, settings)
    except UsageError as error:
        summary.refused.append(str(error))
        return
    summary.imported += 1
    summary.frames += len(seen.poses)
    summary.pictures += sum(map(len, seen.pictures.values()))
    summary.failures.update(failure.reason for failure in failures)


def _written(
    segment: SegmentSource, out: Path, config_hash: str, settings: ImportSettings
) -> tuple[_Seen, list[FrameFailure]]:
    """Writes one segment.

    Raises:
        UsageError: it cannot be read, or more of its frames failed than may; nothing of it is left.
    """
    seen, failures = _Seen(), list[FrameFailure]()
    with SegmentWriter(out, segment.name, config_hash) as writer:
        for component in segment.components:
            writer.declare(component)
        for component, row in segment.rows(settings.cameras, failures):
            writer.append(component, row)
            seen.add(component, row)
        frames = len(seen.poses) + len(failures)
        failures.extend(seen.failures(segment.name, settings.cameras))
        if not frames or len(failures) > settings.max_failed_share * frames:
            reasons = dict(Counter(failure.reason for failure in failures))
            raise UsageError(
                f"Of {frames} frames of segment {segment.name} {len(failures)} failed ({reasons}); at most "
                f"{settings.max_failed_share:.1%} may (max_failed_share). "
                + " ".join(failure.where for failure in failures[:3])
            )
    return seen, failures


@dataclass
class _Seen:
    """Which frames and pictures of a segment have come by."""

    poses: set[int] = field(default_factory=set)
    pictures: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    calibrated: set[int] = field(default_factory=set)

    def add(self, component: str, row: Mapping[str, Any]) -> None:
        if component == "vehicle_pose":
            self.poses.add(row[TIMESTAMP])
        elif component == "camera_image":
            self.pictures[row[TIMESTAMP]].add(row[CAMERA])
        elif component == "camera_calibration":
            self.calibrated.add(row[CAMERA])

    def failures(self, segment: str, cameras: tuple[int, ...] | None) -> list[FrameFailure]:
        """Frames without a pose, or without picture and calibration of each wanted camera (None: each there is)."""
        found, present = list[FrameFailure](), self.calibrated.union(*self.pictures.values())
        wanted = present if cameras is None else set(cameras)
        for timestamp in sorted(self.poses | set(self.pictures)):
            where, pictured = f"{segment} at {timestamp} µs", self.pictures.get(timestamp, set())
            if timestamp not in self.poses:
                found.append(FrameFailure("missing_pose", f"{where} has no pose."))
            elif not pictured or wanted - pictured:
                found.append(FrameFailure("missing_camera", f"{where} lacks a picture of {_named(wanted - pictured)}."))
            elif wanted - self.calibrated:
                absent = _named(wanted - self.calibrated)
                found.append(FrameFailure("missing_calibration", f"{where} lacks the calibration of {absent}."))
        return found


def _named(cameras: set[int]) -> str:
    return f"cameras {sorted(cameras)}" if cameras else "any camera"
