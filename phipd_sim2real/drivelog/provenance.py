"""Where a drive log comes from, in `provenance.json` beside its tables."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import Field

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json
from phipd_sim2real.settings import Settings

FILE_NAME = "provenance.json"


class Provenance(Settings):
    """Everything needed to make a log again, and what its pictures are. No times, no absolute paths."""

    domain: str
    """`carla`, `carla-protocol simulator`, `waymo`, `enhanced`, `recoloured`: nothing rendered passes for recorded."""

    source_domain: str | None = None
    """Domain of the log that this one was made from."""

    config: dict[str, Any]
    """The resolved settings of the stage."""

    config_hash: str
    """Hash of the settings; the segments' markers carry the same."""

    seed: int
    """Seed from which all randomness of the stage derives."""

    planned_segments: tuple[str, ...] = ()
    """Segments of the finished log; those without a marker are still to be made."""

    semantic_labels: dict[int, str] = Field(default_factory=dict)
    """Values of `camera_semantics` -> names, of the client that recorded them."""

    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the packages (and the server) that made the log."""

    commit: str | None = None
    """Commit of the checkout, where there is one."""

    checkpoints: dict[str, str] = Field(default_factory=dict)
    """Weights used: name -> SHA-256."""

    source_log: dict[str, Any] | None = None
    """Provenance of the log that this one was made from."""

    command: str | None = None
    """Command line of the stage, without machine-specific paths."""

    @property
    def lineage(self) -> list[Provenance]:
        """This record and those of the logs that it was made from, nearest first."""
        if self.source_log is None:
            return [self]
        source = {name: value for name, value in self.source_log.items() if name != "path"}
        return [self, *Provenance.model_validate(source).lineage]


def write_provenance(root: Path, provenance: Provenance) -> None:
    """Writes `provenance.json`, once: a log keeps what it was begun with, but for what `update_provenance` changes.

    Raises:
        UsageError: the folder holds a log made with other settings.
    """
    path = root / FILE_NAME
    if not path.exists():
        write_json(path, provenance.model_dump(mode="json"))
        return
    if read_provenance(root).config_hash != provenance.config_hash:
        raise UsageError(
            f"{root} holds a log made with other settings; use the settings in its {FILE_NAME}, "
            "or give another output folder."
        )


def update_provenance(root: Path, **changes: Any) -> None:
    """Changes fields of a log's `provenance.json`, as a log's plan that is extended does."""
    write_json(root / FILE_NAME, read_provenance(root).model_copy(update=changes).model_dump(mode="json"))


def read_provenance(root: Path) -> Provenance:
    """Reads `provenance.json` of a log."""
    return Provenance.model_validate(json.loads((root / FILE_NAME).read_text()))


def collect_versions(*packages: str) -> dict[str, str]:
    """Versions of those of the packages that are installed, by distribution name."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def current_commit() -> str | None:
    """Commit of the checkout that this package runs from; None where it is installed from elsewhere."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    result = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True)
    return result.stdout.strip() or None
