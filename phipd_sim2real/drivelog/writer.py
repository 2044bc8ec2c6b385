"""Writing one segment of a drive log: all of it, or no trace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phipd_sim2real.drivelog.completion import FOLDER, Completion, write_completion
from phipd_sim2real.drivelog.reader import DriveLog
from phipd_sim2real.drivelog.schema import SCHEMAS, SEGMENT, optional_columns
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path, sha256_file

ROWS_PER_GROUP = 64
"""Rows of a table held in memory, and of a parquet row group: large pictures must not pile up."""


class SegmentWriter:
    """Collects the tables of one segment and lets them appear together.

    Use as a context manager. Tables are written under temporary names; on a clean exit they take their final
    names and the marker is written last. An exception, or a kill at any moment, leaves no segment behind.
    """

    def __init__(self, root: Path, segment: str, config_hash: str) -> None:
        """Begins a segment.

        Args:
            root: folder of the log, made where absent.
            segment: its name, which becomes a file name.
            config_hash: hash of the settings that make it.

        Raises:
            UsageError: the segment is complete already; nothing is overwritten.
        """
        if (root / FOLDER / f"{segment}.json").exists():
            raise UsageError(f"{root} has a complete segment {segment!r} already; give another output folder.")
        self._root = root
        self._segment = segment
        self._config_hash = config_hash
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._pending: dict[str, list[dict[str, Any]]] = {}
        self._rows: dict[str, int] = {}
        self._remove_leftovers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            for component in self._writers:
                if error is None:
                    self._flush(component)
                self._writers[component].close()
            if error is None:
                self._publish()
        finally:
            for component in self._rows:
                self._temporary(component).unlink(missing_ok=True)

    def append(self, component: str, row: Mapping[str, Any]) -> None:
        """Adds one row.

        Args:
            component: a component of the schema.
            row: official column name -> value; the segment's name may be left out. Arrays are flattened.

        Raises:
            ValueError: unknown component or column, or a required column is missing.
        """
        self._check(component, row)
        self.declare(component)
        values = {name: _plain(value) for name, value in row.items()}
        self._pending[component].append(values | {SEGMENT: self._segment})
        self._rows[component] += 1
        if len(self._pending[component]) == ROWS_PER_GROUP:
            self._flush(component)

    def copy(self, component: str, source: DriveLog) -> None:
        """Carries a table of the same segment of another log over, byte for byte."""
        path = source.path(component, self._segment)
        self._rows[component] = source.completion(self._segment).rows[component]
        self._temporary(component).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self._temporary(component))

    def declare(self, component: str) -> None:
        """Makes a table exist even if no row follows, such as the boxes of an empty street."""
        if component in self._writers:
            return
        temporary = self._temporary(component)
        temporary.parent.mkdir(parents=True, exist_ok=True)
        self._rows[component] = 0
        self._pending[component] = []
        self._writers[component] = pq.ParquetWriter(temporary, SCHEMAS[component], compression="zstd")

    def _check(self, component: str, row: Mapping[str, Any]) -> None:
        if component not in SCHEMAS:
            raise ValueError(f"Unknown component {component!r}; the schema has {', '.join(SCHEMAS)}.")
        known = set(SCHEMAS[component].names)
        unknown = set(row) - known
        missing = known - set(row) - optional_columns(component) - {SEGMENT}
        if unknown or missing:
            raise ValueError(f"A row of {component} has unknown columns {sorted(unknown)} and lacks {sorted(missing)}.")

    def _flush(self, component: str) -> None:
        if self._pending[component]:
            self._writers[component].write_table(pa.Table.from_pylist(self._pending[component], SCHEMAS[component]))
            self._pending[component] = []

    def _publish(self) -> None:
        sha256 = {}
        for component in sorted(self._rows):
            final = self._root / component / f"{self._segment}.parquet"
            with atomic_path(final) as temporary:
                self._temporary(component).replace(temporary)
            sha256[component] = sha256_file(final)
        write_completion(self._root, Completion(self._segment, self._config_hash, self._rows, sha256))

    def _remove_leftovers(self) -> None:
        """Removes what killed processes left of this segment."""
        for leftover in self._root.glob(f"*/.{self._segment}.parquet.*.part"):
            if not Path(f"/proc/{leftover.suffixes[-2][1:]}").exists():
                leftover.unlink()

    def _temporary(self, component: str) -> Path:
        return self._root / component / f".{self._segment}.parquet.{os.getpid()}.part"


def _plain(value: Any) -> Any:
    return value.ravel().tolist() if isinstance(value, np.ndarray) else value
