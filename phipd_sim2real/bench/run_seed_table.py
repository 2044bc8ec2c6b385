"""`phipd bench seed-table`: the comparison, its page and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phipd_sim2real.bench.page import as_text, nearest_strength, render_page
from phipd_sim2real.bench.record import record
from phipd_sim2real.bench.seed_table import Comparison, SeedTable, compare
from phipd_sim2real.bench.settings import SeedTableSettings, Twins
from phipd_sim2real.bench.workspace import Workspace
from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.files import write_json, write_text
from phipd_sim2real.progress import ProgressCallback

NUMBERS, PAGE = "table.json", "table.html"


def run_seed_table(settings: SeedTableSettings, out: Path, progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Makes the table, or what is missing of it.

    Args:
        settings: models, clips, targets, candidates.
        out: folder of the benchmark; `table.json` and `table.html` in it are written last.
        progress: called as progress(label, done, total).

    Returns:
        what `table.json` holds, and the printed table under `text`.

    Raises:
        UsageError: as `compare`.
    """
    table = compare(settings, out, progress)
    work = Workspace(out, settings.resamples, settings.bootstrap_seed, progress)
    shown = {"report": _results(work, table.report, table, settings, settings.models)}
    if table.style is not None and settings.style is not None:
        shown["style"] = _results(work, table.style, table, settings, settings.style.models)
    numbers = record(settings, table)
    write_json(out / NUMBERS, numbers)
    write_text(out / PAGE, render_page(settings, table, shown))
    return numbers | {"text": f"{as_text(table)}\nThe page lies in {out / PAGE}."}


def _results(
    work: Workspace, comparison: Comparison, table: SeedTable, settings: SeedTableSettings, models: Twins
) -> list[DriveLog]:
    """Logs of φ-PD and of SDEdit at the strength next to the match, which are there already."""
    quality, sweep = comparison.jpeg_quality, settings.sweep
    ours = sweep.phase_preserving(table.chosen, models.phi_pd, quality)
    theirs = sweep.gaussian(nearest_strength(comparison, table.chosen), models.gaussian, quality)
    return [work.enhance(comparison.clips, setting) for setting in (ours, theirs)]
