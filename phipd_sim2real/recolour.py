"""Colour transfer, the cheap rival of every enhancement: a frame takes over the colours of a picture of the target.

Each frame borrows from a target picture of its own, drawn by its seed, so that a set of frames also takes over how
the light of the target varies.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.drivelog import (
    CAMERA,
    TIMESTAMP,
    DriveLog,
    Provenance,
    collect_versions,
    column,
    completed_segments,
    current_commit,
    decode_jpeg,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.drivelog.repaint import Row, repaint_segment
from phipd_sim2real.errors import UsageError
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import Settings, settings_hash

Picture = NDArray[np.uint8]
"""(H, W, 3) RGB."""

IMAGE = column("camera_image", "image")


class RecolourSettings(Settings):
    """How colours are taken over."""

    method: Literal["reinhard", "histogram"]
    """`reinhard` matches mean and spread of each channel of CIE Lab (Reinhard et al. 2001), `histogram` the whole
    distribution of each."""

    reference: Path
    """Drive log or folder of target pictures; nothing of them but colour is used."""

    pictures: Annotated[int, Field(ge=1)] = 400
    """The most that are read of them, evenly spread."""

    seed: Annotated[int, Field(ge=0)] = 0

    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95


class _Identity(Settings):
    settings: RecolourSettings
    pictures: str
    source: str


def reinhard(image: Picture, reference: Picture) -> Picture:
    """Gives each Lab channel of an image the mean and the standard deviation of the reference's."""
    lab, target = _lab(image), _lab(reference)
    spread = target.std(axis=(0, 1)) / np.maximum(lab.std(axis=(0, 1)), 1e-6)
    return _rgb((lab - lab.mean(axis=(0, 1))) * spread + target.mean(axis=(0, 1)))


def match_histograms(image: Picture, reference: Picture) -> Picture:
    """Gives each Lab channel of an image the distribution of the reference's, order of the pixels kept."""
    lab, target = _lab(image), _lab(reference)
    matched = [_matched(lab[..., channel], target[..., channel]) for channel in range(3)]
    return _rgb(np.stack(matched, axis=-1))


METHODS: dict[str, Callable[[Picture, Picture], Picture]] = {"reinhard": reinhard, "histogram": match_histograms}


def recolour_log(
    log: DriveLog, out: Path, settings: RecolourSettings, progress: ProgressCallback | None = None
) -> DriveLog:
    """Recolours every complete segment of a log; segments that are done already are left as they are.

    Args:
        log: the source.
        out: folder of the recoloured log.
        settings: method and reference.
        progress: called as progress(label, frames done, frames in all).

    Raises:
        UsageError: the log has no segment, the reference no picture, or `out` holds a log made otherwise.
    """
    if not log.segments:
        raise UsageError(f"The drive log {log.root} has no complete segment; finish its capture first.")
    reference = UnpairedImages.load(settings.reference, settings.pictures)
    provenance = _provenance(log, settings, reference)
    done = completed_segments(out, provenance.config_hash)
    made_from = (provenance.source_log or {}) | {"path": os.path.relpath(log.root, out)}
    write_provenance(out, provenance.model_copy(update={"source_log": made_from}))
    pictures = [decode_jpeg(encoded) for encoded in reference.encoded]
    label, total = f"recolour ({settings.method})", len(log.segments)
    for number, segment in enumerate(log.segments, start=1):
        if segment not in done:

            def repaint(camera: int, rows: list[Row], segment: str = segment) -> list[Row]:
                return [_recoloured(row, segment, pictures, settings) for row in rows]

            repaint_segment(log, segment, out, provenance.config_hash, repaint)
        if progress is not None:
            progress(label, number, total)
    return DriveLog(out)


def _recoloured(row: Row, segment: str, pictures: list[Picture], settings: RecolourSettings) -> Row:
    seed = frame_seed(settings.seed, segment, row[TIMESTAMP], row[CAMERA])
    reference = pictures[seed % len(pictures)]
    image = METHODS[settings.method](decode_jpeg(row[IMAGE]), reference)
    return row | {IMAGE: encode_jpeg(image, settings.jpeg_quality)}


def _provenance(log: DriveLog, settings: RecolourSettings, reference: UnpairedImages) -> Provenance:
    nowhere = settings.model_copy(update={"reference": Path(settings.reference.name)})
    identity = _Identity(settings=nowhere, pictures=reference.sha256, source=log.provenance.config_hash)
    return Provenance(
        domain="recoloured",
        source_domain=log.provenance.domain,
        config=nowhere.model_dump(mode="json") | {"reference_sha256": reference.sha256},
        config_hash=settings_hash(identity),
        seed=settings.seed,
        planned_segments=log.provenance.planned_segments or log.segments,
        versions=collect_versions("phipd-sim2real", "opencv-python-headless", "numpy"),
        commit=current_commit(),
        source_log=log.provenance.model_dump(mode="json"),
    )


def _lab(image: Picture) -> NDArray[np.float32]:
    """(H, W, 3) float32 CIE Lab."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _rgb(lab: NDArray[np.float32]) -> Picture:
    return (cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB) * 255).round().clip(0, 255).astype(np.uint8)


def _matched(values: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """The target's quantile at each value's rank; equal values stay equal."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - 0.5 * counts) / values.size
    quantiles = (np.arange(target.size) + 0.5) / target.size
    return np.interp(ranks, quantiles, np.sort(target, axis=None))[inverse].reshape(values.shape)
