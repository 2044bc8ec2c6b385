"""Train the planner of every arm and seed, one after the other: they share the machine's accelerator."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task

from flows.common import RETRIES, is_transient, open_run, run_from_command_line


@task(name="train-planner", task_run_name="train-{arm}-seed-{seed}", retry_condition_fn=is_transient, **RETRIES)
def train_one(config: Path, out: Path | None, overrides: list[str], arm: str, seed: int) -> str:
    """Trains one planner and returns its folder."""
    return str(open_run(config, out, overrides).train(arm, seed))


@flow(name="train-planner")
def train_planner(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> list[str]:
    """Trains every planner of a run and returns their folders."""
    run = open_run(config, out, overrides)
    trainings = [(arm, seed) for arm in run.settings.arms for seed in run.seeds_of(arm)]
    return [train_one(config, out, overrides or [], arm, seed) for arm, seed in trainings]


if __name__ == "__main__":
    run_from_command_line(train_planner)
