"""Published weights into a diffusers folder: the base model with its denoiser changed, and a marker of its noise."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from phipd_sim2real.diffusion.published.lora import changes, is_lora, read_updates
from phipd_sim2real.diffusion.published.reader import Section, read_sections
from phipd_sim2real.diffusion.published.unet import find_unet
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.progress import ProgressCallback

MARKER = "phipd.json"
INDEX = "model_index.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"

CUTOFF_BINS = {"UNet2DConditionModel": 15.0, "FluxTransformer2DModel": 30.0, "WanTransformer3DModel": 30.0}
"""Denoisers that weights are published for, and the cutoff that their authors' commands use with each: bins of
the padded latents' transform."""

Change = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class ImportSummary:
    """What was imported.

    Attributes:
        model: the new folder.
        into: the part of the base that was changed.
        kind: `lora`, or the layout of whole weights.
        averaged: whether whole weights are the running average.
        changed: tensors changed.
        kept: tensors of that part that stay the base's.
        left_out: tensors of the file that are not taken.
        cutoff_bins: as the marker says.
    """

    model: str
    into: str
    kind: str
    averaged: bool
    changed: int
    kept: int
    left_out: int
    cutoff_bins: float

    def sentence(self) -> str:
        """One sentence or two for people."""
        source = "a low-rank update" if self.kind == "lora" else f"whole weights in the {self.kind} layout"
        average = ", their running average" if self.averaged else ""
        return (
            f"{self.model} holds the base with {self.changed} tensors of its {self.into} changed by {source}{average}; "
            f"{self.kept} are the base's own, {self.left_out} of the file were left out. It was fitted with the "
            f"authors' released noise, so enhancing uses released_structured_noise at {self.cutoff_bins:g} bins."
        )


def import_weights(
    file: Path,
    base: Path,
    out: Path,
    into: str | None = None,
    scale: float = 1.0,
    cutoff_bins: float | None = None,
    averaged: bool = True,
    progress: ProgressCallback | None = None,
) -> ImportSummary:
    """Writes a diffusers folder from a base and published φ-PD weights. Several updates are imported in turn.

    Args:
        file: SD1.5 weights (`.ckpt` or `.safetensors`, latent-diffusion, DiffSynth or diffusers layout), or a LoRA of
            FLUX or Wan (DiffSynth's, the original's or diffusers' names).
        base: diffusers folder of the model that the weights were trained from.
        out: the new folder; complete or absent.
        into: `unet`, `transformer` or `transformer_2`; needed where the base has two denoisers.
        scale: of a LoRA.
        cutoff_bins: of the noise; None takes what the authors' command uses with this kind of model.
        averaged: take the running average of whole weights where the file has one.
        progress: called as progress(label, files of weights done, files in all).

    Raises:
        UsageError: the file or the base cannot be read, they do not belong together, or `out` is there already.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; give another folder with --out.")
    part = _part(base, into)
    shards, shapes = _base_weights(base / part)
    sections = read_sections(file)
    change, summary = _planned(file, sections, shapes, scale, averaged)
    marker = _marker(base, file, part, scale if summary["kind"] == "lora" else None, cutoff_bins)
    staging = out.with_name(f".{out.name}.{uuid.uuid4().hex}.tmp")
    try:
        _copy(base, staging, part)
        for done, shard in enumerate(shards, start=1):
            _write_shard(shard, staging / part / shard.name, change)
            if progress is not None:
                progress("import", done, len(shards))
        write_json(staging / MARKER, marker)
        staging.replace(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return ImportSummary(model=str(out), into=part, cutoff_bins=marker["cutoff_bins"], **summary)


def _part(base: Path, into: str | None) -> str:
    """The base's denoiser that is changed."""
    if not (base / INDEX).is_file():
        raise UsageError(f"{base} has no {INDEX}; give the base model as a diffusers folder.")
    index = json.loads((base / INDEX).read_text())
    parts = [name for name, value in index.items() if isinstance(value, list) and value[-1] in CUTOFF_BINS]
    if not parts:
        raise UsageError(f"{base} has none of {', '.join(CUTOFF_BINS)}, for which weights are published.")
    if into is None and len(parts) > 1:
        raise UsageError(
            f"{base} has {' and '.join(parts)}; say with --into which one is meant: in Wan 2.2, transformer denoises "
            "from high noise and transformer_2 from low noise."
        )
    if into is not None and into not in parts:
        raise UsageError(f"{base} has no {into} that can be changed; --into takes {' or '.join(parts)}.")
    return into or parts[0]


def _base_weights(folder: Path) -> tuple[list[Path], dict[str, tuple[int, ...]]]:
    """The files of a denoiser and the shapes of their tensors by name."""
    index = folder / f"{WEIGHTS}.index.json"
    names = {WEIGHTS}
    if index.is_file():
        names = set(json.loads(index.read_text())["weight_map"].values())
    shards = sorted(folder / Path(name).name for name in names)
    missing = [shard for shard in shards if not shard.is_file()]
    if missing:
        raise UsageError(f"There is no {missing[0]}; the base needs its weights in full, as .safetensors.")
    shapes: dict[str, tuple[int, ...]] = {}
    for shard in shards:
        with safe_open(shard, framework="pt") as tensors:
            shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return shards, shapes


def _planned(
    file: Path, sections: dict[str, Section], shapes: dict[str, tuple[int, ...]], scale: float, averaged: bool
) -> tuple[Change, dict[str, Any]]:
    """What becomes of each tensor of the base, and what the summary says of it."""
    lora = [section for section in sections.values() if is_lora(section)]
    if not lora:
        unet = find_unet(file, sections, shapes, averaged)
        said = {"kind": unet.layout, "averaged": unet.averaged, "changed": len(shapes), "kept": 0}
        return lambda name, _: unet.tensors[name].load(), said | {"left_out": len(unet.left_out)}
    updates, left_out = read_updates(file, lora[0], shapes)
    changed = changes(file, updates, shapes)

    def merged(name: str, weight: Tensor) -> Tensor:
        if name not in changed:
            return weight
        update, rows = changed[name]
        return (weight.float() + update.added(scale, rows).reshape(weight.shape)).to(weight.dtype)

    said = {"kind": "lora", "averaged": False, "changed": len(changed), "kept": len(shapes) - len(changed)}
    return merged, said | {"left_out": len(left_out)}


def _marker(base: Path, file: Path, part: str, scale: float | None, cutoff_bins: float | None) -> dict[str, Any]:
    """What the new folder says of its noise, and of every import that made it."""
    before = json.loads((base / MARKER).read_text()) if (base / MARKER).is_file() else {}
    kind = json.loads((base / INDEX).read_text())[part][-1]
    sha256 = sha256_file(file)
    record = {"file": file.name, "sha256": sha256, "into": part, "scale": scale}
    return {
        "noise": "released",
        "cutoff_bins": cutoff_bins or before.get("cutoff_bins") or CUTOFF_BINS[kind],
        "source_sha256": sha256,
        "imports": [*before.get("imports", []), record],
    }


def _copy(base: Path, out: Path, part: str) -> None:
    """Everything that the base's index names, and the texts beside it, but the weights of the part."""
    folders = [name for name in json.loads((base / INDEX).read_text()) if (base / name).is_dir()]
    for folder in folders:
        ignore = shutil.ignore_patterns("*.safetensors", "*.bin", "*.msgpack") if folder == part else None
        shutil.copytree(base / folder, out / folder, ignore=ignore)
    for text in base.iterdir():
        if text.is_file() and text.suffix in (".json", ".md", ".txt"):
            shutil.copy2(text, out / text.name)


def _write_shard(source: Path, out: Path, change: Change) -> None:
    """One file of the base's weights, changed; at most this file's tensors are held in memory."""
    with safe_open(source, framework="pt") as tensors:
        changed = {name: change(name, tensors.get_tensor(name)).contiguous() for name in tensors.keys()}  # noqa: SIM118
    save_file(changed, out, metadata={"format": "pt"})
