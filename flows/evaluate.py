"""Score every planner and baseline of a run, and show the table as an artifact."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from flows.common import RETRIES, is_transient, open_run, run_from_command_line


@task(name="evaluate-run", retry_condition_fn=is_transient, **RETRIES)
def evaluate_run(config: Path, out: Path | None, overrides: list[str]) -> str:
    """Evaluates and returns the table as text."""
    return open_run(config, out, overrides).evaluate()["text"]


@flow(name="evaluate")
def evaluate(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> str:
    """Evaluates a run and returns its table."""
    table = evaluate_run(config, out, overrides or [])
    create_markdown_artifact(f"```\n{table}\n```", key="planner-scores", description="Planners on the evaluation data")
    return table


if __name__ == "__main__":
    run_from_command_line(evaluate)
