"""Where networks run, and where bf16 pays."""

from __future__ import annotations

import torch


def default_device() -> torch.device:
    """The GPU where torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device | str | None = None) -> bool:
    """Whether the device (default: :func:`default_device`) multiplies bf16 matrices in hardware."""
    kind = torch.device(device or default_device()).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    return kind == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(device: torch.device) -> torch.autocast:
    """bf16 autocast where the device has it, else nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bf16(device))
