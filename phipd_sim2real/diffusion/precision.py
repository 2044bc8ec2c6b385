"""Which arithmetic a device computes in."""

from __future__ import annotations

import torch

from phipd_sim2real.diffusion.settings import Precision


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The autocast region for a precision; `auto` is bf16 where the device has instructions for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device, precision))


def computes_bf16(device: torch.device, precision: Precision) -> bool:
    """Whether a precision means bf16 on a device."""
    return precision == "bf16" or (precision == "auto" and _has_bf16(device))


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
