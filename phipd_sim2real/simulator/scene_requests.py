"""RPC methods on what stands in the world beside the actors, and on what this world has none of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.geometry import pose_from_carla, vector_from_carla
from phipd_sim2real.simulator.actors import Solid
from phipd_sim2real.simulator.level_boxes import LevelBox
from phipd_sim2real.simulator.methods import Answer, constant, method
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.wire import read_vector
from phipd_sim2real.simulator.world import RequestError

if TYPE_CHECKING:
    from phipd_sim2real.simulator.connection import Connection
    from phipd_sim2real.simulator.server import Server

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
constant("get_imui_gravity", Answer.VALUE, 9.81)


@method(Answer.VALUE)
def get_all_level_BBs(server: Server, connection: Connection, label: int) -> list[Any]:
    things = [thing for thing in server.world.episode.surroundings.boxes if thing.label != Label.TRAFFIC_LIGHT]
    boxes = [_box(thing) for thing in things if label in (thing.label, ANY_LABEL)]
    if label in (Label.TRAFFIC_LIGHT, ANY_LABEL):
        boxes += [light.lamp_box() for cycle in server.world.episode.lights.cycles for light in cycle.lights]
    for solid in server.world.solids:
        if label == ANY_LABEL or label in solid.semantic_tags():
            x, y, z = solid.foot.location
            half_size = list(solid.body.half_size)
            boxes.append([[x, y, z + half_size[2]], half_size, list(solid.transform.rotation), solid.actor_id])
    return boxes


@method(Answer.VALUE)
def get_environment_objects(server: Server, connection: Connection, label: int) -> list[Any]:
    return [
        [_place(thing), _box(thing), _FIRST_OBJECT_ID + index, f"object_{index}", int(thing.label)]
        for index, thing in enumerate(server.world.episode.surroundings.boxes)
        if label in (thing.label, ANY_LABEL)
    ]


@method(Answer.VALUE)
def get_names_of_all_objects(server: Server, connection: Connection) -> list[str]:
    return [f"object_{index}" for index in range(len(server.world.episode.surroundings.boxes))]


@method(Answer.VALUE)
def cast_ray(server: Server, connection: Connection, start: list[float], end: list[float]) -> list[Any]:
    return _on_the_way(server, np.array(read_vector(start)), np.array(read_vector(end)))


@method(Answer.VALUE)
def project_point(
    server: Server, connection: Connection, location: list[float], direction: list[float], distance: float
) -> list[Any]:
    start, towards = np.array(read_vector(location)), np.array(read_vector(direction))
    length, reach = float(np.linalg.norm(towards)), min(max(float(distance), 0.0), 1e4)
    if length == 0.0 or not math.isfinite(reach):
        raise RequestError(f"a point is projected along a direction and 0…1e4 m, not along {direction} and {distance}")
    found = _on_the_way(server, start, start + towards / length * reach)
    return [True, found[0]] if found else [False, [[0.0, 0.0, 0.0], 0]]


def _on_the_way(server: Server, start: np.ndarray, end: np.ndarray) -> list[Any]:
    """`LabelledPoint`s of surfaces and bodies between two points, nearest first."""
    found = [(point, label) for label, point in server.world.episode.surroundings.cast(start, end)]
    for solid in server.world.solids:
        share = _entry(solid, start, end)
        if share is not None:
            found.append((start + share * (end - start), solid.semantic_tags()[0]))
    found.sort(key=lambda hit: float(np.linalg.norm(hit[0] - start)))
    return [[point.tolist(), label] for point, label in found]


def _entry(solid: Solid, start: np.ndarray, end: np.ndarray) -> float | None:
    """The share of the way at which a segment enters a body's box; None where it misses."""
    inverse = np.linalg.inv(pose_from_carla(*solid.foot))
    ends = np.stack([vector_from_carla(start), vector_from_carla(end)]) @ inverse[:3, :3].T + inverse[:3, 3]
    half_size = np.array(solid.body.half_size)
    first = ends[0] - (0.0, 0.0, half_size[2])
    way = np.where(np.abs(ends[1] - ends[0]) < 1e-9, 1e-9, ends[1] - ends[0])
    sides = np.sort(np.stack([(-half_size - first) / way, (half_size - first) / way]), axis=0)
    enters, leaves = float(sides[0].max()), float(sides[1].min())
    return enters if 0.0 <= enters <= min(leaves, 1.0) else None


def _place(thing: LevelBox) -> list[Any]:
    """`Transform` on the wire of a box's middle."""
    return [vector_from_carla(thing.centre).tolist(), [0.0, -math.degrees(thing.yaw), 0.0]]


def _box(thing: LevelBox) -> list[Any]:
    """`BoundingBox` on the wire, in the world."""
    centre, rotation = _place(thing)
    return [centre, thing.half_size.tolist(), rotation, 0]
