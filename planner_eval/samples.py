"""Planner samples from a drive log: pictures, calibration, past, intent and what happened next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column, decode_jpeg
from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import ego_states
from phipd_sim2real.waymo import Calibration, PlannerSample, SampleFailure, SampleKey, single_precision
from phipd_sim2real.waymo.ahead import work_ahead
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
    """Yields every frame of a log that has pictures, segment by segment in time order; threads decode ahead.

    Of Waymo's own tables every frame: one without pictures is a failure there, since each was recorded with some.

    Args:
        log: the drive log, or a split of Waymo Perception v2 in place.
        cameras: camera ids to decode; a frame without all of them is a failure.
        only: keys to which the samples are limited; None takes all.
        road_users: add the boxes of others along the future, for metrics of collision.
        stride: every how many frames of a segment.

    Raises:
        UsageError: the log has no complete segment, or one without a pose.
    """
    if not log.segments:
        raise UsageError(f"{log.root} has no complete segment; run `phipd capture` on it to the end.")
    wanted = None if only is None else {key.segment for key in only}
    for segment in log.segments:
        if wanted is None or segment in wanted:
            drive = _Segment(log, segment, cameras, road_users)
            yield from work_ahead(drive.sample, (key for key in drive.keys(stride) if only is None or key in only))


def count_frames(log: DriveLog | PerceptionFolder) -> int:
    """Number of frames with pictures, for progress."""
    return sum(len(_frame_times(log, segment)) for segment in log.segments)


def _frame_times(log: DriveLog | PerceptionFolder, segment: str) -> list[int]:
    tables = ("camera_image",) if isinstance(log, DriveLog) else ("camera_image", "vehicle_pose")
    return sorted({int(time) for table in tables for time in log.table(table, segment, columns=())[TIMESTAMP]})


class _Segment:
    """One drive of a log in memory, its pictures still encoded; `sample` may be called by several threads."""

    def __init__(
        self, log: DriveLog | PerceptionFolder, segment: str, cameras: Sequence[int], road_users: bool
    ) -> None:
        self._log, self._name, self._cameras = log, segment, cameras
        self._calibrations = _calibrations(log, segment)
        self._intents = _frame_values(log, segment, "ego_intent", "intent")
        self._times_of_day = _frame_values(log, segment, "stats", "time_of_day")
        poses = log.table("vehicle_pose", segment)
        if poses.empty:
            raise UsageError(f"Segment {segment} of {log.root} has no pose; copy it again, or give a log without it.")
        self._micros = poses[TIMESTAMP].to_numpy()
        self._times = frozenset(self._micros.tolist())
        transforms = np.stack(poses[column("vehicle_pose", "world_from_vehicle.transform")]).astype(np.float64)
        self._poses = transforms.reshape(-1, 4, 4)
        self._tracks = road_user_tracks(log, segment, self._micros * 1e-6, self._poses) if road_users else None
        self._images = log.table("camera_image", segment, [column("camera_image", "image")], cameras)
        self._rows_at = dict(iter(self._images.groupby(TIMESTAMP)))

    def keys(self, stride: int) -> Iterator[SampleKey]:
        """Every `stride`-th frame."""
        times = _frame_times(self._log, self._name)[::stride]
        return (SampleKey(self._log.root.name, self._name, timestamp) for timestamp in times)

    def sample(self, key: SampleKey) -> PlannerSample | SampleFailure:
        """The sample of a frame, or why there is none."""
        if key.timestamp_micros not in self._times:
            return SampleFailure(key, "missing_pose")
        begin = self._micros[0]  # Waymo's clock begins in 1970: motion is taken from the drive's begin
        try:
            states = ego_states((self._micros - begin) * 1e-6, self._poses, (key.timestamp_micros - begin) * 1e-6)
        except ValueError:
            return SampleFailure(key, "missing_past")
        pictures = _pictures(self._rows_at.get(key.timestamp_micros, self._images[:0]), self._cameras)
        if isinstance(pictures, str):
            return SampleFailure(key, pictures)
        if not set(self._cameras) <= set(self._calibrations):
            return SampleFailure(key, "missing_calibration")
        return PlannerSample(
            key=key,
            images=pictures,
            calibrations={camera: self._calibrations[camera] for camera in self._cameras},
            past=single_precision(states.past),
            intent=self._intents.get(key.timestamp_micros, INTENT_UNKNOWN),
            future=single_precision(states.future),
            future_valid=states.future_valid,
            time_of_day=self._times_of_day.get(key.timestamp_micros, ""),
            road_users=self._road_users(key.timestamp_micros),
        )

    def _road_users(self, timestamp_micros: int) -> np.ndarray | None:
        if self._tracks is None:
            return None
        pose = self._poses[np.argmin(np.abs(self._micros - timestamp_micros))]
        return future_road_users(self._tracks, timestamp_micros * 1e-6, pose)


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
