"""Frames of a drive log, with their labels and, for an enhanced log, the pictures of its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from phipd_sim2real.drivelog import (
    CAMERA,
    OBJECT,
    TIMESTAMP,
    DriveLog,
    column,
    decode_depth,
    decode_jpeg,
    decode_labels,
)
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion import RecordedMotion, has_exact_motion
from phipd_sim2real.quality.frames import (
    Check,
    InspectedFrame,
    Transition,
    evenly,
    pair_problem,
    provenance_facts,
)
from phipd_sim2real.quality.label_checks import label_checks
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES, Calibration
from phipd_sim2real.waymo.perception import BOX_TYPES, Box

if TYPE_CHECKING:
    import pandas as pd

IMAGE_TABLES = ("camera_image", "camera_semantics", "camera_depth")
INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")


class _Key(NamedTuple):
    segment: str
    timestamp_micros: int
    camera: int

    @property
    def name(self) -> str:
        camera = CAMERA_NAMES.get(self.camera, f"CAMERA_{self.camera}")
        return f"{self.segment} · {self.timestamp_micros / 1e6:.2f} s · {camera}"


@dataclass
class LogFrames:
    """The frames of a drive log.

    Attributes:
        log: captured or enhanced.
        source: the log that an enhanced one was made from; None for a captured log.
    """

    log: DriveLog
    source: DriveLog | None
    _keys: dict[str, _Key] = field(init=False)

    def __post_init__(self) -> None:
        if not self.log.segments:
            raise UsageError(f"{self.log.root} has no complete segment yet; run the stage that makes it to its end.")
        keys = [key for segment in self.log.segments for key in self._keys_of(segment)]
        self._keys = {key.name: key for key in keys}

    @property
    def title(self) -> str:
        """Name of the log's folder."""
        return self.log.root.resolve().name

    @property
    def facts(self) -> dict[str, str]:
        """What the page's head says of the log."""
        kind = "enhanced drive log" if self.source else "drive log"
        counts = {"segments": str(len(self.log.segments)), "frames": str(len(self._keys))}
        if self.log.missing_segments:
            counts["segments still to be made"] = str(len(self.log.missing_segments))
        return {"kind": kind} | counts | provenance_facts(self.log.provenance.model_dump(mode="json"))

    @property
    def has_before(self) -> bool:
        """Whether there is a source to compare with."""
        return self.source is not None

    def names(self) -> list[str]:
        """All frames by segment, time and camera."""
        return list(self._keys)

    def read(self, names: Sequence[str]) -> Iterator[InspectedFrame]:
        """Reads frames segment by segment; only the wanted rows are held in memory."""
        keys = [self._keys[name] for name in names]
        for segment, group in groupby(keys, key=lambda key: key.segment):
            yield from self._read_segment(segment, list(group))

    def transitions(self, count: int) -> tuple[int, Iterator[Transition]]:
        """Pairs of consecutive pictures in segments whose labels give exact motion."""
        pairs = evenly([pair for segment in self.log.segments for pair in self._pairs_of(segment)], count)
        return len(pairs), self._read_pairs(pairs)

    def checks(self) -> list[Check]:
        """Labels lie beside every picture, and an enhanced log carries its source's labels unchanged."""
        return label_checks(self.log, self.source)

    def _keys_of(self, segment: str) -> list[_Key]:
        table = self.log.table("camera_image", segment, columns=[])
        return [_Key(segment, int(t), int(c)) for t, c in zip(table[TIMESTAMP], table[CAMERA], strict=True)]

    def _pairs_of(self, segment: str) -> list[tuple[_Key, _Key]]:
        if not has_exact_motion(self.log, segment):
            return []
        keys = sorted(self._keys_of(segment), key=lambda key: (key.camera, key.timestamp_micros))
        return [(first, second) for first, second in pairwise(keys) if first.camera == second.camera]

    def _read_pairs(self, pairs: Sequence[tuple[_Key, _Key]]) -> Iterator[Transition]:
        for (segment, camera), group in groupby(pairs, key=lambda pair: (pair[0].segment, pair[0].camera)):
            chosen = list(group)
            motion = RecordedMotion(self.log, segment, camera)
            keys = [key for pair in chosen for key in pair]
            afters = _rows(self.log, "camera_image", segment, keys)
            befores = _rows(self.source, "camera_image", segment, keys) if self.source else None
            for pair in chosen:
                yield _transition(pair, motion, afters, befores)

    def _read_segment(self, segment: str, keys: Sequence[_Key]) -> Iterator[InspectedFrame]:
        tables = {name: _rows(self.log, name, segment, keys) for name in IMAGE_TABLES}
        befores = _rows(self.source, "camera_image", segment, keys) if self.source else {}
        calibrations, boxes = _calibrations(self.log, segment), _boxes(self.log, segment, keys)
        for key in keys:
            image, semantics, depth = (tables[name].get(key) for name in IMAGE_TABLES)
            after = _decoded(image, "camera_image")
            before = _decoded(befores.get(key), "camera_image")
            yield InspectedFrame(
                name=key.name,
                after=after,
                before=before,
                problem=pair_problem(before if self.source else after, after),
                semantics=None if semantics is None else decode_labels(semantics[column("camera_semantics", "image")]),
                depth_m=None if depth is None else _depth(depth),
                boxes=boxes.get(key.timestamp_micros, ()),
                calibration=calibrations.get(key.camera),
            )


def _transition(
    pair: tuple[_Key, _Key],
    motion: RecordedMotion,
    afters: dict[_Key, pd.Series],
    befores: dict[_Key, pd.Series] | None,
) -> Transition:
    """Decodes a pair; what is missing, damaged or of another size becomes a pair with a problem."""
    after = [_decoded(afters.get(key), "camera_image") for key in pair]
    before = after if befores is None else [_decoded(befores.get(key), "camera_image") for key in pair]
    problems = [pair_problem(*pictures) for pictures in zip(before, after, strict=True)]
    name = pair[0].name
    if any(problems):
        return Transition(name, problem=next(filter(None, problems)))
    flow = motion.flow(*(key.timestamp_micros for key in pair))
    if flow.valid.shape != after[0].shape[:2]:
        return Transition(name, problem="the pictures and their labels differ in size")
    return Transition(name, tuple(after), None if befores is None else tuple(before), flow)


def open_log(root: Path, source: Path | None = None) -> LogFrames:
    """Opens a log; for an enhanced one finds the log that it was made from.

    Args:
        root: folder of the log.
        source: folder of the log before; None takes the provenance's `path`, else the neighbouring folder
            whose configuration is the one in the provenance.

    Raises:
        UsageError: a folder is no drive log, or the source of an enhanced log cannot be found.
    """
    log = DriveLog(root)
    if source is not None:
        return LogFrames(log, DriveLog(source))
    if log.provenance.source_log is None:
        return LogFrames(log, None)
    return LogFrames(log, DriveLog(_source_root(root.resolve(), log.provenance.source_log)))


def _source_root(root: Path, recorded: dict[str, Any]) -> Path:
    """Folder of the source log, from what the provenance records of it."""
    if recorded.get("path"):
        return (root / recorded["path"]).resolve()
    for neighbour in sorted(root.parent.iterdir()):
        if neighbour != root and (neighbour / "_complete").is_dir():
            provenance = DriveLog(neighbour).provenance
            if (provenance.config_hash, provenance.domain) == (
                recorded.get("config_hash"),
                recorded.get("domain"),
            ):
                return neighbour
    raise UsageError(
        f"The log that {root.name} was made from is not beside it; put it back there, or name its folder as the source."
    )


def _rows(log: DriveLog, component: str, segment: str, keys: Sequence[_Key]) -> dict[_Key, pd.Series]:
    """Rows of the wanted frames; empty where the segment has no such table."""
    if component not in log.components(segment):
        return {}
    times = sorted({key.timestamp_micros for key in keys})
    table = pq.read_table(log.path(component, segment), filters=[(TIMESTAMP, "in", times)]).to_pandas()
    return {_Key(segment, int(row[TIMESTAMP]), int(row[CAMERA])): row for _, row in table.iterrows()}


def _decoded(row: pd.Series | None, component: str) -> np.ndarray | None:
    if row is None:
        return None
    try:
        return decode_jpeg(row[column(component, "image")])
    except ValueError:  # becomes a frame with a problem, which the page counts
        return None


def _depth(row: pd.Series) -> np.ndarray:
    return decode_depth(row[column("camera_depth", "image")], row[column("camera_depth", "metres_per_unit")])


def _calibrations(log: DriveLog, segment: str) -> dict[int, Calibration]:
    if "camera_calibration" not in log.components(segment):
        return {}

    def value(row: pd.Series, name: str) -> Any:
        return row[column("camera_calibration", name)]

    return {
        int(row[CAMERA]): Calibration(
            intrinsic=np.array([value(row, f"intrinsic.{name}") for name in INTRINSICS]),
            extrinsic=np.array(value(row, "extrinsic.transform"), dtype=np.float64).reshape(4, 4),
            width=int(value(row, "width")),
            height=int(value(row, "height")),
        )
        for _, row in log.table("camera_calibration", segment).iterrows()
    }


def _boxes(log: DriveLog, segment: str, keys: Sequence[_Key]) -> dict[int, tuple[Box, ...]]:
    """Time -> the boxes at that time."""
    if "lidar_box" not in log.components(segment):
        return {}
    table = log.table("lidar_box", segment)
    table = table[table[TIMESTAMP].isin({key.timestamp_micros for key in keys})]
    return {int(time): tuple(_box(row) for _, row in rows.iterrows()) for time, rows in table.groupby(TIMESTAMP)}


def _box(row: pd.Series) -> Box:
    centre, size = (
        np.array([row[column("lidar_box", f"box.{part}.{axis}")] for axis in "xyz"]) for part in ("center", "size")
    )
    kind = BOX_TYPES[int(row[column("lidar_box", "type")])]
    return Box(str(row[OBJECT]), kind, centre, size, float(row[column("lidar_box", "box.heading")]))
