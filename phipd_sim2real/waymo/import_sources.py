"""What can be imported as a drive log: Perception v1 files and v2 folders, each as segments that give rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from phipd_sim2real.drivelog.schema import CAMERA, SCHEMAS, SEGMENT
from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.ahead import work_ahead
from phipd_sim2real.waymo.perception_rows import Row, calibration_rows, frame_rows, require_whole
from phipd_sim2real.waymo.perception_v1 import PerceptionSegment, scan_file
from phipd_sim2real.waymo.perception_v2 import PerceptionFolder, is_perception_folder
from phipd_sim2real.waymo.protos import dataset_protos, e2e_protos
from phipd_sim2real.waymo.sample import SampleError
from phipd_sim2real.waymo.skim import E2E_SKIPPED, FRAME_SKIPPED, Skipped, skim
from phipd_sim2real.waymo.storage import RecordFile, find_record_files
from phipd_sim2real.waymo.tfrecord import RecordError, walk_headers

DAMAGED = "damaged_record"
V1_COMPONENTS = ("camera_image", "camera_calibration", "vehicle_pose", "stats", "lidar_box")
"""Tables of every v1 segment; those of other labels exist where there are such labels."""


@dataclass(frozen=True)
class FrameFailure:
    """A frame that could not be imported, or not whole: reason, and where it was."""

    reason: str
    where: str


@dataclass(frozen=True)
class SegmentSource:
    """One segment.

    Attributes:
        name: context name.
        components: tables that it has, even where they hold no row.
        rows: cameras (None: all), list for failures -> rows; frames that cannot be read are put into the list.
    """

    name: str
    components: tuple[str, ...]
    rows: Callable[[Collection[int] | None, list[FrameFailure]], Iterator[Row]]


@dataclass(frozen=True)
class SourceUnit:
    """A file or a folder's entry that is opened as one.

    Attributes:
        name: for sentences.
        segment: segment that it holds; None where that cannot be told before it is opened.
        open: gives its segments; raises UsageError where none of it can be read.
    """

    name: str
    segment: str | None
    open: Callable[[], Sequence[SegmentSource]]


def perception_sources(source: Path | str) -> tuple[str, list[SourceUnit]]:
    """What `source` is, in words, and what is in it.

    Raises:
        UsageError: nothing is there, or it is neither of the two.
    """
    if is_perception_folder(Path(source)):
        folder = PerceptionFolder(Path(source))
        units = [SourceUnit(name, name, partial(_open_v2, folder, name)) for name in folder.segments]
        units += [SourceUnit(name, name, partial(_refuse_v2, folder, name)) for name in folder.incomplete]
        return "Waymo Perception v2", sorted(units, key=lambda unit: unit.name)
    files = find_record_files(source)
    names = [_perception_name(file) for file in files]
    if not any(names):
        _refuse(source, files)
    return "Waymo Perception v1", [
        SourceUnit(file.name, name, partial(_open_v1, file)) for file, name in zip(files, names, strict=True)
    ]


def _open_v1(file: RecordFile) -> list[SegmentSource]:
    return [SegmentSource(segment.name, V1_COMPONENTS, partial(_v1_rows, segment)) for segment in scan_file(file)]


def _v1_rows(
    segment: PerceptionSegment, cameras: Collection[int] | None, failures: list[FrameFailure]
) -> Iterator[Row]:
    if cut_off := [place for place in segment.damage if place.ends_file]:
        raise UsageError(f"{cut_off[0].problem} The rest of the drive is lost with it; copy the file again.")
    failures.extend(FrameFailure(DAMAGED, place.problem) for place in segment.damage)
    calibrated: set[int] = set()
    for rows in work_ahead(partial(_v1_frame_rows, segment, cameras), range(len(segment)), threads=2):
        if isinstance(rows, FrameFailure):
            failures.append(rows)
            continue
        calibrations, contents = rows
        yield from ((component, row) for component, row in calibrations if row[CAMERA] not in calibrated)
        calibrated |= {row[CAMERA] for _, row in calibrations}
        yield from contents


def _v1_frame_rows(
    segment: PerceptionSegment, cameras: Collection[int] | None, index: int
) -> tuple[list[Row], list[Row]] | FrameFailure:
    """Calibrations and contents of one frame."""
    try:
        message = segment.message(index)
        require_whole(message, segment.origin(index))
    except SampleError as error:
        return FrameFailure(error.reason, str(error))
    except UsageError as error:
        return FrameFailure(DAMAGED, str(error))
    return list(calibration_rows(message.context, cameras)), list(frame_rows(message, cameras))


def _open_v2(folder: PerceptionFolder, segment: str) -> list[SegmentSource]:
    return [SegmentSource(segment, folder.components(segment), partial(_v2_rows, folder, segment))]


def _refuse_v2(folder: PerceptionFolder, segment: str) -> list[SegmentSource]:
    lacks = ", ".join(f"{component}/{segment}.parquet" for component in folder.incomplete[segment])
    raise UsageError(f"{folder.root} lacks {lacks}: download every component of the segment.")


def _v2_rows(
    folder: PerceptionFolder, segment: str, cameras: Collection[int] | None, failures: list[FrameFailure]
) -> Iterator[Row]:
    """Rows of all tables; a v2 table is read whole or not at all, so no single frame fails."""
    for component in folder.components(segment):
        of_cameras = cameras if CAMERA in SCHEMAS[component].names else None
        for table in folder.batches(component, segment, cameras=of_cameras):
            if others := set(table[SEGMENT].unique().to_pylist()) - {segment}:
                raise UsageError(
                    f"{folder.path(component, segment)} holds rows of segment {min(others)}; a table bears the name of "
                    "its segment: rename it, or download it again."
                )
            yield from ((component, row) for row in table.to_pylist())


def _perception_name(file: RecordFile) -> str | None:
    """Context name of a file's first record; None where it is no Perception frame."""
    frame = _first(file, dataset_protos().Frame, FRAME_SKIPPED)
    return frame.context.name if frame is not None and len(frame.pose.transform) == 16 else None


def _refuse(source: Path | str, files: Sequence[RecordFile]) -> None:
    for file in files:
        frame = _first(file, e2e_protos().E2EDFrame, E2E_SKIPPED)
        if frame is not None and frame.frame.context.name:
            raise UsageError(
                f"{source} holds end-to-end records, and no drive log can be made of them: they have no poses, no "
                "labels and no place of a frame in its drive, only the path 4 s before and 5 s after each frame. "
                f"Score planners on them as they are: `phipd evaluate --config FILE evaluation.records='{source}'`."
            )
    raise UsageError(
        f"Of the {len(files)} files at {source} none begins with a Perception frame; give TFRecords of Perception v1, "
        "or the folder of a split of Perception v2."
    )


def _first(file: RecordFile, message_class: type, skipped: Skipped):  # noqa: ANN202  (a message of the given class)
    """A file's first record without its large fields; None where it is damaged or another message."""
    from google.protobuf.message import DecodeError

    with file.open() as stream:
        try:
            span = next(walk_headers(stream, file.address, file.size), None)
            return None if span is None else message_class.FromString(skim(stream, span.length, skipped))
        except (RecordError, ValueError, DecodeError):
            return None
