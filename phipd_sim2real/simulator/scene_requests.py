"""RPC methods on what stands in the world beside the actors, and on what this world has none of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.simulator.methods import Answer, constant, method
from phipd_sim2real.simulator.surroundings import LevelObject
from phipd_sim2real.simulator.traffic_lights import LABEL_TRAFFIC_LIGHT
from phipd_sim2real.simulator.wire import read_vector

if TYPE_CHECKING:
    from phipd_sim2real.simulator.server import Connection, Server

ANY_LABEL = 255
_FIRST_OBJECT_ID = 1 << 32
"""Above every actor's id."""

for _name in ("get_required_files", "query_lights_state"):
    constant(_name, Answer.VALUE, [])
for _name in (
    "update_lights_state",
    "update_day_night_cycle",
    "draw_debug_shape",
    "set_annotations_traverse_translucency",
):
    constant(_name, Answer.VOID)


@method(Answer.VALUE)
def get_all_level_BBs(server: Server, connection: Connection, label: int) -> list[Any]:
    boxes = [
        _box(thing) for thing in server.world.episode.view.surroundings.objects if label in (thing.label, ANY_LABEL)
    ]
    if label in (LABEL_TRAFFIC_LIGHT, ANY_LABEL):
        boxes += [light.lamp_box() for cycle in server.world.episode.lights.cycles for light in cycle.lights]
    for solid in server.world.solids:
        if label == ANY_LABEL or label in solid.semantic_tags():
            x, y, z = solid.foot.location
            half_size = list(solid.body.half_size)
            boxes.append([[x, y, z + half_size[2]], half_size, list(solid.transform.rotation), solid.actor_id])
    return boxes


@method(Answer.VALUE)
def get_environment_objects(server: Server, connection: Connection, label: int) -> list[Any]:
    objects = server.world.episode.view.surroundings.objects
    return [
        [[list(thing.centre), [0.0, 0.0, 0.0]], _box(thing), _FIRST_OBJECT_ID + index, f"object_{index}", thing.label]
        for index, thing in enumerate(objects)
        if label in (thing.label, ANY_LABEL)
    ]


@method(Answer.VALUE)
def get_names_of_all_objects(server: Server, connection: Connection) -> list[str]:
    return [f"object_{index}" for index in range(len(server.world.episode.view.surroundings.objects))]


@method(Answer.VALUE)
def cast_ray(server: Server, connection: Connection, start: list[float], end: list[float]) -> list[Any]:
    found = server.world.episode.view.surroundings.cast(np.array(read_vector(start)), np.array(read_vector(end)))
    return [[point.tolist(), label] for label, point in found]


@method(Answer.VALUE)
def project_point(
    server: Server, connection: Connection, location: list[float], direction: list[float], distance: float
) -> list[Any]:
    start, towards = np.array(read_vector(location)), np.array(read_vector(direction))
    length = float(np.linalg.norm(towards))
    reach = min(max(float(distance), 0.0), 1e4)
    if length == 0.0 or not math.isfinite(reach):
        return [False, [[0.0, 0.0, 0.0], 0]]
    found = server.world.episode.view.surroundings.cast(start, start + towards / length * reach)
    return [bool(found), [found[0][1].tolist(), found[0][0]] if found else [[0.0, 0.0, 0.0], 0]]


def _box(thing: LevelObject) -> list[Any]:
    return [list(thing.centre), list(thing.half_size), [0.0, 0.0, 0.0], 0]
