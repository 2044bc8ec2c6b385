"""A straight road through a junction with a traffic light for each direction, on which all can be computed by hand."""

from __future__ import annotations

ENTRY, EXIT = 100.0, 120.0
"""Where along x the junction begins and ends, metres."""


def signalled_road() -> str:
    """OpenDRIVE of a road along +x over 220 m; light 101 stops the drive along +x, 102 the other, one at a time."""
    light = _signal(101, 99.0, -4.5, "-", -1), _signal(102, 1.0, 4.5, "+", 1)
    junction = _connection(0, 1, "start", -1) + _connection(1, 3, "end", 1)
    controllers = "".join(
        f'<controller name="c{n}" id="{n}" sequence="{n - 201}"><control signalId="{n - 100}" type=""/></controller>'
        for n in (201, 202)
    )
    return f"""<?xml version="1.0"?>
<OpenDRIVE><header revMajor="1" revMinor="4" name="signalled" version="1.00"/>
{_road(1, 0.0, 100.0, -1, '<successor elementType="junction" elementId="10"/>', light[0])}
{_road(2, 100.0, 20.0, 10, _link("predecessor", 1, "end") + _link("successor", 3, "start"), "")}
{_road(3, 120.0, 100.0, -1, '<predecessor elementType="junction" elementId="10"/>', light[1])}
{controllers}
<junction id="10" name="j">{junction}<controller id="201" type=""/><controller id="202" type=""/></junction>
</OpenDRIVE>"""


def _connection(index: int, incoming: int, contact: str, lane: int) -> str:
    ends = f'incomingRoad="{incoming}" connectingRoad="2" contactPoint="{contact}"'
    return f'<connection id="{index}" {ends}><laneLink from="{lane}" to="{lane}"/></connection>'


def _link(side: str, road: int, contact: str) -> str:
    return f'<{side} elementType="road" elementId="{road}" contactPoint="{contact}"/>'


def _signal(signal_id: int, s: float, t: float, orientation: str, lane: int) -> str:
    return (
        f'<signal name="light" id="{signal_id}" s="{s}" t="{t}" zOffset="0" hOffset="0" roll="0" pitch="0"'
        f' orientation="{orientation}" dynamic="yes" country="OpenDRIVE" type="1000001" subtype="-1" value="-1" text=""'
        f' height="1" width="0.5"><validity fromLane="{lane}" toLane="{lane}"/></signal>'
    )


def _road(road_id: int, x: float, length: float, junction: int, links: str, signals: str) -> str:
    def lane(index: int, kind: str, width: float) -> str:
        link = f'<link><predecessor id="{index}"/><successor id="{index}"/></link>'
        mark = '<roadMark sOffset="0" type="solid" weight="standard" color="white" width="0.15"/>'
        size = f'<width sOffset="0" a="{width}" b="0" c="0" d="0"/>'
        return f'<lane id="{index}" type="{kind}" level="false">{link}{size}{mark}</lane>'

    centre = (
        '<lane id="0" type="none" level="false"><roadMark sOffset="0" type="broken" color="white" width="0.15"/></lane>'
    )
    left = lane(2, "sidewalk", 2.0) + lane(1, "driving", 3.5)
    right = lane(-1, "driving", 3.5) + lane(-2, "sidewalk", 2.0)
    return f"""<road name="" length="{length}" id="{road_id}" junction="{junction}"><link>{links}</link>
<type s="0" type="town"><speed max="50" unit="km/h"/></type>
<planView><geometry s="0" x="{x}" y="0" hdg="0" length="{length}"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile>
<lanes><laneSection s="0"><left>{left}</left><center>{centre}</center>
<right>{right}</right></laneSection></lanes><signals>{signals}</signals></road>"""
