"""Writes `report.html`, one file without outside requests, and `report.json`, the same numbers for machines."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json, write_text
from phipd_sim2real.waymo import PlannerSample, SampleKey
from planner_eval.metrics import METRICS
from planner_eval.report import headline as words
from planner_eval.report.bucket_plot import bucket_plot
from planner_eval.report.cases import Case, CaseGroup, choose_cases
from planner_eval.report.content import ReportContent
from planner_eval.report.drawing import LOG_COLOUR, Line, bird_eye_svg, data_url, draw_on_image
from planner_eval.report.plots import distribution_plot, error_over_time_plot, forest_plot, segment_plot
from planner_eval.report.study_section import study_context
from planner_eval.result import ArmResult, EvaluationResult
from planner_eval.samples import SampleFailure

SampleLoader = Callable[[Collection[SampleKey]], Iterable[PlannerSample | SampleFailure]]

FOREST_METRICS = ("success_rate", "ade_5s", "fde_5s")
BASELINE_COLOUR, TREATED_COLOUR = "#E4572E", "#2D6CDF"
OTHER_COLOURS = ("#8E5BB5", "#C99700", "#17A2B8", "#D36BA6", "#6B8E23")
UNTRAINED_COLOURS = ("#7A8594", "#B4BCC7")


def write_report(
    result: EvaluationResult,
    content: ReportContent,
    load_samples: SampleLoader,
    out: Path,
    others: Sequence[EvaluationResult] = (),
) -> Path:
    """Writes the report of one evaluation.

    Args:
        result: the evaluation that the headline speaks of.
        content: pictures, provenance and words of the run.
        load_samples: keys -> their samples with pictures, for the frames that are drawn, such as
            `lambda keys: samples_from_log(log, cameras, only=keys)`.
        out: folder for `report.html` and `report.json`.
        others: the same arms on other samples, shown as tables.

    Returns:
        Path of `report.html`.

    Raises:
        UsageError: the treated arm is not in the evaluation, or is its baseline.
    """
    if result.arm(content.treated).name == result.baseline:
        raise UsageError(f"The treated arm is {content.treated!r}, the baseline itself; name another arm.")
    groups = choose_cases(result, content.treated)
    write_text(out / "report.html", _html(result, content, groups, load_samples, others))
    write_json(out / "report.json", _json(result, content, groups, others), sort_keys=False)
    return out / "report.html"


def arm_colours(result: EvaluationResult, treated: str) -> dict[str, str]:
    """One colour per arm: strong ones for the two of the headline, grey for what was not trained.

    There are few colours that can be told apart; arms of many seeds, which are compared, get theirs first.
    """
    trained, untrained = iter(OTHER_COLOURS * 9), iter(UNTRAINED_COLOURS * 9)
    colours = {}
    for arm in sorted(result.arms, key=lambda arm: -len(arm.seeds)):
        if arm.name == treated:
            colours[arm.name] = TREATED_COLOUR
        elif arm.name == result.baseline:
            colours[arm.name] = BASELINE_COLOUR
        else:
            colours[arm.name] = next(trained if arm.seeds else untrained)
    return colours


def _html(
    result: EvaluationResult,
    content: ReportContent,
    groups: Sequence[CaseGroup],
    load_samples: SampleLoader,
    others: Sequence[EvaluationResult],
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("planner_eval.report", "."),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    colours = arm_colours(result, content.treated)
    return environment.get_template("page.html.j2").render(
        content=content,
        result=result,
        headline=words.headline(result, content.treated),
        table=_table(result),
        others=[(other, _table(other)) for other in others],
        metrics=METRICS,
        colours=colours,
        log_colour=LOG_COLOUR,
        failures=result.summary()["failures"],
        plots=_plots(result, content, colours),
        groups=_drawn(result, content, groups, load_samples, colours),
        picture=data_url,
        study=study_context(content.study, result, colours) if content.study is not None else None,
    )


def _plots(result: EvaluationResult, content: ReportContent, colours: dict[str, str]) -> dict[str, str]:
    arms = _main_arms(result, content)
    plots = {
        "forest": forest_plot(result, FOREST_METRICS, colours),
        "time": error_over_time_plot(result, arms, colours),
        "distribution": distribution_plot(result, arms, colours),
        "segments": segment_plot(result, content.treated, colours),
    }
    ends = [result.baseline, content.treated] + ([content.study.standing.ceiling] if content.study is not None else [])
    if (buckets := bucket_plot(result, ends, colours)) is not None:
        plots["buckets"] = buckets
    return {name: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode() for name, svg in plots.items()}


def _main_arms(result: EvaluationResult, content: ReportContent) -> list[str]:
    """Arms that a plot with a legend has room for: of a study's, the floors and those that its comparisons name."""
    if content.study is None:
        return [arm.name for arm in result.arms]
    standing = content.study.standing
    named = {standing.baseline, standing.treated, standing.ceiling, *standing.rivals}
    return [arm.name for arm in result.arms if not arm.seeds or arm.name in named]


def _table(result: EvaluationResult) -> dict[str, Any]:
    """Rows of the arms' table, as text."""
    metrics = result.metrics()
    return {"metrics": metrics, "rows": [_row(result, arm, metrics) for arm in result.arms]}


def _row(result: EvaluationResult, arm: ArmResult, metrics: Sequence[str]) -> dict[str, Any]:
    success = arm.scores["success_rate"]
    cells = [
        {
            "value": words.value(arm, metric),
            "range": words.range_text(arm.scores[metric], metric),
            "count": "" if arm.scores[metric].valid == success.valid else f"n = {arm.scores[metric].valid}",
        }
        for metric in metrics
    ]
    difference = arm.differences.get("success_rate")
    return {
        "arm": arm,
        "seeds": words.seeds_text(arm),
        "count": f"{success.valid} / {success.total}",
        "cells": cells,
        "difference": words.number(difference.mean, "success_rate", signed=True) if difference else "baseline",
        "difference_range": words.range_text(difference, "success_rate", signed=True) if difference else "",
        "verdict": words.verdict(difference, "success_rate") if difference else "",
    }


def _drawn(
    result: EvaluationResult,
    content: ReportContent,
    groups: Sequence[CaseGroup],
    load_samples: SampleLoader,
    colours: dict[str, str],
) -> list[dict[str, Any]]:
    """The chosen frames with pictures; one that cannot be loaded any more is left out."""
    keys = {case.key for group in groups for case in group.cases}
    samples = {item.key: item for item in load_samples(keys) if isinstance(item, PlannerSample)}
    return [
        {
            "title": group.title,
            "rule": group.rule,
            "cases": [
                _drawn_case(result, content, case, samples[case.key], colours)
                for case in group.cases
                if case.key in samples
            ],
        }
        for group in groups
    ]


def _drawn_case(
    result: EvaluationResult,
    content: ReportContent,
    case: Case,
    sample: PlannerSample,
    colours: dict[str, str],
) -> dict[str, Any]:
    """Both arms of the headline on the picture, every trained arm in the view from above."""
    camera = min(sample.images)
    lines = {arm.name: Line(arm.name, colours[arm.name], arm.plans[0, case.index]) for arm in result.arms if arm.seeds}
    pair = [lines[name] for name in (result.baseline, content.treated) if name in lines]
    image = draw_on_image(sample.images[camera], sample.calibrations[camera], sample.future, pair)
    return {
        "case": case,
        "speed": float(result.truth.initial_speed[case.index]),
        "image": data_url(image),
        "bev": bird_eye_svg(sample.future, sample.past[:, :2], list(lines.values())),
        "errors": [(name, colours[name], error) for name, error in case.errors.items() if name in lines],
    }


def _json(
    result: EvaluationResult,
    content: ReportContent,
    groups: Sequence[CaseGroup],
    others: Sequence[EvaluationResult],
) -> dict[str, Any]:
    return {
        "title": content.title,
        "stand_in": content.stand_in,
        "headline": asdict(words.headline(result, content.treated)) | {"treated": content.treated},
        "evaluation": result.summary(),
        "other_evaluations": [other.summary() for other in others],
        "cases": [asdict(group) for group in groups],
        "provenance": [asdict(entry) | {"facts": dict(entry.facts)} for entry in content.provenance],
        "recipe": dict(content.recipe),
        "not_run": list(content.not_run),
        **({"study": content.study.as_json()} if content.study is not None else {}),
    }
