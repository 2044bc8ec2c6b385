"""A study: what does not ship is made, every arm is captured, treated and trained, one per choice is tested and driven.

The stages are the flows of a run; a study that was cut short goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task

from flows.capture import capture
from flows.common import RETRIES, is_transient, open_run, run_from_command_line
from flows.enhance import enhance
from flows.evaluate import evaluate
from flows.report import report
from flows.train_planner import train_planner
from phipd_sim2real.errors import UsageError
from phipd_sim2real.study import Study


def open_study(config: Path, out: Path | None, overrides: list[str] | None) -> Study:
    """The study of a configuration.

    Raises:
        UsageError: it describes a run without choices.
    """
    study = open_run(config, out, overrides)
    if not isinstance(study, Study):
        raise UsageError(f"{config} describes no study: it has no choices; use flows.nightly for it.")
    return study


@task(name="prepare", retry_condition_fn=is_transient, **RETRIES)
def prepare(config: Path, out: Path | None, overrides: list[str]) -> list[str]:
    """Makes what does not ship and returns its folders."""
    return open_study(config, out, overrides).prepare()["prepared"]


@task(name="choose", retry_condition_fn=is_transient, **RETRIES)
def choose(config: Path, out: Path | None, overrides: list[str]) -> dict[str, str]:
    """Chooses on the validation drives: family → arm."""
    return {name: choice.arm for name, choice in open_study(config, out, overrides).choose().items()}


@task(name="drive", retry_condition_fn=is_transient, **RETRIES)
def drive(config: Path, out: Path | None, overrides: list[str]) -> str:
    """Puts planners at the wheel and returns the table of their drives."""
    from planner_eval.closed_loop import closed_loop_table

    driven = open_study(config, out, overrides).drive()
    return "This study leaves the closed loop out." if driven is None else closed_loop_table(driven)


@flow(name="study", log_prints=True)
def study(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> str:
    """Runs a whole study and returns the report's path."""
    prepare(config, out, overrides or [])
    open_study(config, out, overrides).check_everything()
    capture(config, out, overrides)
    enhance(config, out, overrides)
    train_planner(config, out, overrides)
    print(choose(config, out, overrides or []))
    train_planner(config, out, overrides)  # the winners' other seeds
    print(drive(config, out, overrides or []))
    print(evaluate(config, out, overrides))
    return report(config, out, overrides)


if __name__ == "__main__":
    run_from_command_line(study)
