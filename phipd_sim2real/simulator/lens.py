"""From radiance to a picture: exposure, vignette, fringes, blur, tone curve and grain."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from phipd_sim2real.simulator.look import LensLook
from phipd_sim2real.simulator.textures import mixed

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def develop(radiance: np.ndarray, lens: LensLook, seed: int) -> np.ndarray:
    """Turns linear radiance into an 8-bit picture.

    Args:
        radiance: (3, H, W) float32, linear RGB, any scale.
        lens: of the camera.
        seed: of this frame's grain.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    height, width = radiance.shape[1:]
    image = radiance * np.float32(_gain(radiance, lens))
    if lens.vignette:
        image *= _falloff(height, width, lens.vignette)
    if lens.fringe:
        image = _fringe(image, lens.fringe)
    if lens.blur:
        image = np.stack([cv2.GaussianBlur(channel, (0, 0), lens.blur * (width / 240) ** 0.7) for channel in image])
    image = _tone(image, lens)
    if lens.grain:
        image += _grain(image, lens.grain, seed)
    return cv2.merge(list(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)))


def _gain(radiance: np.ndarray, lens: LensLook) -> float:
    """Auto-exposure: draws the geometric mean towards the wanted one, more from the lower half."""
    luma = _LUMA @ radiance[:, radiance.shape[1] // 4 :: 3, ::3].reshape(3, -1)
    mean = float(np.exp(np.log(luma + 1e-3).mean()))
    wanted = lens.exposure**2.2
    reference = 0.25
    return wanted / (reference ** (1 - lens.adaptation) * mean**lens.adaptation)


@lru_cache(maxsize=8)
def _falloff(height: int, width: int, strength: float) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    radius = (x * x + y * y * (height / width) ** 2) / (1 + (height / width) ** 2)
    return 1 - np.float32(strength) * radius**1.3


def _fringe(image: np.ndarray, scale: float) -> np.ndarray:
    """Red a little larger than green, blue a little smaller, about the picture's centre."""
    height, width = image.shape[1:]
    for channel, factor in ((0, 1 + scale), (2, 1 - scale)):
        cx, cy = (width - 1) / 2, (height - 1) / 2
        matrix = np.array([[factor, 0, cx * (1 - factor)], [0, factor, cy * (1 - factor)]])
        image[channel] = cv2.warpAffine(image[channel], matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return image


def _tone(image: np.ndarray, lens: LensLook) -> np.ndarray:
    """Saturation, warmth, a shoulder for highlights, gamma and contrast; [0, 1] out."""
    grey = (_LUMA @ image.reshape(3, -1)).reshape(image.shape[1:])
    image = np.maximum(mixed(grey, image, np.float32(lens.saturation)), 0)
    if lens.warmth:
        image *= np.array([1 + 0.25 * lens.warmth, 1, 1 - 0.35 * lens.warmth], np.float32)[:, None, None]
    # A Reinhard shoulder that maps 4 to white.
    image = image * (1 + image / 16) / (1 + image * 0.55)
    image = np.power(image, np.float32(1 / 2.2))
    image = (image - np.float32(0.5)) * np.float32(lens.contrast) + np.float32(0.5)
    return np.clip(image, 0, 1) * np.float32(1 - lens.black) + np.float32(lens.black)


def _grain(image: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    """(3, H, W) noise of the sensor, most of it alike in all channels."""
    *own, shared = normal(np.random.default_rng(seed), (4, *image.shape[1:]))
    # Shot noise grows with the root of light, and the curve compresses highlights: strongest in mid-tones.
    light = (image[0] + image[1] + image[2]) / np.float32(3)
    strength = np.float32(deviation / 255) * (0.45 + 1.1 * np.sqrt(light) * (1.25 - light))
    return strength * (0.8 * shared + 0.55 * np.stack(own))


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """float32 of variance 1, all but normal: sums of four random bytes, drawn five times as fast."""
    count = math.prod(shape)
    drawn = rng.integers(0, 2**64, -(-count // 2), np.uint64).astype("<u8").view(np.uint8)[: 4 * count]
    total = drawn.reshape(4, *shape).sum(0, np.uint16)
    return (total - np.float32(4 * 127.5)) * np.float32((4 * (256**2 - 1) / 12) ** -0.5)
