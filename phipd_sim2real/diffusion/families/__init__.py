"""One kind of model per file, all behind `Family`; `load_family` picks by what a folder says it holds."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import torch

from phipd_sim2real.diffusion.families.family import Family, Objective, Sampling
from phipd_sim2real.diffusion.models import ADAPTER, INDEX, model_defaults, model_folder
from phipd_sim2real.errors import UsageError

__all__ = ["Family", "Objective", "Sampling", "load_family"]

_FAMILIES = {
    "FluxPipeline": ("flux", "FluxFamily"),
    "PhasePipeline": ("pixel", "PixelFamily"),
    "StableDiffusion3Pipeline": ("sd3", "StableDiffusion3Family"),
    "StableDiffusionPipeline": ("stable_diffusion", "StableDiffusionFamily"),
    "StableDiffusionXLPipeline": ("sdxl", "StableDiffusionXLFamily"),
    "WanImageToVideoPipeline": ("wan", "WanFamily"),
}
"""Module and class by the `_class_name` of `model_index.json`."""


def load_family(folder: Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> Family:
    """Loads a model folder as its family.

    Args:
        folder: a diffusers folder, or one with adapters and `adapter.json`, which names the model underneath.
        device: where it computes.
        dtype: of the network's weights; float32 to fit it.

    Raises:
        UsageError: the folder holds a kind of pipeline that is not supported.
    """
    if (folder / ADAPTER).is_file():
        family = load_family(model_folder(json.loads((folder / ADAPTER).read_text())["base"]), device, dtype)
        import_module("phipd_sim2real.diffusion.lora").attach(family, folder)
        return family
    kind = json.loads((folder / INDEX).read_text())["_class_name"]
    if kind not in _FAMILIES:
        raise UsageError(f"{folder} holds a {kind}; supported are {', '.join(sorted(_FAMILIES))}.")
    module, name = _FAMILIES[kind]
    kinds: type[Family] = getattr(import_module(f"{__name__}.{module}"), name)
    family = kinds.from_pretrained(folder, torch.device(device), dtype)
    family.released = model_defaults(folder).noise == "released"
    return family
