"""What is inspected: frames before and after with their labels, and checks that a set must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from phipd_sim2real.motion_geometry import Flow
from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.perception import Box

T = TypeVar("T")
LONGEST_FACT = 32  # half a hash is enough to tell two apart


@dataclass(frozen=True, eq=False)
class InspectedFrame:
    """One frame with everything that the page can show of it.

    Attributes:
        name: unique within its set.
        after: (H, W, 3) uint8 RGB; the only picture where there is no before. None where it cannot be read.
        before: the source's picture, of the same size; None where there is none.
        problem: why the frame cannot be measured; empty where it can.
        semantics: (H, W) uint8 CARLA labels, or None.
        depth_m: (H, W) float32 metres along the camera's x axis, or None.
        boxes: in the vehicle frame.
        calibration: of the camera, or None.
    """

    name: str
    after: np.ndarray | None
    before: np.ndarray | None
    problem: str = ""
    semantics: np.ndarray | None = None
    depth_m: np.ndarray | None = None
    boxes: tuple[Box, ...] = ()
    calibration: Calibration | None = None


@dataclass(frozen=True, eq=False)
class Transition:
    """Two consecutive pictures of one camera, and how the simulator moved what they show.

    Attributes:
        name: of the first frame.
        after: both pictures, (H, W, 3) uint8 RGB.
        before: the source's pictures at both times; None where there is no source.
        motion: what is at p moves to p + forward(p); valid where it is still seen.
        problem: why the pair cannot be measured; empty where it can, and else nothing but the name is of use.
    """

    name: str
    after: tuple[np.ndarray, np.ndarray] | None = None
    before: tuple[np.ndarray, np.ndarray] | None = None
    motion: Flow | None = None
    problem: str = ""


@dataclass(frozen=True)
class Check:
    """A yes-or-no question asked of many items.

    Attributes:
        name: what must hold.
        passed: items for which it holds.
        total: items asked.
        failures: the first few items for which it does not.
    """

    name: str
    passed: int
    total: int
    failures: tuple[str, ...] = ()


class FrameSet(Protocol):
    """A set of frames that can be read one at a time."""

    title: str
    facts: dict[str, str]
    has_before: bool

    def names(self) -> list[str]:
        """All frames, in a fixed order."""
        ...

    def read(self, names: Sequence[str]) -> Iterator[InspectedFrame]:
        """Reads the named frames, in the order of `names()`."""
        ...

    def transitions(self, count: int) -> tuple[int, Iterator[Transition]]:
        """At most `count` pairs of consecutive pictures with known motion, spread evenly, and how many they are."""
        ...

    def checks(self) -> list[Check]:
        """What must hold of the set."""
        ...


def evenly(names: Sequence[T], count: int) -> list[T]:
    """At most `count` of the names, spread evenly, the first and the last among them."""
    if len(names) <= count:
        return list(names)
    return [names[round(index * (len(names) - 1) / max(count - 1, 1))] for index in range(count)]


def check(name: str, total: int, failures: Sequence[str]) -> Check:
    """A check from the items that failed it."""
    return Check(name, total - len(failures), total, tuple(failures[:5]))


def pair_problem(before: np.ndarray | None, after: np.ndarray | None) -> str:
    """Why two pictures cannot be compared; empty where they can."""
    if after is None:
        return "the enhanced picture is missing or damaged"
    if before is None:
        return "the source picture is missing or damaged"
    return "" if before.shape == after.shape else "the two pictures differ in size"


def provenance_facts(provenance: Mapping[str, Any]) -> dict[str, str]:
    """What of a provenance fits in one line each."""
    shown = ("domain", "source_domain", "seed", "config_hash", "commit")
    facts = {
        key.replace("_", " "): str(provenance[key])[:LONGEST_FACT] for key in shown if provenance.get(key) is not None
    }
    weights = provenance.get("checkpoints") or {}
    return facts | {f"weights {name}": sha256[:12] for name, sha256 in sorted(weights.items())}
