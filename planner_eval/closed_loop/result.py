"""Drives of all arms on the same routes, with intervals over routes, in memory and on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json
from planner_eval.bootstrap import Interval, SegmentBootstrap
from planner_eval.closed_loop.settings import ClosedLoopSettings
from planner_eval.result_tables import write_table

SCORES, DRIVES = "closed_loop.json", "drives.parquet"


@dataclass(frozen=True)
class DriveRecord:
    """One drive of one planner on one route.

    Attributes:
        arm, seed, route: who, and where.
        ending: "completed", "collision", "off_road", "left_route" or "timed_out".
        success: completed without any infraction.
        completion: share of the route that was driven, from where the planner took over.
        seconds: it took.
        distance_m: driven.
        collisions: kind ("vehicle", "walker", "static") -> events.
        red_lights: stop lines crossed while their light was red.
        oncoming_s: time in the oncoming lane.
        mean_off_route_m: mean distance of the rear axle from the middle of the lane.
    """

    arm: str
    seed: int
    route: str
    ending: str
    success: bool
    completion: float
    seconds: float
    distance_m: float
    collisions: dict[str, int]
    red_lights: int
    oncoming_s: float
    mean_off_route_m: float


@dataclass(frozen=True)
class DrivenArm:
    """One arm on all routes.

    Attributes:
        name: of the arm.
        description: one line for tables.
        seeds: training seeds; 0 stands for a planner that has none.
        scores: metric -> mean with its interval.
        differences: metric -> paired difference to the baseline arm; empty for that arm itself.
        endings: ending -> number of drives.
    """

    name: str
    description: str
    seeds: tuple[int, ...]
    scores: dict[str, Interval]
    differences: dict[str, Interval]
    endings: dict[str, int]


@dataclass(frozen=True)
class ClosedLoopResult:
    """All arms.

    Attributes:
        domain: what was driven in, such as "carla-protocol simulator".
        settings: as written to disk.
        arms: in the order of the tables.
        drives: all of them, by arm, seed and route.
    """

    domain: str
    settings: dict[str, Any]
    arms: tuple[DrivenArm, ...]
    drives: tuple[DriveRecord, ...]

    def summary(self) -> dict[str, Any]:
        """Everything but the single drives, as JSON values."""
        from planner_eval.closed_loop.scoring import DRIVE_METRICS

        metrics = {name: {"unit": metric.unit, "better": metric.better} for name, metric in DRIVE_METRICS.items()}
        return {
            "domain": self.domain,
            "settings": self.settings,
            "metrics": metrics,
            "arms": [asdict(arm) | {"seeds": list(arm.seeds)} for arm in self.arms],
        }

    def save(self, folder: Path) -> None:
        """Writes `drives.parquet` and, last, `closed_loop.json`."""
        import pandas as pd

        rows = [asdict(drive) | {"collisions": json.dumps(drive.collisions)} for drive in self.drives]
        write_table(folder / DRIVES, pd.DataFrame(rows))
        write_json(folder / SCORES, self.summary())

    @classmethod
    def load(cls, folder: Path) -> ClosedLoopResult:
        """Reads what `save` wrote.

        Raises:
            UsageError: the folder holds no finished drives.
        """
        if not (folder / SCORES).is_file():
            raise UsageError(f"{folder} holds no finished closed-loop drives ({SCORES} is absent); drive them first.")
        import pandas as pd

        summary = json.loads((folder / SCORES).read_text())
        rows = pd.read_parquet(folder / DRIVES).to_dict("records")
        drives = tuple(DriveRecord(**row | {"collisions": json.loads(row["collisions"])}) for row in rows)
        return cls(summary["domain"], summary["settings"], tuple(map(_read_arm, summary["arms"])), drives)


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
    from planner_eval.closed_loop.scoring import DRIVE_METRICS

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


def _read_arm(summary: dict[str, Any]) -> DrivenArm:
    def intervals(kind: str) -> dict[str, Interval]:
        return {metric: Interval(**interval) for metric, interval in summary[kind].items()}

    return DrivenArm(
        summary["name"],
        summary["description"],
        tuple(summary["seeds"]),
        intervals("scores"),
        intervals("differences"),
        summary["endings"],
    )
