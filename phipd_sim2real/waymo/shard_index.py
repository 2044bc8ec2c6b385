"""The index of one shard of end-to-end records: where each lies and what it is, in a small parquet file.

A shard is read once for it, without its pictures: headers and their checksums, names, intents and ratings. The
checksums of the payloads are tested when these are read.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path
from phipd_sim2real.waymo.e2e import POSITION_FIELDS, rated_trajectories, read_states, segment_and_time
from phipd_sim2real.waymo.protos import e2e_protos, parse
from phipd_sim2real.waymo.skim import E2E_SKIPPED, skim
from phipd_sim2real.waymo.storage import Damage, RecordFile, spans_until_damage
from phipd_sim2real.waymo.tfrecord import RecordSpan

INDEX_SUFFIX = ".index.parquet"
FORMAT = 2

SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "segment": pa.string(),
        "frame": pa.int64(),  # Waymo's clock in tenths of a second needs more than 32 bits
        "timestamp_micros": pa.int64(),
        "intent": pa.int8(),
        "rated": pa.bool_(),
        "rater_start_m": pa.float32(),
        "record": pa.int32(),
        "offset": pa.int64(),
        "length": pa.int64(),
    }
)
"""Name, its two parts, time, intent; whether a rater scored it, and how far from the origin the best path begins;
number in the shard, byte of its header, length."""


@dataclass(frozen=True)
class ShardIndex:
    """Records of one shard in the order of the file, as a table of `SCHEMA`, and what is damaged."""

    table: pa.Table
    damage: tuple[Damage, ...]


def index_shard(file: RecordFile, folder: Path) -> ShardIndex:
    """The index of a shard, from `folder` where it is there and the shard has not changed since.

    Raises:
        UsageError: the folder cannot be written.
    """
    path = folder / f"{file.name.replace('.tfrecord', '')}{INDEX_SUFFIX}"  # or it would be taken for a shard
    stored = _stored(path, file)
    if stored is not None:
        return stored
    index = scan_shard(file)
    try:
        _store(path, file, index)
    except OSError as error:
        raise UsageError(
            f"The index of {file.address} cannot be written to {folder} ({error.strerror}); "
            "give a folder that can be written (cache=FOLDER)."
        ) from error
    return index


def scan_shard(file: RecordFile) -> ShardIndex:
    """Reads a shard for its index; a damaged record is noted, and ends the shard where its length is unknown."""
    rows: list[dict[str, Any]] = []
    damage: list[Damage] = []
    with file.open() as stream:
        for record, span in enumerate(spans_until_damage(stream, file, damage)):
            try:
                rows.append(_row(stream, file, span, record))
            except (ValueError, UsageError) as error:
                problem = f"{file.address}: record {record} at byte {span.offset} cannot be indexed: {error}"
                damage.append(Damage(file.name, span.offset, span.length, problem))
    return ShardIndex(pa.Table.from_pylist(rows, SCHEMA), tuple(damage))


def _row(stream: BinaryIO, file: RecordFile, span: RecordSpan, record: int) -> dict[str, Any]:
    payload = skim(stream, span.length, E2E_SKIPPED)
    message = parse(e2e_protos().E2EDFrame, payload, file.address, record)
    name = message.frame.context.name
    segment, timestamp_micros = segment_and_time(message.frame, f"{file.address}: record {record}")
    rated = rated_trajectories(message)
    best = max(rated, key=lambda states: states.preference_score, default=None)
    begin = None if best is None else read_states(best, POSITION_FIELDS, f"{file.address}: record {record}")[0]
    return {
        "name": name,
        "segment": segment,
        "frame": int(name.rpartition("-")[2]),
        "timestamp_micros": timestamp_micros,
        "intent": message.intent,
        "rated": bool(rated),
        "rater_start_m": None if begin is None else math.hypot(*begin),
        "record": record,
        "offset": span.offset,
        "length": span.length,
    }


def _identity(file: RecordFile) -> dict[str, Any]:
    return {"format": FORMAT, "name": file.name, "size": file.size, "mtime_ns": file.mtime_ns}


def _stored(path: Path, file: RecordFile) -> ShardIndex | None:
    if not path.is_file():
        return None
    try:
        stored = pq.read_table(path)
    except pa.ArrowException:  # damaged: made again
        return None
    metadata = stored.schema.metadata
    if json.loads(metadata[b"shard"]) != _identity(file):
        return None
    damage = tuple(Damage(**entry) for entry in json.loads(metadata[b"damage"]))
    return ShardIndex(stored.replace_schema_metadata(None), damage)


def _store(path: Path, file: RecordFile, index: ShardIndex) -> None:
    values = {"shard": _identity(file), "damage": [asdict(entry) for entry in index.damage]}
    metadata = {key: json.dumps(value) for key, value in values.items()}
    with atomic_path(path) as temporary:
        pq.write_table(index.table.replace_schema_metadata(metadata), temporary, compression="zstd")
