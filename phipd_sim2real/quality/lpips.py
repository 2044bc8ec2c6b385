"""LPIPS to the source (Zhang et al., 2018), with the trunk's weights from a file that the user names.

LPIPS is a trunk (AlexNet or VGG-16, trained on ImageNet) under five linear heads. torchmetrics bundles the heads only;
without the trunk's weights they are useless, and nothing is downloaded here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file
from phipd_sim2real.quality.measurement import Measurement

if TYPE_CHECKING:
    from torch import Tensor

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of RGB in −1 to 1
OPTION = "--lpips-weights"


@dataclass(frozen=True)
class _Convolution:
    """One convolution of a trunk, under its index in `features`; a ReLU follows."""

    index: int
    channels: tuple[int, int]
    kernel: int = 3
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class _Trunk:
    """Five stages of convolutions with max pooling before a stage; features are tapped after each stage."""

    heads: str
    stages: tuple[tuple[_Convolution, ...], ...]
    pooled: tuple[bool, ...]
    pool: int


def _vgg() -> _Trunk:
    channels, index, stages = 3, 0, []
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        stage = []
        for _ in range(depth):
            stage.append(_Convolution(index, (channels, width)))
            channels, index = width, index + 2
        stages.append(tuple(stage))
        index += 1
    return _Trunk("vgg", tuple(stages), (False, True, True, True, True), pool=2)


TRUNKS = {
    "alexnet": _Trunk(
        "alex",
        (
            (_Convolution(0, (3, 64), kernel=11, stride=4, padding=2),),
            (_Convolution(3, (64, 192), kernel=5, padding=2),),
            (_Convolution(6, (192, 384)),),
            (_Convolution(8, (384, 256)),),
            (_Convolution(10, (256, 256)),),
        ),
        (False, True, True, False, False),
        pool=3,
    ),
    "vgg16": _vgg(),
}


class Lpips:
    """LPIPS with one trunk.

    Attributes:
        trunk: `alexnet` or `vgg16`.
        sha256: of the weights' file.
    """

    def __init__(self, trunk: str, weights: Mapping[str, Tensor], sha256: str) -> None:
        """Takes a trunk's name, its state dict with keys `features.N.weight` and `features.N.bias`, and its hash."""
        self.trunk, self.sha256 = trunk, sha256
        self._layout, self._weights = TRUNKS[trunk], weights
        self._heads = _heads(self._layout.heads)

    @classmethod
    def from_path(cls, path: Path | None) -> Lpips:
        """Reads a state dict of ImageNet AlexNet or VGG-16 in torchvision's layout, `.safetensors` or `.pth`.

        Raises:
            UsageError: no path, no such file, or it holds neither trunk.
        """
        if path is None or not path.is_file():
            given = "no file" if path is None else str(path)
            raise UsageError(
                f"LPIPS needs the weights of an ImageNet AlexNet or VGG-16, and {OPTION} names {given}; give a local "
                f"state dict in torchvision's layout (.safetensors or .pth). Nothing is downloaded."
            )
        weights = _state_dict(path)
        for name, layout in TRUNKS.items():
            if _fits(layout, weights):
                return cls(name, weights, sha256_file(path))
        raise UsageError(
            f"{path}, given with {OPTION}, holds the convolutions of neither AlexNet nor VGG-16 in torchvision's "
            f"layout (features.0.weight, …)."
        )

    def __call__(self, source: np.ndarray, output: np.ndarray) -> Measurement:
        """Distance of two (H, W, 3) uint8 RGB pictures of equal size, at least 64 px; 0 where they are equal.

        Some distance is expected of an enhanced picture, so it is never read alone.
        """
        import torch

        with torch.no_grad():
            pairs = zip(self._features(source), self._features(output), self._heads, strict=True)
            distance = sum(float((head @ (x - y).square().flatten(1)).mean()) for x, y, head in pairs)
        return Measurement("lpips", distance, True, "1", "lower")

    def _features(self, picture: np.ndarray) -> Iterator[Tensor]:
        """(C, h, w) after each stage, of unit length at every place."""
        import torch
        from torch.nn import functional

        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        x = (x - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        for stage, pooled in zip(self._layout.stages, self._layout.pooled, strict=True):
            x = functional.max_pool2d(x, self._layout.pool, stride=2) if pooled else x
            for layer in stage:
                weight, bias = (self._weights[f"features.{layer.index}.{part}"] for part in ("weight", "bias"))
                x = functional.conv2d(x, weight, bias, layer.stride, layer.padding).relu()
            yield x[0] / (x[0].square().sum(dim=0) + 1e-8).sqrt()


def _state_dict(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a file, without running any code that it may hold."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            values = load_file(path)
        else:
            values = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, ValueError, struct.error) as error:
        raise UsageError(f"{path}, given with {OPTION}, cannot be read as weights: {error}") from error
    return {name: tensor.float() for name, tensor in values.items() if name.startswith("features.")}


def _fits(layout: _Trunk, weights: Mapping[str, Tensor]) -> bool:
    """Whether every convolution of a trunk is there in its shape."""
    layers = [layer for stage in layout.stages for layer in stage]
    return all(
        f"features.{layer.index}.weight" in weights
        and f"features.{layer.index}.bias" in weights
        and weights[f"features.{layer.index}.weight"].shape == (*layer.channels[::-1], layer.kernel, layer.kernel)
        for layer in layers
    )


def _heads(name: str) -> list[Tensor]:
    """The five linear heads that torchmetrics bundles, (1, C) each."""
    import torch
    import torchmetrics.functional.image as bundled

    path = Path(bundled.__file__).parent / "lpips_models" / f"{name}.pth"
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return [weights[f"lin{stage}.model.1.weight"].flatten(1) for stage in range(5)]
