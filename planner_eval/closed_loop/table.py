"""The arms of closed-loop drives as a plain-text table."""

from __future__ import annotations

from planner_eval.bootstrap import Interval
from planner_eval.closed_loop.result import ClosedLoopResult, DrivenArm

SHOWN = (
    "drive_success_rate",
    "route_completion",
    "drive_collision_rate",
    "red_light_rate",
    "off_road_rate",
    "oncoming_rate",
)


def closed_loop_table(result: ClosedLoopResult) -> str:
    """One row per arm: routes, the main rates in per cent with their intervals, the paired difference in success."""
    baseline = result.settings["baseline"]
    rows = [["arm", "routes", *SHOWN, f"success − {baseline}"], *map(_row, result.arms)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([f"closed loop, {result.domain}", *lines])


def _row(arm: DrivenArm) -> list[str]:
    scores = [_per_cent(arm.scores[metric]) for metric in SHOWN]
    difference = arm.differences.get("drive_success_rate")
    return [
        arm.name,
        str(arm.scores[SHOWN[0]].segments),
        *scores,
        "–" if difference is None else _per_cent(difference, "+"),
    ]


def _per_cent(interval: Interval, sign: str = "") -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
