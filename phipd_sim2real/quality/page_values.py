"""Values as the inspection page writes them: digits by unit, cards of a measure, rows of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phipd_sim2real.quality.label_boundaries import BoundaryCounts
from phipd_sim2real.quality.measurement import Measurement, Summary, summarise
from phipd_sim2real.quality.realism import RealismRow
from phipd_sim2real.quality.set_distance import SetDistance

BINS = 32
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "neither": "descriptive"}
DIGITS = {"1": 3, "px": 2, "linear RGB": 4}
OTHER_DIGITS = 1


def number(measurement: Measurement) -> str:
    """As many decimals as the unit needs; a dash where there is no value."""
    return f"{measurement.value:.{_digits(measurement.unit)}f}" if measurement.valid else "–"


def measure_card(measurements: Sequence[Measurement], definition: str) -> dict[str, Any]:
    """What a card shows of one measure: mean, interval, counts, and how the values are spread."""
    summary = summarise(measurements)
    values = np.array([measurement.value for measurement in measurements if measurement.valid])
    return {
        "summary": summary,
        "definition": definition,
        "digits": _digits(summary.unit),
        "direction": DIRECTIONS[summary.better],
        "half_width": _half_width(summary),
        "bars": _histogram(values),
        "low": float(values.min()) if len(values) else None,
        "high": float(values.max()) if len(values) else None,
    }


def boundary_rows(counts: Mapping[str, BoundaryCounts]) -> list[dict[str, Any]]:
    """One row per class; dashes where no frame shows enough of it."""
    return [
        {
            "name": name.replace("_", " "),
            "recall": f"{item.recall:.3f}" if item.pictures else "–",
            "chance": f"{item.chance:.3f}" if item.pictures else "–",
            "beyond": f"{item.beyond_chance:.3f}" if item.pictures else "–",
            "pixels": item.asked,
            "frames": item.pictures,
        }
        for name, item in counts.items()
    ]


def realism_row(row: RealismRow) -> dict[str, Any]:
    """One measure of realism with what is needed to judge it."""
    after = row.after
    return {
        "name": row.name,
        "definition": row.definition,
        "before": _distance(row.before) if row.before else "–",
        "after": _distance(after),
        "count": after.first,
        "reference": after.second,
        "subsets": f"{after.subsets} of {after.subset_size}" if after.subsets else "–",
        "warning": after.warning or after.measurement.reason,
    }


def _distance(distance: SetDistance) -> str:
    text = number(distance.measurement)
    if not (distance.subsets and distance.measurement.valid):
        return text
    return f"{text} ± {distance.deviation:.{_digits(distance.measurement.unit)}f}"


def _digits(unit: str) -> int:
    return DIGITS.get(unit, OTHER_DIGITS)


def _half_width(summary: Summary) -> str:
    """The interval's half width, never rounded to nothing."""
    digits = _digits(summary.unit)
    least = 10.0**-digits
    return f"{summary.half_width:.{digits}f}" if summary.half_width >= least / 2 else f"less than {least:.{digits}f}"


def _histogram(values: np.ndarray) -> list[float]:
    """Heights of `BINS` bars, the highest 1; empty without values."""
    if not len(values):
        return []
    counts, _ = np.histogram(values, bins=BINS)
    return (counts / counts.max()).tolist()
