"""Names of a Stable Diffusion UNet's parameters in the layouts of the programs that train it.

Each function maps diffusers' names to another layout's; which blocks there are is read from the names
themselves, so that any number of levels and layers is covered.
"""

from __future__ import annotations

import re
from collections.abc import Collection

RESNET_IN_LDM = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ENDS_IN_LDM = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
ENDS_IN_DIFFSYNTH = {"time_embedding.linear_1": "time_embedding.0", "time_embedding.linear_2": "time_embedding.2"}

_MODULE = re.compile(r"((?:down_blocks|up_blocks)\.\d+|mid_block)\.(\w+)\.(\d+)\.(.+)")


def ldm_names(names: Collection[str]) -> dict[str, str]:
    """diffusers' names -> those of the latent-diffusion code, less their `model.diffusion_model.`.

    There every stage of the encoder and of the decoder is one numbered block: a residual block (0), its
    attention (1) and, where the resolution changes, the resampling last.
    """
    modules = _modules(names)
    layers = sum(module.startswith("down_blocks.0.resnets.") for module in modules)
    return {name: _ldm_name(name, layers, modules) for name in names}


def diffsynth_names(names: Collection[str]) -> dict[str, str]:
    """diffusers' names -> those of DiffSynth-Studio's UNet.

    There all is one list of blocks in order of computation. Storing a skip connection, and taking it up again,
    are entries of their own.
    """
    numbers = _diffsynth_numbers(_modules(names))
    return {name: _diffsynth_name(name, numbers) for name in names}


def _modules(names: Collection[str]) -> set[str]:
    """Residual blocks, attentions and resamplings, such as `down_blocks.0.resnets.1`."""
    return {".".join(match.groups()[:3]) for name in names if (match := _MODULE.fullmatch(name))}


def _ldm_name(name: str, layers: int, modules: set[str]) -> str:
    match = _MODULE.fullmatch(name)
    if not match:
        module, _, parameter = name.rpartition(".")
        return f"{ENDS_IN_LDM.get(module, module)}.{parameter}"
    block, kind, index, rest = match.group(1), match.group(2), int(match.group(3)), match.group(4)
    level = int(block.split(".")[1]) if "." in block else 0
    first = level * (layers + 1)
    if kind == "resnets":
        inner, _, parameter = rest.rpartition(".")
        rest = f"{RESNET_IN_LDM.get(inner, inner)}.{parameter}"
    if block == "mid_block":
        return f"middle_block.{2 * index if kind == 'resnets' else 1}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{first + layers + 1}.0.{rest.replace('conv.', 'op.')}"
    if kind == "upsamplers":
        return f"output_blocks.{first + layers}.{2 if f'{block}.attentions.{layers}' in modules else 1}.{rest}"
    stage = f"input_blocks.{first + index + 1}" if block.startswith("down") else f"output_blocks.{first + index}"
    return f"{stage}.{0 if kind == 'resnets' else 1}.{rest}"


def _diffsynth_numbers(modules: set[str]) -> dict[str, int]:
    """Place of each module in the list."""
    layers = sum(module.startswith("down_blocks.0.resnets.") for module in modules)
    levels = len({module.split(".")[1] for module in modules if module.startswith("down_blocks.")})
    order: list[str] = []
    for level in range(levels):
        for layer in range(layers):
            order += [f"down_blocks.{level}.{kind}.{layer}" for kind in ("resnets", "attentions")] + ["store"]
        order += [f"down_blocks.{level}.downsamplers.0", "store"] if level < levels - 1 else []
    order += ["mid_block.resnets.0", "mid_block.attentions.0", "mid_block.resnets.1"]
    for level in range(levels):
        for layer in range(layers + 1):
            order += ["take"] + [f"up_blocks.{level}.{kind}.{layer}" for kind in ("resnets", "attentions")]
        order.append(f"up_blocks.{level}.upsamplers.0")
    present = [entry for entry in order if entry in modules or entry in ("store", "take")]
    return {entry: number for number, entry in enumerate(present)}


def _diffsynth_name(name: str, numbers: dict[str, int]) -> str:
    match = _MODULE.fullmatch(name)
    if not match:
        module, _, parameter = name.rpartition(".")
        return f"{ENDS_IN_DIFFSYNTH.get(module, module)}.{parameter}"
    rest = match.group(4).replace(".to_out.0.", ".to_out.")
    rest = rest.replace(".ff.net.0.", ".act_fn.").replace(".ff.net.2.", ".ff.")
    return f"blocks.{numbers['.'.join(match.groups()[:3])]}.{rest}"
