"""End-to-end driving records (WOD-E2E) as planner samples.

The format has no poses: past and future are the stored float32 states. Time is in the name,
`<32 hex digits>-<frame index>`, 0.1 s per index. Records of one drive are shuffled across shards; `E2EIndex` puts
them in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phipd_sim2real.waymo.ahead import work_ahead
from phipd_sim2real.waymo.protos import (
    decode,
    e2e_protos,
    log_name,
    parse,
    read_calibrations,
    read_jpegs,
    require_calibrated,
)
from phipd_sim2real.waymo.sample import FUTURE_STEPS, PAST_STEPS, PlannerSample, SampleError, SampleKey
from phipd_sim2real.waymo.storage import Backend, RecordFile, find_record_files
from phipd_sim2real.waymo.tfrecord import index_records

MICROS_PER_INDEX = 100_000
POSITION_FIELDS = ("pos_x", "pos_y")
STATE_FIELDS = (*POSITION_FIELDS, "vel_x", "vel_y", "accel_x", "accel_y")


def e2e_samples(
    source: Path | str,
    cameras: Sequence[int] | None = None,
    rated_only: bool = False,
    backend: Backend = "local",
    clusters: Mapping[str, str] | None = None,
) -> Iterator[PlannerSample]:
    """Planner samples of end-to-end records, in the order of the files; the first bad record ends them.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern; gs:// needs TensorFlow.
        cameras: ids to decode, 1 to 8; None decodes all. Decoding is most of the time.
        rated_only: skip frames without a rated trajectory before their pictures are decoded.
        backend: our own reader, or tf.data; both give the same samples.
        clusters: segment -> cluster of its scene, as `read_clusters` gives them.

    Yields:
        Samples whose states are float32 values in float64 arrays. Scores below 0 mark trajectories that
        nobody rated; they are left out. Frames without a future (the test split) have no valid step.

    Raises:
        UsageError: no file, or one that is cut off (at the call); a damaged record or one of another kind
            (when it is reached).
    """
    files, _ = find_record_files(source, backend), e2e_protos()
    for file in files:
        if file.backend == "local":
            index_records(file.address)
    return work_ahead(lambda task: read_sample(*task, cameras, clusters or {}), _frames(files, rated_only))


def read_sample(
    frame: Any, log: str, origin: str, cameras: Sequence[int] | None, clusters: Mapping[str, str]
) -> PlannerSample:
    """The sample in an E2EDFrame message.

    Args:
        frame: the message.
        log: name of its log.
        origin: file and record, for the errors' sentences.
        cameras: ids to decode; None decodes all.
        clusters: segment -> cluster.

    Raises:
        SampleError: it has no name as such frames have, no whole past, a state that is no number, or lacks a picture or
            its camera's calibration.
    """
    segment, timestamp_micros = segment_and_time(frame.frame, origin)
    past = read_states(frame.past_states, STATE_FIELDS, origin)
    if len(past) != PAST_STEPS:
        raise SampleError(
            "incomplete_record", f"{origin} has {len(past)} past states; an end-to-end record has {PAST_STEPS}."
        )
    future = np.full((FUTURE_STEPS, 2), np.nan)
    known = read_states(frame.future_states, POSITION_FIELDS, origin)[:FUTURE_STEPS]
    future[: len(known)] = known
    rated = rated_trajectories(frame)
    images = decode(read_jpegs(frame.frame.images), cameras, origin)
    calibrations = read_calibrations(frame.frame.context, origin)
    require_calibrated(calibrations, images, origin)
    return PlannerSample(
        key=SampleKey(log, segment, timestamp_micros),
        images=images,
        calibrations=calibrations,
        past=past,
        intent=int(frame.intent),
        future=future,
        future_valid=np.arange(FUTURE_STEPS) < len(known),
        rater_trajectories=tuple(read_states(states, POSITION_FIELDS, origin) for states in rated),
        rater_scores=tuple(states.preference_score for states in rated),
        cluster=clusters.get(segment, ""),
    )


def segment_and_time(frame: Any, origin: str) -> tuple[str, int]:
    """Segment and time; Waymo's own timestamps are 0 and the time comes from the index in the name."""
    segment, _, index = frame.context.name.rpartition("-")
    if not segment or not index.isdecimal():
        raise SampleError(
            "incomplete_record",
            f"{origin} is named {frame.context.name!r}; an end-to-end record is named '<segment>-<index>'.",
        )
    return segment, frame.timestamp_micros or int(index) * MICROS_PER_INDEX


def rated_trajectories(frame: Any) -> list[Any]:
    """The trajectories that have points and a score of at least 0."""
    return [
        states
        for states in frame.preference_trajectories
        if states.HasField("preference_score") and states.preference_score >= 0 and states.pos_x
    ]


def _frames(files: Sequence[RecordFile], rated_only: bool) -> Iterator[tuple[Any, str, str]]:
    """Messages with the names of their log and record."""
    frame_class = e2e_protos().E2EDFrame
    for file in files:
        for record, payload in enumerate(file.payloads()):
            frame = parse(frame_class, payload, file.address, record)
            if not rated_only or rated_trajectories(frame):
                yield frame, log_name(file.name), f"{file.address}: record {record}"


def read_states(message: Any, fields: Sequence[str], origin: str) -> np.ndarray:
    """(n, fields) float64 in metres and seconds, one row per time, of an EgoTrajectoryStates message.

    Raises:
        SampleError: a field has more values than another, or one that is not finite.
    """
    columns = [np.array(getattr(message, field), np.float64) for field in fields]
    if len({len(column) for column in columns}) > 1:
        lengths = {field: len(column) for field, column in zip(fields, columns, strict=True)}
        raise SampleError(
            "incomplete_record", f"{origin} has states of unequal length {lengths}; each time needs all of them."
        )
    states = np.stack(columns, axis=-1)
    if not np.isfinite(states).all():
        raise SampleError(
            "incomplete_record", f"{origin} has states that are not finite; each of them must be a number."
        )
    return states
