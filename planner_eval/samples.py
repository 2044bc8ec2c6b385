"""Planner samples from a drive log: pictures, calibration, past, intent and what happened next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column, decode_jpeg
from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import ego_states
from phipd_sim2real.waymo import Calibration, PlannerSample, SampleFailure, SampleKey, single_precision
from planner_eval.road_users import future_road_users, road_user_tracks

if TYPE_CHECKING:
    import pandas as pd

    from phipd_sim2real.waymo.perception_v2 import PerceptionFolder

INTRINSIC_NAMES = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
INTENT_UNKNOWN = 0


def samples_from_log(
    log: DriveLog | PerceptionFolder,
    cameras: Sequence[int] = (1,),
    only: Collection[SampleKey] | None = None,
    road_users: bool = False,
    stride: int = 1,
) -> Iterator[PlannerSample | SampleFailure]:
    """Yields every frame of a log that has pictures, segment by segment in time order.

    Args:
        log: the drive log, or a split of Waymo Perception v2 in place.
        cameras: camera ids to decode; a frame without all of them is a failure.
        only: keys to which the samples are limited; None takes all.
        road_users: add the boxes of others along the future, for metrics of collision.
        stride: every how many frames of a segment.

    Raises:
        UsageError: the log has no complete segment.
    """
    if not log.segments:
        raise UsageError(f"{log.root} has no complete segment; run `phipd capture` on it to the end.")
    wanted = None if only is None else {key.segment for key in only}
    for segment in log.segments:
        if wanted is None or segment in wanted:
            yield from _segment_samples(log, segment, cameras, only, road_users, stride)


def count_frames(log: DriveLog | PerceptionFolder) -> int:
    """Number of frames with pictures, for progress."""
    return sum(log.table("camera_image", segment, columns=())[TIMESTAMP].nunique() for segment in log.segments)


def _segment_samples(
    log: DriveLog | PerceptionFolder,
    segment: str,
    cameras: Sequence[int],
    only: Collection[SampleKey] | None,
    road_users: bool,
    stride: int,
) -> Iterator[PlannerSample | SampleFailure]:
    calibrations = _calibrations(log, segment)
    intents = _frame_values(log, segment, "ego_intent", "intent")
    times_of_day = _frame_values(log, segment, "stats", "time_of_day")
    poses = log.table("vehicle_pose", segment)
    times_s = poses[TIMESTAMP].to_numpy() * 1e-6
    begin_micros = int(poses[TIMESTAMP].iloc[0])  # Waymo's clock begins in 1970: motion is taken from the drive's begin
    since_begin_s = (poses[TIMESTAMP].to_numpy() - begin_micros) * 1e-6
    transforms = np.stack(poses[column("vehicle_pose", "world_from_vehicle.transform")]).astype(np.float64)
    transforms = transforms.reshape(-1, 4, 4)
    tracks = road_user_tracks(log, segment, times_s, transforms) if road_users else None
    images = log.table("camera_image", segment, [column("camera_image", "image")])
    for timestamp, rows in islice(images.groupby(TIMESTAMP, sort=True), 0, None, stride):
        key = SampleKey(log.root.name, segment, int(timestamp))
        if only is not None and key not in only:
            continue
        try:
            states = ego_states(since_begin_s, transforms, (key.timestamp_micros - begin_micros) * 1e-6)
        except ValueError:
            yield SampleFailure(key, "missing_past")
            continue
        pictures = _pictures(rows, cameras)
        if isinstance(pictures, str):
            yield SampleFailure(key, pictures)
            continue
        intent = intents.get(key.timestamp_micros, INTENT_UNKNOWN)
        used = {camera: calibrations[camera] for camera in cameras}
        past, future = single_precision(states.past), single_precision(states.future)
        pose = transforms[np.argmin(np.abs(times_s - key.timestamp_micros * 1e-6))]
        yield PlannerSample(
            key, pictures, used, past, intent, future, states.future_valid,
            time_of_day=times_of_day.get(key.timestamp_micros, ""),
            road_users=None if tracks is None else future_road_users(tracks, key.timestamp_micros * 1e-6, pose),
        )  # fmt: skip


def _pictures(rows: pd.DataFrame, cameras: Sequence[int]) -> dict[int, np.ndarray] | str:
    """Decoded pictures of one frame, or the reason why they are not there."""
    encoded = dict(zip(rows[CAMERA], rows[column("camera_image", "image")], strict=True))
    if not set(cameras) <= set(encoded):
        return "missing_camera"
    try:
        return {camera: decode_jpeg(encoded[camera]) for camera in cameras}
    except ValueError:
        return "decode_error"


def _calibrations(log: DriveLog | PerceptionFolder, segment: str) -> dict[int, Calibration]:
    table = log.table("camera_calibration", segment)
    names = [column("camera_calibration", f"intrinsic.{name}") for name in INTRINSIC_NAMES]
    return {
        int(row[CAMERA]): Calibration(
            intrinsic=row[names].to_numpy(dtype=np.float64),
            extrinsic=np.asarray(row[column("camera_calibration", "extrinsic.transform")], float).reshape(4, 4),
            width=int(row[column("camera_calibration", "width")]),
            height=int(row[column("camera_calibration", "height")]),
        )
        for _, row in table.iterrows()
    }


def _frame_values(log: DriveLog | PerceptionFolder, segment: str, component: str, field: str) -> dict[int, Any]:
    """Timestamp -> value; empty where the log lacks the table, as Waymo Perception does that of intents."""
    if component not in log.components(segment):
        return {}
    table = log.table(component, segment, [column(component, field)])
    return dict(zip(table[TIMESTAMP].tolist(), table[column(component, field)].tolist(), strict=True))
