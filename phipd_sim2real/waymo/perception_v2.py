"""Perception v2 split folders (COMPONENT/SEGMENT.parquet) read in place, with the columns of older releases too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phipd_sim2real.drivelog.schema import CAMERA, SCHEMAS, SORT_KEYS, optional_columns
from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES
from phipd_sim2real.waymo.perception_rows import COMPONENTS

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("camera_image", "camera_calibration", "vehicle_pose")
ROWS_PER_BATCH = 64


class PerceptionFolder:
    """A split of Perception v2 as it is downloaded, with the tables of a drive log.

    `planner_eval.samples.samples_from_log` takes it as it takes a `DriveLog`. Columns come with the present names and
    types: older files hold poses in single precision and cameras by name.

    Attributes:
        root: the folder.
        segments: names of the segments that have pictures, calibrations and poses, sorted.
        incomplete: segment -> those of the three that it lacks.
    """

    def __init__(self, root: Path) -> None:
        """Lists the segments; tables are read on demand.

        Raises:
            UsageError: the folder is no split of Perception v2.
        """
        if not is_perception_folder(root):
            raise UsageError(
                f"{root} is no split of Waymo's Perception v2: it has no vehicle_pose/SEGMENT.parquet. Give the folder "
                "of a split, such as training, with its components in it."
            )
        self.root = root
        found = {component: {path.stem for path in (root / component).glob("*.parquet")} for component in NEEDED}
        everything = sorted(set().union(*found.values()))
        lacking = {name: tuple(c for c in NEEDED if name not in found[c]) for name in everything}
        self.segments: tuple[str, ...] = tuple(name for name in everything if not lacking[name])
        self.incomplete: dict[str, tuple[str, ...]] = {name: lacks for name, lacks in lacking.items() if lacks}

    def components(self, segment: str) -> tuple[str, ...]:
        """Names of a segment's tables that a drive log may have, sorted."""
        return tuple(sorted(name for name in COMPONENTS if self.path(name, segment).is_file()))

    def path(self, component: str, segment: str) -> Path:
        """Parquet file of one table."""
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
            segment: its name.
            columns: column names to read beside the keys, which always come; None reads all.
            cameras: only the rows of these, of a table that has a row per camera; None reads all.

        Raises:
            UsageError: the table cannot be read, or lacks a column.
        """
        frame = pa.concat_tables(self.batches(component, segment, columns, cameras)).to_pandas()
        keys = [key for key in SORT_KEYS if key in frame]
        return frame.sort_values(keys, kind="stable", ignore_index=True)

    def batches(
        self,
        component: str,
        segment: str,
        columns: Sequence[str] | None = None,
        cameras: Collection[int] | None = None,
    ) -> Iterator[pa.Table]:
        """One table in parts of `ROWS_PER_BATCH` rows, in the file's order; at least one part, which may be empty.

        Raises:
            UsageError: as `table`.
        """
        path, fields = self.path(component, segment), SCHEMAS[component]
        wanted = [name for name in fields.names if columns is None or name in columns or name.startswith("key.")]
        schema = pa.schema([fields.field(name) for name in wanted])
        try:
            with pq.ParquetFile(path) as file:
                present = [name for name in wanted if name in file.schema_arrow.names]
                absent = set(wanted) - set(present) - optional_columns(component)
                if absent:
                    raise UsageError(f"{path} lacks the columns {sorted(absent)} of {component}.")
                empty = file.schema_arrow.empty_table().select(present)
                yield _conformed(empty, schema)
                for batch in file.iter_batches(ROWS_PER_BATCH, columns=present):
                    table = _conformed(pa.Table.from_batches([batch]), schema)
                    yield table if cameras is None else table.filter(pc.field(CAMERA).isin(list(cameras)))
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{path} cannot be read: {error}. Copy or download the file again.") from error


def is_perception_folder(root: Path) -> bool:
    """Whether a folder has the tables of Perception v2."""
    return any((root / "vehicle_pose").glob("*.parquet"))


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the schema's columns and types; optional columns that it lacks are null."""
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        values = table[field.name]
        if field.name == CAMERA and pa.types.is_string(values.type):
            values = _camera_ids(values)
        columns.append(values.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _camera_ids(names: pa.ChunkedArray) -> pa.Array:
    """Cameras by id; a name that no camera has is an error."""
    cameras = pc.index_in(names, pa.array(list(CAMERA_NAMES.values())))
    if cameras.null_count:
        raise pa.ArrowInvalid(f"cameras are named {pc.unique(names).to_pylist()}; known are {[*CAMERA_NAMES.values()]}")
    return pc.add(cameras, 1)
