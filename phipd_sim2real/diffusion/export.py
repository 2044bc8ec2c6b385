"""From a training state to a model folder that can be loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from phipd_sim2real.diffusion import lora
from phipd_sim2real.diffusion.card import card
from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.families import Family, load_family
from phipd_sim2real.diffusion.fit_data import FitData
from phipd_sim2real.diffusion.fit_record import fit_record
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.models import INDEX, model_folder
from phipd_sim2real.files import write_json, write_text

RECORD = "fit.json"
CARD = "README.md"
LAST = (INDEX, lora.RECORD)  # what makes a folder a model


def finished(out: Path, identity: str, steps: int) -> bool:
    """Whether a folder holds the model of this very fit."""
    record = out / RECORD
    if not record.exists():
        return False
    values = json.loads(record.read_text())
    return values["identity"] == identity and values["settings"]["steps"] == steps


def export(
    out: Path, family: Family, state: TrainingState, settings: FitSettings, data: FitData, identity: str
) -> None:
    """Writes the averaged weights, the model card and, last, `fit.json`, which says how they came to be.

    Whole models become a diffusers folder whose fitted network is in half precision; adapters become their own
    file with a note of their base, unless they are to be merged. The network is of no use for training afterwards.
    """
    staging = out / ".export"
    shutil.rmtree(staging, ignore_errors=True)
    if settings.lora is None:
        state.swap()
        _write_whole(staging, family)
    else:
        lora.write(staging, family, state.ema, settings.lora, settings.initial)
        if settings.lora.merge:
            base = load_family(model_folder(settings.initial))
            lora.attach(base, staging)
            shutil.rmtree(staging)
            _write_whole(staging, base)
    _move(staging, out)
    record = fit_record(out, family, state, settings, data, identity)
    write_text(out / CARD, card(record))
    write_json(out / RECORD, record)


def _write_whole(folder: Path, family: Family) -> None:
    for parameter in family.denoiser.parameters():
        parameter.data = parameter.data.to(torch.float16)
    family.save_pretrained(folder)
    for path in folder.rglob("*.json"):
        _forget_origin(path)


def _forget_origin(path: Path) -> None:
    """A model that was loaded remembers from where, which is nobody's business but this machine's."""
    values = json.loads(path.read_text())
    if isinstance(values, dict) and "_name_or_path" in values:
        del values["_name_or_path"]
        write_text(path, json.dumps(values, indent=2, sort_keys=True) + "\n")


def _move(staging: Path, out: Path) -> None:
    files = sorted((path for path in staging.rglob("*") if path.is_file()), key=lambda path: path.name in LAST)
    for path in files:
        final = out / path.relative_to(staging)
        final.parent.mkdir(parents=True, exist_ok=True)
        path.replace(final)
    shutil.rmtree(staging)
