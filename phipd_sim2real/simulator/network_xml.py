"""Writes a road network as OpenDRIVE 1.4 in the manner of CARLA's own maps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from phipd_sim2real.simulator.network import TRAFFIC_LIGHT, Junction, Lane, Network, Painted, Road, Signal
from phipd_sim2real.simulator.paths import STRAIGHT

MARK_WIDTH_M = 0.12
_PROJECTION = "+proj=tmerc +lat_0=47.0 +lon_0=8.0 +k=1 +x_0=0 +y_0=0 +datum=WGS84"


def network_opendrive(network: Network) -> str:
    """One network as an OpenDRIVE document: right-handed axes, metres; the same bytes every time."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<OpenDRIVE>", *_header(network)]
    for road in network.roads:
        lines += _road(road)
    for junction in network.junctions:
        for phase, (controller, lights) in enumerate(junction.controllers.items()):
            lines.append(f'  <controller name="ctrl{controller}" id="{controller}" sequence="{phase}">')
            lines += [f'    <control signalId="{light}" type=""/>' for light in lights]
            lines.append("  </controller>")
    for junction in network.junctions:
        lines += _junction(junction)
    return "\n".join([*lines, "</OpenDRIVE>", ""])


def _header(network: Network) -> Iterator[str]:
    xs = [arc.x for road in network.roads for arc in road.arcs]
    ys = [arc.y for road in network.roads for arc in road.arcs]
    bounds = f'north="{max(ys):.3f}" south="{min(ys):.3f}" east="{max(xs):.3f}" west="{min(xs):.3f}"'
    yield f'  <header revMajor="1" revMinor="4" name="{network.name}" version="1" {bounds}>'
    yield f"    <geoReference><![CDATA[{_PROJECTION}]]></geoReference>"
    yield "  </header>"


def _road(road: Road) -> Iterator[str]:
    yield f'  <road name="" length="{road.length:.9f}" id="{road.road_id}" junction="{road.junction}">'
    yield "    <link>"
    for tag, link in (("predecessor", road.before), ("successor", road.after)):
        if link is not None:
            contact = f' contactPoint="{link[2]}"' if link[2] else ""
            yield f'      <{tag} elementType="{link[0]}" elementId="{link[1]}"{contact}/>'
    yield "    </link>"
    yield f'    <type s="0" type="town"><speed max="{road.speed_kmh}" unit="km/h"/></type>'
    yield from _plan_view(road)
    yield "    <elevationProfile>"
    for cubic in road.heights:
        yield (
            f'      <elevation s="{cubic.s:.9f}" a="{cubic.a:.9f}" b="{cubic.b:.12f}" c="{cubic.c:.12g}"'
            f' d="{cubic.d:.12g}"/>'
        )
    yield "    </elevationProfile>"
    yield "    <lateralProfile/>"
    yield from _lanes(road)
    if road.paint:
        yield from ["    <objects>", *_objects(road), "    </objects>"]
    if road.signals or road.references:
        yield "    <signals>"
        yield from (line for signal in road.signals for line in _signal(signal))
        yield from (line for signal_id in road.references for line in _reference(signal_id))
        yield "    </signals>"
    yield "  </road>"


def _plan_view(road: Road) -> Iterator[str]:
    yield "    <planView>"
    s = 0.0
    for arc in road.arcs:
        shape = f'<arc curvature="{arc.curvature:.12g}"/>' if abs(arc.curvature) > STRAIGHT else "<line/>"
        yield (
            f'      <geometry s="{s:.9f}" x="{arc.x:.9f}" y="{arc.y:.9f}" hdg="{arc.heading:.12f}"'
            f' length="{arc.length:.9f}">{shape}</geometry>'
        )
        s += arc.length
    yield "    </planView>"


def _lanes(road: Road) -> Iterator[str]:
    section = road.section
    yield '    <lanes>\n      <laneOffset s="0" a="0" b="0" c="0" d="0"/>\n      <laneSection s="0">'
    if section.left:
        yield "        <left>"
        for place in range(len(section.left), 0, -1):  # OpenDRIVE lists lanes from left to right
            yield _lane(road, place, section.left[place - 1])
        yield "        </left>"
    yield f'        <center>\n          <lane id="0" type="none" level="false">{_mark(*section.centre)}</lane>'
    yield "        </center>"
    if section.right:
        yield "        <right>"
        for place, lane in enumerate(section.right):
            yield _lane(road, -place - 1, lane)
        yield "        </right>"
    yield "      </laneSection>\n    </lanes>"


def _lane(road: Road, lane_id: int, lane: Lane) -> str:
    ends = zip(("predecessor", "successor"), road.links.get(lane_id, (None, None)), strict=True)
    linked = "".join(f'<{tag} id="{other}"/>' for tag, other in ends if other is not None)
    links = f"<link>{linked}</link>" if linked else ""
    slope = 0.0 if lane.end_width is None else (lane.end_width - lane.width) / road.length
    return (
        f'          <lane id="{lane_id}" type="{lane.kind}" level="false">{links}'
        f'<width sOffset="0" a="{lane.width}" b="{slope:.9g}" c="0" d="0"/>{_mark(lane.mark, lane.colour)}</lane>'
    )


def _mark(kind: str, colour: str) -> str:
    width = 0.0 if kind == "none" else MARK_WIDTH_M
    change = "both" if kind == "broken" else "none"
    return (
        f'<roadMark sOffset="0" type="{kind}" weight="standard" color="{colour}"'
        f' width="{width}" laneChange="{change}"/>'
    )


def _objects(road: Road) -> Iterator[str]:
    for number, paint in enumerate(road.paint):
        crosswalk = "Crosswalk" in paint.name
        kind = "crosswalk" if crosswalk else "-1"
        yield (
            f'      <object id="{road.road_id * 100 + number}" name="{paint.name}" s="{paint.s:.6f}" t="{paint.t:.6f}"'
            f' zOffset="0" hdg="{math.pi / 2:.9f}" roll="0" pitch="0" orientation="+" type="{kind}"'
            f' width="{paint.along if crosswalk else 0.0}" length="{paint.across:.6f}">'
        )
        yield "        <outline>"
        for u, v in _outline(paint, crosswalk):
            yield f'          <cornerLocal u="{u:.6f}" v="{v:.6f}" z="0"/>'
        yield "        </outline>\n      </object>"


def _outline(paint: Painted, closed: bool) -> list[tuple[float, float]]:
    u, v = paint.across / 2.0, paint.along / 2.0
    return [(u, v), (u, -v), (-u, -v), (-u, v), (u, v)] if closed else [(-u, 0.0), (u, 0.0)]


def _signal(signal: Signal) -> Iterator[str]:
    light = signal.kind == TRAFFIC_LIGHT
    # CARLA's maps give "-" to what traffic along the road sees.
    side, turn = ("-", 0.0) if signal.along else ("+", math.pi)
    unit = ' unit="km/h"' if signal.value >= 0 else ""
    yield (
        f'      <signal name="{signal.name}" id="{signal.signal_id}" s="{signal.s:.6f}" t="{signal.t:.6f}"'
        f' zOffset="0" hOffset="{turn:.9f}" roll="0" pitch="0" orientation="{side}"'
        f' dynamic="{"yes" if light else "no"}" country="OpenDRIVE" type="{signal.kind}" subtype="-1"'
        f' value="{signal.value:g}"{unit} text="" height="1" width="0.6">'
    )
    yield f'        <validity fromLane="{signal.lanes[0]}" toLane="{signal.lanes[1]}"/>\n      </signal>'


def _reference(signal_id: int) -> Iterator[str]:
    yield f'      <signalReference id="{signal_id}" s="0" t="0" orientation="-">'
    yield '        <validity fromLane="-1" toLane="-1"/>\n      </signalReference>'


def _junction(junction: Junction) -> Iterator[str]:
    yield f'  <junction id="{junction.junction_id}" name="junction{junction.junction_id}">'
    for number, (incoming, connecting, lane_in, lane_out) in enumerate(junction.connections):
        yield (
            f'    <connection id="{number}" incomingRoad="{incoming}" connectingRoad="{connecting}"'
            f' contactPoint="start"><laneLink from="{lane_in}" to="{lane_out}"/></connection>'
        )
    for phase, controller in enumerate(junction.controllers):
        yield f'    <controller id="{controller}" type="0" sequence="{phase}"/>'
    yield "  </junction>"
