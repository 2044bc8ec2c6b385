"""Planner samples written as end-to-end driving records (WOD-E2E)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.waymo.e2e import MICROS_PER_INDEX, STATE_FIELDS
from phipd_sim2real.waymo.protos import e2e_protos, write_calibrations
from phipd_sim2real.waymo.sample import FUTURE_STEPS, PlannerSample
from phipd_sim2real.waymo.tfrecord import write_records

if TYPE_CHECKING:
    from phipd_sim2real.drivelog import DriveLog

JPEG_QUALITY = 95

JpegSource = Callable[[PlannerSample], Mapping[int, bytes]]


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


def fill_message(frame: Any, sample: PlannerSample, jpegs: Mapping[int, bytes], name: str) -> None:
    """Fills an E2EDFrame message from a sample, called `name` in it."""
    frame.frame.context.name = name
    frame.frame.timestamp_micros = sample.key.timestamp_micros
    write_calibrations(frame.frame.context, sample.calibrations)
    for camera, data in jpegs.items():
        frame.frame.images.add(name=camera, image=data).pose.transform.extend(np.eye(4).ravel())
    for field, values in zip(STATE_FIELDS, sample.past.T, strict=True):
        getattr(frame.past_states, field).extend(values)
    known = int(sample.future_valid.argmin()) if not sample.future_valid.all() else FUTURE_STEPS
    _extend(frame.future_states, sample.future[:known])
    frame.future_states.pos_z.extend([0.0] * known)  # for drawing only: level ground
    frame.intent = sample.intent
    for trajectory, score in zip(sample.rater_trajectories, sample.rater_scores, strict=True):
        _extend(frame.preference_trajectories.add(preference_score=score), trajectory)


def _payload(frame: Any, sample: PlannerSample, jpegs: Mapping[int, bytes], segments: dict[str, str]) -> bytes:
    """Fills `frame` from a sample and serialises it; `segments` remembers the names given so far."""
    segment = segments.setdefault(sample.key.segment, _segment_name(len(segments), sample.key.segment))
    index = round(sample.key.timestamp_micros / MICROS_PER_INDEX)
    fill_message(frame, sample, dict(sorted(jpegs.items())), f"{segment}-{index:03d}")
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
