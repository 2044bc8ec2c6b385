"""One picture at several cutoffs, side by side with their captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from phipd_sim2real.bench.settings import CurvesSettings
from phipd_sim2real.drivelog import encode_jpeg
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path

CAPTION_PX, GAP_PX = 26, 6
INK = (40, 48, 60)
STRIP_QUALITY = 92
COLUMNS = 3


def write_strip(settings: CurvesSettings, clip_picture: np.ndarray, jpeg_quality: int, path: Path) -> None:
    """Enhances one picture at every cutoff of the strip and writes them as one JPEG.

    Args:
        settings: the strip's, the models' and the sweep's.
        clip_picture: (H, W, 3) uint8 RGB, taken where the strip names no picture.
        jpeg_quality: of the benchmark's results; the strip's own is fixed.
        path: of the JPEG.

    Raises:
        UsageError: the strip's picture cannot be read.
    """
    from phipd_sim2real.diffusion.enhancer import Enhancer
    from phipd_sim2real.phase import Cutoff

    strip, sweep = settings.strip, settings.sweep
    picture = clip_picture if strip.frame is None else _read(strip.frame)
    enhancer = Enhancer.from_pretrained(settings.models.phi_pd, precision=sweep.precision)
    cells = [("source", picture)] if strip.show_source else []
    for cutoff in strip.cutoffs:
        kept = Cutoff.isotropic(cutoff, free_below=min(strip.free_below, cutoff / 2))
        result = enhancer.enhance(picture[None], [sweep.seed], cutoff=kept, strength=strip.strength, steps=sweep.steps)[
            0
        ]
        cells.append((f"cutoff {cutoff:g} cycles/px: {1 / cutoff:.3g} px and wider stay", result))
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_jpeg(tiled(cells), STRIP_QUALITY))


def tiled(cells: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Pictures of one size with captions below, on white, up to three in a row: (H, W, 3) uint8 RGB."""
    columns = min(COLUMNS, len(cells))
    height, width = cells[0][1].shape[:2]
    rows = -(-len(cells) // columns)
    step_y, step_x = height + CAPTION_PX + GAP_PX, width + GAP_PX
    sheet = np.full((rows * step_y, columns * step_x - GAP_PX, 3), 255, np.uint8)
    for index, (caption, picture) in enumerate(cells):
        top, left = index // columns * step_y, index % columns * step_x
        sheet[top : top + height, left : left + width] = picture
        scale = min(0.5, width / 800)
        at = (left + 2, top + height + CAPTION_PX - 9)
        cv2.putText(sheet, caption, at, cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)
    return sheet


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UsageError(f"The strip's picture {path} cannot be read; give a JPEG or PNG with strip.frame.")
    return np.ascontiguousarray(image[..., ::-1])
