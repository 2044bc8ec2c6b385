"""What is known of a fitted model: its settings, its pictures, its figures, its hashes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from phipd_sim2real.diffusion import lora
from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.families import Family
from phipd_sim2real.diffusion.fit_data import FitData
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.models import weights_sha256
from phipd_sim2real.diffusion.validation import best
from phipd_sim2real.files import sha256_file

CURVE_POINTS = 8


def fit_record(
    out: Path, family: Family, state: TrainingState, settings: FitSettings, data: FitData, identity: str
) -> dict[str, Any]:
    """Everything that `fit.json` and the model card say.

    Args:
        out: folder of the exported model.
        family: its kind.
        state: at the end of the fit.
        settings: of the fit.
        data: of the fit.
        identity: of settings and data, which a continued fit must share.
    """
    adapters = out / lora.WEIGHTS
    merged = settings.lora is None or settings.lora.merge
    return {
        "settings": _shareable(settings),
        "identity": identity,
        **data.provenance(),
        "family": family.name,
        "objective": family.objective,
        "base_sha256": None if settings.initial is None else weights_sha256(settings.initial),
        "loss": round(_mean(state.losses[-settings.checkpoint_every :]), 6),
        "loss_curve": loss_curve(state.losses),
        "validation": None if settings.validation is None else _validation(state, settings.validation.choose),
        "parameters": sum(value.numel() for value in state.ema.values()),
        "weights_sha256": weights_sha256(out) if merged else sha256_file(adapters),
    }


def loss_curve(losses: list[float]) -> list[dict[str, float]]:
    """Mean loss over up to eight equal parts of a fit, each under its last step."""
    parts = min(CURVE_POINTS, len(losses))
    ends = [index * len(losses) // parts for index in range(parts + 1)]
    return [{"step": end, "loss": round(_mean(losses[begin:end]), 6)} for begin, end in pairwise(ends)]


def _validation(state: TrainingState, choose: str) -> dict[str, Any] | None:
    """What was measured at the step whose weights are exported, and by what it was chosen."""
    if not state.validation:
        return None
    step = state.validation[-1].step if choose == "last" else best(state.validation, choose).step
    rows = [row for row in state.validation if row.step == step]
    measures = [vars(row) | {"value": row.value if row.valid else None} for row in rows]
    return {"chosen_by": choose, "step": step, "measures": measures}


def _shareable(settings: FitSettings) -> dict[str, Any]:
    """Settings without the folders of this machine."""
    values = settings.model_dump(mode="json") | {"data": settings.data.name}
    if settings.initial is not None:
        values["initial"] = _last_name(settings.initial)
    for key in ("data", "sources"):
        if settings.validation is not None and values["validation"][key] is not None:
            values["validation"][key] = Path(values["validation"][key]).name
    return values


def _last_name(model: str) -> str:
    return Path(model).name if Path(model).is_absolute() else model


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
