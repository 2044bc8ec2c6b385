"""Drives of all arms on the same routes, with intervals over routes, in memory and on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json
from planner_eval.bootstrap import Interval, read_intervals
from planner_eval.closed_loop.record import DriveRecord
from planner_eval.closed_loop.scoring import DRIVE_METRICS
from planner_eval.result_tables import write_table

SCORES, DRIVES = "closed_loop.json", "drives.parquet"


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
        write_json(folder / SCORES, self.summary(), sort_keys=False)

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


def _read_arm(summary: dict[str, Any]) -> DrivenArm:
    return DrivenArm(
        summary["name"],
        summary["description"],
        tuple(summary["seeds"]),
        read_intervals(summary["scores"]),
        read_intervals(summary["differences"]),
        summary["endings"],
    )
