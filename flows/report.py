"""Write the report of an evaluated run."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task

from flows.common import RETRIES, is_transient, open_run, run_from_command_line


@task(name="write-report", retry_condition_fn=is_transient, **RETRIES)
def write_report(config: Path, out: Path | None, overrides: list[str]) -> str:
    """Writes the report and returns the page's path."""
    return open_run(config, out, overrides).report()["page"]


@flow(name="report")
def report(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> str:
    """Writes report.html and report.json of a run and returns the page's path."""
    return write_report(config, out, overrides or [])


if __name__ == "__main__":
    run_from_command_line(report)
