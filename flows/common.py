"""What the flows share: waiting for tasks without losing a failure, retries, and the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from phipd_sim2real import opening
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.run import Run

RETRIES = {"retries": 1, "retry_delay_seconds": 10}


def is_transient(task: Task, run: TaskRun, state: State) -> bool:
    """Retry condition: a stage that failed may be tried again, bad input and exhausted memory may not."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageError | ConnectionError | TimeoutError)


def results_of(futures: Mapping[str, PrefectFuture[Any]]) -> dict[str, Any]:
    """Waits for every task, then returns their results by name or raises with all the failures.

    A flow that does not ask its futures ends as Completed whatever became of them.

    Raises:
        UsageError: every failure is bad input.
        StageError: with the count and the reason of each failure.
    """
    for future in futures.values():
        future.wait()
    failed = {name: future.state for name, future in futures.items() if not future.state.is_completed()}
    if not failed:
        return {name: future.state.result() for name, future in futures.items()}
    errors = {name: state.result(raise_on_failure=False) for name, state in failed.items()}
    text = " ".join(f"{name}: {error}" for name, error in errors.items())
    if all(isinstance(error, UsageError) for error in errors.values()):
        raise UsageError(text)
    raise StageError(f"{len(failed)} of {len(futures)} tasks failed. {text}")


def open_run(config: Path, out: Path | None, overrides: Sequence[str] | None) -> Run:
    """The run or study of a configuration, with progress in the flow run's log.

    Raises:
        UsageError: the configuration is not valid.
    """
    return opening.open_run(config, out, overrides or (), log_progress())


def log_progress(every: int = 10) -> ProgressCallback:
    """A progress callback that writes every `every`-th step into the run's log."""
    logger = get_run_logger()

    def progress(label: str, done: int, total: int) -> None:
        if done == total or done % every == 0:
            logger.info("%s: %d/%d", label, done, total)

    return progress


def run_from_command_line(flow: Callable[..., Any], arguments: Sequence[str] | None = None) -> None:
    """`python -m flows.NAME --config FILE [--out DIR] [section.key=value ...]`, with phipd's exit codes."""
    parser = argparse.ArgumentParser(description=flow.__doc__)
    parser.add_argument("--config", type=Path, required=True, help="run configuration (YAML)")
    parser.add_argument("--out", type=Path, default=None, help="run folder; default runs/NAME")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="values that replace the file's")
    given = parser.parse_args(arguments)
    try:
        flow(config=given.config, out=given.out, overrides=given.overrides)
    except UsageError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
    except StageError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(1)
