"""A measured value never travels alone: unit, direction, validity and number of items go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Direction = Literal["higher", "lower", "neither"]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measurement:
    """One measure of one item.

    Attributes:
        name: such as `canny_f1`.
        value: the number; NaN where not valid.
        valid: False where the item has no such value.
        unit: such as "1" for a ratio.
        better: which direction is better; "neither" for what only describes.
        reason: why there is no value; empty where valid.
    """

    name: str
    value: float
    valid: bool
    unit: str
    better: Direction
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """Mean of one measure over items.

    Attributes:
        name: of the measure.
        unit: of the mean.
        better: which direction is better.
        mean: over the valid items; NaN where there is none.
        half_width: of the 95 % interval of the mean (Student's t); NaN below two valid items.
        valid: number of valid items.
        total: number of items.
        reasons: why items had no value -> how many.
    """

    name: str
    unit: str
    better: Direction
    mean: float
    half_width: float
    valid: int
    total: int
    reasons: dict[str, int]


def summarise(measurements: Sequence[Measurement]) -> Summary:
    """Mean and 95 % interval of one measure over at least one item; items count as independent."""
    from scipy.stats import t

    first = measurements[0]
    values = np.array([measurement.value for measurement in measurements if measurement.valid])
    count = len(values)
    mean = float(values.mean()) if count else float("nan")
    half_width = float("nan")
    if count > 1:
        quantile = t.ppf((1 + CONFIDENCE) / 2, df=count - 1)
        half_width = float(quantile * values.std(ddof=1) / np.sqrt(count))
    reasons = [measurement.reason for measurement in measurements if not measurement.valid]
    return Summary(
        name=first.name,
        unit=first.unit,
        better=first.better,
        mean=mean,
        half_width=half_width,
        valid=count,
        total=len(measurements),
        reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
    )
