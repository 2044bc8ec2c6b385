"""Fit a phase-preserving model to unpaired images, as a flow."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task

from flows.common import RETRIES, is_transient, log_progress, run_from_command_line
from phipd_sim2real.settings import load_settings


@task(name="fit-model", retry_condition_fn=is_transient, **RETRIES)
def fit_model(config: Path, out: Path, overrides: list[str]) -> str:
    """Fits the model, from its last checkpoint where there is one, and returns its folder."""
    from phipd_sim2real.diffusion.fit import fit as fit_to
    from phipd_sim2real.diffusion.fit_settings import FitSettings

    return str(fit_to(load_settings(FitSettings, config, overrides), out, log_progress(every=100)))


@flow(name="fit")
def fit(config: Path, out: Path | None = None, overrides: list[str] | None = None) -> str:
    """Fits the model of a configuration such as configs/models/street-small.yaml."""
    return fit_model(config, out or Path("runs") / config.stem, overrides or [])


if __name__ == "__main__":
    run_from_command_line(fit)
