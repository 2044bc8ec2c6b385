"""The splits of the end-to-end dataset, and the two lists that come with them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.storage import read_text

Split = Literal["train", "val", "test"]

SPLIT_PATTERNS: dict[Split, str] = {
    "train": "training_*.tfrecord-*",
    "val": "val_*.tfrecord-*",
    "test": "test_*.tfrecord-*",
}
"""File names of each split, such as val_202504211843.tfrecord-00000-of-00093."""

CLUSTER_FILE = "val_sequence_name_to_scenario_cluster.json"
SUBMISSION_FILE = "test_sequence_frames_for_submission.json"

SCENARIO_CLUSTERS = (
    "Construction",
    "Interections",
    "Pedestrian",
    "Cyclist",
    "Multi-Lane Maneuvers",
    "Single-Lane Maneuvers",
    "Cut_ins",
    "Foreign Object Debris",
    "Special Vehicles",
    "Spotlight",
    "Others",
)
"""Scenario clusters in the order of the challenge's table, spelled as in the list of clusters."""

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})$")


def split_source(folder: Path | str, split: Split) -> str:
    """Glob pattern of a split's shards in a folder or a bucket."""
    return f"{str(folder).rstrip('/')}/{SPLIT_PATTERNS[split]}"


def missing_shards(names: Sequence[str]) -> list[str]:
    """Shards that the file names speak of ("-of-00093") and that are not among them."""
    present, expected = set(names), set()
    for match in filter(None, map(_SHARD.match, names)):
        stem, count = match["stem"], int(match["count"])
        expected |= {f"{stem}-{number:05d}-of-{count:05d}" for number in range(count)}
    return sorted(expected - present)


def read_clusters(path: Path | str) -> dict[str, str]:
    """Segment -> cluster of its scene, from `val_sequence_name_to_scenario_cluster.json`.

    The clusters keep Waymo's spelling ("Interections"), by which the official results are named.

    Raises:
        UsageError: the file is absent or not of that form.
    """
    values = _read_mapping(path)
    try:
        return {segment: str(entry["scenario_cluster"]) for segment, entry in values.items()}
    except (TypeError, KeyError) as error:
        raise UsageError(
            f'{path} must map each sequence to {{"scenario_cluster": NAME}}; an entry does not.'
        ) from error


def read_submission_frames(path: Path | str) -> tuple[str, ...]:
    """Names of the frames to plan for, from `test_sequence_frames_for_submission.json`: sequence -> frame index.

    Raises:
        UsageError: the file is absent or not of that form.
    """
    values = _read_mapping(path)
    if wrong := [segment for segment, index in values.items() if not str(index).isdecimal()]:
        raise UsageError(f"{path} must map each sequence to a frame index; that of {wrong[0]!r} is none.")
    return tuple(f"{segment}-{int(index):03d}" for segment, index in values.items())


def _read_mapping(path: Path | str) -> dict[str, Any]:
    try:
        text = read_text(path)
        values = json.loads(text) if text is not None else None
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from error
    if text is None:
        raise UsageError(f"There is no file {path}; it comes with the end-to-end dataset, beside its records.")
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds a {type(values).__name__}; it must map sequences to values.")
    return values
