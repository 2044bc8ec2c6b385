"""Augmentation of batches: mirror, jitter of the cameras, and the look of the pictures.

Mirror and jitter are exact: the projection of a camera changes with its picture, and the future with the mirror.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from planner_eval.config import AugmentSettings, JitterSettings, PhotometricSettings
from planner_eval.tensors import SampleArrays

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
GREY_AXIS = np.full(3, 3**-0.5)


def augmented(batch: SampleArrays, settings: AugmentSettings, rng: np.random.Generator) -> SampleArrays:
    """The batch, augmented as the settings say; every draw comes from `rng`."""
    if settings.mirror:
        batch = batch.mirrored(rng.random(len(batch)) < 0.5)
    if settings.jitter is not None:
        batch = jittered(batch, settings.jitter, rng)
    if settings.photometric == "strong":
        images = [recoloured(pictures, settings.strong, rng) for pictures in batch.images]
        batch = replace(batch, images=np.stack(images))
    return batch


def jittered(batch: SampleArrays, settings: JitterSettings, rng: np.random.Generator) -> SampleArrays:
    """Shifts, zooms and rolls each picture, as a camera of other intrinsics and roll would have seen it.

    What comes into the picture from beyond its border repeats the border.
    """
    images, projection = np.empty_like(batch.images), np.empty_like(batch.projection)
    height, width = batch.images.shape[-2:]
    pixels = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]])  # shares of the picture to pixel centres
    for index in np.ndindex(images.shape[:2]):
        roll, zoom, right, down = rng.uniform(-1, 1, 4) * (
            settings.roll_degrees, settings.zoom, settings.shift * width, settings.shift * height,
        )  # fmt: skip
        warp = np.eye(3)
        warp[:2] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), roll, 1 + zoom)
        warp[:2, 2] += right, down
        picture = np.ascontiguousarray(batch.images[index].transpose(1, 2, 0))
        warped = cv2.warpAffine(picture, warp[:2], (width, height), borderMode=cv2.BORDER_REPLICATE)
        images[index] = warped.transpose(2, 0, 1)
        projection[index] = np.linalg.inv(pixels) @ warp @ pixels @ batch.projection[index]
    return replace(batch, images=images, projection=projection)


def recoloured(
    pictures: NDArray[np.uint8], settings: PhotometricSettings, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Changes the look of one sample's pictures, of all its cameras alike, and no edge's place.

    Args:
        pictures: (C, 3, H, W) uint8 RGB.
        settings: strengths and probabilities.
        rng: of all draws.
    """
    toned = tone_curve(settings, rng)[pictures].astype(np.float32)
    colours = np.einsum("ij,cjhw->cihw", colour_matrix(settings, rng), toned)
    sigma = rng.uniform(0, settings.blur_px) * (rng.random() < settings.probability)
    if sigma > 0.1:
        planes = colours.reshape(-1, *colours.shape[2:])
        colours = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in planes]).reshape(colours.shape)
    if rng.random() < settings.probability:
        noise = rng.standard_normal(colours.shape, dtype=np.float32)
        colours += rng.uniform(0, 255 * settings.noise) * noise
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)


def tone_curve(settings: PhotometricSettings, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(256,) uint8: gamma, contrast, brightness and fewer levels."""
    levels = np.linspace(0, 1, 256)
    drawn = rng.uniform(-1, 1, 3) * (rng.random(3) < settings.probability)
    levels = levels ** np.exp(drawn[0] * np.log1p(settings.gamma))
    levels = 0.5 + (levels - 0.5) * np.exp(drawn[1] * np.log1p(settings.contrast)) + drawn[2] * settings.brightness
    if rng.random() < settings.posterise_probability:
        steps = rng.integers(3, 16)
        levels = np.rint(levels * steps) / steps
    return np.clip(np.rint(255 * levels), 0, 255).astype(np.uint8)


def colour_matrix(settings: PhotometricSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """(3, 3) float32 on RGB: saturation, hue, exchanged channels or grey."""
    saturation, hue = rng.uniform(-1, 1, 2) * (rng.random(2) < settings.probability)
    grey = np.tile(LUMA, (3, 1))
    saturation = np.exp(saturation * np.log1p(settings.saturation))
    matrix = grey + saturation * (np.eye(3) - grey)
    matrix = cv2.Rodrigues(GREY_AXIS * np.deg2rad(hue * settings.hue_degrees))[0] @ matrix
    if rng.random() < settings.shuffle_probability:
        matrix = matrix[rng.permutation(3)]
    if rng.random() < settings.grey_probability:
        matrix = grey @ matrix
    return matrix.astype(np.float32)
