"""Which lanes of a junction lead into which, and which of its arms face each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from phipd_sim2real.simulator.network import End, Lane

STRAIGHT_ON = math.radians(50.0)
"""Largest turn that still counts as going straight on."""


def joined_lanes(
    come: End, lane_in: int, go: End, lane_out: int, outer: bool
) -> tuple[tuple[Lane, ...], dict[int, tuple[int | None, int | None]]]:
    """Right-hand lanes of a connecting road and their links: the driving lane, and what lies outside it.

    Lanes of one kind join; a lane that only one side has, such as a gutter, tapers away.
    """
    ins = list(enumerate(come.road.section.side(lane_in)))[abs(lane_in) - 1 :]
    outs = list(enumerate(go.road.section.side(lane_out)))[abs(lane_out) - 1 :]
    if not outer:
        ins, outs = ins[:1], outs[:1]
    lanes: list[Lane] = []
    links: dict[int, tuple[int | None, int | None]] = {}
    while ins or outs:
        first = last = None
        if ins and outs and ins[0][1].kind == outs[0][1].kind:
            first, last = ins.pop(0), outs.pop(0)
        elif outs and (not ins or ins[0][1].kind in [lane.kind for _, lane in outs]):
            last = outs.pop(0)
        else:
            first = ins.pop(0)
        kind = (first or last)[1].kind
        lanes.append(Lane(kind, first[1].width if first else 0.0, end_width=last[1].width if last else 0.0))
        links[-len(lanes)] = (_lane_id(first, lane_in), _lane_id(last, lane_out))
    return tuple(lanes), links


def _lane_id(place: tuple[int, Lane] | None, alike: int) -> int | None:
    """Id of a lane on the side of the lane `alike`."""
    return None if place is None else int(math.copysign(place[0] + 1, alike))


def _turn(come: End, go: End) -> float:
    """Radians by which one turns from one arm into another, left positive."""
    return math.remainder(go.pose_outward.heading - come.pose_outward.heading - math.pi, 2 * math.pi)


def faces(arm: End, other: End) -> bool:
    """Whether one goes straight on from one arm into another."""
    return abs(_turn(arm, other)) < STRAIGHT_ON


def faced(arm: End, arms: Sequence[End]) -> bool:
    """Whether one goes straight on from an arm into any of the others."""
    return any(other is not arm and faces(arm, other) for other in arms)


def lane_pairs(come: End, go: End, opposed: bool) -> list[tuple[int, int]]:
    """Which lanes lead from one arm to another: the outermost turns right, the innermost left, all go straight on.

    Where the first arm is not `opposed`, every lane but the outermost turns left.
    """
    ins, outs = come.incoming, go.outgoing
    if not ins or not outs:
        return []
    turn = _turn(come, go)
    if turn < -STRAIGHT_ON:
        return [(ins[-1], outs[-1])]
    if turn > STRAIGHT_ON:
        turning = ins[:1] if opposed else ins[: max(1, len(ins) - 1)]
        return [(lane, outs[min(k, len(outs) - 1)]) for k, lane in enumerate(turning)]
    return [(lane, outs[min(k, len(outs) - 1)]) for k, lane in enumerate(ins)]
