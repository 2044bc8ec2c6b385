"""What a drive counts as: how it ended, how far it came, and what went wrong on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from planner_eval.closed_loop.record import DriveRecord

if TYPE_CHECKING:
    from phipd_sim2real.driving import Moment

Ending = Literal["completed", "collision", "off_road", "left_route", "timed_out"]
COMPLETED_WITHIN_M = 1.0


@dataclass(frozen=True)
class Bounds:
    """When a drive ends.

    Attributes:
        length_m: of the route.
        seconds: that it may take.
        off_route_m: distance from the route that it may keep.
    """

    length_m: float
    seconds: float
    off_route_m: float

    def ending(self, moment: Moment, collided: bool) -> Ending | None:
        """How the drive ends at a moment; None where it goes on."""
        tests: tuple[tuple[Ending, bool], ...] = (
            ("collision", collided),
            ("off_road", moment.off_road),
            ("left_route", moment.off_route_m > self.off_route_m),
            ("completed", moment.along_m >= self.length_m - COMPLETED_WITHIN_M),
            ("timed_out", moment.time_s >= self.seconds - 1e-6),
        )
        return next((ending for ending, holds in tests if holds), None)


def score_drive(
    arm: str,
    seed: int,
    route: str,
    moments: Sequence[Moment],
    collisions: Sequence[tuple[int, str]],
    started_at_m: float,
    bounds: Bounds,
) -> DriveRecord:
    """Scores a drive up to its end, which is looked for anew: collisions are told late, and count from their frame.

    Args:
        arm: that drove.
        seed: its training seed.
        route: name.
        moments: from when the planner took over.
        collisions: (server frame, kind).
        started_at_m: where along the route the planner took over.
        bounds: of the drive.
    """
    hit_frames = {frame for frame, _ in collisions}
    found = ((index, bounds.ending(moment, moment.frame in hit_frames)) for index, moment in enumerate(moments))
    last, ending = next((index, ending) for index, ending in found if ending is not None)
    driven = moments[: last + 1]
    kinds = Counter(kind for frame, kind in set(collisions) if driven[0].frame <= frame <= driven[-1].frame)
    red_lights = sum(moment.ran_red for moment in driven)
    oncoming_s = float(np.mean([moment.oncoming for moment in driven])) * driven[-1].time_s
    places = np.stack([moment.pose_vehicle_in_world[:2, 3] for moment in driven])
    distance_m = float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    completion = (driven[-1].along_m - started_at_m) / (bounds.length_m - COMPLETED_WITHIN_M - started_at_m)
    return DriveRecord(
        arm=arm,
        seed=seed,
        route=route,
        ending=ending,
        success=ending == "completed" and not red_lights and not oncoming_s,
        completion=float(np.clip(completion, 0.0, 1.0)),
        seconds=driven[-1].time_s,
        distance_m=distance_m,
        collisions=dict(sorted(kinds.items())),
        red_lights=red_lights,
        oncoming_s=oncoming_s,
        mean_off_route_m=float(np.mean([moment.off_route_m for moment in driven])),
    )


@dataclass(frozen=True)
class DriveMetric:
    """One number per drive.

    Attributes:
        unit: "share", "m/s" or "m".
        better: which direction is better.
        value: of a drive.
    """

    unit: str
    better: Literal["higher", "lower"]
    value: Callable[[DriveRecord], float]


DRIVE_METRICS: dict[str, DriveMetric] = {
    "drive_success_rate": DriveMetric("share", "higher", lambda drive: float(drive.success)),
    "route_completion": DriveMetric("share", "higher", lambda drive: drive.completion),
    "drive_collision_rate": DriveMetric("share", "lower", lambda drive: float(drive.ending == "collision")),
    "off_road_rate": DriveMetric("share", "lower", lambda drive: float(drive.ending == "off_road")),
    "left_route_rate": DriveMetric("share", "lower", lambda drive: float(drive.ending == "left_route")),
    "timed_out_rate": DriveMetric("share", "lower", lambda drive: float(drive.ending == "timed_out")),
    "red_light_rate": DriveMetric("share", "lower", lambda drive: float(drive.red_lights > 0)),
    "oncoming_rate": DriveMetric("share", "lower", lambda drive: float(drive.oncoming_s > 0)),
    "mean_off_route": DriveMetric("m", "lower", lambda drive: drive.mean_off_route_m),
}
"""Metrics of closed-loop drives by name. Success is a route completed without collision, off road, red light or time in
the oncoming lane."""
