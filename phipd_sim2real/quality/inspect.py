"""Inspecting a drive log or an enhanced folder: one HTML page and the same numbers as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json, write_text
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.colour import lab_frechet
from phipd_sim2real.quality.folder_frames import FolderFrames
from phipd_sim2real.quality.frames import Check, FrameSet
from phipd_sim2real.quality.measurement import Measurement
from phipd_sim2real.quality.page import render_page
from phipd_sim2real.quality.survey import Survey, survey

PAGE, NUMBERS = "inspect.html", "inspect.json"
WORST_CASES, TYPICAL_CASES = 10, 10


def inspect(
    path: Path,
    out: Path | None = None,
    progress: ProgressCallback | None = None,
    source: Path | None = None,
    max_frames: int = 400,
) -> Path:
    """Writes a page that shows frames before and after, with structure measures and label checks.

    Args:
        path: an enhanced folder, an enhanced drive log, or a captured drive log (no before: labels only).
        out: folder for `inspect.html` and `inspect.json`; None takes `path / "inspect"`.
        progress: called as progress(label, done, total).
        source: what `path` was made from; None finds it by the provenance.
        max_frames: frames that are measured, spread evenly over all.

    Returns:
        The page.

    Raises:
        UsageError: `path` is neither a drive log nor an enhanced folder, or its source is absent.
    """
    frames = _open(path, source)
    names = frames.names()
    result = survey(frames, evenly(names, max_frames), progress)
    checks = frames.checks()
    worst = result.worst_first()[:WORST_CASES] if frames.has_before else []
    typical = evenly([name for name in result.names if name not in worst], TYPICAL_CASES)
    out = out or path / "inspect"
    write_json(out / NUMBERS, _numbers(frames, result, checks, len(names)))
    page = render_page(frames, result, checks, worst, typical, len(names), progress)
    write_text(out / PAGE, page)
    return out / PAGE


def evenly(names: Sequence[str], count: int) -> list[str]:
    """At most `count` of the names, spread evenly, the first and the last among them."""
    if len(names) <= count:
        return list(names)
    return [names[round(index * (len(names) - 1) / max(count - 1, 1))] for index in range(count)]


def _open(path: Path, source: Path | None) -> FrameSet:
    if not path.is_dir():
        raise UsageError(f"There is no folder {path}; give a drive log or an enhanced folder.")
    if (path / "manifest.json").is_file():
        return FolderFrames(path, source)
    if (path / "_complete").is_dir():
        from phipd_sim2real.quality.log_frames import open_log

        return open_log(path, source)
    if (path / "provenance.json").is_file():
        raise UsageError(f"{path} was begun and nothing in it is complete; run the command that made it to its end.")
    raise UsageError(
        f"{path} is neither a drive log nor an enhanced folder; give what `phipd capture` or `phipd enhance` wrote."
    )


def _numbers(frames: FrameSet, result: Survey, checks: Sequence[Check], total: int) -> dict[str, Any]:
    """What the page says, for machines; a missing value is null with its reason."""
    moved = lab_frechet(result.before, result.after)
    return {
        "title": frames.title,
        "facts": frames.facts,
        "frames_total": total,
        "frames_measured": len(result.names),
        "measures": {
            summary.name: {
                "unit": summary.unit,
                "better": summary.better,
                "mean": _finite(summary.mean),
                "half_width_95": _finite(summary.half_width),
                "valid": summary.valid,
                "total": summary.total,
                "reasons": summary.reasons,
            }
            for summary in result.summaries()
        },
        "lab_frechet_before_to_after": {
            "value": _finite(moved.value),
            "unit": moved.unit,
            "reason": moved.reason,
        },
        "checks": {
            check.name: {"passed": check.passed, "total": check.total, "failures": list(check.failures)}
            for check in checks
        },
        "problems": result.problems,
        "worst_first": result.worst_first() if frames.has_before else [],
        "frames": [
            {"name": name} | {measure: _value(values[index]) for measure, values in result.measurements.items()}
            for index, name in enumerate(result.names)
        ],
    }


def _value(measurement: Measurement) -> float | None:
    return measurement.value if measurement.valid else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
