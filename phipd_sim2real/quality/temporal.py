"""Motion: whether an enhanced picture stands where its source stood, and a clip moves as the simulator moved it.

Pictures are (H, W, 3) uint8 RGB. A flow is (H, W, 2) float32, pixels, x before y: what is at p in the first picture
is at p + flow(p) in the second.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from phipd_sim2real.motion_geometry import dis_estimator
from phipd_sim2real.quality.edges import linear_light, luminance
from phipd_sim2real.quality.measurement import Measurement

TEXTURE_WINDOW_PX = 9
LEAST_TEXTURE = 4.0  # standard deviation of luminance in the window, of 255
FEWEST_PIXELS = 100
SEEN_PX, SEEN_SHARE = 0.5, 0.05
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
    return Measurement("flow_consistency", _endpoint_error(result_t, result_t1, flow, use), True, "px", "lower")


def flow_consistency_seen(
    result_t: np.ndarray, result_t1: np.ndarray, flow: np.ndarray, seen: np.ndarray
) -> Measurement:
    """`flow_consistency` over the pixels where the estimator is right about the source's own clip.

    Elsewhere, such as on asphalt that rushes by, it answers wrongly to any clip and says nothing of a result. The
    pixels depend on the source alone and so are the same for all methods.

    Args:
        result_t: result at t.
        result_t1: result at t+1.
        flow: true motion from t to t+1.
        seen: (H, W) bool from `motion_seen` of the source.
    """
    name = "flow_consistency_seen"
    if seen.sum() < FEWEST_PIXELS:
        return _absent(name, f"the estimator is right about fewer than {FEWEST_PIXELS} px of the source", "px")
    return Measurement(name, _endpoint_error(result_t, result_t1, flow, seen), True, "px", "lower")


def motion_seen(source_t: np.ndarray, source_t1: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Where flow between two sources (DIS) is right: within 0.5 px + 5 % of its length, on texture.

    Args:
        source_t: source at t.
        source_t1: source at t+1.
        flow: true motion from t to t+1.
        valid: (H, W) bool, false where the point is occluded or out of view at t+1.

    Returns:
        (H, W) bool.
    """
    error = np.linalg.norm(estimated_motion(source_t, source_t1) - flow, axis=-1)
    right = error <= SEEN_PX + SEEN_SHARE * np.linalg.norm(flow, axis=-1)
    return right & valid & _inside(flow) & textured(source_t)


def estimated_motion(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Optical flow by DIS on luminance of equal local contrast; see `dis_estimator`."""
    return dis_estimator().calc(_equal_contrast(first), _equal_contrast(second), None)


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


def _endpoint_error(first: np.ndarray, second: np.ndarray, flow: np.ndarray, use: np.ndarray) -> float:
    """Mean distance of the flow that is seen from the true one, pixels."""
    return float(np.linalg.norm(estimated_motion(first, second) - flow, axis=-1)[use].mean())


def _warp(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Values at p + flow(p), bilinear."""
    return cv2.remap(values, *_targets(flow.astype(np.float32)), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _absent(name: str, reason: str, unit: str) -> Measurement:
    return Measurement(name, float("nan"), False, unit, "lower", reason)
