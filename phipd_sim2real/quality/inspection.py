"""Everything that an inspection found, and the same as numbers for machines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phipd_sim2real.quality.colour import lab_frechet
from phipd_sim2real.quality.frames import Check, FrameSet
from phipd_sim2real.quality.label_boundaries import label_safety
from phipd_sim2real.quality.measurement import Measurement, Summary, summarise
from phipd_sim2real.quality.realism import RealismRow
from phipd_sim2real.quality.set_distance import SetDistance
from phipd_sim2real.quality.survey import Survey


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        frames: the inspected set.
        total: frames in it, measured or not.
        survey: measures of single frames.
        definitions: frame measure -> one sentence.
        motion: measure -> one measurement per pair of consecutive pictures.
        realism: distances to the reference; empty without one.
        realism_record: what must stand beside them.
        checks: what must hold of the set.
    """

    frames: FrameSet
    total: int
    survey: Survey
    definitions: Mapping[str, str]
    motion: Mapping[str, Sequence[Measurement]]
    realism: Sequence[RealismRow]
    realism_record: Mapping[str, str]
    checks: Sequence[Check]

    def numbers(self) -> dict[str, Any]:
        """What the page says; a missing value is null with its reason."""
        result = self.survey
        moved = lab_frechet(result.before, result.after)
        return {
            "title": self.frames.title,
            "facts": self.frames.facts,
            "frames_total": self.total,
            "frames_measured": len(result.names),
            "measures": {summary.name: _summary(summary) for summary in result.summaries()},
            "motion": {name: _summary(summarise(values)) for name, values in self.motion.items()},
            "label_boundaries": self._boundaries(),
            "realism": self._realism(),
            "lab_frechet_before_to_after": _measured(moved),
            "checks": {
                check.name: {"passed": check.passed, "total": check.total, "failures": list(check.failures)}
                for check in self.checks
            },
            "problems": result.problems,
            "worst_first": result.worst_first() if self.frames.has_before else [],
            "frames": [
                {"name": name} | {measure: _value(values[index]) for measure, values in result.measurements.items()}
                for index, name in enumerate(result.names)
            ],
        }

    def _boundaries(self) -> dict[str, Any]:
        """Each class's recall over all frames together, and their mean beyond chance."""
        counts = self.survey.boundaries
        if not counts:
            return {}
        classes = {
            name: {
                "recall": _finite(item.recall),
                "chance": item.chance,
                "beyond_chance": item.beyond_chance if item.pictures else None,
                "pixels": item.asked,
                "frames": item.pictures,
            }
            for name, item in counts.items()
        }
        return {"classes": classes, "label_safety": _measured(label_safety(counts))}

    def _realism(self) -> dict[str, Any]:
        rows = {
            row.name: {"before": _distance(row.before) if row.before else None, "after": _distance(row.after)}
            for row in self.realism
        }
        return {"record": dict(self.realism_record), "measures": rows} if rows else {}


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "unit": summary.unit,
        "better": summary.better,
        "mean": _finite(summary.mean),
        "half_width_95": _finite(summary.half_width),
        "valid": summary.valid,
        "total": summary.total,
        "reasons": summary.reasons,
    }


def _distance(distance: SetDistance) -> dict[str, Any]:
    return _measured(distance.measurement) | {
        "deviation": _finite(distance.deviation),
        "subsets": distance.subsets,
        "subset_size": distance.subset_size,
        "items": distance.first,
        "reference_items": distance.second,
        "warning": distance.warning,
    }


def _measured(measurement: Measurement) -> dict[str, Any]:
    return {"value": _value(measurement), "unit": measurement.unit, "reason": measurement.reason}


def _value(measurement: Measurement) -> float | None:
    return measurement.value if measurement.valid else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
