"""Unpaired pictures to fit a model to, and random crops of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

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
        sha256: over all of them, in order.
    """

    encoded: tuple[bytes, ...]
    domain: str
    sha256: str

    @classmethod
    def load(cls, data: Path, max_images: int) -> UnpairedImages:
        """Reads a drive log or a folder; more than `max_images` are thinned out evenly.

        Raises:
            UsageError: there is no such folder, or it holds no pictures.
        """
        if is_drive_log(data):
            log = DriveLog(data)
            encoded = _thinned(
                [image for segment in log.segments for image in _segment_images(log, segment)], max_images
            )
            domain = log.provenance.domain
        else:
            encoded = [path.read_bytes() for path in _thinned(image_files(data), max_images)]
            domain = "images"
        if not encoded:
            raise UsageError(f"The drive log {data} holds no camera images; capture some first.")
        digest = hashlib.sha256()
        for image in encoded:
            digest.update(hashlib.sha256(image).digest())
        return cls(tuple(encoded), domain, digest.hexdigest())

    def crop(self, rng: np.random.Generator, height: int, width: int, scale: tuple[float, float]) -> np.ndarray:
        """A random crop of a random picture at a random scale, mirrored half of the time.

        Args:
            rng: source of all choices.
            height: of the crop, pixels.
            width: likewise.
            scale: range of crop pixels per picture pixel, log-uniform; raised where the picture is too small.

        Returns:
            (height, width, 3) uint8 RGB.
        """
        image = decode_jpeg(self.encoded[rng.integers(len(self.encoded))])
        zoom = max(np.exp(rng.uniform(*np.log(scale))), height / image.shape[0], width / image.shape[1])
        rows, columns = round(height / zoom), round(width / zoom)
        top = rng.integers(image.shape[0] - rows + 1)
        left = rng.integers(image.shape[1] - columns + 1)
        region = image[top : top + rows, left : left + columns]
        if rng.random() < 0.5:
            region = region[:, ::-1]
        interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        return cv2.resize(np.ascontiguousarray(region), (width, height), interpolation=interpolation)


def _segment_images(log: DriveLog, segment: str) -> list[bytes]:
    name = column("camera_image", "image")
    return list(log.table("camera_image", segment, [name])[name])


def _thinned(items: list, most: int) -> list:
    if len(items) <= most:
        return items
    return [items[index * len(items) // most] for index in range(most)]
