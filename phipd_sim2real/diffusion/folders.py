"""Enhancing a folder of images: the same names in another folder, and a manifest of what came from what."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from phipd_sim2real.diffusion.clips import noise_of
from phipd_sim2real.diffusion.frames import BATCH, SMALLEST_SIDE, frame_seed
from phipd_sim2real.diffusion.images import image_files
from phipd_sim2real.diffusion.labels import refuse_labels
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.diffusion.summary import EnhanceSummary, enhanced_provenance
from phipd_sim2real.drivelog import decode_jpeg, encode_jpeg
from phipd_sim2real.drivelog.provenance import FILE_NAME
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path, sha256_file, write_json
from phipd_sim2real.progress import ProgressCallback

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.enhancer import Enhancer

MANIFEST = "manifest.json"
Size = tuple[int, int]


def enhance_folder(
    source: Path, out: Path, settings: EnhanceSettings, progress: ProgressCallback | None = None
) -> EnhanceSummary:
    """Enhances every picture of a folder and its sub-folders; pictures that are there already are kept.

    Writes `provenance.json` first and `manifest.json`, picture -> source and SHA-256, last.

    Args:
        source: folder of JPEG and PNG files.
        out: another folder, not inside the source.
        settings: model and method. A picture's seed derives from (seed, name).
        progress: called as progress(label, pictures done, pictures in all).

    Raises:
        UsageError: a picture cannot be read or is too small, the model is not there, `out` holds pictures made
            otherwise, or settings ask for labels or for what hangs together in time.
    """
    refuse_labels(settings, "a folder of images")
    if settings.temporal != "frame" or settings.correlation:
        raise UsageError(
            "The pictures of a folder are no clip; leave temporal and correlation out, or enhance a video or a log."
        )
    files = image_files(source)
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out} lies inside the source {source}; give a folder outside of it.")
    sizes = {path: _readable_size(path) for path in files}
    _begin(source, files, out, settings)
    names = {path: path.relative_to(source).as_posix() for path in files}
    missing = [path for path in files if not (out / names[path]).exists()]
    if missing:
        from phipd_sim2real.diffusion.clip_noise import refuse_noise  # torch, where there is work
        from phipd_sim2real.diffusion.enhancer import Enhancer

        enhancer = Enhancer.from_settings(settings)
        refuse_noise(enhancer, settings, {sizes[path][::-1] for path in missing})
    done = len(files) - len(missing)
    for batch in _batches(missing, sizes):
        images = np.stack([decode_jpeg(path.read_bytes()) for path in batch])
        seeds = [frame_seed(settings.seed, names[path]) for path in batch]
        enhanced = _enhanced(enhancer, images, seeds, settings)
        for path, image in zip(batch, enhanced, strict=True):
            _write_picture(out / names[path], image, settings.jpeg_quality)
        done += len(batch)
        if progress is not None:
            progress("enhance", done, len(files))
    manifest = {name: {"source": name, "sha256": sha256_file(out / name)} for name in names.values()}
    write_json(out / MANIFEST, {"files": manifest})
    return EnhanceSummary(kind="folder", frames=len(files), enhanced=len(missing))


def _enhanced(enhancer: Enhancer, images: np.ndarray, seeds: list[int], settings: EnhanceSettings) -> np.ndarray:
    """Pictures of one size, each for itself."""
    from phipd_sim2real.diffusion.clip_noise import white_draws
    from phipd_sim2real.diffusion.enhancer import method

    noise = {}
    if settings.rigidity is not None:
        whites = white_draws(enhancer, iter(images), iter(seeds))
        noise = noise_of(enhancer, images, whites, settings, None, range(len(images)))
    return enhancer.enhance(images, seeds, **method(settings) | noise)


def _begin(source: Path, files: list[Path], out: Path, settings: EnhanceSettings) -> None:
    """Writes the provenance, or makes sure that the one that is there is the same."""
    listing = "\n".join(f"{path.relative_to(source).as_posix()} {path.stat().st_size}" for path in files)
    provenance = enhanced_provenance(settings, hashlib.sha256(listing.encode()).hexdigest(), None)
    path = out / FILE_NAME
    foreign = [name for file in files if (out / (name := file.relative_to(source).as_posix())).exists()]
    if not path.exists() and foreign:
        raise UsageError(
            f"{out} holds pictures that this enhancement did not make (such as {foreign[0]}); give an empty folder."
        )
    if not path.exists():
        write_json(path, provenance.model_dump(mode="json") | {"source": os.path.relpath(source, out)})
    elif json.loads(path.read_text())["config_hash"] != provenance.config_hash:
        raise UsageError(
            f"{out} holds pictures made with other settings, weights or sources; give another output folder."
        )


def _readable_size(path: Path) -> Size:
    """Width and height from the file's header."""
    try:
        with Image.open(path) as image:
            size = image.size
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(f"{path} is not a readable image; mend or remove it.") from error
    if min(size) < SMALLEST_SIDE:
        raise UsageError(f"{path} has {size[0]}×{size[1]} pixels; both sides need at least {SMALLEST_SIDE}.")
    return size


def _batches(files: list[Path], sizes: dict[Path, Size]) -> list[list[Path]]:
    """Batches of one picture size each."""
    same: dict[Size, list[Path]] = {}
    for path in files:
        same.setdefault(sizes[path], []).append(path)
    return [group[start : start + BATCH] for group in same.values() for start in range(0, len(group), BATCH)]


def _write_picture(path: Path, image: np.ndarray, jpeg_quality: int) -> None:
    data = encode_jpeg(image, jpeg_quality) if path.suffix.lower() != ".png" else _png(image)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()
