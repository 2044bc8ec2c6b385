"""The manners in which neighbourhoods are furnished."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class District:
    """How a neighbourhood is furnished.

    Attributes:
        trees: kinds of tree, as vegetation.tree names them.
        tree_spacing: mean metres between trees of a row.
        leafy: whether bushes are leafy rather than smooth.
        gabled: share of buildings that are gabled houses.
        floors: least and most floors of flat-roofed buildings.
        frontage: least and most metres of a building along the road.
        setback: least and most metres between a building and the road's border.
        hedges: share of plots closed by a hedge; the same share again by a fence.
        lamps: True for street lights, False for wooden utility poles.
        delineators: whether white posts line the open road.
        woods: trees per hectare away from the road.
    """

    trees: tuple[str, ...]
    tree_spacing: float
    leafy: bool
    gabled: float
    floors: tuple[int, int]
    frontage: tuple[float, float]
    setback: tuple[float, float]
    hedges: float
    lamps: bool
    delineators: bool
    woods: float


DISTRICTS = {
    "modern": District(
        trees=("round", "round", "conifer"),
        tree_spacing=13.0,
        leafy=False,
        gabled=0.25,
        floors=(2, 6),
        frontage=(12, 26),
        setback=(5, 12),
        hedges=0.1,
        lamps=True,
        delineators=False,
        woods=3.0,
    ),
    "old": District(
        trees=("broad", "broad", "poplar", "bare"),
        tree_spacing=11.0,
        leafy=True,
        gabled=0.75,
        floors=(2, 4),
        frontage=(9, 17),
        setback=(3, 9),
        hedges=0.3,
        lamps=False,
        delineators=True,
        woods=4.0,
    ),
}
