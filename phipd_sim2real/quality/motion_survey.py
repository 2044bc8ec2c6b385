"""How the clips of a log move: warping error and flow consistency over consecutive pictures with known motion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.frames import Transition
from phipd_sim2real.quality.measurement import Measurement
from phipd_sim2real.quality.temporal import flow_consistency, gt_flow_warp_error, warp_excess

DEFINITIONS = {
    "gt_flow_warp_error": "Mean |I_t − warp(I_{t+1})| in linear RGB 0 to 1, warped by the simulator's flow, occluded "
    "pixels left out: flicker, and texture that slides.",
    "gt_flow_warp_excess": "The same less the source's own error at the same pixels: what enhancement added.",
    "flow_consistency": "Mean endpoint error of the flow seen between two pictures (DIS) against the simulator's.",
    "flow_consistency_before": "The same of the source: what of it is the estimator's own.",
}
NEEDS_BEFORE = ("gt_flow_warp_excess", "flow_consistency_before")


def survey_motion(
    transitions: Iterable[Transition], total: int, has_before: bool, progress: ProgressCallback | None = None
) -> dict[str, list[Measurement]]:
    """Measures pairs of consecutive pictures.

    Args:
        transitions: the pairs, as the set reads them.
        total: how many they are.
        has_before: whether each has a source, whose own error is taken away.
        progress: called as progress("measure motion", done, total).

    Returns:
        Measure -> one measurement per pair; empty where there are no pairs.
    """
    results: dict[str, list[Measurement]] = {}
    for done, transition in enumerate(transitions, start=1):
        for measured in _measured(transition, has_before):
            results.setdefault(measured.name, []).append(measured)
        if progress:
            progress("measure motion", done, total)
    return results


def _measured(transition: Transition, has_before: bool) -> list[Measurement]:
    names = [name for name in DEFINITIONS if has_before or name not in NEEDS_BEFORE]
    if transition.problem:
        return [_absent(name, transition.problem) for name in names]
    error = gt_flow_warp_error(*transition.after, *transition.motion)
    consistency = flow_consistency(*transition.after, *transition.motion)
    if transition.before is None:
        return [error, consistency]
    raw = gt_flow_warp_error(*transition.before, *transition.motion)
    seen = flow_consistency(*transition.before, *transition.motion)
    return [error, warp_excess(error, raw), consistency, replace(seen, name="flow_consistency_before")]


def _absent(name: str, reason: str) -> Measurement:
    unit = "px" if name.startswith("flow_consistency") else "linear RGB"
    return Measurement(name, float("nan"), False, unit, "lower", reason)
