"""Where models lie: shipped ones by name, fitted ones by folder."""

from __future__ import annotations

from pathlib import Path

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
INDEX = "model_index.json"
WEIGHTS = Path("unet/diffusion_pytorch_model.safetensors")


def model_folder(name_or_path: str | Path) -> Path:
    """Folder of a model.

    Args:
        name_or_path: a shipped name such as `street-small`, or a folder that `phipd fit` made.

    Raises:
        UsageError: there is no such model.
    """
    for folder in (Path(name_or_path), SHIPPED / name_or_path):
        if (folder / INDEX).is_file() and (folder / WEIGHTS).is_file():
            return folder
    shipped = sorted(index.parent.name for index in SHIPPED.glob(f"*/{INDEX}"))
    raise UsageError(
        f"There is no model {str(name_or_path)!r}: it is neither a shipped name ({', '.join(shipped)}) nor a "
        f"folder with {INDEX} and {WEIGHTS}. `phipd fit` makes such a folder."
    )


def weights_sha256(name_or_path: str | Path) -> str:
    """SHA-256 (hex) of a model's weights."""
    return sha256_file(model_folder(name_or_path) / WEIGHTS)
