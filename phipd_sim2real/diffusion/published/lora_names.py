"""Which weights of a transformer a low-rank update means, in the layouts of the programs that train them.

An update is named after a linear layer of the original code. diffusers splits some of these layers: the rows of
one update then belong to several of its weights.
"""

from __future__ import annotations

from collections.abc import Collection

PREFIXES = ("base_model.model.", "pipe.dit.", "pipe.dit2.", "diffusion_model.", "transformer.", "lora_unet_")

FLUX_DOUBLE = {
    ("attn.a_to_qkv", "img_attn_qkv"): ("attn.to_q", "attn.to_k", "attn.to_v"),
    ("attn.b_to_qkv", "txt_attn_qkv"): ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    ("attn.a_to_out", "img_attn_proj"): ("attn.to_out.0",),
    ("attn.b_to_out", "txt_attn_proj"): ("attn.to_add_out",),
    ("ff_a.0", "img_mlp_0"): ("ff.net.0.proj",),
    ("ff_a.2", "img_mlp_2"): ("ff.net.2",),
    ("ff_b.0", "txt_mlp_0"): ("ff_context.net.0.proj",),
    ("ff_b.2", "txt_mlp_2"): ("ff_context.net.2",),
    ("norm1_a.linear", "img_mod_lin"): ("norm1.linear",),
    ("norm1_b.linear", "txt_mod_lin"): ("norm1_context.linear",),
}
"""(DiffSynth's name, FLUX's own) -> diffusers' names, in a block of both streams."""

FLUX_SINGLE = {
    ("to_qkv_mlp", "linear1"): ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    ("proj_out", "linear2"): ("proj_out",),
    ("norm.linear", "modulation_lin"): ("norm.linear",),
}
"""The same in a block of the joined stream."""

WAN = {
    **{f"self_attn.{ours}": f"attn1.to_{ours}" for ours in "qkv"},
    **{f"cross_attn.{ours}": f"attn2.to_{ours}" for ours in "qkv"},
    "self_attn.o": "attn1.to_out.0",
    "cross_attn.o": "attn2.to_out.0",
    "cross_attn.k_img": "attn2.add_k_proj",
    "cross_attn.v_img": "attn2.add_v_proj",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
"""Wan's own names, which DiffSynth keeps -> diffusers', in a block."""


def canonical(module: str) -> str:
    """A layer's name without its prefix and with underscores: some programs write them where others write dots."""
    for prefix in PREFIXES:
        module = module.removeprefix(prefix)
    return module.replace(".", "_")


def targets(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Every layer that an update can mean, under every name it goes by.

    Args:
        names: of a transformer's parameters in diffusers: FLUX's or Wan's.

    Returns:
        Canonical name -> diffusers' weights whose rows, one after the other, the update changes.
    """
    modules = {name.removesuffix(".weight") for name in names if name.endswith(".weight")}
    found = {canonical(module): (module,) for module in modules}
    for index in _indices(modules, "transformer_blocks"):
        found |= _aliases(FLUX_DOUBLE, (f"blocks.{index}", f"double_blocks.{index}"), f"transformer_blocks.{index}")
    for index in _indices(modules, "single_transformer_blocks"):
        found |= _aliases(FLUX_SINGLE, (f"single_blocks.{index}",) * 2, f"single_transformer_blocks.{index}")
    for index in _indices(modules, "blocks"):
        found |= {canonical(f"blocks.{index}.{theirs}"): (f"blocks.{index}.{ours}",) for theirs, ours in WAN.items()}
    return {
        alias: tuple(f"{part}.weight" for part in parts) for alias, parts in found.items() if modules.issuperset(parts)
    }


def _indices(modules: set[str], blocks: str) -> set[str]:
    """Numbers of the blocks of one kind."""
    return {module.split(".")[1] for module in modules if module.startswith(f"{blocks}.")}


def _aliases(
    table: dict[tuple[str, str], tuple[str, ...]], blocks: tuple[str, str], ours: str
) -> dict[str, tuple[str, ...]]:
    """Layers of one block under DiffSynth's and FLUX's own names."""
    return {
        canonical(f"{block}.{name}"): tuple(f"{ours}.{part}" for part in parts)
        for names, parts in table.items()
        for block, name in zip(blocks, names, strict=True)
    }
