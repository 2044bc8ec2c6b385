"""Realism against label safety: φ-PD over cutoffs, Gaussian SDEdit over strengths, on the same clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phipd_sim2real.bench.clips import pictures
from phipd_sim2real.bench.figures import Curve, curves_figure, png, svg
from phipd_sim2real.bench.measures import SetMeasures, picture_set
from phipd_sim2real.bench.realism import RealismScale
from phipd_sim2real.bench.record import INTERVALS, PACKAGES, finite, model_json
from phipd_sim2real.bench.resampling import Estimate, estimate
from phipd_sim2real.bench.seed_table import check_models, recorded_quality
from phipd_sim2real.bench.settings import CurvesSettings
from phipd_sim2real.bench.strip import write_strip
from phipd_sim2real.bench.workspace import ClipSet, TargetSet, Workspace
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.drivelog import DriveLog, collect_versions, current_commit
from phipd_sim2real.files import atomic_path, write_json, write_text
from phipd_sim2real.preparation import check_steps, prepare
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import settings_hash

NUMBERS, FIGURE, STRIP = "curves.json", "curve", "cutoffs.jpg"
BESIDE = ("flow_epe", "lane_edge_recall")


def run_curves(settings: CurvesSettings, out: Path, progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Measures both curves and draws them, beside one picture at several cutoffs.

    Args:
        settings: models, clips, target, cutoffs and strengths.
        out: folder of the benchmark, which may be the seed table's; gets `curves.json`, `curve.svg`, `curve.png` and
            `cutoffs.jpg`.
        progress: called as progress(label, done, total).

    Returns:
        what `curves.json` holds, and one sentence under `text`.

    Raises:
        UsageError: a model, a map or the strip's picture is unknown, or `out` holds logs made otherwise.
    """
    work = Workspace(out, settings.resamples, settings.bootstrap_seed, progress)
    check_steps(settings.prepare)
    check_models(settings.prepare, settings.models)
    work.check([settings.clips, settings.target])
    prepare(settings.prepare, progress)
    clips, target = work.clips(settings.clips), work.target(settings.target)
    quality, sweep, models = recorded_quality(clips), settings.sweep, settings.models

    def point(setting: EnhanceSettings | None) -> dict[str, Any]:
        told = {} if setting is None else {"strength": setting.strength, "cutoff": setting.cutoff}
        return told | _point(work, target, clips, work.measured(clips, setting))

    source = point(None)
    ours = {name: point(sweep.phase_preserving(name, models.phi_pd, quality)) for name in sweep.candidates}
    theirs = {f"{s:g}": point(sweep.gaussian(s, models.gaussian, quality)) for s in sweep.strengths}
    floor = _halves(target.log, work)
    numbers = {
        "source": source,
        "phi_pd": ours,
        "sdedit": theirs,
        "kid_of_two_halves_of_the_target_set": floor,
        "steps": sweep.steps,
        "seed": sweep.seed,
        "clips": len(clips.log.segments),
        "frames": int(sum(len(clip.pictures) for clip in clips.clips)),
        "intervals": INTERVALS,
        "models": {kind: model_json(path) for kind, path in models.model_dump().items()},
        "config_hash": settings_hash(settings),
        "versions": collect_versions(*PACKAGES),
        "commit": current_commit(),
    }
    _draw(out, source, ours, theirs, numbers)
    write_strip(settings, clips.clips[0].pictures[0], quality, out / STRIP)
    write_json(out / NUMBERS, numbers)
    return numbers | {"text": f"The curves lie in {out / FIGURE}.png, the cutoffs in {out / STRIP}."}


def _point(work: Workspace, target: TargetSet, clips: ClipSet, measures: SetMeasures) -> dict[str, Any]:
    weights = work.weights(len(clips.log.segments))
    values = {name: estimate(measures.mean(name, weights)).as_json() for name in ("label_safety", *BESIDE)}
    return values | {
        "texture_kid": estimate(target.kid(measures, weights)).as_json(),
        "lab_frechet": finite(target.frechet(measures)),
        "label_recall_beyond_chance": {name: finite(value) for name, value in measures.class_recall().items()},
        "frames": len(measures.clip_of),
    }


def _halves(log: DriveLog, work: Workspace) -> float:
    """Texture KID between the even and the odd segments of a target set: what no method can be asked to beat."""
    even, odd = (picture_set(pictures(log, name) for name in log.segments[start::2])[0] for start in (0, 1))
    ones = [np.ones((1, half.clips)) for half in (odd, even)]
    return float(RealismScale(even).kid(odd, *ones)[0])


def _draw(
    out: Path, source: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], numbers: Mapping[str, Any]
) -> None:
    curves = []
    for strength in sorted({point["strength"] for point in ours.values()}, reverse=True):
        points = [point for point in ours.values() if point["strength"] == strength]
        labels = [f"{point['cutoff']:g}" for point in points]
        curves.append(_curve(f"φ-PD, strength {strength:g}, at cutoffs in cycles/px", True, labels, points))
    curves.append(_curve("SDEdit with the Gaussian twin, at strengths", False, list(theirs), list(theirs.values())))
    figure = curves_figure(
        curves,
        (source["label_safety"]["value"], source["texture_kid"]["value"]),
        numbers["kid_of_two_halves_of_the_target_set"],
        ("label safety: outlines of labelled things kept, beyond chance →", "← texture KID to the target look"),
        f"Realism against label safety, {numbers['frames']} frames of {numbers['clips']} clips",
    )
    write_text(out / f"{FIGURE}.svg", svg(figure))
    with atomic_path(out / f"{FIGURE}.png") as temporary:
        temporary.write_bytes(png(figure))


def _curve(name: str, ours: bool, labels: list[str], points: list[Mapping[str, Any]]) -> Curve:
    x, y = ([Estimate(**_numbers(point[key])) for point in points] for key in ("label_safety", "texture_kid"))
    intervals = [[(item.low, item.high) for item in items] for items in (x, y)]
    return Curve(name, ours, labels, [item.value for item in x], [item.value for item in y], *intervals)


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in values.items()}
