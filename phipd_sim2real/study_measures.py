"""What was done to the pictures of an arm: structure against its source, look against the target."""

from __future__ import annotations

from typing import Any

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.frame_measures import FRAME_MEASURES
from phipd_sim2real.quality.frames import evenly
from phipd_sim2real.quality.label_boundaries import label_safety
from phipd_sim2real.quality.log_frames import LogFrames
from phipd_sim2real.quality.measurement import Measurement
from phipd_sim2real.quality.realism import Realism
from phipd_sim2real.quality.reference import Reference
from phipd_sim2real.quality.survey import survey

STRUCTURE = ("lane_edge_recall", "flow_epe")
MEASURED: dict[str, tuple[str, str]] = {
    "texture_kid": ("1", "lower"),
    "lab_frechet": ("ΔE²", "lower"),
    "label_safety": ("1", "higher"),
    "lane_edge_recall": ("1", "higher"),
    "flow_epe": ("px", "lower"),
}
"""Measure -> unit and better direction, as in the study's table."""


def picture_measures(
    pictures: DriveLog,
    source: DriveLog | None,
    reference: Reference,
    count: int,
    progress: ProgressCallback | None = None,
) -> dict[str, dict[str, Any]]:
    """Measures some frames of an arm.

    Args:
        pictures: the log that the arm is trained on.
        source: the log that its pictures were made from; None where they are as captured, which have no structure to
            lose.
        reference: pictures of the target look.
        count: frames, evenly spread.
        progress: called as progress(label, done, total).

    Returns:
        measure -> value (None where it has none), n and reason.
    """
    frames = LogFrames(pictures, source)
    realism = Realism(reference)
    measures = [measure for measure in FRAME_MEASURES if measure.name in STRUCTURE]
    found = survey(frames, evenly(frames.names(), count), progress, measures, realism)
    made = {row.name: _value(row.after.measurement, row.after.first) for row in realism.rows() if row.name in MEASURED}
    if source is None:
        return made
    seen = max((counts.pictures for counts in found.boundaries.values()), default=0)
    made["label_safety"] = _value(label_safety(found.boundaries or None), seen)
    for summary in found.summaries():
        value = summary.mean if summary.valid else None
        made[summary.name] = {"value": value, "n": summary.valid, "reason": ", ".join(summary.reasons)}
    return made


def _value(measurement: Measurement, count: int) -> dict[str, Any]:
    return {"value": measurement.value if measurement.valid else None, "n": count, "reason": measurement.reason}
