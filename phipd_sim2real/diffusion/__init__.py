"""Diffusion models under the method: fit one to a drive's pictures, enhance frames with it.

Names are loaded on first use: the settings are read where torch is not needed yet.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.batch import enhance_path
    from phipd_sim2real.diffusion.enhancer import Enhancer
    from phipd_sim2real.diffusion.fit_settings import FitSettings
    from phipd_sim2real.diffusion.folders import enhance_folder
    from phipd_sim2real.diffusion.frames import frame_seed
    from phipd_sim2real.diffusion.logs import enhance_log
    from phipd_sim2real.diffusion.pipeline import PhasePipeline
    from phipd_sim2real.diffusion.settings import EnhanceSettings
    from phipd_sim2real.diffusion.summary import EnhanceSummary
    from phipd_sim2real.diffusion.video import enhance_video

__all__ = [
    "EnhanceSettings",
    "EnhanceSummary",
    "Enhancer",
    "FitSettings",
    "PhasePipeline",
    "enhance_folder",
    "enhance_log",
    "enhance_path",
    "enhance_video",
    "frame_seed",
]

_HOMES = {
    "EnhanceSettings": "settings",
    "EnhanceSummary": "summary",
    "Enhancer": "enhancer",
    "FitSettings": "fit_settings",
    "PhasePipeline": "pipeline",
    "enhance_folder": "folders",
    "enhance_log": "logs",
    "enhance_path": "batch",
    "enhance_video": "video",
    "frame_seed": "frames",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
