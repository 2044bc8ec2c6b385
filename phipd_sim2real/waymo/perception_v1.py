"""Perception v1 files (TFRecords of Frame messages): their segments, and the planner samples made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import ego_states
from phipd_sim2real.waymo.ahead import work_ahead
from phipd_sim2real.waymo.perception import PerceptionFrame, read_frame
from phipd_sim2real.waymo.protos import dataset_protos, log_name, parse, require_calibrated
from phipd_sim2real.waymo.sample import PlannerSample, SampleError, SampleFailure, SampleKey, single_precision
from phipd_sim2real.waymo.skim import FRAME_SKIPPED, skim
from phipd_sim2real.waymo.storage import (
    MAX_FAILED_SHARE,
    Backend,
    Damage,
    RecordFile,
    find_record_files,
    require_few_lost,
    spans_until_damage,
)
from phipd_sim2real.waymo.tfrecord import RecordError, RecordSpan, read_record_at

UNKNOWN_INTENT = 0


@dataclass(frozen=True, eq=False)
class PerceptionSegment:
    """The frames of one drive in one file, by rising time; nothing but poses is held in memory.

    Attributes:
        file: the TFRecord file.
        name: context name.
        records: number of each frame's record in the file.
        spans: where the records lie.
        timestamps_micros: (N,) int64.
        poses_vehicle_in_world: (N, 4, 4) float64.
        damage: places of the file that could not be read; their frames are not in the segment.
    """

    file: RecordFile
    name: str
    records: tuple[int, ...]
    spans: tuple[RecordSpan, ...]
    timestamps_micros: np.ndarray
    poses_vehicle_in_world: np.ndarray
    damage: tuple[Damage, ...] = ()

    def __len__(self) -> int:
        return len(self.spans)

    def key(self, index: int) -> SampleKey:
        """Key of a frame; `index` counts by time."""
        return SampleKey(log_name(self.file.name), self.name, int(self.timestamps_micros[index]))

    def origin(self, index: int) -> str:
        """File and record of a frame, for the errors' sentences; `index` counts by time."""
        return f"{self.file.address}: record {self.records[index]}"

    def message(self, index: int) -> Any:
        """Reads one frame as a Frame message; `index` counts by time.

        Raises:
            RecordError: its payload is damaged.
        """
        record = self.records[index]
        with self.file.open() as stream:
            payload = read_record_at(stream, self.file.address, self.file.size, self.spans[index], record)
        return parse(dataset_protos().Frame, payload, self.file.address, record)

    def frame(self, index: int) -> PerceptionFrame:
        """Reads one frame; `index` counts by time."""
        return read_frame(self.message(index), self.origin(index))

    def frames(self) -> Iterator[PerceptionFrame]:
        """All frames by rising time."""
        return (self.frame(index) for index in range(len(self)))

    def samples(self, cameras: Sequence[int] | None = None, stride: int = 1) -> Iterator[PlannerSample | SampleFailure]:
        """Planner samples at every `stride`-th frame, read ahead in threads; frames that give none say why.

        Past and future are made from the poses. The dataset has neither route command nor raters: the intent
        is unknown and no trajectory is rated. Boxes of others are left out; the imported log has them.
        """
        yield from work_ahead(lambda index: self._sample(index, cameras), range(0, len(self), stride))
        yield from (_lost(self.file, self.name, place) for place in self.damage)

    def _sample(self, index: int, cameras: Sequence[int] | None) -> PlannerSample | SampleFailure:
        times_s = (self.timestamps_micros - self.timestamps_micros[0]) * 1e-6
        try:
            states = ego_states(times_s, self.poses_vehicle_in_world, times_s[index])
        except ValueError:  # too little past: the first seconds of a segment, or behind a gap
            return SampleFailure(self.key(index), "missing_past")
        try:
            frame = self.frame(index)
            images = frame.images(cameras)
            require_calibrated(frame.calibrations, images, frame.origin)
        except RecordError as error:
            return SampleFailure(self.key(index), "damaged_record", str(error))
        except SampleError as error:
            return SampleFailure(self.key(index), error.reason, str(error))
        return PlannerSample(
            key=self.key(index),
            images=images,
            calibrations={camera: frame.calibrations[camera] for camera in images},
            past=single_precision(states.past),
            intent=UNKNOWN_INTENT,
            future=single_precision(states.future),
            future_valid=states.future_valid,
            time_of_day=frame.stats["time_of_day"],
        )


def perception_segments(source: Path | str, backend: Backend = "local") -> Iterator[PerceptionSegment]:
    """The segments of Perception v1 files, file by file; damage ends them.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern; gs:// needs TensorFlow.
        backend: what reads the files.

    Raises:
        UsageError: no file, or protos not installed (at the call); a record that is cut off, damaged or no Frame,
            named by file, record and byte (when its file is reached).
    """
    files = find_record_files(source, backend)
    dataset_protos()
    return (segment for file in files for segment in _undamaged(scan_file(file)))


def perception_samples(
    source: Path | str,
    cameras: Sequence[int] | None = None,
    stride: int = 1,
    backend: Backend = "local",
    max_failed_share: float = MAX_FAILED_SHARE,
) -> Iterator[PlannerSample | SampleFailure]:
    """Planner samples of Perception v1 files in place, as `samples_from_log` gives them of a drive log.

    Args:
        source, backend: as in `perception_segments`.
        cameras: ids to decode; a frame without all of them is a failure. None decodes all there are.
        stride: every how many frames.
        max_failed_share: share of the files' bytes that may be lost to damage.

    Yields:
        Samples by file and time; a failure for every frame that gives none, one for every place of a file that is
        damaged, whose key has the place's byte for a time, and one for a file that cannot be read at all.

    Raises:
        UsageError: no file, or protos not installed (at the call).
        StageError: more is lost than may be (when that is reached).
    """
    files = find_record_files(source, backend)
    dataset_protos()
    return _samples(files, cameras, stride, max_failed_share)


def _samples(
    files: Sequence[RecordFile], cameras: Sequence[int] | None, stride: int, max_failed_share: float
) -> Iterator[PlannerSample | SampleFailure]:
    so_far: list[Damage] = []
    for file in files:
        segments, damage = _scanned(file)
        so_far.extend(damage)
        require_few_lost(so_far, files, max_failed_share)
        for segment in segments:
            yield from segment.samples(cameras, stride)
        if not segments:
            yield from (_lost(file, "", place) for place in damage)


def _scanned(file: RecordFile) -> tuple[list[PerceptionSegment], list[Damage]]:
    """The segments of a file and its damage; of a file that cannot be read all is damaged."""
    try:
        segments = scan_file(file)
    except UsageError as error:
        return [], [Damage(file.name, 0, file.size, str(error), ends_file=True)]
    return segments, [place for segment in segments for place in segment.damage]


def _lost(file: RecordFile, segment: str, place: Damage) -> SampleFailure:
    """A damaged place, whose records have no time any more: the byte stands for it."""
    return SampleFailure(SampleKey(log_name(file.name), segment, place.offset), "damaged_record", place.problem)


def scan_file(file: RecordFile) -> list[PerceptionSegment]:
    """Reads a file once for names, times and poses, passing over pictures, lidar and labels.

    One file holds one segment in Waymo's own release. A damaged record is noted in the first segment.

    Raises:
        UsageError: nothing in the file can be read as a Perception frame.
    """
    found: dict[str, list[tuple[int, int, RecordSpan, np.ndarray]]] = {}
    damage: list[Damage] = []
    with file.open() as stream:
        for record, span in enumerate(spans_until_damage(stream, file, damage)):
            try:
                name, timestamp, pose = _name_time_pose(stream, file, span, record)
            except (ValueError, UsageError) as error:
                problem = f"{file.address}: record {record} at byte {span.offset} {error}"
                damage.append(Damage(file.name, span.offset, span.length, problem))
                continue
            found.setdefault(name, []).append((timestamp, record, span, pose))
    if not found:
        raise UsageError(damage[0].problem if damage else f"{file.address} holds no record.")
    segments = []
    for name, rows in found.items():
        times, records, spans, poses = zip(*sorted(rows, key=lambda row: row[:2]), strict=True)
        noted = () if segments else tuple(damage)
        segments.append(
            PerceptionSegment(file, name, records, spans, np.array(times, np.int64), np.stack(poses), noted)
        )
    return segments


def _undamaged(segments: list[PerceptionSegment]) -> list[PerceptionSegment]:
    for segment in segments:
        for place in segment.damage:
            raise UsageError(place.problem)
    return segments


def _name_time_pose(stream: BinaryIO, file: RecordFile, span: RecordSpan, record: int) -> tuple[str, int, np.ndarray]:
    frame = parse(dataset_protos().Frame, skim(stream, span.length, FRAME_SKIPPED), file.address, record)
    if not frame.context.name or len(frame.pose.transform) != 16:
        raise ValueError(
            "has no context name or no pose: it is not a Perception frame. End-to-end records are read by "
            "open_e2e_index."
        )
    return frame.context.name, frame.timestamp_micros, np.array(frame.pose.transform, dtype=np.float64).reshape(4, 4)
