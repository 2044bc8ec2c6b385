"""The method: noise that carries the spatial phase of a source image. Pure torch."""

from phipd_sim2real.phase.correlation import correlated_noise
from phipd_sim2real.phase.cutoff import Cutoff, Preservation
from phipd_sim2real.phase.noise import structured_noise
from phipd_sim2real.phase.released import released_structured_noise

__all__ = ["Cutoff", "Preservation", "correlated_noise", "released_structured_noise", "structured_noise"]
