"""The roads of an OpenDRIVE map as triangles in road coordinates: lanes, junctions, paint, kerbs, verges, bridges."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from phipd_sim2real.simulator.grade import Grade
from phipd_sim2real.simulator.junction_floor import Cover, floor
from phipd_sim2real.simulator.junction_heights import JunctionHeights
from phipd_sim2real.simulator.lane_marks import BLANKET, Mark, mark_of
from phipd_sim2real.simulator.lane_strip import LaneEntry, Section, Strip, sample, sections
from phipd_sim2real.simulator.lane_surface import lane_surface, open_ends, plain_asphalt
from phipd_sim2real.simulator.road_paint import road_paint
from phipd_sim2real.simulator.road_surface import RoadSurface
from phipd_sim2real.simulator.signals import RoadSignal, read_signals
from phipd_sim2real.simulator.triangles import UP, Label, Material, Triangles, concatenate, quads, triangles
from phipd_sim2real.simulator.verges import KERB_HEIGHT, STEEP, Border, above_ground, corners, edging, underside

if TYPE_CHECKING:
    import carla

_SURFACES = {"sidewalk": (Material.SIDEWALK, Label.SIDEWALKS), "none": (Material.VERGE, Label.TERRAIN)}
_SURFACES["median"] = _SURFACES["none"]


class Edge(NamedTuple):
    """The outer border of a road.

    Attributes:
        points: (n, 3) world metres.
        outward: (n, 2) unit vectors away from the road.
        junction: whether the road lies in a junction.
    """

    points: np.ndarray
    outward: np.ndarray
    junction: bool


@dataclass
class RoadMesh:
    """What the road builder collects.

    Attributes:
        parts: triangle soups.
        marks: table of lane marks; index 0 means none.
        edges: outer borders on the ground, for placing everything beside the road.
        surfaces: (4, 2) outlines in metres of every piece of lane, for the map of occupied ground.
        centres: (3,) samples of lane centres.
        grade: the ground between the roads.
        surface: answers how high the roads are.
        signals: lights and signs.
        parking: lanes in which cars stand.
    """

    parts: list[Triangles] = field(default_factory=list)
    marks: list[Mark | None] = field(default_factory=lambda: [None])
    edges: list[Edge] = field(default_factory=list)
    surfaces: list[np.ndarray] = field(default_factory=list)
    centres: list[np.ndarray] = field(default_factory=list)
    grade: Grade = field(init=False)
    surface: RoadSurface = field(init=False)
    signals: tuple[RoadSignal, ...] = ()
    parking: list[Strip] = field(default_factory=list)

    def mark_index(self, marking: carla.LaneMarking, first: bool) -> int:
        """Index of a marking in `marks`; `first` picks the first line of a mixed pair."""
        mark = mark_of(marking, first)
        return 0 if mark is None else self.index(mark)

    def index(self, mark: Mark) -> int:
        """Index of a mark in `marks`, added if it is new."""
        if mark not in self.marks:
            self.marks.append(mark)
        return self.marks.index(mark)

    def triangles(self) -> Triangles:
        """All surfaces as one soup."""
        return concatenate(self.parts)


@lru_cache(maxsize=2)
def road_mesh(name: str, xodr: str) -> RoadMesh:
    """The mesh of a map, shared by all who ask for the same text; it is only read."""
    import carla

    return build_roads(carla.Map(name, xodr), xodr)


def build_roads(road_map: carla.Map, xodr: str) -> RoadMesh:
    """Meshes every lane of an OpenDRIVE map.

    Args:
        road_map: carla.Map made from `xodr`; it answers where lanes are.
        xodr: OpenDRIVE text; it says which roads, sections and lanes exist.

    Returns:
        The mesh in the right-handed world frame.
    """
    work = _Builder(road_map)
    root = ET.fromstring(xodr)
    for road in root.findall("road"):
        for section in sections(road):
            work.section(int(road.get("id")), section, road.get("junction", "-1"))
    mesh = work.finish()
    mesh.signals = read_signals(road_map, xodr)
    blanket = len(mesh.marks)
    paint = list(road_paint(road_map, root, mesh.surface, blanket))
    if paint:
        mesh.parts += paint
        mesh.index(BLANKET)
    return mesh


class _Builder:
    """Collects lanes first; what meets the ground comes when all roads are known."""

    def __init__(self, road_map: carla.Map) -> None:
        self._map = road_map
        self._mesh = RoadMesh()
        self._pieces: list[Triangles | Border] = []
        self._strips: list[Strip] = []
        self._crossing: dict[int, tuple[str, Strip]] = {}
        self._driven: list[Strip] = []
        self._uneven: dict[str, JunctionHeights] = {}
        self._junctions: dict[str, list[np.ndarray]] = defaultdict(list)

    def section(self, road_id: int, section: Section, junction: str) -> None:
        """Adds one lane section with its borders."""
        inside = junction != "-1"
        step = 1.0 if inside else 2.0
        count = max(2, int(np.ceil((section.end - section.start) / step)) + 1)
        stations = np.linspace(section.start + 1e-3, section.end - 1e-3, count)
        first: Strip | None = None
        for sign in (-1, 1):
            last: tuple[Strip, LaneEntry] | None = None
            for lane in section.side(sign):
                strip = sample(self._map, road_id, lane.lane_id, stations)
                if strip is not None:
                    strip = strip.welded(last[0]) if last else strip.welded(first, facing=True)
                    first = first or strip
                    self._lane(strip, lane, junction)
                    self._strips.append(strip)
                    if inside:
                        self._junctions[junction].append(corners(strip.inner, strip.outer))
                    last = (strip, lane)
            if last is not None:
                self._pieces.append(Border(last[0].outer, last[0].outward, last[1].kind == "sidewalk", inside))
        if first is not None and not (section.side(-1) and section.side(1)):
            self._pieces.append(Border(first.inner, -first.outward, False, inside))

    def _lane(self, strip: Strip, lane: LaneEntry, junction: str) -> None:
        """Adds a lane's surface, and the kerb's faces where it is a sidewalk."""
        inside = junction != "-1"
        material, label = _SURFACES.get(lane.kind, (Material.ROAD, Label.ROADS))
        if material is Material.VERGE and inside:
            return
        lift = UP * (KERB_HEIGHT if material is Material.SIDEWALK else 0.0)
        marks = self._marks(strip, lane) * (material is Material.ROAD and not inside)
        if inside and material is Material.ROAD:
            self._crossing[len(self._pieces)] = (junction, strip)
            self._driven += [strip] if lane.kind == "driving" else []
        self._pieces.append(lane_surface(strip, lift, material, label, marks, inside))
        if material is Material.SIDEWALK:
            for base in (strip.inner, strip.outer, *open_ends(strip, lane)):
                face = quads(corners(base - UP * 0.3, base + lift))
                self._pieces.append(triangles(face, Material.KERB, label))
        if lane.kind == "parking" and not inside:
            self._mesh.parking.append(strip)
        self._mesh.surfaces.extend(corners(strip.inner[:, :2], strip.outer[:, :2]))
        self._mesh.centres.extend(strip.middle)

    def _marks(self, strip: Strip, lane: LaneEntry) -> np.ndarray:
        """(n, 2) indices of the lane marks at the inner and outer boundary."""
        rows = [
            (self._mesh.mark_index(inner, first=lane.lane_id > 0), self._mesh.mark_index(outer, first=True))
            for inner, outer in strip.markings
        ]
        return np.array(rows)

    def finish(self) -> RoadMesh:
        """Lays floors in the junctions and joins everything to the ground."""
        mesh = self._mesh
        mesh.grade = Grade(np.array(mesh.centres))
        if not mesh.grade.level:
            self._even_out()
        pieces = [*self._pieces, *self._floors()]
        walked = (Material.ROAD, Material.SIDEWALK)
        soups = [piece for piece in pieces if isinstance(piece, Triangles)]
        mesh.surface = RoadSurface(np.concatenate([s.vertices for s in soups if s.material[0] in walked]))
        for piece in pieces:
            part = piece if isinstance(piece, Triangles) else edging(piece, mesh.grade, mesh.surface)
            if part is not None:
                mesh.parts.append(part)
            if isinstance(piece, Border):
                mesh.edges += _on_the_ground(piece, mesh.grade)
        if not mesh.grade.level:
            decks = (underside(strip.inner, strip.outer, mesh.grade) for strip in self._strips)
            mesh.parts += [deck for deck in decks if deck is not None]
        return mesh

    def _even_out(self) -> None:
        """Brings lanes that cross in junctions to one height."""
        if not self._driven:
            return
        heights = JunctionHeights(self._driven)
        for index, (junction, strip) in self._crossing.items():
            squares = heights.lane(strip)
            if squares is not None:
                self._uneven[junction] = heights
                self._pieces[index] = plain_asphalt(squares)
        for index, piece in enumerate(self._pieces):
            if isinstance(piece, Border) and piece.junction and not piece.raised:
                self._pieces[index] = replace(piece, points=heights.evened(piece.points))

    def _floors(self) -> Iterator[Triangles]:
        if not self._junctions:
            return
        cover = Cover(self._mesh.surfaces)
        for junction, pieces in self._junctions.items():
            squares = floor(cover, np.concatenate(pieces), self._uneven.get(junction))
            if squares is not None:
                yield plain_asphalt(squares)


def _on_the_ground(border: Border, grade: Grade) -> list[Edge]:
    """A border's stretches that are no bridge or wall."""
    low = above_ground(border, grade) <= STEEP
    cuts = np.flatnonzero(np.diff(low)) + 1
    runs = np.split(np.arange(len(low)), cuts)
    return [
        Edge(border.points[run], border.outward[run], border.junction) for run in runs if low[run[0]] and len(run) > 1
    ]
