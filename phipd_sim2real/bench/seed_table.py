"""φ-PD against Gaussian SDEdit at matched realism: re-rendering, style transfer, and consistency over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from phipd_sim2real.bench.matching import Match, gain_percent, match
from phipd_sim2real.bench.measures import FRAME_MEASURES, Perceptual, SetMeasures
from phipd_sim2real.bench.resampling import Estimate, estimate
from phipd_sim2real.bench.settings import SeedTableSettings, Sweep, Twins
from phipd_sim2real.bench.workspace import ClipSet, TargetSet, Workspace
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.diffusion.models import model_folder
from phipd_sim2real.errors import UsageError
from phipd_sim2real.preparation import Step, check_steps, fitted_by, prepare
from phipd_sim2real.progress import ProgressCallback

SOURCE = "source"
CHOSEN_BY = ("flow_epe", "flow_consistency_seen")
GOALS = {"flow_epe": 63.6, "style": 11.1, "flow_consistency": 67.5, "flow_consistency_seen": 67.5}
"""Relative gains in percent that the method's authors' figures suggest."""

REPORTED = ("flow_epe", "flow_consistency", "flow_consistency_seen", "gt_flow_warp_error", "structure_distance",
            "lane_edge_recall", "label_safety")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measure of φ-PD and of SDEdit at matched realism.

    Attributes:
        measure: its name.
        unit, better: of the value.
        source: the clips as captured.
        ours, theirs: φ-PD and SDEdit.
        gain: relative, percent; positive is better.
        frames, clips: with a value of φ-PD, and clips in all.
        goal: gain that is aimed at, percent, or None.
    """

    measure: str
    unit: str
    better: str
    source: Estimate
    ours: Estimate
    theirs: Estimate
    gain: Estimate
    frames: int
    clips: int
    goal: float | None


@dataclass
class Comparison:
    """Both methods on one set of clips against one target set; arrays over bootstrap draws come first.

    Attributes:
        clips, target: what is measured, and against what.
        strengths: of SDEdit, the source itself at 0 first.
        sweep: measures of those.
        candidates: name -> measures of φ-PD.
    """

    clips: ClipSet
    target: TargetSet
    strengths: tuple[float, ...]
    sweep: list[SetMeasures]
    candidates: dict[str, SetMeasures]
    weights: np.ndarray
    _kid: dict[str, np.ndarray] = field(default_factory=dict)

    def kid(self, name: str) -> np.ndarray:
        """(draws,) texture KID of a candidate."""
        if name not in self._kid:
            self._kid[name] = self.target.kid(self.candidates[name], self.weights)
        return self._kid[name]

    def sweep_kid(self) -> np.ndarray:
        """(strengths, draws) texture KID of the sweep."""
        if SOURCE not in self._kid:
            self._kid[SOURCE] = np.stack([self.target.kid(item, self.weights) for item in self.sweep])
        return self._kid[SOURCE]

    def matched(self, name: str) -> Match:
        """Where SDEdit is as realistic as a candidate, in every draw anew."""
        return match(self.sweep_kid(), self.kid(name))

    def matched_strength(self, name: str) -> np.ndarray:
        """(draws,) strength of SDEdit there."""
        grid = np.repeat(np.array(self.strengths)[:, None], len(self.weights), axis=1)
        return self.matched(name).of(grid)

    def row(self, name: str, measure: str, goal: float | None = None) -> Row:
        """One measure of a candidate beside SDEdit's at matched realism."""
        ours = self.candidates[name].mean(measure, self.weights)
        theirs = self.matched(name).of(np.stack([item.mean(measure, self.weights) for item in self.sweep]))
        unit, better = _unit(measure)
        return Row(
            measure,
            unit,
            better,
            estimate(self.sweep[0].mean(measure, self.weights)),
            estimate(ours),
            estimate(theirs),
            estimate(gain_percent(ours, theirs, better)),
            self.candidates[name].valid(measure),
            len(self.candidates[name].clips),
            goal,
        )

    @property
    def jpeg_quality(self) -> int:
        """Of the clips, and of every result."""
        return recorded_quality(self.clips)

    def gap_closed(self, name: str) -> float:
        """Share of the source's distance to the target look that a candidate closes."""
        source = float(self.sweep_kid()[0, 0])
        return (source - float(self.kid(name)[0])) / source


@dataclass(frozen=True)
class SeedTable:
    """The finished comparison: the choice, what it was made from, and what is reported."""

    chosen: str
    selection: Comparison
    report: Comparison
    style: Comparison | None
    style_measure: str


def compare(settings: SeedTableSettings, out: Path, progress: ProgressCallback | None = None) -> SeedTable:
    """Captures, enhances and measures; what lies in `out` already is kept.

    Args:
        settings: models, clips, targets, candidates.
        out: folder of the benchmark.
        progress: called as progress(label, done, total).

    Raises:
        UsageError: a model or a map is unknown, `out` holds logs made otherwise, or no candidate is realistic enough.
    """
    work = Workspace(out, settings.resamples, settings.bootstrap_seed, progress)
    captures = [settings.clips, settings.selection, settings.target, settings.selection_target]
    check_steps(settings.prepare)
    check_models(settings.prepare, settings.models, *([settings.style.models] if settings.style else []))
    work.check(captures + ([settings.style.target] if settings.style else []))
    perceptual = _perceptual(settings.lpips_weights)
    prepare(settings.prepare, progress)
    selection = _compare(work, work.clips(settings.selection), settings.selection_target, settings.models,
                         settings.sweep, list(settings.sweep.candidates))  # fmt: skip
    chosen = choose(selection, settings.least_gap_closed)
    report = _compare(work, work.clips(settings.clips), settings.target, settings.models, settings.sweep, [chosen])
    style = None
    if settings.style is not None:
        twins = work.clips(settings.clips, settings.style.look)
        style = _compare(
            work, twins, settings.style.target, settings.style.models, settings.sweep, [chosen], perceptual
        )
    return SeedTable(chosen, selection, report, style, "structure_to_truth" if perceptual is None else "lpips_to_truth")


def choose(selection: Comparison, least_gap_closed: float) -> str:
    """The candidate with the largest mean gain of those that are realistic enough.

    Raises:
        UsageError: none is.
    """
    scores = {
        name: float(np.mean([selection.row(name, measure).gain.value for measure in CHOSEN_BY]))
        for name in selection.candidates
        if selection.gap_closed(name) >= least_gap_closed
    }
    if not scores:
        shares = {name: round(selection.gap_closed(name), 2) for name in selection.candidates}
        raise UsageError(
            f"No candidate closes {least_gap_closed} of the source's distance to the target look; they close {shares}. "
            "Lower least_gap_closed, or give candidates of more strength."
        )
    return max(scores, key=lambda name: (np.nan_to_num(scores[name], nan=-np.inf), name))


def check_models(steps: Sequence[Step], *twins: Twins) -> None:
    """Refuses models that are neither there nor made by a step, before any work.

    Raises:
        UsageError: a model is missing.
    """
    for model in {name for pair in twins for name in (pair.phi_pd, pair.gaussian)}:
        if Path(model) not in fitted_by(steps):
            model_folder(model)


def recorded_quality(clips: ClipSet) -> int:
    """JPEG quality that clips were captured with."""
    return int(clips.log.provenance.config["images"]["jpeg_quality"])


def _compare(
    work: Workspace,
    clips: ClipSet,
    target: CaptureSettings,
    models: Twins,
    sweep: Sweep,
    names: list[str],
    perceptual: Perceptual | None = None,
) -> Comparison:
    quality = recorded_quality(clips)
    pictures = work.target(target)
    strengths = [None, *(sweep.gaussian(strength, models.gaussian, quality) for strength in sweep.strengths)]
    measured = [work.measured(clips, settings, perceptual) for settings in strengths]
    candidates = {
        name: work.measured(clips, sweep.phase_preserving(name, models.phi_pd, quality), perceptual) for name in names
    }
    weights = work.weights(len(clips.log.segments))
    return Comparison(clips, pictures, (0.0, *sweep.strengths), measured, candidates, weights)


def _perceptual(path: Path | None) -> Perceptual | None:
    if path is None:
        return None
    from phipd_sim2real.quality.lpips import Lpips

    return Lpips.from_path(path)


def _unit(measure: str) -> tuple[str, str]:
    if measure == "label_safety":
        return "1", "higher"
    return FRAME_MEASURES[measure].unit, FRAME_MEASURES[measure].better
