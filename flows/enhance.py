"""Enhance the pictures of every arm, one after the other: they share the machine's accelerator."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task

from flows.common import RETRIES, is_transient, open_run, run_from_command_line


@task(name="enhance-arm", task_run_name="enhance-{arm}", retry_condition_fn=is_transient, **RETRIES)
def enhance_arm(config: Path, out: Path | None, overrides: list[str], arm: str) -> str:
    """Makes the pictures of one arm, all its draws, and returns the folder of the first."""
    return str(open_run(config, out, overrides).draws(arm)[0].root)


@flow(name="enhance")
def enhance(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> dict[str, str]:
    """Makes the pictures of every arm that is not trained on them as captured: arm → folder."""
    arms = open_run(config, out, overrides).settings.arms
    treated = [name for name, arm in arms.items() if arm.is_treated]
    return {name: enhance_arm(config, out, overrides or [], name) for name in treated}


if __name__ == "__main__":
    run_from_command_line(enhance)
