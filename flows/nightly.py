"""The whole way, every night: capture → enhance → train → evaluate → report.

Each stage is a flow of its own; what a stage finds complete it leaves alone, so a night that was cut short
goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.capture import capture
from flows.common import open_run, run_from_command_line
from flows.enhance import enhance
from flows.evaluate import evaluate
from flows.report import report
from flows.train_planner import train_planner


@flow(name="nightly", log_prints=True)
def nightly(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> str:
    """Runs every stage of a configuration and returns the report's path."""
    open_run(config, out, overrides).check_everything()
    capture(config, out, overrides)
    enhance(config, out, overrides)
    train_planner(config, out, overrides)
    print(evaluate(config, out, overrides))
    return report(config, out, overrides)


if __name__ == "__main__":
    run_from_command_line(nightly)
