"""Structure of an enhanced picture against its source: measures that need no weights.

All take (H, W, 3) uint8 RGB pictures of equal size and work on gamma-coded luminance (Rec. 601).
"""

from __future__ import annotations

import cv2
import numpy as np

from phipd_sim2real.quality.edges import canny_edges, grown, luminance
from phipd_sim2real.quality.measurement import Measurement

BLUR_SIGMA_PX = 2.0
ROAD_LINES = 24  # CityObjectLabel of CARLA 0.9.16
LANE_TOLERANCE_PX = 2
FEWEST_LANE_EDGES = 20


def phase_coherence(source: np.ndarray, output: np.ndarray, below: float) -> Measurement:
    """Agreement of Fourier phases at low frequencies: 1 where all structure is in place, 0 where none is.

    Sum of |S(k)| cos(φ_out(k) − φ_src(k)) over sum of |S(k)|, for 0 < |k| < `below`.

    Args:
        source: picture before.
        output: picture after.
        below: cycles per pixel, at most 0.5.
    """
    spectrum_source, spectrum_output = np.fft.fft2(luminance(source)), np.fft.fft2(luminance(output))
    height, width = source.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    band = (frequency > 0) & (frequency < below)
    magnitude = np.abs(spectrum_source[band])
    turn = np.angle(spectrum_output[band]) - np.angle(spectrum_source[band])
    name = f"phase_coherence@{below:.3g}"
    if not magnitude.sum() > 0:
        return _absent(name, "the source is flat")
    return _present(name, float((magnitude * np.cos(turn)).sum() / magnitude.sum()))


def blur_ssim(source: np.ndarray, output: np.ndarray, sigma_px: float = BLUR_SIGMA_PX) -> Measurement:
    """Structural similarity after an equal Gaussian blur of both: layout and shading, without fine texture.

    SSIM of Wang et al. (2004) by torchmetrics: Gaussian window of 11 px, σ = 1.5 px.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    blurred = [cv2.GaussianBlur(luminance(picture), (0, 0), sigma_px)[None, None] for picture in (output, source)]
    similarity = structural_similarity_index_measure(*map(torch.from_numpy, blurred), data_range=255.0, sigma=1.5)
    return _present("blur_ssim", float(similarity))


def canny_f1(source: np.ndarray, output: np.ndarray) -> Measurement:
    """F1 of edge pixels found again within 1 px (the 8 neighbours)."""
    edges_source, edges_output = canny_edges(source), canny_edges(output)
    if not edges_source.any():
        return _absent("canny_f1", "the source has no edges")
    if not edges_output.any():
        return _present("canny_f1", 0.0)
    recall = grown(edges_output, 1)[edges_source].mean()
    precision = grown(edges_source, 1)[edges_output].mean()
    return _present("canny_f1", float(2 * precision * recall / max(precision + recall, np.finfo(float).tiny)))


def lane_edge_recall(source: np.ndarray, output: np.ndarray, semantics: np.ndarray | None) -> Measurement:
    """Share of the source's edges on lane paint that the output has within 2 px.

    Args:
        source: picture before.
        output: picture after.
        semantics: (H, W) uint8 CARLA labels; paint is `ROAD_LINES`, grown by 1 px to hold its own border.
            None where there are none.
    """
    if semantics is None:
        return _absent("lane_edge_recall", "no semantic labels")
    paint = canny_edges(source) & grown(semantics == ROAD_LINES, 1)
    if paint.sum() < FEWEST_LANE_EDGES:
        return _absent("lane_edge_recall", f"fewer than {FEWEST_LANE_EDGES} px of lane edges in view")
    found = grown(canny_edges(output), LANE_TOLERANCE_PX)
    return _present("lane_edge_recall", float(found[paint].mean()))


def _present(name: str, value: float) -> Measurement:
    return Measurement(name, value, valid=True, unit="1", better="higher")


def _absent(name: str, reason: str) -> Measurement:
    return Measurement(name, float("nan"), valid=False, unit="1", better="higher", reason=reason)
