"""How good enhanced pictures are: structure against the source, colour, and the page that shows both."""

from phipd_sim2real.quality.colour import LabStatistics, colour_change, lab_frechet
from phipd_sim2real.quality.measurement import Measurement, Summary, summarise
from phipd_sim2real.quality.structure import blur_ssim, canny_f1, lane_edge_recall, phase_coherence

__all__ = [
    "LabStatistics",
    "Measurement",
    "Summary",
    "blur_ssim",
    "canny_f1",
    "colour_change",
    "lab_frechet",
    "lane_edge_recall",
    "phase_coherence",
    "summarise",
]
