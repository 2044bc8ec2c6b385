"""Unpaired pictures to fit a model to, and random crops of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from phipd_sim2real.diffusion.windows import Window
from phipd_sim2real.drivelog import DriveLog, column, decode_jpeg
from phipd_sim2real.errors import UsageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def image_files(folder: Path) -> list[Path]:
    """Pictures of a folder and its sub-folders, sorted by name.

    Raises:
        UsageError: the folder is absent or holds no picture.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}; give a folder of images or a drive log.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise UsageError(f"{folder} holds no images; {', '.join(sorted(SUFFIXES))} are read.")
    return files


def is_drive_log(folder: Path) -> bool:
    """Whether a folder holds a drive log, judged by its markers."""
    return (folder / "_complete").is_dir()


@dataclass(frozen=True)
class UnpairedImages:
    """Encoded pictures in memory.

    Attributes:
        encoded: JPEG or PNG bytes.
        domain: of the drive log they come from; `images` for a folder.
        groups: what must not be torn apart when pictures are set aside: the segment of each in a drive log,
            the hash of each in a folder.
        captions: what each shows; None where that was not asked for.
    """

    encoded: tuple[bytes, ...]
    domain: str
    groups: tuple[str, ...]
    captions: tuple[str, ...] | None = None

    @classmethod
    def load(cls, data: Path, max_images: int, captions: bool = False) -> UnpairedImages:
        """Reads a drive log or a folder; more than `max_images` are thinned out evenly.

        Args:
            data: the log or folder.
            max_images: the most that are read.
            captions: read the text file beside each picture too; a folder's only.

        Raises:
            UsageError: there is no such folder, it holds no pictures, or a picture has no caption.
        """
        if is_drive_log(data):
            if captions:
                raise UsageError(f"{data} is a drive log, whose pictures have no captions; give one prompt for all.")
            return cls._of_log(DriveLog(data), max_images)
        files = thinned(image_files(data), max_images)
        encoded = tuple(path.read_bytes() for path in files)
        texts = tuple(caption(path) for path in files) if captions else None
        return cls(encoded, "images", tuple(hashlib.sha256(image).hexdigest() for image in encoded), texts)

    @classmethod
    def _of_log(cls, log: DriveLog, max_images: int) -> UnpairedImages:
        name = column("camera_image", "image")
        items = [
            (image, segment) for segment in log.segments for image in log.table("camera_image", segment, [name])[name]
        ]
        if not items:
            raise UsageError(f"The drive log {log.root} holds no camera images; capture some first.")
        encoded, segments = zip(*thinned(items, max_images), strict=True)
        return cls(encoded, log.provenance.domain, segments)

    def __len__(self) -> int:
        return len(self.encoded)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) over all pictures and captions, in order."""
        digest = hashlib.sha256()
        for content in (*self.encoded, *(text.encode() for text in self.captions or ())):
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()

    def split(self, share: float) -> tuple[UnpairedImages, UnpairedImages]:
        """Sets a share of the groups aside, chosen by the hash of their names.

        Args:
            share: in (0, 1); at least one group goes to each side.

        Returns:
            the pictures to train on, and those set aside.

        Raises:
            UsageError: there is one group alone.
        """
        groups = sorted(set(self.groups), key=lambda group: hashlib.sha256(group.encode()).digest())
        if len(groups) < 2:
            raise UsageError(
                "The data is a single segment, folder of clips or picture, of which none can be set aside; "
                "give validation pictures of their own with validation.data, or none."
            )
        aside = set(groups[: min(len(groups) - 1, math.ceil(share * len(groups)))])
        chosen = [group in aside for group in self.groups]
        return self._where([not held for held in chosen]), self._where(chosen)

    def spread(self, count: int, frames: int = 1) -> UnpairedImages:
        """Up to `count` of the pictures, or clips of `frames` frames where there are such, evenly spread."""
        kept = set(thinned(list(range(len(self))), count))
        return self._where([index in kept for index in range(len(self))])

    def crop(
        self, rng: np.random.Generator, height: int, width: int, scale: tuple[float, float], frames: int = 1
    ) -> tuple[np.ndarray, int]:
        """A random crop of a random picture or clip at a random scale, mirrored half of the time.

        Args:
            rng: source of all choices.
            height: of the crop, pixels.
            width: likewise.
            scale: range of crop pixels per picture pixel, log-uniform; raised where the picture is too small.
            frames: of the crop; several, which only clips have, share one window.

        Returns:
            (height, width, 3) uint8 RGB or (frames, height, width, 3), and the index of its first picture.
        """
        indices = self._drawn(rng, frames)
        first = decode_jpeg(self.encoded[indices[0]])
        window = Window.drawn(rng, first.shape[:2], height, width, scale)
        return self._shown(window, first, indices), indices[0]

    def middle(self, index: int, height: int, width: int, frames: int = 1) -> np.ndarray:
        """The largest middle part of a picture or clip that has the asked shape, resized.

        Args:
            index: of `len(self)`.
            height: of the result, pixels.
            width: likewise.
            frames: of the result; several only of clips.

        Returns:
            (height, width, 3) uint8 RGB, or (frames, height, width, 3).
        """
        indices = self._member(index, frames)
        first = decode_jpeg(self.encoded[indices[0]])
        return self._shown(Window.middle(first.shape[:2], height, width), first, indices)

    def _drawn(self, rng: np.random.Generator, frames: int) -> range:
        """Indices of the pictures of a random crop."""
        index = int(rng.integers(len(self.encoded)))
        return range(index, index + 1)

    def _member(self, index: int, frames: int) -> range:
        """Indices of the pictures of a member of the set."""
        return range(index, index + 1)

    def _shown(self, window: Window, first: np.ndarray, indices: range) -> np.ndarray:
        """What a window shows; one picture is decoded at a time."""
        if len(indices) == 1:
            return window.of(first)
        rest = (window.of(decode_jpeg(self.encoded[index])) for index in indices[1:])
        return np.stack([window.of(first), *rest])

    def _where(self, chosen: Sequence[bool]) -> UnpairedImages:
        def kept(items: tuple) -> tuple:
            return tuple(item for item, yes in zip(items, chosen, strict=True) if yes)

        captions = None if self.captions is None else kept(self.captions)
        return UnpairedImages(kept(self.encoded), self.domain, kept(self.groups), captions)


def caption(picture: Path) -> str:
    """What the text file beside a picture says.

    Raises:
        UsageError: there is none.
    """
    path = picture.with_suffix(".txt")
    if not path.is_file():
        raise UsageError(f"{picture} has no caption {path.name} beside it; write one, or set captions=false.")
    return path.read_text(encoding="utf-8").strip()


def thinned(items: list, most: int) -> list:
    """At most `most` of the items, evenly spread."""
    if len(items) <= most:
        return items
    return [items[index * len(items) // most] for index in range(most)]
