"""Where models lie - shipped ones by name, others by folder or hub name - and what each is used with by default."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file
from phipd_sim2real.settings import Settings

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
INDEX = "model_index.json"
ADAPTER = "adapter.json"
MARKER = "phipd.json"
NO_LOCAL_RELEASED = "The published noise has no local rigidity; give noise=exact, or a cutoff instead."
WEIGHTS = Path("unet/diffusion_pytorch_model.safetensors")


class ModelDefaults(Settings):
    """What a model is used with where nothing else is said; `phipd.json` in its folder overrides its kind's."""

    cutoff: float | None = 1 / 48
    """Cycles per image pixel."""

    cutoff_bins: float | None = None
    """The published cutoff in bins, in place of `cutoff`."""

    noise: Literal["exact", "released"] = "exact"
    """The noise that the weights were fitted with."""

    steps: int = 30
    guidance: float = 1.0
    prompt: str = ""
    negative_prompt: str = ""


_BY_KIND = {
    "PhasePipeline": ModelDefaults(cutoff=0.2, steps=4),
    "StableDiffusionPipeline": ModelDefaults(guidance=7.5),
    "StableDiffusionXLPipeline": ModelDefaults(guidance=5.0),
    "StableDiffusion3Pipeline": ModelDefaults(guidance=5.0),
    "FluxPipeline": ModelDefaults(guidance=3.5),
    "WanImageToVideoPipeline": ModelDefaults(steps=40),
}


def model_folder(name_or_path: str | Path) -> Path:
    """Folder of a model.

    Args:
        name_or_path: a shipped name such as `street-small`, a diffusers folder, such as `phipd fit` makes, or the
            name of a diffusers model on the Hugging Face hub, which is downloaded.

    Raises:
        UsageError: there is no such model.
    """
    for folder in (Path(name_or_path), SHIPPED / name_or_path):
        if (folder / ADAPTER).is_file() or ((folder / INDEX).is_file() and _weights(folder)):
            return folder
    if isinstance(name_or_path, str) and name_or_path.count("/") == 1 and not Path(name_or_path).exists():
        return _downloaded(name_or_path)
    shipped = sorted(index.parent.name for index in SHIPPED.glob(f"*/{INDEX}"))
    raise UsageError(
        f"There is no model {str(name_or_path)!r}: it is neither a shipped name ({', '.join(shipped)}) nor a "
        f"folder with {INDEX} and safetensors. `phipd fit` makes such a folder."
    )


def model_defaults(name_or_path: str | Path) -> ModelDefaults:
    """What a model is used with by default, from its kind and its `phipd.json`.

    Raises:
        UsageError: there is no such model.
    """
    folder = model_folder(name_or_path)
    if (folder / ADAPTER).is_file():
        defaults = model_defaults(json.loads((folder / ADAPTER).read_text())["base"])
    else:
        defaults = _BY_KIND.get(json.loads((folder / INDEX).read_text())["_class_name"], ModelDefaults())
    marker = json.loads((folder / MARKER).read_text()) if (folder / MARKER).is_file() else {}
    known = {name: value for name, value in marker.items() if name in ModelDefaults.model_fields}
    return ModelDefaults.model_validate(defaults.model_dump() | known)


def resolved(settings: EnhanceSettings) -> EnhanceSettings:
    """The settings with all that was left to the model filled in.

    A published cutoff in bins depends on the picture's size and stays `auto`.

    Raises:
        UsageError: there is no such model, or its own noise contradicts the settings.
    """
    defaults = model_defaults(settings.model)
    values: dict[str, Any] = {
        name: getattr(defaults, name)
        for name in ("cutoff", "steps", "guidance", "noise", "prompt", "negative_prompt")
        if getattr(settings, name) in ("auto", None) and not (name == "cutoff" and _keeps_cutoff(settings, defaults))
    }
    if settings.rigidity is not None and values.get("noise") == "released":
        raise UsageError(NO_LOCAL_RELEASED)
    return settings.model_copy(update=values)


def _keeps_cutoff(settings: EnhanceSettings, defaults: ModelDefaults) -> bool:
    """Whether the cutoff is left as it is: None means all phase, bins cannot be told in cycles per pixel, and beside
    a profile or rigidity there is none."""
    in_bins = defaults.cutoff_bins is not None and settings.noise != "exact"
    return settings.cutoff is None or in_bins or settings.profile is not None or settings.rigidity is not None


def weights_sha256(name_or_path: str | Path) -> str:
    """SHA-256 (hex) of a model's weights: of the one file, or of the list of names and hashes of several."""
    folder = model_folder(name_or_path)
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in _weights(folder)}
    if (folder / ADAPTER).is_file():
        hashes["base"] = weights_sha256(json.loads((folder / ADAPTER).read_text())["base"])
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    listing = "\n".join(f"{name} {value}" for name, value in sorted(hashes.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def controlnet_sha256(folder: str | Path) -> str:
    """SHA-256 (hex) of a ControlNet's weights, of all its files in order of name.

    Raises:
        UsageError: there is no ControlNet.
    """
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files or not (Path(folder) / "config.json").is_file():
        raise UsageError(f"There is no ControlNet in {folder}; give a folder with config.json and safetensors.")
    return hashlib.sha256("\n".join(map(sha256_file, files)).encode()).hexdigest()


def _weights(folder: Path) -> list[Path]:
    """Safetensors of a pipeline's parts, or of adapters."""
    if (folder / ADAPTER).is_file():
        return sorted(folder.glob("*.safetensors"))
    parts = json.loads((folder / INDEX).read_text())
    return sorted(path for part in parts for path in (folder / part).glob("*.safetensors"))


def _downloaded(name: str) -> Path:
    from diffusers import DiffusionPipeline  # where there is something to download

    try:
        return Path(DiffusionPipeline.download(name, use_safetensors=True))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"There is no model {name!r} here, and the Hugging Face hub did not give one with safetensors: {error}"
        ) from error
