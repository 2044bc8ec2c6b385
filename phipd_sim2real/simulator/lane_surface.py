"""Surfaces of lanes as triangles in road coordinates."""

from __future__ import annotations

import numpy as np

from phipd_sim2real.simulator.lane_strip import LaneEntry, Strip
from phipd_sim2real.simulator.triangles import Label, Material, Triangles, quads, triangles
from phipd_sim2real.simulator.verges import corners

_PLAIN = (8.5, 60.0, 20.0)
"""Road coordinates far from every boundary: in a junction lanes cross, and none may show."""


def lane_surface(
    strip: Strip, lift: np.ndarray, material: Material, label: Label, marks: np.ndarray, inside: bool
) -> Triangles:
    """A lane's surface in road coordinates; within a junction all asphalt is alike."""
    zero = np.zeros_like(strip.width)
    near = np.column_stack([strip.station, zero, strip.width])
    far = np.column_stack([strip.station, strip.width, zero])
    frame = np.column_stack([strip.tangent, zero])[:-1]
    plain = inside and material is Material.ROAD
    return triangles(
        quads(corners(strip.inner + lift, strip.outer + lift)),
        material,
        label,
        params=_PLAIN if plain else quads(corners(near, far)),
        marks=np.repeat(marks[:-1], 2, axis=0),
        frame=(1.0, 0.0, 0.0) if plain else np.repeat(frame, 2, axis=0),
    )


def plain_asphalt(squares: np.ndarray) -> Triangles:
    """(Q, 4, 3) corners as the asphalt of a junction."""
    return triangles(quads(squares), Material.ROAD, Label.ROADS, params=_PLAIN, frame=(1.0, 0.0, 0.0))


def open_ends(strip: Strip, lane: LaneEntry) -> list[np.ndarray]:
    """(2, 3) polylines across the ends at which the lane names no lane that goes on."""
    return [
        np.stack([strip.inner[end], strip.outer[end]])
        for end, linked in zip((0, -1), lane.linked, strict=True)
        if not linked
    ]
