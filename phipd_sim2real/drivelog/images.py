"""How pictures and label maps are stored in a drive log: JPEG for colour, PNG without loss for labels."""

from __future__ import annotations

import cv2
import numpy as np

METRES_PER_UNIT = 1 / 64
"""Depth step of the 16-bit PNGs: 1.6 cm, up to 1023.98 m."""


def encode_jpeg(rgb: np.ndarray, quality: int) -> bytes:
    """Encodes (H, W, 3) uint8 RGB as JPEG with 4:2:0 chroma; quality 1 to 100."""
    return _encode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])


def decode_jpeg(data: bytes) -> np.ndarray:
    """Decodes a JPEG (or PNG) to (H, W, 3) uint8 RGB.

    Raises:
        ValueError: the bytes are not a picture.
    """
    return cv2.cvtColor(_decode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def encode_depth(depth_m: np.ndarray) -> bytes:
    """Encodes (H, W) metres along the camera's x axis as a 16-bit PNG in steps of `METRES_PER_UNIT`."""
    units = np.clip(np.rint(np.asarray(depth_m, dtype=np.float64) / METRES_PER_UNIT), 0, 65535)
    return encode_labels(units.astype(np.uint16))


def decode_depth(data: bytes, metres_per_unit: float = METRES_PER_UNIT) -> np.ndarray:
    """Decodes `encode_depth` to (H, W) float32 metres."""
    return (decode_labels(data) * metres_per_unit).astype(np.float32)


def encode_labels(labels: np.ndarray) -> bytes:
    """Encodes (H, W) uint8 or uint16 labels as PNG, without loss."""
    if labels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"Labels of dtype {labels.dtype} cannot be stored; give uint8 or uint16.")
    return _encode(".png", np.ascontiguousarray(labels), [cv2.IMWRITE_PNG_COMPRESSION, 3])


def decode_labels(data: bytes) -> np.ndarray:
    """Decodes `encode_labels` to (H, W) of the dtype that was stored."""
    return _decode(data, cv2.IMREAD_UNCHANGED)


def _encode(extension: str, image: np.ndarray, options: list[int]) -> bytes:
    return cv2.imencode(extension, image, options)[1].tobytes()


def _decode(data: bytes, mode: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), mode) if data else None
    if image is None:
        raise ValueError(f"{len(data)} bytes are not a readable picture; the file is damaged or no image.")
    return image
