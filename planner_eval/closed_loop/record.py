"""What is kept of one drive."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DriveRecord:
    """One drive of one planner on one route.

    Attributes:
        arm, seed, route: who, and where.
        ending: "completed", "collision", "off_road", "left_route" or "timed_out".
        success: completed without any infraction.
        completion: share of the route that was driven, from where the planner took over.
        seconds: it took.
        distance_m: driven.
        collisions: kind ("vehicle", "walker", "static") -> events.
        red_lights: stop lines crossed while their light was red.
        oncoming_s: time in the oncoming lane.
        mean_off_route_m: mean distance of the rear axle from the middle of the lane.
    """

    arm: str
    seed: int
    route: str
    ending: str
    success: bool
    completion: float
    seconds: float
    distance_m: float
    collisions: dict[str, int]
    red_lights: int
    oncoming_s: float
    mean_off_route_m: float
