"""An enhanced folder of pictures and the folder that it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file
from phipd_sim2real.quality.frames import Check, InspectedFrame, Transition, check, pair_problem, provenance_facts


class FolderFrames:
    """A folder of enhanced pictures: `manifest.json` maps each to its source, `provenance.json` says how."""

    has_before = True

    def __init__(self, folder: Path, source: Path | None = None) -> None:
        """Opens the folder.

        Args:
            folder: the enhanced folder.
            source: folder of the pictures before; None takes the one in the provenance.

        Raises:
            UsageError: the manifest is not readable, or the source folder is absent.
        """
        self._folder = folder
        self._files = _manifest(folder / "manifest.json")
        provenance = _json(folder / "provenance.json")
        given = source or provenance.get("source")
        self._source = (folder / given).resolve() if given else None
        if self._source is None or not self._source.is_dir():
            raise UsageError(
                f"The source folder of {folder} ({given}) is absent; put it back or name it as the source."
            )
        self.title = folder.resolve().name
        self.facts = {"kind": "enhanced folder", "source folder": self._source.name} | provenance_facts(provenance)

    def names(self) -> list[str]:
        """Names of the enhanced pictures, sorted."""
        return sorted(self._files)

    def read(self, names: Sequence[str]) -> Iterator[InspectedFrame]:
        """Reads pairs; what is missing, damaged or of another size becomes a frame with a problem."""
        for name in names:
            after = _picture(self._folder / name)
            before = _picture(self._source / self._files[name]["source"])
            yield InspectedFrame(name, after, before, problem=pair_problem(before, after))

    def transitions(self, count: int) -> tuple[int, Iterator[Transition]]:
        """None: the motion between the pictures of a folder is not known."""
        return 0, iter(())

    def checks(self) -> list[Check]:
        """Every picture is the one that the manifest was written for."""
        wrong = [
            name
            for name in self.names()
            if not (self._folder / name).is_file() or sha256_file(self._folder / name) != self._files[name]["sha256"]
        ]
        return [check("pictures have the hash in the manifest", len(self._files), wrong)]


def _picture(path: Path) -> np.ndarray | None:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    return None if picture is None else np.ascontiguousarray(picture[..., ::-1])


def _manifest(path: Path) -> dict[str, dict[str, str]]:
    values = _json(path)
    files = values.get("files", values)
    if not files or not all(
        isinstance(entry, dict) and {"source", "sha256"} <= entry.keys() for entry in files.values()
    ):
        raise UsageError(f"{path} does not name a source and a sha256 for each picture; run `phipd enhance` again.")
    return files


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}); `phipd enhance` writes it last.") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds a {type(values).__name__}; it must be a mapping. Run `phipd enhance` again.")
    return values
