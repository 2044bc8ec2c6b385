"""Whole UNets in the layouts of the programs that train Stable Diffusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phipd_sim2real.diffusion.published.reader import Section, StoredTensor
from phipd_sim2real.diffusion.published.unet_names import diffsynth_names, ldm_names
from phipd_sim2real.errors import UsageError

PREFIXES = ("", "model.diffusion_model.", "pipe.unet.", "unet.")

EMA_SECTIONS = ("ema_state_dict",)

ALPHAS = ("", "sqrt_", "sqrt_one_minus_", "log_one_minus_", "sqrt_recip_", "sqrt_recipm1_")
POSTERIOR = ("variance", "log_variance_clipped", "mean_coef1", "mean_coef2")
SCHEDULE = frozenset(
    ["betas", "alphas_cumprod_prev", "lvlb_weights", "logvar", "model_ema.decay", "model_ema.num_updates"]
    + [f"{kind}alphas_cumprod" for kind in ALPHAS]
    + [f"posterior_{kind}" for kind in POSTERIOR]
)
"""Tables that a latent-diffusion checkpoint keeps; the base's scheduler has its own."""

OTHER_PARTS = ("first_stage_model.", "cond_stage_model.")
"""Autoencoder and text encoder, of which the base has its own."""


@dataclass(frozen=True)
class UNetWeights:
    """Weights found in a file.

    Attributes:
        tensors: by diffusers' names, all that the base has.
        averaged: whether they are the running average (EMA).
        layout: `latent diffusion`, `DiffSynth` or `diffusers`.
        left_out: names of what else the file holds.
    """

    tensors: Section
    averaged: bool
    layout: str
    left_out: list[str]


def find_unet(
    path: Path, sections: Mapping[str, Section], shapes: Mapping[str, tuple[int, ...]], averaged: bool
) -> UNetWeights:
    """Finds the UNet of a file; every name of its dictionary is accounted for.

    Args:
        path: of the file, for errors.
        sections: from `read_sections`.
        shapes: of the base's weights, by diffusers' names.
        averaged: take the running average where the file has one.

    Raises:
        UsageError: no layout fits, a name is missing or unknown, or a shape differs from the base's.
    """
    found = [
        (hits, layout, section, expected)
        for layout, section, expected in _layouts(sections, shapes, averaged)
        if (hits := len(expected.keys() & sections[section].keys()))
    ]
    wanted = [entry for entry in found if _is_average(entry[1], entry[2])] if averaged else []
    if not found:
        raise UsageError(f"{path} holds no UNet in a known layout (latent diffusion, DiffSynth or diffusers).")
    _, layout, section, expected = max(wanted or found, key=lambda entry: entry[0])
    other_copy = "model.diffusion_model." if layout.endswith(" EMA") else "model_ema."
    tensors, left_out = _accounted(path, sections[section], expected, shapes, (*OTHER_PARTS, other_copy))
    return UNetWeights(tensors, _is_average(layout, section), layout.removesuffix(" EMA"), left_out)


def _layouts(
    sections: Mapping[str, Section], shapes: Mapping[str, tuple[int, ...]], averaged: bool
) -> list[tuple[str, str, dict[str, str]]]:
    """(layout, section, the file's name -> diffusers' name) of all that may be read."""
    names = {
        "latent diffusion": ldm_names(shapes),
        "DiffSynth": diffsynth_names(shapes),
        "diffusers": {name: name for name in shapes},
    }
    layouts = [
        (layout, section, {prefix + theirs: ours for ours, theirs in table.items()})
        for section in sections
        if averaged or section not in EMA_SECTIONS
        for layout, table in names.items()
        for prefix in PREFIXES
    ]
    if averaged:
        # The averages are buffers of the wrapped model, whose names may hold no dots.
        flat = {
            "model_ema." + f"diffusion_model.{theirs}".replace(".", ""): ours
            for ours, theirs in names["latent diffusion"].items()
        }
        layouts += [("latent diffusion EMA", section, flat) for section in sections]
    return layouts


def _is_average(layout: str, section: str) -> bool:
    return section in EMA_SECTIONS or layout.endswith(" EMA")


def _accounted(
    path: Path,
    section: Section,
    expected: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    beside: tuple[str, ...],
) -> tuple[Section, list[str]]:
    """The base's tensors, and the names that may stand beside them."""
    missing = sorted(expected.keys() - section.keys())
    if missing:
        raise UsageError(f"{path} lacks {_listed(missing)} of the base's UNet; give the base it was trained from.")
    left_out = sorted(section.keys() - expected.keys())
    unknown = [name for name in left_out if name not in SCHEDULE and not name.startswith(beside)]
    if unknown:
        raise UsageError(f"{path} holds {_listed(unknown)}, which the base's UNet has no place for.")
    tensors = {ours: _shaped(path, theirs, section[theirs], shapes[ours]) for theirs, ours in expected.items()}
    return tensors, left_out


def _shaped(path: Path, name: str, tensor: StoredTensor, shape: tuple[int, ...]) -> StoredTensor:
    """The tensor in the base's shape; a linear layer may stand for a convolution of one pixel."""
    if tensor.shape == shape:
        return tensor
    if tensor.shape == shape[:2] and shape[2:] == (1, 1):
        return StoredTensor(shape, lambda: tensor.load().reshape(shape))
    raise UsageError(f"{path} holds {name} of shape {tensor.shape}, but the base's has {shape}; give another base.")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
