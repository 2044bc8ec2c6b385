"""A split of end-to-end records made up in Waymo's format, for tests and measurements. None of it was recorded.

It has the dataset's habits: records shuffled across shards, times that are 0, cameras in no order, portrait pictures in
front, one rated frame a drive whose trajectories have 21 points, and placeholders scored -1 in all others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from phipd_sim2real.files import write_json
from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.e2e import MICROS_PER_INDEX
from phipd_sim2real.waymo.e2e_writer import fill_message
from phipd_sim2real.waymo.protos import e2e_protos
from phipd_sim2real.waymo.sample import FUTURE_STEPS, PAST_STEPS, STEP_SECONDS, PlannerSample, SampleKey
from phipd_sim2real.waymo.splits import CLUSTER_FILE, SUBMISSION_FILE, Split
from phipd_sim2real.waymo.tfrecord import write_records

STEMS: dict[Split, str] = {"train": "training_made", "val": "val_made", "test": "test_made"}
PICTURE_SIZES = {camera: (972, 1079) for camera in (1, 2, 3, 4, 5)} | {6: (972, 587), 7: (972, 551), 8: (972, 587)}
"""Width and height of each camera, px, as reported of the dataset."""

CLUSTERS = ("Construction", "Interections", "Cyclist")
FIRST_INDEX = 140
RATER_POINTS, RATER_SCORES = 21, (9.0, 6.0, 3.0)
JPEG_QUALITY = 90
GRAIN = 6.0


def make_split(
    folder: Path,
    split: Split = "val",
    records: int = 200,
    segments: int = 10,
    shards: int = 4,
    cameras: Sequence[int] = (1, 2, 3),
    scale: float = 0.125,
    seed: int = 0,
) -> list[PlannerSample]:
    """Writes a split and the list that comes with it.

    Every drive is a circle at constant speed. In the val split its middle frame is rated: the driven path best, then
    one at 0.8 and one at 0.5 of its speed. The test split has no futures.

    Args:
        folder: of the shards.
        split: whose names and lists they have.
        records: frames in all, a multiple of `segments`.
        segments: drives.
        shards: files.
        cameras: ids.
        scale: size of the pictures against the dataset's.
        seed: of paths, pictures and order.

    Returns:
        What was written, by segment and time; without pictures.
    """
    rng = np.random.default_rng(seed)
    calibrations = {camera: _calibration(camera, scale) for camera in cameras}
    jpegs = {camera: _jpeg(calibration, rng) for camera, calibration in calibrations.items()}
    samples, payloads = [], []
    for segment in sorted(hashlib.md5(f"{seed}/{number}".encode()).hexdigest() for number in range(segments)):
        speed, yaw_rate = rng.uniform(2, 15), rng.uniform(-0.2, 0.2)
        for index in range(FIRST_INDEX, FIRST_INDEX + records // segments):
            is_rated = split == "val" and index == FIRST_INDEX + records // segments // 2
            key = SampleKey(STEMS[split], segment, index * MICROS_PER_INDEX)
            sample = _sample(key, calibrations, speed, yaw_rate, split, is_rated)
            samples.append(sample)
            payloads.append(_payload(sample, jpegs))
    order = rng.permutation(len(payloads))
    for shard in range(shards):
        path = folder / f"{STEMS[split]}.tfrecord-{shard:05d}-of-{shards:05d}"
        write_records(path, (payloads[position] for position in order[shard::shards]))
    _write_list(folder, split, samples)
    return samples


def _sample(
    key: SampleKey, calibrations: dict[int, Calibration], speed: float, yaw_rate: float, split: Split, is_rated: bool
) -> PlannerSample:
    past_times = np.arange(1 - PAST_STEPS, 1) * STEP_SECONDS
    future_times = np.arange(1, FUTURE_STEPS + 1) * STEP_SECONDS
    rated_times = np.arange(RATER_POINTS) * STEP_SECONDS
    heading = yaw_rate * past_times
    along, left = np.stack([np.cos(heading), np.sin(heading)]), np.stack([-np.sin(heading), np.cos(heading)])
    past = np.concatenate([_circle(speed, yaw_rate, past_times).T, speed * along, speed * yaw_rate * left]).T
    known = split != "test"
    raters = [_circle(share * speed, share * yaw_rate, rated_times) for share in (1.0, 0.8, 0.5)] if is_rated else []
    return PlannerSample(
        key=key,
        images={},
        calibrations=calibrations,
        past=past.astype(np.float32).astype(np.float64),
        intent=1 if abs(yaw_rate) < 0.05 else 2 if yaw_rate > 0 else 3,
        future=_circle(speed, yaw_rate, future_times) if known else np.full((FUTURE_STEPS, 2), np.nan),
        future_valid=np.full(FUTURE_STEPS, known),
        rater_trajectories=tuple(raters),
        rater_scores=RATER_SCORES if is_rated else (),
        cluster=_cluster(key.segment) if split == "val" else "",
    )


def _circle(speed: float, yaw_rate: float, times: np.ndarray) -> np.ndarray:
    """(n, 2) float32 values of the path that leaves the origin along x."""
    angle = yaw_rate * times
    path = speed / yaw_rate * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    return path.astype(np.float32).astype(np.float64)


def _payload(sample: PlannerSample, jpegs: dict[int, bytes]) -> bytes:
    frame = e2e_protos().E2EDFrame()
    name = f"{sample.key.segment}-{sample.key.timestamp_micros // MICROS_PER_INDEX:03d}"
    fill_message(
        frame, replace(sample, key=replace(sample.key, timestamp_micros=0)), dict(reversed(jpegs.items())), name
    )
    if not sample.rater_scores:
        for _ in RATER_SCORES:
            frame.preference_trajectories.add(preference_score=-1.0)
    return frame.SerializeToString(deterministic=True)


def _calibration(camera: int, scale: float) -> Calibration:
    width, height = (round(size * scale) for size in PICTURE_SIZES[camera])
    focal = 1.2 * width
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = (1.5, 0.0, 2.0)
    return Calibration(np.array([focal, focal, width / 2, height / 2, 0, 0, 0, 0, 0.0]), extrinsic, width, height)


def _jpeg(calibration: Calibration, rng: np.random.Generator) -> bytes:
    """Blurred blocks with grain: about as many bytes per pixel as a street."""
    import cv2

    from phipd_sim2real.drivelog import encode_jpeg

    size = (calibration.width, calibration.height)
    blocks = rng.integers(0, 255, (size[1] // 16 + 1, size[0] // 16 + 1, 3)).astype(np.float32)
    picture = cv2.resize(blocks, size, interpolation=cv2.INTER_CUBIC) + rng.normal(0, GRAIN, (size[1], size[0], 3))
    return encode_jpeg(np.clip(picture, 0, 255).astype(np.uint8), JPEG_QUALITY)


def _write_list(folder: Path, split: Split, samples: Sequence[PlannerSample]) -> None:
    if split == "val":
        clusters = {sample.key.segment: {"scenario_cluster": sample.cluster} for sample in samples}
        write_json(folder / CLUSTER_FILE, clusters)
    if split == "test":
        last = {sample.key.segment: sample.key.timestamp_micros // MICROS_PER_INDEX for sample in samples}
        (folder / SUBMISSION_FILE).write_text(json.dumps(last))


def _cluster(segment: str) -> str:
    return CLUSTERS[int(segment[:8], 16) % len(CLUSTERS)]
