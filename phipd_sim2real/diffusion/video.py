"""Enhancing a video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from phipd_sim2real.diffusion.clips import enhance_clip
from phipd_sim2real.diffusion.frames import SMALLEST_SIDE, frame_seed
from phipd_sim2real.diffusion.labels import refuse_labels
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.diffusion.summary import EnhanceSummary, enhanced_provenance
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path, sha256_file, write_json
from phipd_sim2real.motion import estimated_flow
from phipd_sim2real.progress import ProgressCallback

SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".mp4"})


def enhance_video(
    source: Path, out: Path, settings: EnhanceSettings, progress: ProgressCallback | None = None
) -> EnhanceSummary:
    """Enhances a video at its own size and rate; motion, where it is asked for, is estimated.

    Args:
        source: a video that OpenCV reads.
        out: the new video, `.mp4`; complete or absent, with `OUT.provenance.json` beside it.
        settings: model and method. A frame's seed derives from (seed, frame number).
        progress: called as progress(label, frames done, frames in all).

    Raises:
        UsageError: the video cannot be read, the model is not there, `out` is no `.mp4` or was made otherwise, or
            settings ask for labels.
    """
    if out.suffix.lower() != ".mp4":
        raise UsageError(f"{out} is no .mp4 file; give --out NAME.mp4 for a video.")
    refuse_labels(settings, "a video")
    frames, rate, size = _probe(source)
    if _begin(source, out, settings):
        return EnhanceSummary(kind="video", frames=frames, enhanced=0)
    from phipd_sim2real.diffusion.clip_noise import refuse_noise  # torch, where there is work
    from phipd_sim2real.diffusion.enhancer import Enhancer

    enhancer = Enhancer.from_settings(settings)
    refuse_noise(enhancer, settings, [size[::-1]])
    seeds = (frame_seed(settings.seed, number) for number in count())
    results = enhance_clip(enhancer, _frames(source), seeds, lambda _, *pair: estimated_flow(*pair), settings)
    done = 0
    with atomic_path(out) as temporary:
        container = temporary.with_suffix(".mp4")  # OpenCV chooses the container by the name's end
        writer = cv2.VideoWriter(str(container), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        try:
            for done, image in enumerate(results, start=1):
                writer.write(np.ascontiguousarray(image[..., ::-1]))
                if progress is not None:
                    progress("enhance", done, max(frames, done))
            writer.release()
            container.replace(temporary)
        finally:
            container.unlink(missing_ok=True)
    return EnhanceSummary(kind="video", frames=done, enhanced=done)


def _begin(source: Path, out: Path, settings: EnhanceSettings) -> bool:
    """Writes the provenance beside the video to come; true where the video is there already."""
    provenance = enhanced_provenance(settings, sha256_file(source), None)
    record = out.with_name(f"{out.name}.provenance.json")
    same = record.exists() and json.loads(record.read_text())["config_hash"] == provenance.config_hash
    if out.exists() and not same:
        raise UsageError(f"{out} is there already and was made otherwise; give another name with --out.")
    if not out.exists():
        write_json(record, provenance.model_dump(mode="json") | {"source": source.name})
    return out.exists()


def _probe(source: Path) -> tuple[int, float, tuple[int, int]]:
    """Number of frames (as the header says), frames per second, (width, height)."""
    video = cv2.VideoCapture(str(source))
    readable, frame = video.read()
    frames, rate = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), video.get(cv2.CAP_PROP_FPS)
    video.release()
    if not readable:
        raise UsageError(f"{source} is not a video that OpenCV can read; convert it to .mp4.")
    height, width = frame.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise UsageError(f"{source} has {width}×{height} pixels; both sides need at least {SMALLEST_SIDE}.")
    return frames, rate, (width, height)


def _frames(source: Path) -> Iterator[np.ndarray]:
    """Frames in order, (H, W, 3) uint8 RGB."""
    video = cv2.VideoCapture(str(source))
    while (read := video.read())[0]:
        yield read[1][..., ::-1]
    video.release()
