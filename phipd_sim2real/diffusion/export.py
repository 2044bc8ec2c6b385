"""From a training state to a model folder that `from_pretrained` loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DModel

from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.models import INDEX, weights_sha256
from phipd_sim2real.diffusion.pipeline import PhasePipeline
from phipd_sim2real.files import write_json

RECORD = "fit.json"


def finished(out: Path, identity: str, steps: int) -> bool:
    """Whether a folder holds the model of this very fit."""
    record = out / RECORD
    if not record.exists():
        return False
    values = json.loads(record.read_text())
    return values["identity"] == identity and values["settings"]["steps"] == steps


def export(
    out: Path,
    pipeline: PhasePipeline,
    state: TrainingState,
    settings: FitSettings,
    images: UnpairedImages,
    identity: str,
) -> None:
    """Writes the averaged weights in half precision as a diffusers folder, and `fit.json`, which says how, last."""
    # A model that was loaded remembers from where, which is nobody's business but this machine's.
    unet = UNet2DModel.from_config({k: v for k, v in pipeline.unet.config.items() if k != "_name_or_path"})
    unet.load_state_dict(state.ema)
    config = pipeline.config
    for parameter in unet.parameters():
        parameter.data = parameter.data.half()
    model = PhasePipeline(unet, FlowMatchEulerDiscreteScheduler(), config.patch, config.margin, config.max_cutoff)
    staging = out / ".export"
    shutil.rmtree(staging, ignore_errors=True)
    model.save_pretrained(staging)
    files = sorted((path for path in staging.rglob("*") if path.is_file()), key=lambda path: path.name == INDEX)
    for path in files:
        final = out / path.relative_to(staging)
        final.parent.mkdir(parents=True, exist_ok=True)
        path.replace(final)
    shutil.rmtree(staging)
    write_json(out / RECORD, _record(out, state, settings, images, identity))


def _record(
    out: Path, state: TrainingState, settings: FitSettings, images: UnpairedImages, identity: str
) -> dict[str, Any]:
    values = settings.model_dump(mode="json") | {"data": settings.data.name}
    last = state.losses[-settings.checkpoint_every :]
    return {
        "settings": values,
        "identity": identity,
        "images": {"count": len(images.encoded), "domain": images.domain, "sha256": images.sha256},
        "loss": round(sum(last) / len(last), 6),
        "parameters": sum(value.numel() for value in state.ema.values()),
        "weights_sha256": weights_sha256(out),
    }
