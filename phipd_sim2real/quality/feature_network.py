"""A feature network that the user supplies, for KID and FID: a local path, its hash on record, no downloads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file

if TYPE_CHECKING:
    from torch import Tensor

OPTION = "--features"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEFAULT_SIDE_PX = 224


@dataclass(frozen=True)
class FeatureNetwork:
    """Turns pictures into feature vectors.

    Attributes:
        name: of the file or folder.
        sha256: of its weights.
        resize: how pictures are brought to its size.
        forward: (1, 3, H, W) uint8 -> (1, D) float32.
    """

    name: str
    sha256: str
    resize: str
    forward: Callable[[Tensor], Tensor]

    @classmethod
    def from_path(cls, path: Path | None) -> FeatureNetwork:
        """Loads a network.

        Args:
            path: a folder of a `transformers` vision backbone (`config.json`, weights in safetensors; or the weights'
                file in it), or a TorchScript file that takes (N, 3, H, W) uint8, resizes for itself and returns (N, D).

        Raises:
            UsageError: no path, nothing there, or no network that takes pictures.
        """
        if path is None or not path.exists():
            given = "nothing" if path is None else str(path)
            raise UsageError(
                f"KID and FID need a feature network, and {OPTION} names {given}; give a local folder of a "
                f"transformers vision backbone with safetensors weights, or a TorchScript file. Nothing is downloaded."
            )
        if path.is_file() and path.suffix != ".safetensors":
            return _torchscript(path)
        return _backbone(path.parent if path.is_file() else path)

    def features(self, pictures: Iterable[np.ndarray]) -> np.ndarray:
        """(N, D) float32 of (H, W, 3) uint8 RGB pictures, one at a time."""
        import torch

        with torch.inference_mode():
            rows = [self.forward(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]) for picture in pictures]
        return torch.cat(rows).float().numpy()

    def record(self) -> dict[str, str]:
        """What must stand beside every value made with it."""
        return {"network": self.name, "sha256": self.sha256, "resize": self.resize}


def _torchscript(path: Path) -> FeatureNetwork:
    import torch

    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as error:
        raise UsageError(f"{path}, given with {OPTION}, is no TorchScript file: {str(error)[:200]}") from error
    names = {argument.name for argument in module.forward.schema.arguments}
    # Inception, as the authors of StyleGAN ship it, gives logits unless asked for features
    extra = {"return_features": True} if "return_features" in names else {}
    return FeatureNetwork(
        path.name, sha256_file(path), "by the network itself", lambda image: module(image, **extra).flatten(1)
    )


def _backbone(folder: Path) -> FeatureNetwork:
    from transformers import AutoModel

    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not (folder / "config.json").is_file():
        raise UsageError(
            f"{folder}, given with {OPTION}, lacks config.json or safetensors weights; save the backbone there with "
            f"save_pretrained."
        )
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder}, given with {OPTION}, cannot be loaded: {str(error)[:200]}") from error
    if model.main_input_name != "pixel_values":
        raise UsageError(
            f"The {type(model).__name__} in {folder}, given with {OPTION}, takes {model.main_input_name}; a vision "
            f"backbone takes pixel_values."
        )
    height, width, mean, std = _preprocessing(folder / "preprocessor_config.json")
    return FeatureNetwork(
        folder.resolve().name,
        _joint_hash(weights),
        f"bicubic with antialiasing to {width} × {height} px",
        lambda image: _pooled(model(pixel_values=_normalised(image, height, width, mean, std))),
    )


def _preprocessing(path: Path) -> tuple[int, int, tuple[float, ...], tuple[float, ...]]:
    """Height, width, mean and deviation of the input; ImageNet's at 224 px where the folder does not say."""
    values = json.loads(path.read_text()) if path.is_file() else {}
    size = values.get("crop_size") or values.get("size") or DEFAULT_SIDE_PX
    if isinstance(size, dict):
        side = size.get("shortest_edge", DEFAULT_SIDE_PX)
        height, width = size.get("height", side), size.get("width", side)
    else:
        height = width = size
    mean, std = values.get("image_mean", IMAGENET_MEAN), values.get("image_std", IMAGENET_STD)
    return height, width, tuple(mean), tuple(std)


def _normalised(image: Tensor, height: int, width: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    import torch
    from torch.nn.functional import interpolate

    resized = interpolate(image.float() / 255, (height, width), mode="bicubic", antialias=True).clamp(0, 1)
    return (resized - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def _pooled(output: Any) -> Tensor:
    """(1, D): the network's own pooling where it has one, else the mean over tokens or places."""
    if getattr(output, "pooler_output", None) is not None:
        return output.pooler_output.flatten(1)
    hidden = output.last_hidden_state
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def _joint_hash(files: list[Path]) -> str:
    """SHA-256 of the one file, or of the hashes of several in order of name."""
    hashes = [sha256_file(path) for path in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
