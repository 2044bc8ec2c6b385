"""Which arithmetic a device computes in."""

from __future__ import annotations

import torch

from phipd_sim2real.diffusion.settings import Precision


def uses_bf16(device: torch.device, precision: Precision) -> bool:
    """Whether a precision means bf16; `auto` does where the device has instructions for it."""
    return precision == "bf16" or (precision == "auto" and _has_bf16(device))


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The autocast region for a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(device, precision))


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
