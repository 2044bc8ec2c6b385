"""What a planner sees at one moment, from a drive log or from Waymo's records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.camera_model import Calibration

PAST_STEPS = 16  # 4 Hz, t = -3.75 ... 0 s
FUTURE_STEPS = 20  # 4 Hz, t = 0.25 ... 5 s
STEP_SECONDS = 0.25
INTENTS = ("unknown", "straight", "left", "right")
TIMES_OF_DAY = ("Dawn/Dusk", "Day", "Night")  # in the order of a day, which begins with dawn


@dataclass(frozen=True, order=True)
class SampleKey:
    """Where a sample comes from.

    Attributes:
        log: name of the drive log's folder or of the record file.
        segment: drive of about 20 s; the unit that is resampled in confidence intervals.
        timestamp_micros: time of the frame within its log, microseconds.
    """

    log: str
    segment: str
    timestamp_micros: int


@dataclass(frozen=True, eq=False)
class PlannerSample:
    """One moment of driving. The vehicle frame is at t = 0: rear axle, x forward, y left, metres.

    Attributes:
        key: log, segment and timestamp.
        images: camera id -> (H, W, 3) uint8 RGB.
        calibrations: camera id -> calibration of that camera.
        past: (16, 6) float64 x, y, vx, vy, ax, ay in m, m/s, m/s² at 4 Hz; the last row is t = 0 at (0, 0).
        intent: index into `INTENTS`.
        future: (20, 2) float64 x, y in m at t = 0.25 ... 5 s; NaN where not valid.
        future_valid: (20,) bool, False where the log does not reach.
        rater_trajectories: rated futures, each (n, 2) m with n as stored, 7 to 21; empty where nobody rated the frame.
        rater_scores: their scores, 0 to 10.
        cluster: scenario cluster, over whose means the Rater Feedback Score is averaged; in Waymo's spelling, empty
            where unknown.
        time_of_day: Waymo's word, such as "Day" or "Night"; empty where unknown.
        road_users: (M, 6) float32 boxes of vehicles, pedestrians and cyclists along the future: index of the waypoint,
            x, y of the middle, length, width in m and heading in rad; None where the source has no boxes.
    """

    key: SampleKey
    images: dict[int, np.ndarray]
    calibrations: dict[int, Calibration]
    past: np.ndarray
    intent: int
    future: np.ndarray
    future_valid: np.ndarray
    rater_trajectories: tuple[np.ndarray, ...] = ()
    rater_scores: tuple[float, ...] = ()
    cluster: str = ""
    time_of_day: str = ""
    road_users: np.ndarray | None = None


@dataclass(frozen=True)
class SampleFailure:
    """A frame that is no sample.

    Attributes:
        key: its log, segment and timestamp.
        reason: "decode_error", "missing_camera", "missing_calibration", "missing_pose", "missing_past",
            "incomplete_record" or "damaged_record".
        where: file, record and byte, where the frame came from a record.
    """

    key: SampleKey
    reason: str
    where: str = ""


class SampleError(UsageError):
    """A record that gives no sample.

    Attributes:
        reason: as in `SampleFailure`.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def single_precision(values: np.ndarray) -> np.ndarray:
    """Rounds to the precision of end-to-end records, so that every way of a drive gives the same sample."""
    return values.astype(np.float32).astype(np.float64)
