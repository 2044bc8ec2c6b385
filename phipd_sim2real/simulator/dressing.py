"""Places buildings, plants and street furniture beside the roads, in the manner of one district."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from phipd_sim2real.simulator.buildings import Footprint, block, house
from phipd_sim2real.simulator.districts import District
from phipd_sim2real.simulator.furniture import (
    delineator,
    fence,
    limit_sign,
    road_sign,
    stop_sign,
    street_light,
    utility_pole,
    yield_sign,
)
from phipd_sim2real.simulator.ground import Occupancy, Terrain
from phipd_sim2real.simulator.level_boxes import LevelBox, boxes_about
from phipd_sim2real.simulator.parked import parked_cars
from phipd_sim2real.simulator.road_mesh import Edge, RoadMesh
from phipd_sim2real.simulator.signal_heads import traffic_light
from phipd_sim2real.simulator.signals import SPEED_LIMIT, STOP, TRAFFIC_LIGHT, YIELD, RoadSignal
from phipd_sim2real.simulator.triangles import Triangles, rectangle
from phipd_sim2real.simulator.vegetation import bush, hedge, tree

STEEPEST_PLOT = 4.0
"""Metres between the lowest and the highest corner from which on nobody builds."""


@dataclass
class Dressing:
    """What stands beside the roads.

    Attributes:
        parts: triangle soups.
        boxes: about every thing in them.
    """

    parts: list[Triangles] = field(default_factory=list)
    boxes: list[LevelBox] = field(default_factory=list)

    def add(self, part: Triangles, yaw: float = 0.0) -> None:
        """Adds one thing whose sides point along `yaw`."""
        self.parts.append(part)
        self.boxes.extend(boxes_about(part, yaw))


def dress(mesh: RoadMesh, terrain: Terrain, district: District, seed: int) -> Dressing:
    """Furnishes a map; the same arguments give the same triangles.

    Args:
        mesh: the roads; their borders are followed and their surfaces stay free.
        terrain: gives the height of the ground.
        district: the manner.
        seed: of every choice.
    """
    # The number of tree kinds gives each district a stream of its own.
    rng = np.random.default_rng([seed, len(district.trees)])
    work = _Dresser(terrain, Occupancy(mesh), district, rng, bool(mesh.signals))
    borders = [edge for edge in mesh.edges if not edge.junction and _length(edge) > 12]
    for index, edge in enumerate(borders):
        work.poles(edge, side=index % 2)
    for edge in borders:
        work.buildings(edge)
    for edge in borders:
        work.rows_of_trees(edge)
        work.bushes(edge)
    work.woods(borders)
    for number, signal in enumerate(mesh.signals, 1):
        work.signal(signal, number)
    for car, yaw in parked_cars(mesh.parking, rng):
        work.dressing.add(car, yaw)
    return work.dressing


_SIGN_SHAPES = {STOP: stop_sign, YIELD: yield_sign}


def _length(edge: Edge) -> float:
    return float(np.linalg.norm(np.diff(edge.points[:, :2], axis=0), axis=1).sum())


def _narrows(edge: Edge) -> bool:
    """Whether there is little room outside a border, as on the island of a roundabout."""
    back = edge.points[:, :2] + edge.outward * 18.0
    return float(np.linalg.norm(np.diff(back, axis=0), axis=1).sum()) < 0.5 * _length(edge)


class _Dresser:
    """Collects triangles while it takes ground."""

    def __init__(
        self, terrain: Terrain, occupancy: Occupancy, district: District, rng: np.random.Generator, signed: bool
    ) -> None:
        self.dressing = Dressing()
        self._signed = signed
        self._terrain, self._occupancy, self._district, self._rng = terrain, occupancy, district, rng

    def poles(self, edge: Edge, side: int) -> None:
        """Lights or utility poles on every second border; delineators on all, and signs where the map has none."""
        rng, make = self._rng, street_light if self._district.lamps else utility_pole
        for at, outward in self._walk(edge, 29.0 if self._district.lamps else 38.0):
            if side == 0:
                self._stand(at + outward * 0.9, 0.3, make, outward)
        for at, outward in [] if self._signed else self._walk(edge, 95.0):
            tangent = np.array([outward[1], -outward[0]])
            kind = int(rng.integers(3))
            self._stand(at + outward * 0.8, 0.3, lambda base, yaw, k=kind: road_sign(base, yaw, k), tangent)
        if self._district.delineators:
            for at, outward in self._walk(edge, 25.0):
                self._stand(at + outward * 0.7, 0.1, delineator, outward)

    def signal(self, signal: RoadSignal, number: int) -> None:
        """A light or sign of the map, where the map says; `number` tells a light from the others."""
        x, y, z = signal.foot.location
        base, yaw = np.array([x, -y, z]), -float(np.radians(signal.foot.rotation[1]))
        if signal.kind == SPEED_LIMIT:
            self.dressing.add(limit_sign(base, yaw, round(signal.value)), yaw)
        elif signal.kind == TRAFFIC_LIGHT:
            self.dressing.add(traffic_light(base, yaw, number), yaw)
        elif signal.kind in _SIGN_SHAPES:
            self.dressing.add(_SIGN_SHAPES[signal.kind](base, yaw), yaw)

    def buildings(self, edge: Edge) -> None:
        """Plots along the border: dense in built-up stretches, rare in the open."""
        rng, district = self._rng, self._district
        position = rng.uniform(2, 10)
        length = _length(edge)
        if _narrows(edge):
            return
        town = rng.uniform(0, 6.28)
        while position < length - 6:
            frontage = rng.uniform(*district.frontage)
            built_up = 0.5 + 0.5 * np.sin(town + position / 90)
            if rng.random() < 0.15 + 0.75 * built_up:
                at, outward = self._at(edge, position + frontage / 2)
                self._building(at, outward, frontage)
                if rng.random() < 2 * district.hedges:
                    self._enclosure(edge, position, frontage)
            position += frontage + rng.uniform(2, 9)

    def _building(self, at: np.ndarray, outward: np.ndarray, frontage: float) -> None:
        rng, district = self._rng, self._district
        depth, setback = rng.uniform(8, 13), rng.uniform(*district.setback)
        centre = at + outward * (setback + depth / 2)
        ground = float(self._terrain.height(centre[None])[0])
        yaw = np.arctan2(outward[1], outward[0]) + np.pi / 2 + rng.normal(0, 0.03)
        plan = Footprint(np.append(centre, ground), yaw, frontage, depth)
        if not self._terrain.level:
            under = self._terrain.height(plan.outline())
            if np.ptp(under) > STEEPEST_PLOT:
                return
            plan = plan._replace(centre=np.append(centre, under.min() + 0.3))
        if not self._occupancy.claim(plan.outline(1.5)):
            return
        variate = rng.random(3)
        if rng.random() < district.gabled:
            self.dressing.add(house(plan, 3.0 * rng.integers(1, 3) + 0.4, rng.uniform(0.6, 1.0), variate), yaw)
        else:
            self.dressing.add(block(plan, 3.2 * rng.integers(*district.floors) + 0.8, variate), yaw)

    def _enclosure(self, edge: Edge, position: float, frontage: float) -> None:
        """A hedge or a fence on the plot's road side."""
        steps = np.arange(position, position + frontage, 1.5)
        line = [self._at(edge, s) for s in steps]
        outward = np.array([o for _, o in line])
        points = np.array([p for p, _ in line]) + outward * 1.7
        ends = np.array([points[0], points[-1], points[-1] + outward[-1], points[0] + outward[0]])
        if len(points) < 3 or not self._occupancy.claim(ends):
            return
        ground = np.column_stack([points, self._terrain.height(points)])
        variate = self._rng.random(3)
        if self._rng.random() < 0.5:
            self.dressing.add(hedge(ground, outward, self._rng.uniform(0.9, 1.7), variate))
        else:
            self.dressing.add(fence(ground, self._rng.uniform(0.8, 1.5), variate))

    def rows_of_trees(self, edge: Edge) -> None:
        """A row near the border and a looser one behind."""
        rng, district = self._rng, self._district
        for near, far, spacing in (
            (2.2, 4.5, district.tree_spacing),
            (9.0, 30.0, district.tree_spacing * 0.9),
        ):
            for at, outward in self._walk(edge, spacing, jitter=0.7):
                kind = district.trees[rng.integers(len(district.trees))]
                place = at + outward * rng.uniform(near, far)
                own = np.random.default_rng(rng.integers(2**63))
                self._stand(place, 1.2, lambda base, _, k=kind, g=own: tree(g, base, k), outward)

    def bushes(self, edge: Edge) -> None:
        """Single bushes behind the verge."""
        for at, outward in self._walk(edge, 9.0, jitter=0.9):
            place = at + outward * self._rng.uniform(2.0, 9.0)
            own = np.random.default_rng(self._rng.integers(2**63))
            self._stand(place, 0.8, lambda base, _, g=own: bush(g, base, self._district.leafy), outward)

    def woods(self, borders: list[Edge]) -> None:
        """Trees strewn over the open country within 90 m of the roads."""
        rng = self._rng
        points = np.concatenate([edge.points[:, :2] for edge in borders])
        low, high = points.min(0) - 75, points.max(0) + 75
        count = min(900, int(self._district.woods * np.prod(high - low) / 1e4))
        for place in rng.uniform(low, high, (count, 2)):
            kind = self._district.trees[rng.integers(len(self._district.trees))]
            own = np.random.default_rng(rng.integers(2**63))
            self._stand(place, 1.5, lambda base, _, k=kind, g=own: tree(g, base, k), np.array([1.0, 0.0]))

    def _walk(self, edge: Edge, spacing: float, jitter: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
        """Border points and outward directions every `spacing` metres, moved by up to jitter · spacing."""
        length = _length(edge)
        at = np.arange(spacing * 0.4, length - 2, spacing)
        at = at + self._rng.uniform(-0.5, 0.5, len(at)) * jitter * spacing
        return [self._at(edge, s) for s in at]

    def _at(self, edge: Edge, position: float) -> tuple[np.ndarray, np.ndarray]:
        """(2,) point and (2,) outward direction at `position` metres along a border."""
        steps = np.linalg.norm(np.diff(edge.points[:, :2], axis=0), axis=1)
        index = min(int(np.searchsorted(np.cumsum(steps), position)), len(steps) - 1)
        share = np.clip((position - steps[:index].sum()) / max(steps[index], 1e-6), 0, 1)
        point = edge.points[index, :2] * (1 - share) + edge.points[index + 1, :2] * share
        return point, edge.outward[index]

    def _stand(
        self, place: np.ndarray, size: float, make: Callable[[np.ndarray, float], Triangles], towards: np.ndarray
    ) -> None:
        """Builds something on a free spot; it faces against `towards`."""
        if self._occupancy.claim(rectangle(size, size) + place):
            base = np.append(place, self._terrain.height(place[None])[0])
            yaw = float(np.arctan2(-towards[1], -towards[0]))
            self.dressing.add(make(base, yaw))
