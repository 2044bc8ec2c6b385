"""The method: noise that carries the spatial phase of a source image. Pure torch."""

from phipd_sim2real.phase.cutoff import Cutoff
from phipd_sim2real.phase.noise import structured_noise
from phipd_sim2real.phase.released import released_structured_noise

__all__ = ["Cutoff", "released_structured_noise", "structured_noise"]
