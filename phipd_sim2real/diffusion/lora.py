"""Low-rank adapters (Hu et al., arXiv 2106.09685) through peft, kept in the layout of diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from torch import Tensor

from phipd_sim2real.diffusion.families import Family
from phipd_sim2real.diffusion.fit_settings import LoraSettings
from phipd_sim2real.diffusion.models import weights_sha256
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json

ADAPTER = "fit"
RECORD = "adapter.json"
WEIGHTS = "pytorch_lora_weights.safetensors"


def add(family: Family, settings: LoraSettings, seed: int) -> None:
    """Freezes a model's network and gives it adapters that at first change nothing.

    Their first weights depend on the seed alone; they are float32, whatever the network is.

    Raises:
        UsageError: no layer has one of the target names.
    """
    targets = settings.targets or family.lora_targets
    network = family.denoiser
    names = [name for name, _ in network.named_modules()]
    if not any(name == target or name.endswith(f".{target}") for name in names for target in targets):
        raise UsageError(f"No layer of this {family.name} network is called {', '.join(targets)}; see lora.targets.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _inject(network, settings.rank, settings.alpha or settings.rank, targets)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def write(folder: Path, family: Family, adapters: dict[str, Tensor], settings: LoraSettings, base: str) -> None:
    """Writes adapters as `pipeline.save_lora_weights` does, and `adapter.json`, which says what they belong to.

    Args:
        folder: to write to.
        family: the model with its adapters.
        adapters: by parameter name of the network, as trained.
        settings: rank, scale and layers.
        base: name or folder of the model underneath.
    """
    component = component_name(family)
    targets = sorted(settings.targets or family.lora_targets)
    alpha = settings.alpha or settings.rank
    named = {f"{component}.{name}".removeprefix(".").replace(f".{ADAPTER}.", "."): name for name in adapters}
    tensors = {key: adapters[name].to("cpu", torch.float32).contiguous() for key, name in named.items()}
    config = {"r": settings.rank, "lora_alpha": alpha, "target_modules": targets, "peft_type": "LORA"}
    packed = {f"{component}.{key}".removeprefix("."): value for key, value in config.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS, {"lora_adapter_metadata": json.dumps(packed, indent=2, sort_keys=True)})
    record = {"base": base, "base_sha256": weights_sha256(base), "component": component, "family": family.name}
    write_json(folder / RECORD, record | {"rank": settings.rank, "alpha": alpha, "targets": targets})


def attach(family: Family, folder: Path) -> None:
    """Adds adapters to the weights of the model that they were fitted to.

    Args:
        family: the base, unchanged so far.
        folder: with adapters and `adapter.json`.

    Raises:
        UsageError: the base is another one than the adapters were fitted to.
    """
    record = json.loads((folder / RECORD).read_text())
    if weights_sha256(record["base"]) != record["base_sha256"]:
        raise UsageError(
            f"The adapters in {folder} belong to weights of {record['base']} with SHA-256 {record['base_sha256']}, "
            "and what lies there now is another; restore it, or fit again."
        )
    _inject(family.denoiser, record["rank"], record["alpha"], record["targets"])
    stored = load_file(folder / WEIGHTS)
    parameters = dict(family.denoiser.named_parameters())
    for key, value in stored.items():
        layer, _, rest = key.removeprefix(f"{record['component']}.").rpartition(".")
        parameters[f"{layer}.{ADAPTER}.{rest}"].data.copy_(value)
    merge(family.denoiser)


def merge(network: torch.nn.Module) -> None:
    """Adds every adapter to its layer's weights and removes it."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, layer.get_base_layer())
    del network.peft_config


def component_name(family: Family) -> str:
    """What a pipeline calls the network that is fitted: `unet` or `transformer`.

    Empty where it is two of the pipeline's networks, which are called so within the denoiser too.
    """
    parts: dict[str, Any] = family.pipeline.components
    return next((name for name, part in parts.items() if part is family.denoiser), "")


def _inject(network: torch.nn.Module, rank: int, alpha: float, targets: tuple[str, ...] | list[str]) -> None:
    network.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets))
    inject_adapter_in_model(config, network, adapter_name=ADAPTER)
