"""Where the frames of an evaluation come from: a drive log, end-to-end records, or Waymo Perception in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    from phipd_sim2real.waymo import E2EIndex, PlannerSample, SampleFailure, SampleKey
    from phipd_sim2real.waymo.perception_v2 import PerceptionFolder

    Samples = Iterable[PlannerSample | SampleFailure]


class EvaluationFrames(Protocol):
    """Frames to plan for.

    Attributes:
        dataset: what they are, for tables.
    """

    dataset: str

    def samples(self) -> Samples:
        """All of them, and why some are none."""
        ...

    def chosen(self, keys: Collection[SampleKey]) -> Samples:
        """Some of them, for drawing."""
        ...

    def count(self) -> int | None:
        """How many; None where that is not known before."""
        ...

    def identity(self) -> str:
        """Equal data, equal identity."""
        ...


class LogFrames:
    """Frames of a drive log, with the boxes of others along their futures."""

    def __init__(self, name: str, log: DriveLog, cameras: Sequence[int]) -> None:
        self.dataset, self._log, self._cameras = f"drive log {name}", log, cameras

    def samples(self) -> Samples:
        """See `EvaluationFrames`."""
        from planner_eval.samples import samples_from_log

        return samples_from_log(self._log, self._cameras, road_users=True)

    def chosen(self, keys: Collection[SampleKey]) -> Samples:
        """See `EvaluationFrames`."""
        from planner_eval.samples import samples_from_log

        return samples_from_log(self._log, self._cameras, only=keys)

    def count(self) -> int:
        """See `EvaluationFrames`."""
        from planner_eval.samples import count_frames

        return count_frames(self._log)

    def identity(self) -> str:
        """SHA-256 over the tables of all segments."""
        return _hash({segment: self._log.completion(segment).sha256 for segment in self._log.segments})


class WrittenRecords:
    """One file of records that was written from a drive log, in the log's order."""

    def __init__(self, path: Path, cameras: Sequence[int]) -> None:
        self.dataset, self._path, self._cameras = f"WOD-E2E records {path.name}", path, cameras

    def samples(self) -> Samples:
        """See `EvaluationFrames`."""
        from phipd_sim2real.waymo import e2e_samples

        return e2e_samples(self._path, self._cameras)

    def chosen(self, keys: Collection[SampleKey]) -> Samples:
        """See `EvaluationFrames`."""
        return (sample for sample in self.samples() if sample.key in keys)

    def count(self) -> None:
        """See `EvaluationFrames`."""
        return

    def identity(self) -> str:
        """See `EvaluationFrames`."""
        return _hash(_file(self._path))


class IndexedRecords:
    """End-to-end records that were given, by drive and time."""

    def __init__(self, pattern: str, index: E2EIndex, cameras: Sequence[int], rated_only: bool) -> None:
        notes = {
            "rated frames": rated_only,
            f"{len(index.missing_shards)} shards of the split missing": index.missing_shards,
            f"{len(index.unclustered)} rated drives of no known cluster": index.unclustered,
        }
        self.dataset = ", ".join([f"WOD-E2E records {Path(pattern).name}", *(note for note in notes if notes[note])])
        self._index, self._cameras, self._rated = index, cameras, rated_only

    def samples(self) -> Samples:
        """See `EvaluationFrames`."""
        return self._index.samples(self._cameras, rated_only=self._rated)

    def chosen(self, keys: Collection[SampleKey]) -> Samples:
        """See `EvaluationFrames`."""
        return self._index.samples(self._cameras, names=[self._index.frame_name(key) for key in keys])

    def count(self) -> int:
        """See `EvaluationFrames`."""
        return self._index.count(rated_only=self._rated)

    def identity(self) -> str:
        """See `EvaluationFrames`."""
        return _hash([self._index.identity(), self._rated])


class PerceptionFrames:
    """Waymo Perception where it lies: TFRecords of version 1, or a split folder of version 2."""

    def __init__(self, source: str, cameras: Sequence[int], stride: int, max_failed_share: float) -> None:
        self.dataset = f"Waymo Perception {Path(source).name}"
        self._source, self._cameras, self._stride, self._share = source, cameras, stride, max_failed_share

    @cached_property
    def _folder(self) -> PerceptionFolder | None:
        from phipd_sim2real.waymo.perception_v2 import PerceptionFolder, is_perception_folder

        path = Path(self._source)
        if not is_perception_folder(path):
            return None
        folder = PerceptionFolder(path)
        if folder.incomplete:
            segment, lacks = next(iter(folder.incomplete.items()))
            raise UsageError(
                f"{len(folder.incomplete)} segments of {path} lack tables, such as {segment} ({', '.join(lacks)}); "
                "download them, or give a folder without those segments."
            )
        return folder

    def samples(self) -> Samples:
        """See `EvaluationFrames`."""
        from phipd_sim2real.waymo import perception_samples
        from planner_eval.samples import samples_from_log

        if self._folder is None:
            return perception_samples(self._source, self._cameras, self._stride, max_failed_share=self._share)
        return samples_from_log(self._folder, self._cameras, road_users=True, stride=self._stride)

    def chosen(self, keys: Collection[SampleKey]) -> Samples:
        """See `EvaluationFrames`."""
        from planner_eval.samples import samples_from_log

        if self._folder is not None:
            return samples_from_log(self._folder, self._cameras, only=keys)
        return (sample for sample in self.samples() if sample.key in keys)

    def count(self) -> int | None:
        """See `EvaluationFrames`."""
        return None

    def identity(self) -> str:
        """Names, sizes and times of the files, which are too large to be read for it."""
        from phipd_sim2real.waymo.storage import find_record_files

        if self._folder is None:
            files = find_record_files(self._source)
            return _hash([self._stride, sorted((file.name, file.size, file.mtime_ns) for file in files)])
        tables = sorted(self._folder.root.glob("*/*.parquet"))
        return _hash([self._stride, [(path.parent.name, *_file(path)) for path in tables]])


def _file(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return path.name, status.st_size, status.st_mtime_ns


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
