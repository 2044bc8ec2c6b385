"""Reading weights that others made: tensors alone, nothing in the file is run.

A PyTorch checkpoint is a pickle, and a pickle can name any function for the reader to call. Here it can call
none: tensors become descriptions of where their bytes lie, what a trainer wrote beside them stays unbuilt, and a
file that names anything else is refused. Bytes are read when a tensor is asked for, so that a checkpoint with an
optimizer's state costs no more memory than the weights that are taken from it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phipd_sim2real.errors import UsageError

FRAMEWORKS = ("lightning", "lightning_fabric", "omegaconf", "pytorch_lightning", "torch")
STANDARD = ("argparse", "collections", "numpy", "pathlib", "typing")
PASSIVE = frozenset(FRAMEWORKS + STANDARD)
"""Packages whose objects a training framework keeps beside weights; they are passed over."""

NUMBERS = ("bool", "complex", "float", "int")
CONTAINERS = ("bytearray", "dict", "frozenset", "list", "set", "slice", "str", "tuple")
PASSIVE_BUILTINS = frozenset(NUMBERS + CONTAINERS)

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that still lies in its file.

    Attributes:
        shape: its shape.
        load: reads it.
    """

    shape: tuple[int, ...]
    load: Callable[[], Tensor]


Section = dict[str, StoredTensor]


def read_sections(path: Path) -> dict[str, Section]:
    """Finds the tensors of a `.safetensors` file or a PyTorch checkpoint.

    Args:
        path: the file.

    Returns:
        Tensors by the name of the dictionary that holds them (`state_dict`, `ema_state_dict`, …); those at the
        top are in section "".

    Raises:
        UsageError: the file is neither, is damaged, or names something that is no tensor.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give the weights that were published.")
    if path.suffix == ".safetensors":
        return {"": _safetensors(path)}
    if not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} is neither .safetensors nor a checkpoint of PyTorch 1.6 or later; save it anew in one of these."
        )
    return _sections(_unpickled(path), path)


def _safetensors(path: Path) -> Section:
    def load(name: str) -> Tensor:
        with safe_open(path, framework="pt") as tensors:
            return tensors.get_tensor(name)

    try:
        with safe_open(path, framework="pt") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UsageError(f"{path} is not a whole .safetensors file ({error}); download it again.") from error
    return {name: StoredTensor(shape, lambda name=name: load(name)) for name, shape in shapes.items()}


def _sections(payload: Any, path: Path) -> dict[str, Section]:
    if not isinstance(payload, dict):
        raise UsageError(f"{path} holds no dictionary of tensors; give a checkpoint of weights.")
    dictionaries = {"": payload} | {str(name): value for name, value in payload.items() if isinstance(value, dict)}
    tensors = {
        name: {str(key): value for key, value in dictionary.items() if isinstance(value, StoredTensor)}
        for name, dictionary in dictionaries.items()
    }
    return {name: section for name, section in tensors.items() if section}


def _unpickled(path: Path) -> Any:
    archive = zipfile.ZipFile(path)
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UsageError(f"{path} is a zip file but no PyTorch checkpoint; give the weights that were published.")
    reader = _TensorUnpickler(path, archive, pickles[0].removesuffix("data.pkl"))
    try:
        return reader.load()
    except (pickle.UnpicklingError, EOFError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise UsageError(f"{path} is a damaged checkpoint ({error}); download it again.") from error


class _Unbuilt:
    """Stands for an object that is not built; takes whatever a pickle does to it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Unbuilt:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


@dataclass(frozen=True)
class _Storage:
    """Bytes of one or more tensors: a file in the archive."""

    dtype: torch.dtype
    name: str
    count: int


class _TensorUnpickler(pickle.Unpickler):
    """Builds dictionaries, lists, numbers and text as pickles do, tensors as `StoredTensor`, and nothing else."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(BytesIO(archive.read(f"{folder}data.pkl")))
        self._path, self._archive, self._folder = path, archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module.split(".")[0] in PASSIVE or (module in ("builtins", "__builtin__") and name in PASSIVE_BUILTINS):
            return _Unbuilt
        raise UsageError(
            f"{self._path} names {module}.{name}, which is neither a tensor nor a training framework's record; "
            "it was not opened further. Get the file from its publisher, as .safetensors if there is one."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"unknown kind of stored data {kind!r}")
        return _Storage(dtype, f"{self._folder}data/{key}", count)

    def _tensor(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> StoredTensor:
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if min((*size, *stride, offset), default=0) < 0 or (prod(size) and last >= storage.count):
            raise pickle.UnpicklingError("a tensor reaches beyond its bytes")
        return StoredTensor(tuple(size), lambda: self._load(storage, offset, size, stride))

    def _load(self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        data = bytearray(self._archive.read(storage.name))
        flat = torch.frombuffer(data, dtype=storage.dtype) if data else torch.empty(0, dtype=storage.dtype)
        if len(flat) != storage.count:
            raise UsageError(f"{self._path} lacks bytes of its tensors; download it again.")
        return flat.as_strided(size, stride, offset).clone()
