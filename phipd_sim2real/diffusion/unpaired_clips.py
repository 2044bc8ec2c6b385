"""Unpaired clips to fit a video model to: consecutive pictures of one camera."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import accumulate, groupby, pairwise
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from phipd_sim2real.diffusion.images import UnpairedImages, caption, image_files, is_drive_log, thinned
from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column
from phipd_sim2real.errors import UsageError

GAP = 1.5
"""Times the median period of a camera's pictures in a segment: more than that ends a run."""

IMAGES = "camera_image"

Run = tuple[str, Sequence]
"""Segment and rows of its image table, or name of a sub-folder and its files: consecutive pictures."""


@dataclass(frozen=True)
class UnpairedClips(UnpairedImages):
    """Encoded pictures in memory, run after run. Its length is the number of runs: after `spread`, of clips.

    Attributes:
        runs: indices of consecutive pictures of one camera and one size; together, of all.
        stride: pictures from one frame of a clip to the next.
    """

    runs: tuple[range, ...] = ()
    stride: int = 1

    @classmethod
    def load(
        cls, data: Path, max_images: int, captions: bool = False, frames: int = 1, stride: int = 1
    ) -> UnpairedClips:
        """Reads a drive log or a folder, each of whose sub-folders is one run in the order of names and numbers.

        Args:
            data: the log or folder.
            max_images: the most pictures that are read; of more, pieces as long as the longest clip are kept, evenly
                spread.
            captions: read the text file beside each picture too; a folder's only.
            frames: of the longest clip.
            stride: pictures from one frame to the next.

        Raises:
            UsageError: there is no such folder, it holds no pictures or no run as long as the longest clip, a picture
                cannot be read or has no caption.
        """
        span = (frames - 1) * stride + 1
        log = DriveLog(data) if is_drive_log(data) else None
        if log is not None and captions:
            raise UsageError(f"{data} is a drive log, whose pictures have no captions; give one prompt for all.")
        found = list(_runs_of_folder(data) if log is None else _runs_of_log(log))
        _require(max((len(keys) for _, keys in found), default=0), span, data.name)
        kept = _thinned(found, max_images, span)
        files = [path for _, paths in kept for path in paths] if log is None else []
        encoded = tuple(_of_log(log, kept) if log is not None else (path.read_bytes() for path in files))
        clips = cls(
            encoded,
            "images" if log is None else log.provenance.domain,
            tuple(group for group, keys in kept for _ in keys),
            tuple(caption(path) for path in files) if captions else None,
            tuple(part for run in _laid_out(len(keys) for _, keys in kept) for part in _of_one_size(run, encoded)),
            stride,
        )
        clips.require(frames, data.name)
        return clips

    def require(self, frames: int, name: str) -> None:
        """Refuses clips that are longer than every run.

        Raises:
            UsageError: no run has so many frames; `name` says in what.
        """
        _require(max(map(len, self.runs), default=0), self._span(frames), name)

    def __len__(self) -> int:
        return len(self.runs)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) over all pictures and captions, in order, and the lengths of the runs."""
        lengths = " ".join(str(len(run)) for run in self.runs)
        pictures = UnpairedImages(self.encoded, self.domain, self.groups, self.captions).sha256
        return hashlib.sha256(f"{pictures} {lengths}".encode()).hexdigest()

    def spread(self, count: int, frames: int = 1) -> UnpairedClips:
        """Up to `count` clips of `frames` frames that share no picture, evenly spread."""
        span = self._span(frames)
        return self._of(thinned([piece for run in self.runs for piece in _pieces(run, span)], count))

    def _drawn(self, rng: np.random.Generator, frames: int) -> range:
        """Indices of a random clip, each as likely as any other."""
        span = self._span(frames)
        last = list(accumulate(max(0, len(run) - span + 1) for run in self.runs))
        drawn = int(rng.integers(last[-1]))
        run = int(np.searchsorted(last, drawn, side="right"))
        start = self.runs[run].stop - span + 1 - (last[run] - drawn)
        return range(start, start + span, self.stride)

    def _member(self, index: int, frames: int) -> range:
        start = self.runs[index].start
        return range(start, start + self._span(frames), self.stride)

    def _span(self, frames: int) -> int:
        """Pictures from the first frame of a clip to the last."""
        return (frames - 1) * self.stride + 1

    def _where(self, chosen: Sequence[bool]) -> UnpairedClips:
        return self._of([run for run in self.runs if chosen[run.start]])

    def _of(self, runs: list[range]) -> UnpairedClips:
        """The same with these runs alone."""

        def kept(items: tuple) -> tuple:
            return tuple(items[index] for run in runs for index in run)

        captions = None if self.captions is None else kept(self.captions)
        laid_out = tuple(_laid_out(map(len, runs)))
        return UnpairedClips(kept(self.encoded), self.domain, kept(self.groups), captions, laid_out, self.stride)


def _require(longest: int, span: int, name: str) -> None:
    if longest < span:
        raise UsageError(
            f"A clip takes {span} consecutive pictures, and the longest run of {name} has {longest}: a run ends at a "
            "gap in time, at another camera, folder or picture size. Give fewer frames, a smaller stride or other data."
        )


def _runs_of_log(log: DriveLog) -> Iterator[Run]:
    """Rows of each camera of each segment in the order of time, cut at gaps."""
    for segment in log.segments:
        for _, own in log.table(IMAGES, segment, []).groupby(CAMERA):
            periods = np.diff(own[TIMESTAMP])
            gaps = np.flatnonzero(periods > GAP * np.median(periods)) + 1 if len(periods) else []
            for rows in np.split(own.index.to_numpy(), gaps):
                yield segment, rows


def _runs_of_folder(folder: Path) -> Iterator[Run]:
    """Files of each sub-folder, `2.jpg` before `10.jpg`."""
    files = sorted(image_files(folder), key=lambda path: (path.parent, _words_and_numbers(path.name)))
    for parent, own in groupby(files, key=lambda path: path.parent):
        yield parent.relative_to(folder).as_posix(), list(own)


def _words_and_numbers(name: str) -> list[str | int]:
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"([0-9]+)", name))]


def _thinned(runs: list[Run], most: int, span: int) -> list[Run]:
    if sum(len(keys) for _, keys in runs) <= most:
        return runs
    return thinned([(group, piece) for group, keys in runs for piece in _pieces(keys, span)], most // span)


def _pieces(run: Sequence, span: int) -> list[Sequence]:
    return [run[start : start + span] for start in range(0, len(run) - span + 1, span)]


def _of_log(log: DriveLog, runs: list[Run]) -> Iterator[bytes]:
    """Encoded pictures of the runs; one segment's table is in memory at a time."""
    name = column(IMAGES, "image")
    for segment, own in groupby(runs, key=lambda run: run[0]):
        table = log.table(IMAGES, segment, [name])[name]
        yield from (table[row] for _, rows in own for row in rows)


def _laid_out(lengths: Iterable[int]) -> Iterator[range]:
    """Ranges of these lengths, one after the other from 0."""
    return (range(*ends) for ends in pairwise([0, *accumulate(lengths)]))


def _of_one_size(run: range, encoded: Sequence[bytes]) -> Iterator[range]:
    """A run cut where the pictures' size changes."""
    for _, own in groupby(run, key=lambda index: _size(encoded[index])):
        indices = list(own)
        yield range(indices[0], indices[-1] + 1)


def _size(encoded: bytes) -> tuple[int, int]:
    try:
        with Image.open(BytesIO(encoded)) as image:
            return image.size
    except UnidentifiedImageError as error:
        raise UsageError("A picture of the data is not a readable image; `phipd enhance` on it says which.") from error
