"""Motion: whether an enhanced picture stands where its source stood, and a clip moves as the simulator moved it.

Pictures are (H, W, 3) uint8 RGB. A flow is (H, W, 2) float32, pixels, x before y: what is at p in the first picture
is at p + flow(p) in the second.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from phipd_sim2real.quality.edges import linear_light, luminance
from phipd_sim2real.quality.measurement import Measurement

TEXTURE_WINDOW_PX = 9
LEAST_TEXTURE = 4.0  # standard deviation of luminance in the window, of 255
FEWEST_PIXELS = 100
CONTRAST_WINDOW_PX = 31
CONTRAST_FLOOR = 8.0  # of 255: below it, contrast is noise or JPEG and is not amplified


def gt_flow_warp_error(image_t: np.ndarray, image_t1: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> Measurement:
    """Mean |I_t − warp(I_{t+1})| over pixels and channels, in linear RGB 0 to 1: flicker, and texture that slides.

    A raw clip has an error too (shading, interpolation); `warp_excess` takes it away.

    Args:
        image_t: picture at t.
        image_t1: picture at t+1, sampled bilinearly at p + flow(p).
        flow: true motion from t to t+1.
        valid: (H, W) bool, false where the point is occluded or out of view at t+1.
    """
    use = valid & _inside(flow)
    if use.sum() < FEWEST_PIXELS:
        return _absent("gt_flow_warp_error", f"fewer than {FEWEST_PIXELS} px are seen at both times", "linear RGB")
    warped = _warp(linear_light(image_t1), flow)
    error = np.abs(linear_light(image_t) - warped)[use].mean()
    return Measurement("gt_flow_warp_error", float(error), True, "linear RGB", "lower")


def warp_excess(output: Measurement, source: Measurement) -> Measurement:
    """Warping error of the output less that of its source over the same pixels: what enhancement added."""
    absent = next((item for item in (output, source) if not item.valid), None)
    if absent is not None:
        return replace(absent, name="gt_flow_warp_excess")
    return replace(output, name="gt_flow_warp_excess", value=output.value - source.value)


def flow_epe(source: np.ndarray, result: np.ndarray) -> Measurement:
    """Re-rendering error: mean length of the optical flow from a source to its result, against zero.

    Flow is OpenCV's DIS on luminance of equal local contrast, so that a change of light or palette is no motion. It
    counts where the *source* has texture (standard deviation of at least 4 of 255 in 9×9 px); elsewhere nothing
    fixes it. Along a straight edge only the motion across the edge is seen.
    """
    use = textured(source)
    if use.sum() < FEWEST_PIXELS:
        return _absent("flow_epe", "the source has no texture", "px")
    length = np.linalg.norm(estimated_motion(source, result), axis=-1)
    return Measurement("flow_epe", float(length[use].mean()), True, "px", "lower")


def flow_consistency(result_t: np.ndarray, result_t1: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> Measurement:
    """Mean endpoint error of the flow seen between two results (DIS) against true flow: whether textures stick.

    Args:
        result_t: result at t.
        result_t1: result at t+1.
        flow: true motion from t to t+1.
        valid: (H, W) bool, false where the point is occluded or out of view at t+1. Pixels where the result at t has
            no texture are left out as well.
    """
    use = valid & _inside(flow) & textured(result_t)
    if use.sum() < FEWEST_PIXELS:
        return _absent("flow_consistency", f"fewer than {FEWEST_PIXELS} px with texture are seen at both times", "px")
    error = np.linalg.norm(estimated_motion(result_t, result_t1) - flow, axis=-1)
    return Measurement("flow_consistency", float(error[use].mean()), True, "px", "lower")


def estimated_motion(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Optical flow by DIS (Kroeger et al., 2016; OpenCV, medium preset) on luminance of equal local contrast."""
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return estimator.calc(_equal_contrast(first), _equal_contrast(second), None)


def textured(picture: np.ndarray) -> np.ndarray:
    """(H, W) bool, true where luminance varies enough around a pixel for its motion to be seen."""
    return _local_deviation(luminance(picture), TEXTURE_WINDOW_PX)[1] >= LEAST_TEXTURE


def _equal_contrast(picture: np.ndarray) -> np.ndarray:
    """(H, W) uint8: luminance less its local mean, over its local deviation; 128 is the mean, 42 one deviation."""
    grey = luminance(picture)
    mean, deviation = _local_deviation(grey, CONTRAST_WINDOW_PX)
    return ((grey - mean) / np.maximum(deviation, CONTRAST_FLOOR) * 42 + 128).clip(0, 255).astype(np.uint8)


def _local_deviation(grey: np.ndarray, window_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in a square around every pixel."""
    mean = cv2.blur(grey, (window_px, window_px))
    square = cv2.blur(grey * grey, (window_px, window_px))
    return mean, np.sqrt((square - mean**2).clip(0))


def _inside(flow: np.ndarray) -> np.ndarray:
    """(H, W) bool, true where p + flow(p) is within the picture."""
    height, width = flow.shape[:2]
    x, y = _targets(flow)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _targets(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices(flow.shape[:2], np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]


def _warp(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Values at p + flow(p), bilinear."""
    return cv2.remap(values, *_targets(flow.astype(np.float32)), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _absent(name: str, reason: str, unit: str) -> Measurement:
    return Measurement(name, float("nan"), False, unit, "lower", reason)
