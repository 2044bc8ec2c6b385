"""`phipd bench`: the method against its rival."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phipd_sim2real.cli_tools import Json, Overrides, emit, with_progress

bench = typer.Typer(no_args_is_help=True, help="Measure the method against its rival, from configurations alone.")
BenchConfig = Annotated[Path, typer.Option("--config", help="Benchmark configuration (YAML).")]
BenchOut = Annotated[Path, typer.Option("--out", help="Folder of the benchmark; what is complete in it is kept.")]


@bench.command()
def seed_table(config: BenchConfig, out: BenchOut, overrides: Overrides = None, as_json: Json = False) -> None:
    """Compare φ-PD with Gaussian SDEdit at matched realism: re-rendering, style transfer, flow."""
    from phipd_sim2real.bench.run_seed_table import run_seed_table
    from phipd_sim2real.bench.settings import SeedTableSettings
    from phipd_sim2real.settings import load_settings

    settings = load_settings(SeedTableSettings, config, overrides or ())
    result = with_progress(lambda progress: run_seed_table(settings, out, progress))
    emit(result, result.pop("text"), as_json)


@bench.command()
def curves(config: BenchConfig, out: BenchOut, overrides: Overrides = None, as_json: Json = False) -> None:
    """Draw realism against label safety over cutoffs, beside SDEdit over strengths."""
    from phipd_sim2real.bench.curves import run_curves
    from phipd_sim2real.bench.settings import CurvesSettings
    from phipd_sim2real.settings import load_settings

    settings = load_settings(CurvesSettings, config, overrides or ())
    result = with_progress(lambda progress: run_curves(settings, out, progress))
    emit(result, result.pop("text"), as_json)
