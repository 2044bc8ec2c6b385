"""Optical flow as a picture: KITTI's 16-bit PNG, u, v and valid in red, green and blue."""

from __future__ import annotations

import cv2
import numpy as np

from phipd_sim2real.motion_geometry import Flow

UNITS_PER_PX = 64.0
ZERO = 2**15
LARGEST_PX = (ZERO - 1) / UNITS_PER_PX
"""Largest shift that fits; longer ones are stored as not valid."""


def encode_flow(flow: Flow) -> bytes:
    """Encodes flow in steps of 1/64 px."""
    fits = flow.valid & (np.abs(flow.forward) < LARGEST_PX).all(axis=-1)
    units = np.where(fits[..., None], np.rint(flow.forward * UNITS_PER_PX) + ZERO, 0).astype(np.uint16)
    bgr = np.dstack([fits.astype(np.uint16), units[..., 1], units[..., 0]])
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def decode_flow(data: bytes) -> Flow:
    """Decodes `encode_flow`; where it is not valid the flow is 0.

    Raises:
        ValueError: the bytes are not such a picture.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None or image.dtype != np.uint16 or image.ndim != 3:
        raise ValueError(f"{len(data)} bytes are not a flow picture; they must be a 16-bit PNG of three channels.")
    valid = image[..., 0] > 0
    forward = (image[..., :0:-1].astype(np.float32) - ZERO) / np.float32(UNITS_PER_PX)
    return Flow(np.where(valid[..., None], forward, np.float32(0)), valid)
