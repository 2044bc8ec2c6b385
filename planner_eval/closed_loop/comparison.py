"""Arms against the baseline over the same routes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner_eval.bootstrap import SegmentBootstrap
from planner_eval.closed_loop.record import DriveRecord
from planner_eval.closed_loop.result import ClosedLoopResult, DrivenArm
from planner_eval.closed_loop.scoring import DRIVE_METRICS
from planner_eval.closed_loop.settings import ClosedLoopSettings


def compare_drives(
    arms: Sequence[tuple[str, str]], drives: Sequence[DriveRecord], domain: str, settings: ClosedLoopSettings
) -> ClosedLoopResult:
    """Intervals over routes (and training seeds), and paired differences to the baseline arm.

    Args:
        arms: name and description of each.
        drives: of every arm and seed on every route.
        domain: what was driven in.
        settings: of the drives.
    """
    bootstrap = SegmentBootstrap(settings.resamples, settings.seed, settings.confidence)
    routes = sorted({drive.route for drive in drives})
    by_arm = {name: _table([drive for drive in drives if drive.arm == name], routes) for name, _ in arms}
    compared = []
    for name, description in arms:
        scores, differences = {}, {}
        for metric_name, metric in DRIVE_METRICS.items():
            values, baseline = (
                np.array([[metric.value(drive) for drive in row] for row in by_arm[arm]])
                for arm in (name, settings.baseline)
            )
            scores[metric_name] = bootstrap.mean(values, routes)
            if name != settings.baseline:
                differences[metric_name] = bootstrap.paired_difference(values, baseline, routes)
        own = [drive for drive in drives if drive.arm == name]
        endings = {ending: sum(d.ending == ending for d in own) for ending in sorted({d.ending for d in own})}
        seeds = tuple(sorted({drive.seed for drive in own}))
        compared.append(DrivenArm(name, description, seeds, scores, differences, endings))
    return ClosedLoopResult(domain, settings.model_dump(mode="json"), tuple(compared), tuple(drives))


def _table(drives: Sequence[DriveRecord], routes: Sequence[str]) -> list[list[DriveRecord]]:
    """One row per seed, one drive per route."""
    found = {(drive.seed, drive.route): drive for drive in drives}
    return [[found[seed, route] for route in routes] for seed in sorted({drive.seed for drive in drives})]
