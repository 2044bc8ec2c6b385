"""Pictures as CARLA's cameras send them: BGRA, depth in 24 bits, labels in red, flow in shares of the picture."""

from __future__ import annotations

import struct

import numpy as np

FAR_METRES = 1000.0
"""Depth of the sky, and the largest that CARLA's 24 bits hold."""

_CAMERA = struct.Struct("<IIf")


def camera_payload(header: bytes, fov_degrees: float, pixels: np.ndarray) -> bytes:
    """A camera's payload.

    Args:
        header: from `stream_header`.
        fov_degrees: horizontal field of view.
        pixels: (H, W, 4) uint8 BGRA, or (H, W, 2) float32 optical flow.
    """
    height, width = pixels.shape[:2]
    return header + _CAMERA.pack(width, height, fov_degrees) + pixels.tobytes()


def rgb_to_bgra(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 colours as (H, W, 4) BGRA, opaque."""
    bgra = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    bgra[..., :3] = rgb[..., ::-1]
    return bgra


def depth_to_bgra(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) float32 metres as CARLA's 24-bit depth: metres = 1000 (R + 256 G + 65536 B) / (2²⁴ - 1)."""
    code = np.round(np.clip(depth_m.astype(np.float64) / FAR_METRES, 0.0, 1.0) * (2**24 - 1)).astype(np.uint32)
    return _bgra(blue=code >> 16, green=code >> 8, red=code)


def semantics_to_bgra(labels: np.ndarray) -> np.ndarray:
    """(H, W) uint8 CityObjectLabel in the red channel."""
    return _bgra(blue=np.zeros_like(labels), green=np.zeros_like(labels), red=labels)


def instances_to_bgra(labels: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """(H, W) uint8 label in red and uint16 instance in green + 256 blue."""
    return _bgra(blue=instances >> 8, green=instances, red=labels)


def normals_to_bgra(normals: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit normals in CARLA's world axes as colours, red x, green y, blue z: (n + 1) / 2; black for none."""
    codes = np.round((normals.astype(np.float64) + 1.0) / 2.0 * 255.0).astype(np.uint8)
    red, green, blue = np.moveaxis(np.where(normals.any(-1, keepdims=True), codes, 0), -1, 0)
    return _bgra(blue, green, red)


def flow_to_pixels(flow_px: np.ndarray) -> np.ndarray:
    """(H, W, 2) pixels, right and down, as CARLA's optical flow: shares of half the picture, x right and y up.

    CARLA sends the velocity in normalised device coordinates, the present place less the place at the tick before,
    within [-2, 2] (carla-simulator/carla, OpticalFlowCamera.cpp; issue 4795 measures the same). What was not in
    front of the camera has no flow.
    """
    height, width = flow_px.shape[:2]
    scaled = flow_px * np.float32([2.0 / width, -2.0 / height])
    return np.clip(np.nan_to_num(scaled), -2.0, 2.0).astype(np.float32)


def _bgra(blue: np.ndarray, green: np.ndarray, red: np.ndarray) -> np.ndarray:
    bgra = np.full((*red.shape, 4), 255, np.uint8)
    for channel, values in enumerate((blue, green, red)):
        bgra[..., channel] = values & 0xFF
    return bgra
