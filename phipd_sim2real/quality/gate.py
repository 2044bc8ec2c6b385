"""The gate: whether an enhanced frame still shows what its labels say, by thresholds calibrated on the source itself.

Two kinds of copies of source frames have a known answer. Blurred, paler, noisy ones keep every outline where the
labels have it; the same copies moved by a few pixels do not. Each measure's threshold is where the two kinds are told
apart best (Youden's J), so no threshold depends on what an enhancement happens to reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from phipd_sim2real.errors import UsageError
from phipd_sim2real.quality.label_boundaries import boundary_counts, label_safety
from phipd_sim2real.quality.measurement import Measurement
from phipd_sim2real.quality.structure import lane_edge_recall
from phipd_sim2real.quality.temporal import flow_epe
from phipd_sim2real.settings import Settings

Picture = NDArray[np.uint8]
MEASURES = ("lane_edge_recall", "label_safety", "flow_epe")


class GateSettings(Settings):
    """Which frames pass, and what becomes of those that do not."""

    cutoffs: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.3, 0.4)
    """Cutoffs at which a rejected frame is done again, one after the other; one that fails at all is left out."""

    frames: Annotated[int, Field(ge=10)] = 120
    """Source frames that the thresholds are calibrated on, evenly spread."""

    displaced_px: Annotated[float, Field(gt=0)] = 4.0
    """How far the outlines of the copies that must fail are displaced."""

    blur_px: Annotated[float, Field(gt=0)] = 0.8
    """Standard deviation of the blur of every copy."""

    contrast: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Contrast of every copy; 1 is the source's."""

    noise_levels: Annotated[float, Field(ge=0)] = 6.0
    """Standard deviation of the noise of every copy, of 255 levels."""

    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("cutoffs")
    @classmethod
    def _rise(cls, cutoffs: tuple[float, ...]) -> tuple[float, ...]:
        if list(cutoffs) != sorted(set(cutoffs)):
            raise ValueError(f"cutoffs are {list(cutoffs)}; each must keep more than the one before, so let them rise")
        return cutoffs


@dataclass(frozen=True)
class Threshold:
    """Where one measure tells kept structure from displaced structure.

    Attributes:
        measure: one of `MEASURES`.
        value: a frame passes at this value or better.
        better: "higher" or "lower".
        kept_passed: share of the copies with kept structure that pass.
        displaced_rejected: share of the displaced copies that are rejected.
        frames: calibration frames that have this measure.
    """

    measure: str
    value: float
    better: str
    kept_passed: float
    displaced_rejected: float
    frames: int

    def passes(self, measurement: Measurement) -> bool:
        """Whether a frame passes; one that cannot be measured, such as one without lane paint in view, does."""
        if not measurement.valid:
            return True
        return measurement.value >= self.value if self.better == "higher" else measurement.value <= self.value


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one frame.

    Attributes:
        failed: measures that it failed; empty where it passed.
        values: measure -> value, NaN where it has none.
    """

    failed: tuple[str, ...]
    values: dict[str, float]

    @property
    def accepted(self) -> bool:
        """Whether the frame may be trained on."""
        return not self.failed


class Gate:
    """Thresholds, ready to judge frames.

    Attributes:
        thresholds: of every measure.
    """

    def __init__(self, thresholds: tuple[Threshold, ...]) -> None:
        self.thresholds = thresholds

    @classmethod
    def calibrated(cls, frames: Iterable[tuple[Picture, NDArray[np.uint8]]], settings: GateSettings) -> Gate:
        """Calibrates on source frames.

        Args:
            frames: (H, W, 3) uint8 RGB pictures and their (H, W) uint8 CARLA labels.
            settings: how the copies are made.

        Raises:
            UsageError: a measure exists in no frame.
        """
        rng = np.random.default_rng(settings.seed)
        kept: list[dict[str, Measurement]] = []
        displaced: list[dict[str, Measurement]] = []
        for picture, semantics in frames:
            kept.append(measured(picture, _copy(picture, settings, rng), semantics))
            moved = _moved(picture, settings.displaced_px, rng)
            displaced.append(measured(picture, _copy(moved, settings, rng), semantics))
        return cls(tuple(_threshold(name, kept, displaced) for name in MEASURES))

    def judge(self, source: Picture, output: Picture, semantics: NDArray[np.uint8]) -> Verdict:
        """Judges one enhanced frame against its source and the source's labels."""
        values = measured(source, output, semantics)
        failed = tuple(limit.measure for limit in self.thresholds if not limit.passes(values[limit.measure]))
        return Verdict(failed, {name: values[name].value for name in MEASURES})

    def record(self) -> list[dict[str, float | str]]:
        """The thresholds as JSON values."""
        return [asdict(threshold) for threshold in self.thresholds]


def measured(source: Picture, output: Picture, semantics: NDArray[np.uint8]) -> dict[str, Measurement]:
    """Every measure of the gate for one frame."""
    return {
        "lane_edge_recall": lane_edge_recall(source, output, semantics),
        "label_safety": label_safety(boundary_counts(source, output, semantics)),
        "flow_epe": flow_epe(source, output),
    }


def _threshold(name: str, kept: list[dict[str, Measurement]], displaced: list[dict[str, Measurement]]) -> Threshold:
    """Half way between the two neighbouring values that part the copies best: the largest sum of the share of kept ones
    that pass and of displaced ones that are rejected."""
    good, bad = (np.array([item[name].value for item in copies if item[name].valid]) for copies in (kept, displaced))
    if not good.size or not bad.size:
        raise UsageError(f"No calibration frame has a value of {name}; the gate needs frames with lane paint.")
    better = kept[0][name].better
    sign = 1.0 if better == "higher" else -1.0
    good, bad = np.sort(sign * good), np.sort(sign * bad)
    values = np.unique(np.concatenate([good, bad]))
    # The lowest value, which all pass, stands for a measure that parts nothing.
    candidates = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    passed = 1 - np.searchsorted(good, candidates) / good.size
    rejected = np.searchsorted(bad, candidates) / bad.size
    best = int(np.argmax(passed + rejected))
    value = sign * float(candidates[best])
    return Threshold(name, value, better, float(passed[best]), float(rejected[best]), int(good.size))


def _copy(picture: Picture, settings: GateSettings, rng: np.random.Generator) -> Picture:
    """Another look, the same structure: blurred, paler, noisy."""
    blurred = cv2.GaussianBlur(picture, (0, 0), settings.blur_px).astype(np.float64)
    middle = blurred.mean()
    noise = rng.normal(0, settings.noise_levels, picture.shape)
    return (middle + (blurred - middle) * settings.contrast + noise).round().clip(0, 255).astype(np.uint8)


def _moved(picture: Picture, distance_px: float, rng: np.random.Generator) -> Picture:
    """The picture moved in a random direction, its border reflected."""
    angle = rng.uniform(0, 2 * np.pi)
    shift = np.array([[1, 0, distance_px * np.cos(angle)], [0, 1, distance_px * np.sin(angle)]], np.float32)
    return cv2.warpAffine(picture, shift, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
