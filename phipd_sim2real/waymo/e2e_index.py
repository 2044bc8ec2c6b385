"""End-to-end records in order: an index over the shards, and samples read by it.

Records of one drive are shuffled across the shards of a split. The index is made once, one small file per shard, and
holds what is needed to choose and order records; then each is read from its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from phipd_sim2real.errors import UsageError
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.waymo.ahead import THREADS, work_ahead
from phipd_sim2real.waymo.e2e import read_sample
from phipd_sim2real.waymo.protos import e2e_protos, log_name, parse
from phipd_sim2real.waymo.sample import PlannerSample, SampleError, SampleFailure, SampleKey
from phipd_sim2real.waymo.shard_index import index_shard
from phipd_sim2real.waymo.splits import CLUSTER_FILE, missing_shards, read_clusters
from phipd_sim2real.waymo.storage import (
    MAX_FAILED_SHARE,
    Backend,
    Damage,
    RecordFile,
    find_record_files,
    read_text,
    require_few_lost,
)
from phipd_sim2real.waymo.tfrecord import RecordError, RecordSpan, read_record_at

if TYPE_CHECKING:
    import pandas as pd

INDEX_FOLDER = ".phipd-index"
SHARDS_AT_ONCE = 4


@dataclass(frozen=True, eq=False)
class E2EIndex:
    """All records of some shards, by segment and time. Made by `open_e2e_index`.

    Attributes:
        files: the shards.
        table: one row per record: the columns of `shard_index.SCHEMA`, and shard, an index into `files`; sorted by
            segment and time.
        damage: places that could not be indexed; their records are not in the table.
        clusters: segment -> cluster of its scene; empty where none are known.
    """

    files: tuple[RecordFile, ...]
    table: pd.DataFrame
    damage: tuple[Damage, ...]
    clusters: dict[str, str]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def segments(self) -> tuple[str, ...]:
        """Names of the drives, sorted."""
        return tuple(self.table["segment"].unique())

    @property
    def missing_shards(self) -> list[str]:
        """Shards that the files' own names speak of and that are not there: the split is not whole."""
        return missing_shards([file.name for file in self.files])

    @property
    def unclustered(self) -> list[str]:
        """Rated drives whose scenario cluster is not known, sorted; they count as one cluster more."""
        return sorted(set(self.table["segment"][self.table["rated"]]) - set(self.clusters))

    def summary(self) -> dict[str, Any]:
        """Counts, for logs: what is there, what is missing, and where the best-rated paths begin.

        Rated paths have 21 points, mostly, and the dataset does not say whether the first is t = 0 or 0.25 s. The score
        takes it for 0.25 s, as the official code does; `rater_start_m` (median, metres from the origin) tells: it is
        0 where it is t = 0.
        """
        starts = self.table["rater_start_m"].dropna()
        return {
            "files": len(self.files),
            "missing_files": len(self.missing_shards),
            "records": len(self.table),
            "segments": len(self.segments),
            "rated": int(self.table["rated"].sum()),
            "rater_start_m": float(starts.median()) if len(starts) else None,
            "clusters": len(set(self.clusters.values())),
            "damaged_places": [place.problem for place in self.damage],
        }

    def key(self, position: int) -> SampleKey:
        """Key of the record at a position of the table."""
        row = self.table.iloc[position]
        return SampleKey(log_name(self.files[row["shard"]].name), row["segment"], int(row["timestamp_micros"]))

    def frame_name(self, key: SampleKey) -> str:
        """A sample's name in the dataset, by which a submission names it.

        Raises:
            UsageError: no record has that key.
        """
        rows = self.table[
            (self.table["segment"] == key.segment) & (self.table["timestamp_micros"] == key.timestamp_micros)
        ]
        if rows.empty:
            raise UsageError(f"No record of {key.log} has segment {key.segment!r} at {key.timestamp_micros} µs.")
        return str(rows["name"].iloc[0])

    def samples(
        self,
        cameras: Sequence[int] | None = None,
        rated_only: bool = False,
        segments: Collection[str] | None = None,
        names: Collection[str] | None = None,
        threads: int = THREADS,
    ) -> Iterator[PlannerSample | SampleFailure]:
        """Samples by segment, in time order; each record is read from its place, ahead in threads.

        Args:
            cameras: ids to decode, 1 to 8; None decodes all, and an empty sequence none.
            rated_only: only frames that a rater scored.
            segments: only these drives.
            names: only frames of these names, such as `read_submission_frames` gives.
            threads: that read and decode.

        Yields:
            Samples; for a record that gives none, a failure with its reason, file and byte; where all are asked for,
            at the end one failure for every place that is damaged.

        Raises:
            UsageError: a name that no record has (at the call).
        """
        positions = self._chosen(rated_only, segments, names)
        read = work_ahead(lambda position: self.sample(position, cameras), positions, threads)
        return chain(read, self._lost() if segments is None and names is None else ())

    def count(
        self,
        rated_only: bool = False,
        segments: Collection[str] | None = None,
        names: Collection[str] | None = None,
    ) -> int:
        """How many samples and failures `samples` gives, for progress."""
        lost = len(self.damage) if segments is None and names is None else 0
        return len(self._chosen(rated_only, segments, names)) + lost

    def _lost(self) -> Iterator[SampleFailure]:
        """One failure for every damaged place, whose records have no name any more."""
        for place in self.damage:
            yield SampleFailure(SampleKey(log_name(place.shard), "", place.offset), "damaged_record", place.problem)

    def sample(self, position: int, cameras: Sequence[int] | None = None) -> PlannerSample | SampleFailure:
        """The sample at one position of the table, or why there is none."""
        row = self.table.iloc[position]
        file, key = self.files[row["shard"]], self.key(position)
        record, span = int(row["record"]), RecordSpan(int(row["offset"]), int(row["length"]))
        origin = f"{file.address}: record {record} at byte {span.offset}"
        try:
            with file.open() as stream:
                payload = read_record_at(stream, file.address, file.size, span, record)
            message = parse(e2e_protos().E2EDFrame, payload, file.address, record)
            return read_sample(message, key.log, origin, cameras, self.clusters)
        except RecordError as error:
            return SampleFailure(key, "damaged_record", str(error))
        except SampleError as error:
            return SampleFailure(key, error.reason, str(error))

    def identity(self) -> str:
        """SHA-256 over the shards' names, sizes and times and the clusters: equal data, equal identity."""
        files = sorted((file.name, file.size, file.mtime_ns) for file in self.files)
        return hashlib.sha256(json.dumps([files, self.clusters], sort_keys=True).encode()).hexdigest()

    def _chosen(self, rated_only: bool, segments: Collection[str] | None, names: Collection[str] | None) -> list[int]:
        chosen = self.table["rated"] if rated_only else self.table["rated"] | True
        if segments is not None:
            chosen = chosen & self.table["segment"].isin(list(segments))
        if names is not None:
            if unknown := sorted(set(names) - set(self.table["name"])):
                raise UsageError(
                    f"{len(unknown)} of {len(names)} frames are in none of the {len(self.files)} files "
                    f"(such as {unknown[0]}); {len(self.missing_shards)} shards of the split are missing."
                )
            chosen = chosen & self.table["name"].isin(list(names))
        return chosen.to_numpy().nonzero()[0].tolist()


def open_e2e_index(
    source: Path | str,
    cache: Path | None = None,
    clusters: Path | str | None = None,
    backend: Backend = "local",
    max_failed_share: float = MAX_FAILED_SHARE,
    progress: ProgressCallback | None = None,
) -> E2EIndex:
    """Opens the index of end-to-end records, reading those shards that are new or have changed.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern, as `split_source` gives it.
        cache: folder of the index; None keeps it in `.phipd-index` beside the records.
        clusters: JSON file of the scenes' clusters; None takes the one beside the records, where there is one.
        backend: what reads the records; gs:// is always read by TensorFlow.
        max_failed_share: share of the records' bytes that may be lost to damage.
        progress: called as progress(label, done, total) after every shard.

    Raises:
        UsageError: no files, a frame that is in two of them, an index folder that cannot be written, or gs:// without
            `cache` or TensorFlow.
        StageError: too much of the records is damaged.
    """
    files = tuple(find_record_files(source, backend))
    e2e_protos()
    folder = cache if cache is not None else _beside(files[0])
    tables, damage = [], []
    indices = work_ahead(lambda file: index_shard(file, folder), files, SHARDS_AT_ONCE)
    for shard, index in enumerate(indices):
        tables.append(index.table.append_column("shard", pa.array([shard] * len(index.table), pa.int32())))
        damage.extend(index.damage)
        if progress is not None:
            progress("index records", shard + 1, len(files))
    table = (
        pa.concat_tables(tables)
        .to_pandas()
        .sort_values(["segment", "timestamp_micros"], kind="stable", ignore_index=True)
    )
    _require_once(table, files)
    index = E2EIndex(files, table, tuple(damage), _clusters(files[0], clusters))
    require_few_lost(damage, files, max_failed_share)
    return index


def _require_once(table: pd.DataFrame, files: Sequence[RecordFile]) -> None:
    twice = table[table.duplicated(["segment", "timestamp_micros"], keep=False)]
    if len(twice):
        name = twice["name"].iloc[0]
        places = " and ".join(sorted({files[shard].address for shard in twice[twice["name"] == name]["shard"]}))
        raise UsageError(f"Frame {name} is more than once in {places}; give each record once.")


def _beside(file: RecordFile) -> Path:
    if file.address.startswith("gs://"):
        raise UsageError(f"The index of {file.folder} needs a local folder; give one (cache=FOLDER).")
    return Path(file.folder) / INDEX_FOLDER


def _clusters(file: RecordFile, path: Path | str | None) -> dict[str, str]:
    beside = f"{file.folder}/{CLUSTER_FILE}"
    if path is None and read_text(beside) is None:
        return {}
    return read_clusters(path or beside)
