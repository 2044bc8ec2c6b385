"""CARLA frames enhanced toward Waymo appearance by phase-preserving diffusion.

The method's names are loaded on first use, so that importing the package stays free of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phipd_sim2real.diffusion import Enhancer
    from phipd_sim2real.phase import Cutoff, released_structured_noise, structured_noise

__version__ = "0.1.0"
__all__ = ["Cutoff", "Enhancer", "released_structured_noise", "structured_noise"]

_HOMES = {
    "Cutoff": "phipd_sim2real.phase",
    "Enhancer": "phipd_sim2real.diffusion",
    "released_structured_noise": "phipd_sim2real.phase",
    "structured_noise": "phipd_sim2real.phase",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
