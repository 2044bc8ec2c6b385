"""Writes a two-lane circuit as OpenDRIVE 1.4: a ring of roads that link to one another in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from phipd_sim2real.simulator.circuit import Arc

LANE_WIDTH_M = 3.5
KERB_HEIGHT_M = 0.12


@dataclass(frozen=True)
class RoadStyle:
    """Paint and cross-section of a road; mark types are OpenDRIVE's: `solid`, `broken`, `none`….

    Attributes:
        centre, centre_colour: the line between the two directions.
        edge: the line at each carriageway edge, white.
        shoulder: width of the paved shoulder beyond the edge line, metres; 0 leaves it out.
        sidewalk: width of the sidewalk, metres.
        speed_kmh: speed limit, km/h.
    """

    centre: str
    centre_colour: str
    edge: str
    shoulder: float
    sidewalk: float
    speed_kmh: int


def circuit_opendrive(name: str, arcs: Sequence[Arc], style: RoadStyle, roads: int = 4) -> str:
    """One closed circuit as an OpenDRIVE document.

    Args:
        name: the map's name, put in the header.
        arcs: a closed chain; the document's axes are right-handed, metres.
        style: paint and cross-section, the same all the way round.
        roads: number of roads the ring is cut into; ids 1…roads, in driving order of the right lane.
    """
    bounds = [round(index * len(arcs) / roads) for index in range(roads + 1)]
    pieces = [arcs[start:end] for start, end in pairwise(bounds)]
    body = "\n".join(_road(index, roads, piece, style) for index, piece in enumerate(pieces))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<OpenDRIVE>\n{_header(name, arcs)}\n{body}\n</OpenDRIVE>\n'


def _header(name: str, arcs: Sequence[Arc]) -> str:
    xs, ys = [arc.x for arc in arcs], [arc.y for arc in arcs]
    bounds = f'north="{max(ys):.3f}" south="{min(ys):.3f}" east="{max(xs):.3f}" west="{min(xs):.3f}"'
    projection = "+proj=tmerc +lat_0=47.0 +lon_0=8.0 +k=1 +x_0=0 +y_0=0 +datum=WGS84"
    return (
        f'  <header revMajor="1" revMinor="4" name="{name}" version="1" {bounds}>\n'
        f"    <geoReference><![CDATA[{projection}]]></geoReference>\n"
        "  </header>"
    )


def _road(index: int, roads: int, arcs: Sequence[Arc], style: RoadStyle) -> str:
    before, after = (index - 1) % roads + 1, (index + 1) % roads + 1
    length = sum(arc.length for arc in arcs)
    lanes = "\n".join(_side(side, style) for side in ("left", "centre", "right"))
    return f"""  <road name="" length="{length:.9f}" id="{index + 1}" junction="-1">
    <link>
      <predecessor elementType="road" elementId="{before}" contactPoint="end"/>
      <successor elementType="road" elementId="{after}" contactPoint="start"/>
    </link>
    <type s="0" type="town"><speed max="{style.speed_kmh}" unit="km/h"/></type>
    <planView>
{_plan_view(arcs)}
    </planView>
    <elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile>
    <lateralProfile/>
    <lanes>
      <laneOffset s="0" a="0" b="0" c="0" d="0"/>
      <laneSection s="0">
{lanes}
      </laneSection>
    </lanes>
  </road>"""


def _plan_view(arcs: Sequence[Arc]) -> str:
    lines, s = [], 0.0
    for arc in arcs:
        shape = f'<arc curvature="{arc.curvature:.12g}"/>' if abs(arc.curvature) > 1e-9 else "<line/>"
        lines.append(
            f'      <geometry s="{s:.9f}" x="{arc.x:.9f}" y="{arc.y:.9f}" hdg="{arc.heading:.12f}"'
            f' length="{arc.length:.9f}">{shape}</geometry>'
        )
        s += arc.length
    return "\n".join(lines)


def _side(side: str, style: RoadStyle) -> str:
    if side == "centre":
        mark = _mark(style.centre, style.centre_colour)
        lane = f'<lane id="0" type="none" level="false">{mark}</lane>'
        return f"        <center>\n          {lane}\n        </center>"
    sign = 1 if side == "left" else -1
    lanes = [_lane(sign * (place + 1), *lane) for place, lane in enumerate(_cross_section(style))]
    if side == "left":
        lanes.reverse()  # OpenDRIVE lists lanes from left to right
    return f"        <{side}>\n" + "\n".join(lanes) + f"\n        </{side}>"


def _cross_section(style: RoadStyle) -> list[tuple[str, float, str, float]]:
    """Lanes from the centre outwards: (type, width, mark at the outer edge, height of the surface)."""
    lanes = [("driving", LANE_WIDTH_M, style.edge, 0.0)]
    if style.shoulder > 0.0:
        lanes.append(("shoulder", style.shoulder, "none", 0.0))
    lanes.append(("sidewalk", style.sidewalk, "none", KERB_HEIGHT_M))
    return lanes


def _lane(lane_id: int, kind: str, width: float, mark: str, height: float) -> str:
    raised = f'<height sOffset="0" inner="{height}" outer="{height}"/>' if height else ""
    return (
        f'          <lane id="{lane_id}" type="{kind}" level="false">'
        f'<link><predecessor id="{lane_id}"/><successor id="{lane_id}"/></link>'
        f'<width sOffset="0" a="{width}" b="0" c="0" d="0"/>{_mark(mark, "white")}{raised}</lane>'
    )


def _mark(kind: str, colour: str) -> str:
    width = 0.0 if kind == "none" else 0.12
    change = "both" if kind == "broken" else "none"
    return (
        f'<roadMark sOffset="0" type="{kind}" weight="standard" color="{colour}"'
        f' width="{width}" laneChange="{change}"/>'
    )
