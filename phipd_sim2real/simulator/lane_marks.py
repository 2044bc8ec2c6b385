"""Lane marks as the picture needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import carla


class Mark(NamedTuple):
    """A lane mark as seen from one lane: offset of the line's middle from the boundary and its width, metres."""

    dashed: bool
    offset: float
    width: float
    yellow: bool


BLANKET = Mark(False, 0.0, 100.0, False)
"""White paint that covers the whole of a surface."""


def mark_of(marking: carla.LaneMarking, first: bool) -> Mark | None:
    """One line of a marking, None where nothing is painted; `first` picks the first line of a mixed pair."""
    name = str(marking.type)
    if name in ("NONE", "Curb", "Grass", "Other"):
        return None
    pair = name in ("SolidSolid", "SolidBroken", "BrokenSolid", "BrokenBroken")
    dashed = name in ("Broken", "BrokenBroken", "BottsDots", "BrokenSolid" if first else "SolidBroken")
    width = min(max(marking.width, 0.1), 0.3)
    return Mark(dashed, 0.09 + width / 2 if pair else 0.0, width, str(marking.color) == "Yellow")
