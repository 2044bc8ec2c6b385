"""Per-frame truth and plans of an evaluation as parquet tables, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.files import atomic_path
from phipd_sim2real.waymo import SampleKey
from planner_eval.metrics import METRICS
from planner_eval.rfs import WAYPOINTS

if TYPE_CHECKING:
    import pandas as pd

    from planner_eval.result import ArmResult, Array, Truth

KEY_COLUMNS = ("log", "segment", "timestamp_micros")


def samples_table(truth: Truth) -> pd.DataFrame:
    """One row per frame."""
    import pandas as pd

    table = pd.DataFrame([asdict(key) for key in truth.keys], columns=list(KEY_COLUMNS))
    table["failure"] = truth.failures
    table["intent"] = truth.intent
    table["cluster"] = truth.clusters
    table["time_of_day"] = truth.times_of_day
    table["past"] = list(truth.past.reshape(len(table), -1))
    table["future"] = list(truth.future.reshape(len(table), -1))
    table["future_valid"] = list(truth.future_valid)
    return table


def plans_table(keys: Sequence[SampleKey], arms: Sequence[ArmResult]) -> pd.DataFrame:
    """One row per arm, training and frame: the plan and every metric, NaN where it is not valid."""
    import pandas as pd

    columns = [asdict(key) for key in keys]
    tables = []
    for arm in arms:
        for row, plans in enumerate(arm.plans):
            table = pd.DataFrame(columns, columns=list(KEY_COLUMNS))
            table.insert(0, "arm", arm.name)
            table.insert(1, "training", row)
            table["plan"] = list(plans.reshape(len(table), -1))
            for metric, values in arm.values.items():
                table[metric] = values[row]
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes parquet: complete or absent."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_truth(table: pd.DataFrame) -> Truth:
    """From what `samples_table` made."""
    from planner_eval.result import Truth

    keys = table[list(KEY_COLUMNS)].itertuples(index=False, name=None)
    return Truth(
        keys=tuple(SampleKey(*key) for key in keys),
        failures=tuple(table["failure"]),
        past=np.stack(table["past"]).reshape(-1, 16, 6),
        intent=table["intent"].to_numpy(),
        future=np.stack(table["future"]).reshape(-1, WAYPOINTS, 2),
        future_valid=np.stack(table["future_valid"]),
        clusters=tuple(table["cluster"]),
        times_of_day=tuple(table["time_of_day"]),
    )


def read_plans(table: pd.DataFrame, count: int) -> tuple[Array, dict[str, Array]]:
    """(R, N, 20, 2) plans and metric -> (R, N) values of one arm, from its rows of `plans_table`."""
    plans = np.stack(table["plan"]).reshape(-1, count, WAYPOINTS, 2)
    return plans, {metric: table[metric].to_numpy().reshape(-1, count) for metric in METRICS}
