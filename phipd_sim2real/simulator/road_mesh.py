"""Road surface, sidewalks, kerbs and verges of an OpenDRIVE map as triangles in road coordinates."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from phipd_sim2real.geometry import vector_from_carla
from phipd_sim2real.simulator.triangles import UP, Label, Material, Triangles, concatenate, quads, triangles

if TYPE_CHECKING:
    import carla

KERB_HEIGHT = 0.13
"""Metres by which a sidewalk stands above the road."""
VERGE_WIDTH = 3.0
"""Metres of shoulder between the outermost lane and the open terrain."""
_SURFACES = {"sidewalk": (Material.SIDEWALK, Label.SIDEWALKS), "none": (Material.VERGE, Label.TERRAIN)}
_SURFACES["median"] = _SURFACES["none"]


class Mark(NamedTuple):
    """A lane mark as seen from one lane: offset of the line's middle from the boundary and its width, metres."""

    dashed: bool
    offset: float
    width: float
    yellow: bool


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
        edges: outer borders, for placing everything beside the road.
        surfaces: (4, 2) outlines in metres of every piece of lane, for the map of occupied ground.
        centres: (3,) samples of lane centres.
    """

    parts: list[Triangles] = field(default_factory=list)
    marks: list[Mark | None] = field(default_factory=lambda: [None])
    edges: list[Edge] = field(default_factory=list)
    surfaces: list[np.ndarray] = field(default_factory=list)
    centres: list[np.ndarray] = field(default_factory=list)

    def mark_index(self, marking: carla.LaneMarking, first: bool) -> int:
        """Index of a marking in `marks`; `first` picks the first line of a mixed pair."""
        name = str(marking.type)
        if name in ("NONE", "Curb", "Grass", "Other"):
            return 0
        pair = name in ("SolidSolid", "SolidBroken", "BrokenSolid", "BrokenBroken")
        dashed = name in ("Broken", "BrokenBroken", "BottsDots", "BrokenSolid" if first else "SolidBroken")
        width = min(max(marking.width, 0.1), 0.3)
        mark = Mark(dashed, 0.09 + width / 2 if pair else 0.0, width, str(marking.color) == "Yellow")
        if mark not in self.marks:
            self.marks.append(mark)
        return self.marks.index(mark)

    def triangles(self) -> Triangles:
        """All surfaces as one soup."""
        return concatenate(self.parts)


class _Strip(NamedTuple):
    """One lane of one lane section: (n,) stations and widths, (n, 3) boundary points, (n, 2) tangents."""

    station: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    width: np.ndarray
    tangent: np.ndarray
    inner_marks: np.ndarray
    outer_marks: np.ndarray


def build_roads(road_map: carla.Map, xodr: str) -> RoadMesh:
    """Meshes every lane of an OpenDRIVE map.

    Args:
        road_map: carla.Map made from `xodr`; it answers where lanes are.
        xodr: OpenDRIVE text; it says which roads, sections and lanes exist.

    Returns:
        The mesh in the right-handed world frame.
    """
    mesh = RoadMesh()
    for road in ET.fromstring(xodr).findall("road"):
        road_id, junction = int(road.get("id")), road.get("junction", "-1") != "-1"
        for start, end, lanes in _sections(road):
            step = 1.0 if junction else 2.0
            stations = np.linspace(start + 1e-3, end - 1e-3, max(2, int(np.ceil((end - start) / step)) + 1))
            for side in (-1, 1):
                last = None
                for lane_id, lane_type in sorted(lanes, key=lambda lane: abs(lane[0])):
                    if lane_id * side > 0:
                        strip = _strip(mesh, road_map, road_id, lane_id, stations)
                        if strip is not None:
                            _add_lane(mesh, strip, lane_type, junction)
                            last = (strip, lane_type)
                if last is not None:
                    _add_border(mesh, *last, junction)
    return mesh


def _sections(road: ET.Element) -> Iterator[tuple[float, float, list[tuple[int, str]]]]:
    """Start, end and (lane id, type) pairs of each lane section that has any length."""
    sections = road.find("lanes").findall("laneSection")
    starts = [float(section.get("s")) for section in sections] + [float(road.get("length"))]
    for section, start, end in zip(sections, starts[:-1], starts[1:], strict=True):
        if end - start > 0.05:
            yield start, end, [(int(lane.get("id")), lane.get("type")) for lane in section.iter("lane")]


def _strip(mesh: RoadMesh, road_map: carla.Map, road_id: int, lane_id: int, stations: np.ndarray) -> _Strip | None:
    """Samples one lane; None where the map does not know it or it has no width."""
    rows, inner_marks, outer_marks = [], [], []
    for station in stations:
        waypoint = road_map.get_waypoint_xodr(road_id, lane_id, float(station))
        if waypoint is None:
            return None
        forward = waypoint.transform.get_forward_vector()
        at = waypoint.transform.location
        rows.append((at.x, at.y, at.z, forward.x, forward.y, forward.z, waypoint.lane_width))
        inner_marks.append(mesh.mark_index(waypoint.left_lane_marking, first=lane_id > 0))
        outer_marks.append(mesh.mark_index(waypoint.right_lane_marking, first=True))
    samples = np.array(rows)
    centre, forward = vector_from_carla(samples[:, :3]), vector_from_carla(samples[:, 3:6])
    width = samples[:, 6]
    if width.max() < 0.05:
        return None
    tangent = forward[:, :2] / np.linalg.norm(forward[:, :2], axis=1, keepdims=True)
    # A lane's driving direction has the road's middle on its left, whichever side it is on.
    left = np.column_stack([-tangent[:, 1], tangent[:, 0], np.zeros(len(tangent))])
    reach = left * (width / 2)[:, None]
    return _Strip(
        stations, centre + reach, centre - reach, width, tangent, np.array(inner_marks), np.array(outer_marks)
    )


def _add_lane(mesh: RoadMesh, strip: _Strip, lane_type: str, junction: bool) -> None:
    """Adds a lane's surface, and the kerb's faces where it is a sidewalk."""
    material, label = _SURFACES.get(lane_type, (Material.ROAD, Label.ROADS))
    if material is Material.VERGE and junction:
        return
    lift = UP * (KERB_HEIGHT if material is Material.SIDEWALK else 0.0)
    mesh.parts.append(_lane_surface(strip, lift, material, label, painted=not junction))
    if material is Material.SIDEWALK:
        for base in (strip.inner, strip.outer):
            face = quads(_corners(base - UP * 0.3, base + lift))
            mesh.parts.append(triangles(face, Material.KERB, label))
    mesh.surfaces.extend(_corners(strip.inner[:, :2], strip.outer[:, :2]))
    mesh.centres.extend((strip.inner + strip.outer) / 2)


def _lane_surface(strip: _Strip, lift: np.ndarray, material: Material, label: Label, painted: bool) -> Triangles:
    """A lane's surface in road coordinates; only roads outside junctions carry paint."""
    zero = np.zeros_like(strip.width)
    near = np.column_stack([strip.station, zero, strip.width])
    far = np.column_stack([strip.station, strip.width, zero])
    marks = np.column_stack([strip.inner_marks, strip.outer_marks])[:-1]
    frame = np.column_stack([strip.tangent, zero])[:-1]
    return triangles(
        quads(_corners(strip.inner + lift, strip.outer + lift)),
        material,
        label,
        params=quads(_corners(near, far)),
        marks=np.repeat(marks, 2, axis=0) * (painted and material is Material.ROAD),
        frame=np.repeat(frame, 2, axis=0),
    )


def _add_border(mesh: RoadMesh, strip: _Strip, lane_type: str, junction: bool) -> None:
    """Adds the verge beside the outermost lane and records the road's border."""
    raised = lane_type == "sidewalk"
    outward = np.column_stack([strip.tangent[:, 1], -strip.tangent[:, 0]])
    near = strip.outer + UP * (KERB_HEIGHT - 0.02 if raised else -0.01)
    far = strip.outer + np.column_stack([outward * VERGE_WIDTH, np.full(len(outward), -0.45)])
    if not junction:
        mesh.parts.append(triangles(quads(_corners(near, far)), Material.VERGE, Label.TERRAIN))
    mesh.edges.append(Edge(strip.outer, outward, junction))


def _corners(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(n-1, 4, C) corners of the quads between two (n, C) polylines."""
    return np.stack([near[:-1], far[:-1], far[1:], near[1:]], axis=1)
