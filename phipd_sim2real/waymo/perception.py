"""Perception v1 files: frames with pictures, poses and boxes, and the planner samples made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import ego_states
from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.protos import (
    dataset_protos,
    decode,
    log_name,
    parse,
    read_calibrations,
    read_jpegs,
    record_files,
)
from phipd_sim2real.waymo.sample import PlannerSample, SampleKey
from phipd_sim2real.waymo.tfrecord import RecordSpan, index_records, read_record

BOX_TYPES = ("unknown", "vehicle", "pedestrian", "sign", "cyclist")
UNKNOWN_INTENT = 0


@dataclass(frozen=True, eq=False)
class Box:
    """One labelled object.

    Attributes:
        object_id: the same over the frames of a segment.
        kind: one of `BOX_TYPES`.
        centre_vehicle: (3,) float64 metres.
        size: (3,) float64 length, width, height in metres.
        heading: rad about z in the vehicle frame; 0 points along x.
    """

    object_id: str
    kind: str
    centre_vehicle: np.ndarray
    size: np.ndarray
    heading: float


@dataclass(frozen=True, eq=False)
class PerceptionFrame:
    """One frame, its pictures still encoded.

    Attributes:
        segment: context name.
        timestamp_micros: time of the frame.
        pose_vehicle_in_world: (4, 4) float64.
        jpegs: camera id -> JPEG bytes, by rising id.
        calibrations: camera id -> calibration.
        boxes: the lidar labels.
        stats: time_of_day, location and weather in Waymo's words.
        origin: file and record, for error sentences.
    """

    segment: str
    timestamp_micros: int
    pose_vehicle_in_world: np.ndarray
    jpegs: dict[int, bytes]
    calibrations: dict[int, Calibration]
    boxes: tuple[Box, ...]
    stats: dict[str, str]
    origin: str

    def images(self, cameras: Sequence[int] | None = None) -> dict[int, np.ndarray]:
        """Decodes pictures, (H, W, 3) uint8 RGB per camera id; None decodes all there are.

        Raises:
            UsageError: a camera is absent or its bytes are no JPEG.
        """
        return decode(self.jpegs, cameras, self.origin)


@dataclass(frozen=True, eq=False)
class PerceptionSegment:
    """The frames of one drive in one file, by rising time; nothing but poses is held in memory.

    Attributes:
        path: the TFRecord file.
        name: context name.
        records: number of each frame's record in the file.
        spans: where the records lie.
        timestamps_micros: (N,) int64.
        poses_vehicle_in_world: (N, 4, 4) float64.
    """

    path: Path
    name: str
    records: tuple[int, ...]
    spans: tuple[RecordSpan, ...]
    timestamps_micros: np.ndarray
    poses_vehicle_in_world: np.ndarray

    def __len__(self) -> int:
        return len(self.spans)

    def frame(self, index: int) -> PerceptionFrame:
        """Reads one frame; `index` counts by time."""
        record = self.records[index]
        payload = read_record(self.path, self.spans[index], record)
        return _frame(parse(dataset_protos().Frame, payload, self.path, record), f"{self.path}: record {record}")

    def frames(self) -> Iterator[PerceptionFrame]:
        """All frames by rising time."""
        return (self.frame(index) for index in range(len(self)))

    def samples(self, cameras: Sequence[int] | None = None, stride: int = 1) -> Iterator[PlannerSample]:
        """Planner samples at every `stride`-th frame that has 3.75 s of poses behind it.

        Past and future are made from the poses. The dataset has neither route command nor raters: the intent
        is unknown and no trajectory is rated.
        """
        times_s = (self.timestamps_micros - self.timestamps_micros[0]) * 1e-6
        for index in range(0, len(self), stride):
            try:
                states = ego_states(times_s, self.poses_vehicle_in_world, times_s[index])
            except ValueError:  # too little past: the first seconds of a segment, or behind a gap
                continue
            frame = self.frame(index)
            yield PlannerSample(
                key=SampleKey(log_name(self.path.name), self.name, frame.timestamp_micros),
                images=frame.images(cameras),
                calibrations=frame.calibrations,
                past=states.past,
                intent=UNKNOWN_INTENT,
                future=states.future,
                future_valid=states.future_valid,
                time_of_day=frame.stats["time_of_day"],
            )


def perception_segments(source: Path | str) -> Iterator[PerceptionSegment]:
    """The segments of Perception v1 files, file by file.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern.

    Raises:
        UsageError: no file, one that is cut off, or protos not installed (at the call); a damaged record or
            one that is no Frame, named by file, record and byte (when its file is reached).
    """
    files = record_files(source)
    dataset_protos()
    return (segment for path in files for segment in _segments(path))


def _segments(path: Path) -> Iterator[PerceptionSegment]:
    """Reads a file once for names, times and poses; one file holds one segment in Waymo's own release."""
    found: dict[str, list[tuple[int, int, RecordSpan, np.ndarray]]] = {}
    for record, span in enumerate(index_records(path)):
        frame = parse(dataset_protos().Frame, read_record(path, span, record), path, record)
        if not frame.context.name or len(frame.pose.transform) != 16:
            raise UsageError(
                f"{path}: record {record} at byte {span.offset} has no context name or no pose: it is not a "
                "Perception frame. End-to-end records are read by e2e_samples."
            )
        pose = np.array(frame.pose.transform, dtype=np.float64).reshape(4, 4)
        found.setdefault(frame.context.name, []).append((frame.timestamp_micros, record, span, pose))
    for name, rows in found.items():
        times, records, spans, poses = zip(*sorted(rows, key=lambda row: row[:2]), strict=True)
        yield PerceptionSegment(path, name, records, spans, np.array(times, np.int64), np.stack(poses))


def _frame(message: Any, origin: str) -> PerceptionFrame:
    stats = message.context.stats
    return PerceptionFrame(
        segment=message.context.name,
        timestamp_micros=message.timestamp_micros,
        pose_vehicle_in_world=np.array(message.pose.transform, dtype=np.float64).reshape(4, 4),
        jpegs=read_jpegs(message.images),
        calibrations=read_calibrations(message.context, origin),
        boxes=tuple(_box(label) for label in message.laser_labels),
        stats={"time_of_day": stats.time_of_day, "location": stats.location, "weather": stats.weather},
        origin=origin,
    )


def _box(label: Any) -> Box:
    box = label.box
    return Box(
        object_id=label.id,
        kind=BOX_TYPES[label.type],
        centre_vehicle=np.array([box.center_x, box.center_y, box.center_z]),
        size=np.array([box.length, box.width, box.height]),
        heading=box.heading,
    )
