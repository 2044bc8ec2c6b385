"""The marker that makes a segment exist: `_complete/SEGMENT.json`, written last."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json

FOLDER = "_complete"


@dataclass(frozen=True)
class Completion:
    """What a complete segment holds.

    Attributes:
        segment: its name.
        config_hash: hash of the settings that made it.
        rows: component -> number of rows.
        sha256: component -> hash of its parquet file.
    """

    segment: str
    config_hash: str
    rows: dict[str, int]
    sha256: dict[str, str]


def write_completion(root: Path, completion: Completion) -> None:
    """Writes the marker, atomically; from then on the segment exists."""
    write_json(root / FOLDER / f"{completion.segment}.json", asdict(completion))


def read_completions(root: Path) -> dict[str, Completion]:
    """Markers of all complete segments, by name in sorted order."""
    markers = sorted((root / FOLDER).glob("*.json"))
    return {marker.stem: Completion(**json.loads(marker.read_text())) for marker in markers}


def completed_segments(root: Path, config_hash: str) -> frozenset[str]:
    """Segments of a run that is to be resumed.

    Raises:
        UsageError: the folder holds segments made with other settings.
    """
    completions = read_completions(root)
    foreign = [name for name, completion in completions.items() if completion.config_hash != config_hash]
    if foreign:
        raise UsageError(
            f"{root} holds {len(foreign)} segments made with other settings (such as {foreign[0]}); "
            "use the settings it was made with, or give another output folder."
        )
    return frozenset(completions)
