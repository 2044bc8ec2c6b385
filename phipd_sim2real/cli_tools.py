"""What the sub-commands share: options, progress, and results for people or machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[Path, typer.Option("--config", help="Run configuration (YAML).")]
Out = Annotated[Path | None, typer.Option("--out", help="Run folder; default runs/NAME of the configuration.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SECTION.KEY=VALUE]...", help="Values that replace the configuration's."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def with_progress(work: Callable[[Any], Any]) -> Any:
    """Does work(progress) under a progress display."""
    from phipd_sim2real.progress import ProgressDisplay

    with ProgressDisplay() as progress:
        return work(progress)


def emit(value: Any, text: str, as_json: bool) -> None:
    """Prints a result: JSON for machines, else its text."""
    print(json.dumps(value, indent=2) if as_json else text)
