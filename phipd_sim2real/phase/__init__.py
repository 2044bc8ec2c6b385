"""The method: noise that carries the spatial phase of a source image. Pure torch."""

from phipd_sim2real.phase.border import periodic_component
from phipd_sim2real.phase.correlation import correlated_noise
from phipd_sim2real.phase.cutoff import Cutoff, Preservation
from phipd_sim2real.phase.noise import structured_noise
from phipd_sim2real.phase.profile import Profile
from phipd_sim2real.phase.released import released_structured_noise
from phipd_sim2real.phase.wavelet import local_structured_noise

__all__ = [
    "Cutoff",
    "Preservation",
    "Profile",
    "correlated_noise",
    "local_structured_noise",
    "periodic_component",
    "released_structured_noise",
    "structured_noise",
]
