"""What the report of a study shows beside that of an evaluation: choices, standing, pictures' measures, gate."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from planner_eval.bootstrap import Interval
from planner_eval.closed_loop.result import ClosedLoopResult
from planner_eval.closed_loop.scoring import DRIVE_METRICS
from planner_eval.closed_loop.table import SHOWN
from planner_eval.report import headline as words
from planner_eval.report.sweep_plot import sweep_plot
from planner_eval.result import EvaluationResult
from planner_eval.study import COMPARED, Choice, Standing


@dataclass(frozen=True, eq=False)
class StudySection:
    """What a study knows beside its evaluation.

    Attributes:
        choices: made on the validation drives.
        standing: of the treated arm on the test drives.
        validation: what the validation drives are, in words.
        measures: arm -> measure -> value (None where there is none), n and reason, of its training pictures.
        measured: measure -> unit and better direction.
        samples: arm -> frames that its planners were trained on.
        gate: gated arm -> what became of its frames -> how many.
        closed_loop: the arms at the wheel; None where that was left out.
    """

    choices: Sequence[Choice]
    standing: Standing
    validation: str
    measures: Mapping[str, Mapping[str, Mapping[str, Any]]]
    measured: Mapping[str, tuple[str, str]]
    samples: Mapping[str, int]
    gate: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    closed_loop: ClosedLoopResult | None = None

    def as_json(self) -> dict[str, Any]:
        """Everything behind the section."""
        return {
            "choices": [choice.as_json() for choice in self.choices],
            "standing": asdict(self.standing),
            "picture_measures": self.measures,
            "training_samples": self.samples,
            "gate": self.gate,
            "closed_loop": self.closed_loop.summary() if self.closed_loop is not None else None,
        }


def study_context(section: StudySection, result: EvaluationResult, colours: Mapping[str, str]) -> dict[str, Any]:
    """Values of the template."""
    choices = [choice for choice in section.choices if len(choice.scores) > 1]
    plot = sweep_plot(choices, result, section.measures, colours) if choices else ""
    return {
        "section": section,
        "way": [_way_row(section.standing, metric) for metric in COMPARED],
        "rivals": [_rival_row(section.standing, rival) for rival in section.standing.rivals],
        "choices": [_choice_rows(choice, result) for choice in choices],
        "pictures": _picture_table(section),
        "drives": _drive_table(section.closed_loop) if section.closed_loop is not None else None,
        "plot": "data:image/svg+xml;base64," + base64.b64encode(plot.encode()).decode(),
    }


def _percent(interval: Interval, signed: bool) -> str:
    if interval.mean is None:
        return "–"
    sign = "+" if signed else ""
    mean = f"{100 * interval.mean:{sign}.0f} %"
    if interval.low is None or interval.high is None:
        return mean
    return f"{mean} [{100 * interval.low:{sign}.0f}, {100 * interval.high:{sign}.0f}]"


def _way_row(standing: Standing, metric: str) -> dict[str, str]:
    return {
        "metric": metric,
        "relative": _percent(standing.relative[metric], signed=True),
        "way": _percent(standing.way[metric], signed=False),
        "to_ceiling": words.interval_text(standing.to_ceiling[metric], metric, signed=True),
    }


def _rival_row(standing: Standing, rival: str) -> dict[str, Any]:
    differences = standing.rivals[rival]
    cells = [
        {
            "text": words.interval_text(differences[metric], metric, signed=True),
            "verdict": words.verdict(differences[metric], metric),
        }
        for metric in COMPARED
    ]
    return {"rival": rival, "cells": cells}


def _choice_rows(choice: Choice, result: EvaluationResult) -> dict[str, Any]:
    rows = [
        {
            "arm": arm,
            "chosen": arm == choice.arm,
            "validation": words.interval_text(scores["success_rate"], "success_rate"),
            "test": words.interval_text(result.arm(arm).scores["success_rate"], "success_rate"),
            "seeds": len(result.arm(arm).seeds),
        }
        for arm, scores in choice.scores.items()
    ]
    return {"family": choice.family, "rows": rows}


def _picture_table(section: StudySection) -> dict[str, Any]:
    names = [name for name in section.measured if any(name in found for found in section.measures.values())]
    rows = [
        {"arm": arm, "samples": section.samples.get(arm), "cells": [_cell(found.get(name)) for name in names]}
        for arm, found in section.measures.items()
    ]
    heads = [{"name": name, "unit": section.measured[name][0], "better": section.measured[name][1]} for name in names]
    return {"heads": heads, "rows": rows}


def _drive_table(result: ClosedLoopResult) -> dict[str, Any]:
    """Rows of the arms at the wheel, as text."""
    rows = [
        {
            "arm": arm.name,
            "cells": [drive_score(arm.scores[metric], metric) for metric in SHOWN],
            "difference": drive_score(arm.differences.get(SHOWN[0]), SHOWN[0], signed=True),
            "endings": ", ".join(f"{ending} {count}" for ending, count in arm.endings.items()),
        }
        for arm in result.arms
    ]
    heads = [{"name": name, "better": DRIVE_METRICS[name].better} for name in SHOWN]
    routes = result.arms[0].scores[SHOWN[0]].segments
    return {"heads": heads, "rows": rows, "routes": routes, "domain": result.domain, "settings": result.settings}


def drive_score(interval: Interval | None, metric: str, signed: bool = False) -> str:
    """A score of closed-loop drives with its interval; shares in per cent."""
    if interval is None or interval.mean is None:
        return "–"
    factor, digits = (100, 0) if DRIVE_METRICS[metric].unit == "share" else (1, 2)
    sign = "+" if signed else ""
    mean, low, high = (f"{factor * value:{sign}.{digits}f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return "–"
    return f"{found['value']:.3g}"
