"""Capture the run's drive logs, one task per log; segments inside a log resume by their markers."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from flows.common import RETRIES, is_transient, open_run, results_of, run_from_command_line


@task(name="capture-log", task_run_name="capture-{log}", retry_condition_fn=is_transient, **RETRIES)
def capture_log(config: Path, out: Path | None, overrides: list[str], log: str) -> str:
    """Captures one log and returns its folder."""
    return str(open_run(config, out, overrides).capture(log).root)


@flow(name="capture", task_runner=ThreadPoolTaskRunner(max_workers=4))
def capture(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> dict[str, str]:
    """Captures every log of a run: log → folder."""
    names = open_run(config, out, overrides).settings.capture
    return results_of({name: capture_log.submit(config, out, overrides or [], name) for name in names})


if __name__ == "__main__":
    run_from_command_line(capture)
