"""Reference lines of roads: chains of lines and arcs in the plane, and cubics for their height."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from phipd_sim2real.simulator.circuit import Arc

STRAIGHT = 1e-9
"""Curvature in 1/m below which an arc is a line."""


class Pose(NamedTuple):
    """A point with a direction, right-handed world: metres, radians anticlockwise from x."""

    x: float
    y: float
    heading: float

    def moved(self, left: float, ahead: float = 0.0, turn: float = 0.0) -> Pose:
        """The pose `left` and `ahead` metres from this one, turned by `turn` radians."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        return Pose(self.x + ahead * c - left * s, self.y + ahead * s + left * c, self.heading + turn)


class Cubic(NamedTuple):
    """Height z(ds) = a + b ds + c ds² + d ds³, metres, from station `s` on."""

    s: float
    a: float
    b: float
    c: float
    d: float


def pose_on(arc: Arc, distance: float) -> Pose:
    """The pose `distance` metres along an arc."""
    turn = arc.curvature * distance
    chord = distance * float(np.sinc(turn / (2.0 * np.pi)))
    middle = arc.heading + turn / 2.0
    return Pose(arc.x + chord * math.cos(middle), arc.y + chord * math.sin(middle), arc.heading + turn)


def start_of(arcs: Sequence[Arc]) -> Pose:
    """Where a chain begins."""
    return Pose(arcs[0].x, arcs[0].y, arcs[0].heading)


def end_of(arcs: Sequence[Arc]) -> Pose:
    """Where a chain ends."""
    return pose_on(arcs[-1], arcs[-1].length)


def length_of(arcs: Sequence[Arc]) -> float:
    """Metres along a chain."""
    return sum(arc.length for arc in arcs)


def filleted(points: Sequence[tuple[float, float]], radius: float) -> list[Arc]:
    """Straight lines between points, with arcs of `radius` in the corners.

    The radius shrinks where a leg is too short for it: an arc takes at most half of each leg between two corners.
    """
    corners = np.asarray(points, float)
    legs = np.diff(corners, axis=0)
    lengths = np.hypot(*legs.T)
    headings = np.arctan2(legs[:, 1], legs[:, 0])
    turns = np.remainder(np.diff(headings) + np.pi, 2 * np.pi) - np.pi
    share = np.where(np.arange(len(lengths)) % (len(lengths) - 1 or 1) == 0, 1.0, 0.5) * lengths
    cuts = [0.0, *(min(radius * math.tan(abs(t) / 2), share[k], share[k + 1]) for k, t in enumerate(turns)), 0.0]
    arcs = []
    for k, heading in enumerate(headings):
        begin = Pose(*corners[k], heading).moved(0.0, ahead=cuts[k])
        straight = lengths[k] - cuts[k] - cuts[k + 1]
        if straight > 1e-6:
            arcs.append(Arc(begin.x, begin.y, heading, straight, 0.0))
        if k < len(turns) and abs(turns[k]) > 1e-6:
            entry = begin.moved(0.0, ahead=straight)
            curvature = math.copysign(math.tan(abs(turns[k]) / 2) / cuts[k + 1], turns[k])
            arcs.append(Arc(entry.x, entry.y, heading, turns[k] / curvature, curvature))
    return arcs


def trimmed(arcs: Sequence[Arc], head: float, tail: float) -> list[Arc]:
    """A chain without its first `head` and its last `tail` metres."""
    kept, s, end = [], 0.0, length_of(arcs) - tail
    for arc in arcs:
        first, last = max(head - s, 0.0), min(end - s, arc.length)
        if last - first > 1e-6:
            begin = pose_on(arc, first)
            kept.append(Arc(*begin, last - first, arc.curvature))
        s += arc.length
    return kept


def biarc(start: Pose, end: Pose) -> list[Arc]:
    """Two arcs with a common tangent that lead from one pose to another; one line where that suffices.

    The joint is the one of equal tangent lengths: |p₁ - p₀ - d (t₀ + t₁)| = 2 d.
    """
    t0 = np.array([math.cos(start.heading), math.sin(start.heading)])
    t1 = np.array([math.cos(end.heading), math.sin(end.heading)])
    gap = np.array([end.x - start.x, end.y - start.y])
    along, bend = float(gap @ (t0 + t1)), 1.0 - float(t0 @ t1)
    if bend < 1e-9:
        d = float(gap @ gap) / (2.0 * along)
    else:
        d = (-along + math.sqrt(along**2 + 2.0 * bend * float(gap @ gap))) / (2.0 * bend)
    joint = (np.array([start.x, start.y]) + d * t0 + np.array([end.x, end.y]) - d * t1) / 2.0
    first = _arc_to(start, joint)
    return [first, _arc_to(pose_on(first, first.length), np.array([end.x, end.y]))]


def _arc_to(start: Pose, point: np.ndarray) -> Arc:
    """The arc that leaves `start` along its heading and ends in `point`."""
    dx, dy = point[0] - start.x, point[1] - start.y
    half_turn = math.remainder(math.atan2(dy, dx) - start.heading, 2.0 * math.pi)
    chord = math.hypot(dx, dy)
    length = chord / float(np.sinc(half_turn / np.pi))
    curvature = 2.0 * half_turn / length
    return Arc(*start, length, curvature if abs(curvature) > STRAIGHT else 0.0)


def profile(knots: Sequence[tuple[float, float]], slopes: tuple[float, float] = (0.0, 0.0)) -> list[Cubic]:
    """Cubics through (station, height) knots that overshoot nowhere and end with the given slopes."""
    s, z = np.array(knots, float).T
    steepness = PchipInterpolator(s, z).derivative()(s) if len(s) > 2 else np.zeros(2)
    steepness[[0, -1]] = slopes
    d, c, b, a = CubicHermiteSpline(s, z, steepness).c
    return [Cubic(*map(float, piece)) for piece in zip(s[:-1], a, b, c, d, strict=True)]


def height_at(cubics: Sequence[Cubic], s: float) -> tuple[float, float]:
    """Height (m) and slope (m/m) at a station."""
    piece = [cubic for cubic in cubics if cubic.s <= s + 1e-9][-1]
    ds = s - piece.s
    height = piece.a + ds * (piece.b + ds * (piece.c + ds * piece.d))
    return height, piece.b + ds * (2.0 * piece.c + ds * 3.0 * piece.d)
