"""Cars that stand in parking lanes and never move: part of the scenery, without an actor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phipd_sim2real.simulator.actors_mesh import ActorShape, actors_triangles
from phipd_sim2real.simulator.lane_strip import Strip
from phipd_sim2real.simulator.triangles import Triangles

SPACE = 6.2
"""Metres of lane per car."""
TAKEN = 0.65
"""Share of the spaces with a car."""
_MODELS = (
    ("vehicle.tesla.model3", (2.396, 1.08, 0.744)),
    ("vehicle.audi.a2", (1.853, 0.894, 0.774)),
    ("vehicle.volkswagen.t2", (2.24, 1.034, 1.019)),
)
_PAINTS = ((190, 190, 190), (40, 42, 48), (140, 25, 22), (30, 55, 110), (225, 225, 220))


def parked_cars(lanes: Sequence[Strip], rng: np.random.Generator) -> Iterator[tuple[Triangles, float]]:
    """Cars along the lanes with their yaws, radians anticlockwise."""
    for lane in lanes:
        middle = lane.middle
        wide = np.flatnonzero(lane.width > 1.9)
        run = lane.station - lane.station[0]
        for at in np.arange(SPACE, run[-1] - SPACE, SPACE):
            index = int(np.searchsorted(run, at))
            if rng.random() < TAKEN and index in wide:
                heading = np.arctan2(lane.tangent[index, 1], lane.tangent[index, 0])
                yield _car(middle[index], heading, rng), float(heading)


def _car(place: np.ndarray, heading: float, rng: np.random.Generator) -> Triangles:
    type_id, half = _MODELS[rng.integers(len(_MODELS))]
    c, s = np.cos(heading), np.sin(heading)
    pose = np.eye(4)
    pose[:3, :3] = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]
    pose[:3, 3] = place
    paint = _PAINTS[rng.integers(len(_PAINTS))]
    return actors_triangles([ActorShape(0, type_id, paint, pose, half, (0.0, 0.0, half[2]))])
