"""Clips with everything that is known of them: pictures, labels, exact flow, and the same drive in another look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column, decode_jpeg, decode_labels
from phipd_sim2real.errors import StageError
from phipd_sim2real.motion import RecordedMotion
from phipd_sim2real.motion_geometry import Flow
from phipd_sim2real.quality.temporal import motion_seen

PICTURES, SEMANTICS = "camera_image", "camera_semantics"


@dataclass(frozen=True, eq=False)
class Clip:
    """One segment of one camera.

    Attributes:
        segment: its name.
        pictures: F of (H, W, 3) uint8 RGB.
        semantics: F of (H, W) uint8 CARLA labels.
        flows: F - 1 exact motions, each from a picture to the next.
        truth: the same F moments rendered in another look, or None.
    """

    segment: str
    pictures: Sequence[np.ndarray]
    semantics: Sequence[np.ndarray]
    flows: Sequence[Flow]
    truth: Sequence[np.ndarray] | None = None

    @cached_property
    def seen(self) -> list[np.ndarray]:
        """F - 1 (H, W) bool, where the flow between successive pictures is estimated rightly; see `motion_seen`."""
        moves = zip(pairwise(self.pictures), self.flows, strict=True)
        return [motion_seen(*pair, *flow) for pair, flow in moves]


def read_clips(log: DriveLog, truth: DriveLog | None = None) -> Iterator[Clip]:
    """Reads a log with labels, clip by clip.

    Args:
        log: captured with labels, one camera.
        truth: the same drives, captured in another look.

    Raises:
        StageError: `truth` shows other drives.
    """
    twins = truth.segments if truth is not None else [None] * len(log.segments)
    for segment, twin in zip(log.segments, twins, strict=True):
        semantics = _decoded(log, SEMANTICS, segment)
        if twin is not None:
            _refuse_other_drives(semantics, _decoded(truth, SEMANTICS, twin), log, truth)
        yield Clip(
            segment,
            pictures(log, segment),
            semantics,
            list(_flows(log, segment)),
            pictures(truth, twin) if twin is not None else None,
        )


def pictures(log: DriveLog, segment: str) -> list[np.ndarray]:
    """The colour pictures of a segment in order of time, (H, W, 3) uint8 RGB."""
    return _decoded(log, PICTURES, segment)


def _decoded(log: DriveLog, component: str, segment: str) -> list[np.ndarray]:
    decode = decode_jpeg if component == PICTURES else decode_labels
    name = column(component, "image")
    return [decode(data) for data in log.table(component, segment, [name])[name]]


def _flows(log: DriveLog, segment: str) -> Iterator[Flow]:
    table = log.table(PICTURES, segment, columns=[])
    motion = RecordedMotion(log, segment, int(table[CAMERA].iloc[0]))
    times = [int(time) for time in table[TIMESTAMP]]
    for first, second in pairwise(times):
        yield motion.flow(first, second)


def _refuse_other_drives(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], log: DriveLog, truth: DriveLog
) -> None:
    if len(ours) != len(theirs) or any((a != b).any() for a, b in zip(ours, theirs, strict=True)):
        raise StageError(
            f"{truth.root} shows other streets than {log.root}, so their pictures cannot be compared pixel by pixel; "
            "give a look that furnishes streets as the clips' own does."
        )
