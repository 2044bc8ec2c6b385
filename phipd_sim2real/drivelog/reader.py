"""Reading a drive log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pyarrow.parquet as pq

from phipd_sim2real.drivelog.completion import Completion, read_completions
from phipd_sim2real.drivelog.provenance import FILE_NAME, Provenance, read_provenance
from phipd_sim2real.drivelog.schema import CAMERA, SORT_KEYS
from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


class DriveLog:
    """A folder of drives in the Waymo v2 layout. Only complete segments exist.

    Attributes:
        root: the folder.
        segments: names of the complete segments, sorted.
        provenance: where the log comes from.
    """

    def __init__(self, root: Path) -> None:
        """Opens a log; the tables are read on demand.

        Raises:
            UsageError: the folder is absent or not a drive log.
        """
        if not root.is_dir():
            raise UsageError(f"There is no folder {root}; give the folder of a drive log.")
        if not (root / FILE_NAME).is_file():
            raise UsageError(f"{root} is not a drive log: it has no {FILE_NAME}. `phipd capture` makes one.")
        self.root = root
        self.provenance: Provenance = read_provenance(root)
        self._completions = read_completions(root)
        self.segments: tuple[str, ...] = tuple(self._completions)

    @property
    def missing_segments(self) -> tuple[str, ...]:
        """Segments that the log was planned with and that are not complete yet."""
        return tuple(name for name in self.provenance.planned_segments if name not in self._completions)

    def completion(self, segment: str) -> Completion:
        """Marker of a segment: row counts, hashes, hash of the settings."""
        if segment not in self._completions:
            raise UsageError(
                f"{self.root} has no complete segment {segment!r}; it has {len(self.segments)}: "
                f"{', '.join(self.segments[:5])}{' ...' if len(self.segments) > 5 else ''}."
            )
        return self._completions[segment]

    def components(self, segment: str) -> tuple[str, ...]:
        """Names of the tables of a segment, sorted."""
        return tuple(sorted(self.completion(segment).sha256))

    def path(self, component: str, segment: str) -> Path:
        """Parquet file of one table.

        Raises:
            UsageError: the segment or the table does not exist.
        """
        if component not in self.completion(segment).sha256:
            raise UsageError(
                f"Segment {segment!r} of {self.root} has no table {component!r}; "
                f"it has {', '.join(self.components(segment))}."
            )
        return self.root / component / f"{segment}.parquet"

    def table(
        self,
        component: str,
        segment: str,
        columns: Sequence[str] | None = None,
        cameras: Collection[int] | None = None,
    ) -> pd.DataFrame:
        """Reads one table, sorted by timestamp, camera and object.

        Args:
            component: such as `camera_image`.
            segment: a complete segment.
            columns: column names to read beside the keys, which always come; None reads all.
            cameras: only the rows of these, of a table that has a row per camera; None reads all.
        """
        path = self.path(component, segment)
        keys = [name for name in pq.read_schema(path).names if name.startswith("key.")]
        wanted = None if columns is None else [*keys, *(name for name in columns if name not in keys)]
        chosen = None if cameras is None else pc.field(CAMERA).isin(list(cameras))
        frame = pq.read_table(path, columns=wanted, filters=chosen, partitioning=None).to_pandas()
        return frame.sort_values([key for key in SORT_KEYS if key in keys], kind="stable", ignore_index=True)
