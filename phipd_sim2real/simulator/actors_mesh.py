"""Shapes of moving actors: cars, vans, buses, two-wheelers, walkers and props from their type and extent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from phipd_sim2real.simulator.triangles import (
    Label,
    Material,
    Triangles,
    prism,
    quads,
    rectangle,
    regular_polygon,
    triangles,
)


@dataclass(frozen=True)
class ActorShape:
    """One actor to draw.

    Attributes:
        actor_id: becomes the instance id, modulo 65536.
        type_id: CARLA blueprint id, such as "vehicle.tesla.model3".
        color_rgb: paint, 0..255.
        pose_actor_in_world: (4, 4) right-handed; the origin is on the ground below the centre.
        extent_xyz: half sizes, metres.
        bbox_centre_xyz: centre of the bounding box in the actor's right-handed frame, metres.
        pose_before_in_world: (4, 4), at the tick before; None where it did not move.
        lights: CARLA's VehicleLightState.
    """

    actor_id: int
    type_id: str
    color_rgb: tuple[int, int, int]
    pose_actor_in_world: np.ndarray
    extent_xyz: tuple[float, float, float]
    bbox_centre_xyz: tuple[float, float, float]
    pose_before_in_world: np.ndarray | None = None
    lights: int = 0


_VANS = ("sprinter", "t2", "ambulance", "carlacola", "firetruck", "cybertruck", "truck", "volkswagen", "hgv")
_TRUCKS = ("truck", "carlacola", "hgv")
_TWO_WHEELERS = ("crossbike", "omafiets", "century", "ninja", "low_rider", "zx125", "yzf", "vespa")
# Side profiles in units of half length and full height: lower body, then (x, z) of the cabin's feet and roof.
_SEDAN = (
    ((-1, 0.28), (1, 0.24), (0.98, 0.5), (0.4, 0.62), (-0.62, 0.66), (-1, 0.6)),
    (0.44, -0.82, 0.12, -0.48),
)
_HATCH = (
    ((-1, 0.28), (1, 0.24), (0.97, 0.52), (0.5, 0.62), (-0.9, 0.64), (-1, 0.5)),
    (0.54, -0.97, 0.18, -0.8),
)
_VAN = ((-1, 0.2), (1, 0.18), (0.98, 0.4), (0.74, 0.5), (-0.98, 0.52), (-1, 0.4)), (0.78, -0.99, 0.5, -0.97)


def actors_triangles(actors: Sequence[ActorShape]) -> Triangles | None:
    """All actors in the world frame as one soup; None where there are none."""
    if not actors:
        return None
    kinds, labels = zip(*(_kind(actor.type_id) for actor in actors), strict=True)
    shapes = [_SHAPES[kind]() for kind in kinds]
    material = np.concatenate([material for _, material in shapes])
    counts = [len(material) for _, material in shapes]
    paint = (np.array([actor.color_rgb for actor in actors], np.float64) / 255.0) ** 2.2
    glow = _GLOW[material, np.repeat([actor.lights & 0xF for actor in actors], counts)]
    return triangles(
        np.concatenate([_placed(actor, shape) for actor, (shape, _) in zip(actors, shapes, strict=True)]),
        material,
        np.repeat(labels, counts),
        params=glow[:, None, None],
        variate=np.repeat(paint, counts, axis=0),
        instance=np.repeat([actor.actor_id & 0xFFFF for actor in actors], counts),
    )


def _placed(actor: ActorShape, shape: np.ndarray) -> np.ndarray:
    """(T, 3, 3) corners of a unit shape, scaled to an actor's extent and moved to its pose."""
    size = np.asarray(actor.extent_xyz) * (1, 1, 2)
    foot = np.asarray(actor.bbox_centre_xyz) - (0, 0, actor.extent_xyz[2])
    pose = actor.pose_actor_in_world
    return (shape * size + foot) @ pose[:3, :3].T + pose[:3, 3]


def _glows() -> np.ndarray:
    """(256, 16) radiance of a material by the lowest four bits of VehicleLightState: position, low, high, brake."""
    table = np.zeros((256, 16), np.float32)
    for state in range(1, 16):
        table[Material.HEADLIGHT, state] = 6.0 if state & 6 else 0.6 if state & 1 else 0.0
        table[Material.REARLIGHT, state] = 3.0 if state & 8 else 0.5
    return table


_GLOW = _glows()


@lru_cache(maxsize=256)
def _kind(type_id: str) -> tuple[str, Label]:
    if type_id.startswith("walker"):
        return "walker", Label.PEDESTRIANS
    if type_id.startswith("static.prop"):
        return "prop", Label.DYNAMIC
    if any(name in type_id for name in _TWO_WHEELERS):
        motor = not any(name in type_id for name in ("crossbike", "omafiets", "century"))
        return "two-wheeler", Label.MOTORCYCLE if motor else Label.BICYCLE
    if "fusorosa" in type_id or "bus" in type_id:
        return "van", Label.BUS
    if any(name in type_id for name in _VANS):
        return "van", Label.TRUCK if any(name in type_id for name in _TRUCKS) else Label.CAR
    hatch = (
        "a2",
        "mini",
        "c3",
        "grandtourer",
        "micra",
        "prius",
        "patrol",
        "wrangler",
        "micro",
        "etron",
        "leon",
    )
    return ("hatch" if any(name in type_id for name in hatch) else "sedan"), Label.CAR


def _loft(sections: np.ndarray) -> np.ndarray:
    """Side faces between two (n, 3) loops, (2n, 3, 3)."""
    near, far = sections
    return quads(np.stack([near, np.roll(near, -1, 0), np.roll(far, -1, 0), far], axis=1))


def _flank(profile: np.ndarray, half_width: float, narrowing: np.ndarray) -> np.ndarray:
    """A convex side profile (n, 2) made solid: (T, 3, 3); `narrowing` (n,) scales the width per corner."""
    sides = [np.column_stack([profile[:, 0], s * half_width * narrowing, profile[:, 1]]) for s in (-1, 1)]
    fans = [np.stack([np.broadcast_to(side.mean(0), side.shape), side, np.roll(side, -1, 0)], axis=1) for side in sides]
    return np.concatenate([_loft(np.array(sides)), *fans])


def _car(profile: Sequence[tuple[float, float]], cabin: Sequence[float], lamp: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit car, x in [-1, 1], y in [-1, 1], z in [0, 1]."""
    parts: list[tuple[np.ndarray, Material]] = []
    body = np.array(profile)
    parts.append((_flank(body, 0.97, np.where(np.abs(body[:, 0]) > 0.9, 0.88, 1.0)), Material.PAINTWORK))
    foot_front, foot_rear, roof_front, roof_rear = cabin
    belt = 0.6 if lamp > 0.4 else 0.5
    glass = np.array([(foot_front, belt), (roof_front, 0.96), (roof_rear, 0.96), (foot_rear, belt)])
    parts.append((_flank(glass, 0.9, np.array([1.0, 0.8, 0.8, 1.0])), Material.GLASS))
    roof = np.array([(roof_front + 0.04, 0.945), (roof_front, 1.0), (roof_rear, 1.0), (roof_rear - 0.04, 0.945)])
    parts.append((_flank(roof, 0.78, np.array([1.0, 0.92, 0.92, 1.0])), Material.PAINTWORK))
    for x in (0.5 * (roof_front + roof_rear), roof_rear + 0.02):
        post = np.array([(x + 0.02, belt), (x + 0.02, 0.96), (x - 0.02, 0.96), (x - 0.02, belt)])
        parts.append((_flank(post, 0.915, np.array([1.0, 0.8, 0.8, 1.0])), Material.PAINTWORK))
    for x in (0.62, -0.62):
        wheel = np.column_stack([x + regular_polygon(10, 0.145)[:, 0], 0.22 + regular_polygon(10, 0.22)[:, 1]])
        parts.append((_flank(wheel, 0.985, np.ones(10)), Material.TYRE))
    for side in (-0.62, 0.62):
        for x, material in ((0.985, Material.HEADLIGHT), (-0.995, Material.REARLIGHT)):
            lamp_box = prism(rectangle(0.03, 0.34) + np.array([x, side]), lamp - 0.06, lamp + 0.06)
            parts.append((lamp_box, material))
    bumper = np.array([(-1.0, 0.17), (1.0, 0.15), (1.0, 0.27), (-1.0, 0.3)])
    parts.append((_flank(bumper, 0.93, np.ones(4)), Material.TYRE))
    return _join(parts)


def _join(parts: list[tuple[np.ndarray, Material]]) -> tuple[np.ndarray, np.ndarray]:
    shape = np.concatenate([part for part, _ in parts])
    return shape, np.concatenate([np.full(len(part), material, np.uint8) for part, material in parts])


@lru_cache(maxsize=1)
def _sedan() -> tuple[np.ndarray, np.ndarray]:
    return _car(*_SEDAN, lamp=0.48)


@lru_cache(maxsize=1)
def _hatch() -> tuple[np.ndarray, np.ndarray]:
    return _car(*_HATCH, lamp=0.5)


@lru_cache(maxsize=1)
def _van() -> tuple[np.ndarray, np.ndarray]:
    shape, material = _car(*_VAN, lamp=0.32)
    cargo = np.array([(0.3, 0.3), (0.42, 0.975), (-0.99, 0.975), (-0.99, 0.3)])
    box = _flank(cargo, 0.95, np.array([1.0, 0.86, 0.86, 1.0]))
    return _join([(shape[material == m], Material(m)) for m in np.unique(material)] + [(box, Material.PAINTWORK)])


@lru_cache(maxsize=1)
def _two_wheeler() -> tuple[np.ndarray, np.ndarray]:
    parts = []
    for x in (0.62, -0.62):
        ring = regular_polygon(12, 1.0)
        wheel = np.column_stack([x + 0.36 * ring[:, 0], 0.2 + 0.2 * ring[:, 1]])
        parts.append((_flank(wheel, 0.12, np.ones(12)), Material.TYRE))
    frame = np.array([(0.6, 0.25), (0.5, 0.52), (-0.4, 0.5), (-0.6, 0.22)])
    parts.append((_flank(frame, 0.2, np.ones(4)), Material.PAINTWORK))
    torso = np.array([(-0.05, 0.45), (0.2, 0.82), (-0.15, 0.86), (-0.4, 0.5)])
    parts.append((_flank(torso, 0.6, np.ones(4)), Material.CLOTH))
    head = prism(regular_polygon(7, 1.0) * [0.13, 0.34] + [0.12, 0], 0.86, 1.0)
    parts.append((head, Material.SKIN))
    return _join(parts)


@lru_cache(maxsize=1)
def _walker() -> tuple[np.ndarray, np.ndarray]:
    legs = [prism(regular_polygon(6, 1.0) * [0.34, 0.28] + [x, y], 0.0, 0.48) for x, y in ((0.2, 0.3), (-0.2, -0.3))]
    torso = prism(regular_polygon(8, 1.0) * [0.45, 0.75], 0.46, 0.84, taper=0.8)
    head = prism(regular_polygon(8, 1.0) * [0.36, 0.36], 0.86, 1.0, taper=0.8)
    return _join([(np.concatenate(legs), Material.TYRE), (torso, Material.CLOTH), (head, Material.SKIN)])


@lru_cache(maxsize=1)
def _prop() -> tuple[np.ndarray, np.ndarray]:
    return _join([(prism(rectangle(2.0, 2.0), 0.0, 1.0, taper=0.85), Material.PAINTWORK)])


_SHAPES = {"sedan": _sedan, "hatch": _hatch, "van": _van, "two-wheeler": _two_wheeler, "walker": _walker, "prop": _prop}
