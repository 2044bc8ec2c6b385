"""What a report shows beside the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from planner_eval.report.study_section import StudySection


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    Attributes:
        caption: short, such as the segment.
        image: (H, W, 3) uint8 RGB.
    """

    caption: str
    image: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PicturePair:
    """A frame before and after enhancement.

    Attributes:
        caption: short, such as the segment.
        before: (H, W, 3) uint8 RGB.
        after: the same frame, enhanced.
    """

    caption: str
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]


@dataclass(frozen=True)
class Provenance:
    """Where a log, a model or a planner comes from.

    Attributes:
        name: what it is, such as "target log".
        domain: what its pictures are, in plain words, such as "carla-protocol simulator, target look".
        facts: further facts, shown in order: segments, frames, seeds, hashes, versions. No times, no paths.
    """

    name: str
    domain: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What the pipeline knows and an evaluation does not.

    Attributes:
        title: of the page.
        treated: name of the arm that the headline sets against the baseline arm.
        stand_in: plain words on what is a stand-in for what; shown at the top.
        pairs: source frames before and after enhancement.
        targets: frames of the look that the planners are tested on.
        provenance: logs, models and planners of the run.
        not_run: what a reader might expect and this run did not do, one sentence each.
        recipe: key -> value of how to repeat the run (configuration, seed, command).
        study: what a study adds; None for a run.
    """

    title: str
    treated: str
    stand_in: str
    pairs: Sequence[PicturePair] = ()
    targets: Sequence[Picture] = ()
    provenance: Sequence[Provenance] = ()
    not_run: Sequence[str] = ()
    recipe: Mapping[str, str] = field(default_factory=dict)
    study: StudySection | None = None
