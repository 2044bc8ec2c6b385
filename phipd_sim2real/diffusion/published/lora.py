"""Low-rank updates (LoRA) as what they add to a model's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from phipd_sim2real.diffusion.published.lora_names import canonical, targets
from phipd_sim2real.diffusion.published.reader import Section, StoredTensor
from phipd_sim2real.errors import UsageError

ROLES = {
    ".lora_A.default.weight": "A",
    ".lora_A.weight": "A",
    ".lora_down.weight": "A",
    ".lora_B.default.weight": "B",
    ".lora_B.weight": "B",
    ".lora_up.weight": "B",
    ".alpha": "alpha",
}

LEFT_OUT = ("color_embed.",)
"""A layer that the authors trained beside the update, which their own inference does not read either."""


@dataclass(frozen=True)
class Update:
    """W <- W + scale · (alpha / rank) · B A, where B's rows may belong to several weights.

    Attributes:
        weights: names in diffusers, in the order of B's rows.
        A: (rank, columns).
        B: (rows, rank).
        alpha: a scalar, or None where the file has none: alpha = rank.
    """

    weights: tuple[str, ...]
    A: StoredTensor
    B: StoredTensor
    alpha: StoredTensor | None

    def added(self, scale: float, rows: slice) -> Tensor:
        """What is added to some of the rows, (rows, columns) float32."""
        A, B = self.A.load().float().flatten(1), self.B.load().float().flatten(1)
        alpha = len(A) if self.alpha is None else self.alpha.load().item()
        return B[rows] @ A * (scale * alpha / len(A))


def is_lora(section: Section) -> bool:
    """Whether a file holds a low-rank update."""
    return any(_role(name) in ("A", "B") for name in section)


def read_updates(
    path: Path, section: Section, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Update], list[str]]:
    """Pairs the file's matrices and finds the weights they mean; every name of the file is accounted for.

    Args:
        path: of the file, for errors.
        section: its tensors.
        shapes: of the base's weights, by diffusers' names.

    Returns:
        Updates by the layer's canonical name, and the names that are left out.

    Raises:
        UsageError: a name is unknown, a matrix lacks its partner, a shape does not fit, or a name comes twice.
    """
    left_out = sorted(name for name in section if name.startswith(LEFT_OUT))
    layers: dict[str, dict[str, StoredTensor]] = {}
    for name in sorted(section.keys() - set(left_out)):
        role = _role(name)
        if role is None:
            raise UsageError(f"{path} holds {name}, which is no part of a low-rank update; it cannot be imported.")
        parts = layers.setdefault(canonical(name.removesuffix(_ending(name))), {})
        if role in parts:
            raise UsageError(f"{path} holds {name} twice under different spellings; it cannot be imported.")
        parts[role] = section[name]
    known = targets(shapes.keys())
    return {layer: _update(path, layer, parts, known, shapes) for layer, parts in layers.items()}, left_out


def changes(
    path: Path, updates: Mapping[str, Update], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[Update, slice]]:
    """Which update, and which of its rows, each weight of the base takes."""
    found: dict[str, tuple[Update, slice]] = {}
    for layer, update in updates.items():
        row = 0
        for weight in update.weights:
            if weight in found:
                raise UsageError(f"{path} updates {weight} twice, once as {layer}; it cannot be imported.")
            found[weight] = (update, slice(row, row + shapes[weight][0]))
            row += shapes[weight][0]
    return found


def _update(
    path: Path,
    layer: str,
    parts: dict[str, StoredTensor],
    known: Mapping[str, tuple[str, ...]],
    shapes: Mapping[str, tuple[int, ...]],
) -> Update:
    if layer not in known:
        raise UsageError(
            f"{path} updates a layer {layer} that the base does not have; give the base model it was trained on."
        )
    if not {"A", "B"} <= parts.keys():
        raise UsageError(f"{path} holds only one of the two matrices of {layer}; download it again.")
    A, B, weights = parts["A"], parts["B"], known[layer]
    rows, columns = sum(shapes[weight][0] for weight in weights), torch.Size(shapes[weights[0]][1:]).numel()
    fits = B.shape[0] == rows and torch.Size(A.shape[1:]).numel() == columns and B.shape[1] == A.shape[0]
    if not fits:
        raise UsageError(
            f"{path} updates {layer} by {B.shape} times {A.shape}, but the base's weights have {rows} rows and "
            f"{columns} columns; give the base model it was trained on."
        )
    return Update(weights, A, B, parts.get("alpha"))


def _ending(name: str) -> str:
    return next((ending for ending in ROLES if name.endswith(ending)), "")


def _role(name: str) -> str | None:
    return ROLES.get(_ending(name))
