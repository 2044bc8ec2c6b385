"""The seed's table for people: a page with pictures and the whole sweep, and the same rows as text."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from phipd_sim2real.bench.clips import pictures
from phipd_sim2real.bench.figures import Curve, curves_figure, svg
from phipd_sim2real.bench.measures import FRAME_MEASURES, SetMeasures
from phipd_sim2real.bench.record import INTERPOLATION, INTERVALS, rows
from phipd_sim2real.bench.resampling import Estimate, estimate
from phipd_sim2real.bench.seed_table import REPORTED, Comparison, Row, SeedTable
from phipd_sim2real.bench.settings import SeedTableSettings
from phipd_sim2real.drivelog import DriveLog, encode_jpeg

SHOWN_CLIPS = 4
PAGE_QUALITY = 90
NO_VALUE = "—"


def render_page(settings: SeedTableSettings, table: SeedTable, results: dict[str, list[DriveLog]]) -> str:
    """Makes the page.

    Args:
        settings: of the table.
        table: what was measured.
        results: comparison -> logs of φ-PD and of SDEdit at the sweep's strength next to the match.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("phipd_sim2real.bench"), autoescape=True, trim_blocks=True)
    parts = [_part("Toward the target look", table.report, table, results["report"])]
    if table.style is not None:
        parts.append(_part(f"Toward the look {settings.style.look!r}", table.style, table, results["style"]))
    parts.append(_part("Where the setting was chosen: other clips on other maps", table.selection, table, []))
    return environment.get_template("table.html.j2").render(
        setting=table.chosen,
        steps=settings.sweep.steps,
        interpolation=INTERPOLATION,
        intervals=INTERVALS,
        rows=[_cells(row) for row in rows(table)],
        parts=parts,
    )


def as_text(table: SeedTable) -> str:
    """The rows as a printed table."""
    head = ("measure", "source", "φ-PD", "SDEdit matched", "gain (95 %)", "goal", "N")
    cells = [_cells(row) for row in rows(table)]
    lines = [
        (
            f"{cell['name']} ({cell['unit']}, {cell['better']})",
            cell["source"],
            cell["ours"],
            cell["theirs"],
            f"{cell['gain']} {cell['gain_interval']}",
            cell["goal"],
            cell["count"],
        )
        for cell in cells
    ]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in [head, *lines]]
    strength = table.report.matched_strength(table.chosen)[0]
    text.append(f"φ-PD setting {table.chosen}, chosen on other clips; SDEdit matches its realism at {strength:.2f}.")
    return "\n".join(line.rstrip() for line in text)


def nearest_strength(comparison: Comparison, name: str) -> float:
    """The sweep's strength nearest to the match, at least its first."""
    swept = np.array(comparison.strengths[1:])
    return float(swept[np.abs(swept - comparison.matched_strength(name)[0]).argmin()])


def _cells(row: Row) -> dict[str, str]:
    definition = FRAME_MEASURES[row.measure].definition if row.measure in FRAME_MEASURES else ""
    return {
        "name": row.measure,
        "definition": definition,
        "unit": row.unit,
        "better": row.better,
        "source": _number(row.source.value),
        "ours": _number(row.ours.value),
        "ours_interval": _interval(row.ours),
        "theirs": _number(row.theirs.value),
        "theirs_interval": _interval(row.theirs),
        "gain": _percent(row.gain.value),
        "gain_interval": f"[{_percent(row.gain.low)}, {_percent(row.gain.high)}]",
        "goal": _percent(row.goal) if row.goal is not None else "",
        "count": f"{row.frames} frames, {row.clips} clips",
    }


def _part(title: str, comparison: Comparison, table: SeedTable, results: Sequence[DriveLog]) -> dict[str, Any]:
    style = comparison is table.style
    measure = table.style_measure if style else "flow_epe"
    columns = ["flow_epe", "flow_consistency", *(["structure_to_truth", "colour_to_truth"] if style else REPORTED[2:])]
    return {
        "title": title,
        "note": _note(comparison),
        "pictures": list(_pictures(comparison, table.chosen, results)) if results else [],
        "plot": _plot(comparison, measure),
        "columns": ["texture KID", "gap closed", "Lab Fréchet", *columns],
        "settings": list(_settings(comparison, table.chosen, columns)),
    }


def _note(comparison: Comparison) -> str:
    maps = ", ".join(comparison.clips.log.provenance.config["maps"])
    target = comparison.target.log.provenance.config
    return (
        f"{len(comparison.clips.log.segments)} clips on {maps}, {len(comparison.sweep[0].clip_of)} frames; realism "
        f"against {len(comparison.target.log.segments)} drives of the look {target['look']!r} on "
        f"{', '.join(target['maps'])}."
    )


def _settings(comparison: Comparison, chosen: str, columns: Sequence[str]) -> Iterator[tuple[str, bool, list[str]]]:
    for strength, item, kid in zip(comparison.strengths, comparison.sweep, comparison.sweep_kid(), strict=True):
        name = f"SDEdit, strength {strength}" if strength else "source"
        closed = 1 - kid[0] / comparison.sweep_kid()[0, 0]
        yield name, False, _values(comparison, item, kid, closed, columns)
    for name, item in comparison.candidates.items():
        values = _values(comparison, item, comparison.kid(name), comparison.gap_closed(name), columns)
        yield f"φ-PD, {name}", name == chosen, values


def _values(
    comparison: Comparison, item: SetMeasures, kid: np.ndarray, closed: float, columns: Sequence[str]
) -> list[str]:
    found = [estimate(item.mean(name, comparison.weights)).value for name in columns]
    head = [_number(float(kid[0])), f"{100 * closed:.0f} %", _number(comparison.target.frechet(item))]
    return head + [_number(value) for value in found]


def _plot(comparison: Comparison, measure: str) -> str:
    weights = comparison.weights
    swept = [estimate(item.mean(measure, weights)) for item in comparison.sweep]
    realism = [estimate(kid) for kid in comparison.sweep_kid()]
    sdedit = _curve("SDEdit (Gaussian twin)", False, [f"{s:g}" for s in comparison.strengths], swept, realism)
    names = list(comparison.candidates)
    ours = [estimate(comparison.candidates[name].mean(measure, weights)) for name in names]
    phi_pd = _curve("φ-PD", True, names, ours, [estimate(comparison.kid(name)) for name in names])
    unit = FRAME_MEASURES[measure].unit
    labels = (f"{measure} ({unit}), left is better", "texture KID to the look, lower is more realistic")
    return svg(curves_figure([phi_pd, sdedit], None, None, labels, f"{measure} against realism"))


def _curve(name: str, ours: bool, labels: Sequence[str], x: Sequence[Estimate], y: Sequence[Estimate]) -> Curve:
    intervals = [[(item.low, item.high) for item in values] for values in (x, y)]
    return Curve(name, ours, labels, [item.value for item in x], [item.value for item in y], *intervals)


def _pictures(comparison: Comparison, chosen: str, results: Sequence[DriveLog]) -> Iterator[list[tuple[str, str]]]:
    """One line of pictures per shown clip: source, φ-PD, SDEdit, and the truth or a target picture."""
    ours, theirs = results
    clips = comparison.clips.clips
    for index in np.linspace(0, len(clips) - 1, min(SHOWN_CLIPS, len(clips))).round().astype(int):
        clip = clips[index]
        middle = len(clip.pictures) // 2
        line = [
            ("source", clip.pictures[middle]),
            (f"φ-PD, {chosen}", pictures(ours, clip.segment)[middle]),
            (
                f"SDEdit, strength {nearest_strength(comparison, chosen):g}",
                pictures(theirs, clip.segment)[middle],
            ),
        ]
        if clip.truth is not None:
            line.append(("the same moment in the other look", clip.truth[middle]))
        else:
            log = comparison.target.log
            line.append(("a picture of the target look", pictures(log, log.segments[index % len(log.segments)])[0]))
        yield [(caption, _url(picture)) for caption, picture in line]


def _url(picture: np.ndarray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture, PAGE_QUALITY)).decode()


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else NO_VALUE


def _interval(item: Estimate) -> str:
    return f"[{_number(item.low)}, {_number(item.high)}]"


def _percent(value: float) -> str:
    return f"{value:+.1f} %" if np.isfinite(value) else NO_VALUE
