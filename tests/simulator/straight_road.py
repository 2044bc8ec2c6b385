"""A straight flat two-lane road, on which everything can be computed by hand."""

from __future__ import annotations

LANE_WIDTH = 3.5
EDGE_WIDTH = 0.15


def straight_road(length: float = 300.0) -> str:
    """OpenDRIVE of a road from the origin along +x: yellow broken middle, white solid edges, sidewalks."""

    def lane(index: int, kind: str, width: float, mark: str) -> str:
        road_mark = f'<roadMark sOffset="0" type="{mark}" weight="standard" color="white" width="{EDGE_WIDTH}"/>'
        size = f'<width sOffset="0" a="{width}" b="0" c="0" d="0"/>'
        link = f'<link><predecessor id="{index}"/><successor id="{index}"/></link>'
        return f'<lane id="{index}" type="{kind}" level="false">{link}{size}{road_mark}</lane>'

    left = lane(2, "sidewalk", 2.0, "none") + lane(1, "driving", LANE_WIDTH, "solid")
    right = lane(-1, "driving", LANE_WIDTH, "solid") + lane(-2, "sidewalk", 2.0, "none")
    middle = '<roadMark sOffset="0" type="broken" weight="standard" color="yellow" width="0.15"/>'
    return f"""<?xml version="1.0"?>
<OpenDRIVE><header revMajor="1" revMinor="4" name="straight" version="1.00"/>
<road name="" length="{length}" id="1" junction="-1"><link/>
<planView><geometry s="0" x="0" y="0" hdg="0" length="{length}"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile>
<lanes><laneSection s="0"><left>{left}</left>
<center><lane id="0" type="none" level="false">{middle}</lane></center>
<right>{right}</right></laneSection></lanes></road></OpenDRIVE>"""
