"""End-to-end driving records (WOD-E2E): reading them as planner samples, and writing samples in that format.

The format has no poses: past and future are the stored float32 states. Time is in the name,
`<32 hex digits>-<frame index>`, 0.1 s per index. Records of one drive are shuffled across shards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.protos import (
    decode,
    e2e_protos,
    log_name,
    parse,
    read_calibrations,
    read_jpegs,
    record_files,
    write_calibrations,
)
from phipd_sim2real.waymo.sample import FUTURE_STEPS, PAST_STEPS, PlannerSample, SampleKey
from phipd_sim2real.waymo.tfrecord import read_records, write_records

if TYPE_CHECKING:
    from phipd_sim2real.drivelog import DriveLog

MICROS_PER_INDEX = 100_000
POSITION_FIELDS = ("pos_x", "pos_y")
STATE_FIELDS = (*POSITION_FIELDS, "vel_x", "vel_y", "accel_x", "accel_y")
JPEG_QUALITY = 95

JpegSource = Callable[[PlannerSample], Mapping[int, bytes]]


def e2e_samples(
    source: Path | str, cameras: Sequence[int] | None = None, rated_only: bool = False
) -> Iterator[PlannerSample]:
    """Planner samples of end-to-end records, in the order of the files.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern.
        cameras: ids to decode, 1 to 8; None decodes all. Decoding is most of the time.
        rated_only: skip frames without a rated trajectory before their pictures are decoded.

    Yields:
        Samples whose states are float32 values in float64 arrays. Scores below 0 mark trajectories that
        nobody rated; they are left out. Frames without a future (the test split) have no valid step.

    Raises:
        UsageError: no file, or one that is cut off (at the call); a damaged record or one of another kind
            (when it is reached).
    """
    files, frame_class = record_files(source), e2e_protos().E2EDFrame
    return _samples(files, frame_class, cameras, rated_only)


def write_e2e(
    path: Path | str,
    samples: Iterable[PlannerSample],
    jpegs: JpegSource | None = None,
    quality: int = JPEG_QUALITY,
) -> int:
    """Writes samples as one TFRecord file of E2EDFrame messages; the file is complete or absent.

    Read back, a sample equals the one written: its pictures when `jpegs` gives the bytes that they were
    decoded from, its states when they are float32 values. The segment's name becomes 32 hex digits that sort
    in the order in which the segments came, so that statistics which sort by segment do not change.

    Args:
        path: the file; the log's name is its name up to `.tfrecord`.
        samples: written in the order given.
        jpegs: sample -> camera id -> JPEG bytes to store unchanged, as `drivelog_jpegs` gives them; None
            encodes `sample.images`.
        quality: of that encoding, 1 to 100.

    Returns:
        The number of records.
    """
    encoded = jpegs or (lambda sample: _encode_images(sample, quality))
    frame_class, segments = e2e_protos().E2EDFrame, dict[str, str]()
    return write_records(path, (_payload(frame_class(), sample, encoded(sample), segments) for sample in samples))


def drivelog_jpegs(log: DriveLog) -> JpegSource:
    """The stored JPEG bytes behind samples of a drive log: for the cameras that a sample has, unchanged."""
    from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, column

    @lru_cache(maxsize=1)  # samples come segment by segment
    def stored(segment: str) -> dict[tuple[int, int], bytes]:
        table = log.table("camera_image", segment, columns=[column("camera_image", "image")])
        keys = zip(table[TIMESTAMP], table[CAMERA], strict=True)
        return dict(zip(keys, table[column("camera_image", "image")], strict=True))

    def jpegs(sample: PlannerSample) -> dict[int, bytes]:
        rows = stored(sample.key.segment)
        return {camera: rows[sample.key.timestamp_micros, camera] for camera in sample.images}

    return jpegs


def _samples(
    files: Sequence[Path], frame_class: type, cameras: Sequence[int] | None, rated_only: bool
) -> Iterator[PlannerSample]:
    for path in files:
        for record, payload in enumerate(read_records(path)):
            frame = parse(frame_class, payload, path, record)
            if not rated_only or _rated(frame):
                yield _sample(frame, log_name(path), cameras, f"{path}: record {record}")


def _sample(frame: Any, log: str, cameras: Sequence[int] | None, origin: str) -> PlannerSample:
    segment, timestamp_micros = _segment_and_time(frame.frame, origin)
    past = _states(frame.past_states, STATE_FIELDS, origin)
    if len(past) != PAST_STEPS:
        raise UsageError(f"{origin} has {len(past)} past states; an end-to-end record has {PAST_STEPS}.")
    future = np.full((FUTURE_STEPS, 2), np.nan)
    known = _states(frame.future_states, POSITION_FIELDS, origin)[:FUTURE_STEPS]
    future[: len(known)] = known
    rated = _rated(frame)
    return PlannerSample(
        key=SampleKey(log, segment, timestamp_micros),
        images=decode(read_jpegs(frame.frame.images), cameras, origin),
        calibrations=read_calibrations(frame.frame.context, origin),
        past=past,
        intent=int(frame.intent),
        future=future,
        future_valid=np.arange(FUTURE_STEPS) < len(known),
        rater_trajectories=tuple(_states(states, POSITION_FIELDS, origin) for states in rated),
        rater_scores=tuple(states.preference_score for states in rated),
    )


def _segment_and_time(frame: Any, origin: str) -> tuple[str, int]:
    """Segment and time; Waymo's own timestamps are 0 and the time comes from the index in the name."""
    segment, _, index = frame.context.name.rpartition("-")
    if not segment or not index.isdecimal():
        raise UsageError(
            f"{origin} is named {frame.context.name!r}; an end-to-end record is named '<segment>-<index>'."
        )
    return segment, frame.timestamp_micros or int(index) * MICROS_PER_INDEX


def _states(message: Any, fields: Sequence[str], origin: str) -> np.ndarray:
    """(n, fields) float64 in metres and seconds, one row per time."""
    columns = [np.array(getattr(message, field), np.float64) for field in fields]
    if len({len(column) for column in columns}) > 1:
        lengths = {field: len(column) for field, column in zip(fields, columns, strict=True)}
        raise UsageError(f"{origin} has states of unequal length {lengths}; each time needs all of them.")
    return np.stack(columns, axis=-1)


def _rated(frame: Any) -> list[Any]:
    """The trajectories that have points and a score of at least 0."""
    return [
        states
        for states in frame.preference_trajectories
        if states.HasField("preference_score") and states.preference_score >= 0 and states.pos_x
    ]


def _payload(frame: Any, sample: PlannerSample, jpegs: Mapping[int, bytes], segments: dict[str, str]) -> bytes:
    """Fills `frame` from a sample and serialises it; `segments` remembers the names given so far."""
    segment = segments.setdefault(sample.key.segment, _segment_name(len(segments), sample.key.segment))
    frame.frame.context.name = f"{segment}-{round(sample.key.timestamp_micros / MICROS_PER_INDEX)}"
    frame.frame.timestamp_micros = sample.key.timestamp_micros
    write_calibrations(frame.frame.context, sample.calibrations)
    for camera, data in sorted(jpegs.items()):
        frame.frame.images.add(name=camera, image=data).pose.transform.extend(np.eye(4).ravel())
    for field, values in zip(STATE_FIELDS, sample.past.T, strict=True):
        getattr(frame.past_states, field).extend(values)
    known = int(sample.future_valid.argmin()) if not sample.future_valid.all() else FUTURE_STEPS
    _extend(frame.future_states, sample.future[:known])
    frame.future_states.pos_z.extend([0.0] * known)  # for drawing only: level ground
    frame.intent = sample.intent
    for trajectory, score in zip(sample.rater_trajectories, sample.rater_scores, strict=True):
        _extend(frame.preference_trajectories.add(preference_score=score), trajectory)
    return frame.SerializeToString(deterministic=True)


def _encode_images(sample: PlannerSample, quality: int) -> dict[int, bytes]:
    from phipd_sim2real.drivelog import encode_jpeg

    return {camera: encode_jpeg(picture, quality) for camera, picture in sample.images.items()}


def _segment_name(position: int, segment: str) -> str:
    """32 hex digits: the segment's place in the file, then a hash of its name."""
    return f"{position:08x}{hashlib.sha256(segment.encode()).hexdigest()[:24]}"


def _extend(states: Any, positions: np.ndarray) -> None:
    states.pos_x.extend(positions[:, 0])
    states.pos_y.extend(positions[:, 1])
