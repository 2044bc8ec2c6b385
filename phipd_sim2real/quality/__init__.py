"""How good enhanced pictures are: structure and labels against the source, motion, realism, and the page of it all."""

from phipd_sim2real.quality.colour import LabStatistics, colour_change, lab_frechet
from phipd_sim2real.quality.cross_view import CameraView, reprojection_error
from phipd_sim2real.quality.label_boundaries import (
    BoundaryCounts,
    boundary_counts,
    boundary_recall,
    label_safety,
    total_counts,
)
from phipd_sim2real.quality.measurement import Measurement, Summary, summarise
from phipd_sim2real.quality.self_similarity import structure_distance
from phipd_sim2real.quality.set_distance import SetDistance, kernel_distance
from phipd_sim2real.quality.structure import blur_ssim, canny_f1, lane_edge_recall, phase_coherence
from phipd_sim2real.quality.temporal import (
    flow_consistency,
    flow_consistency_seen,
    flow_epe,
    gt_flow_warp_error,
    motion_seen,
    warp_excess,
)
from phipd_sim2real.quality.texture import texture_features, texture_kid

__all__ = [
    "BoundaryCounts",
    "CameraView",
    "LabStatistics",
    "Measurement",
    "SetDistance",
    "Summary",
    "blur_ssim",
    "boundary_counts",
    "boundary_recall",
    "canny_f1",
    "colour_change",
    "flow_consistency",
    "flow_consistency_seen",
    "flow_epe",
    "gt_flow_warp_error",
    "kernel_distance",
    "lab_frechet",
    "label_safety",
    "lane_edge_recall",
    "motion_seen",
    "phase_coherence",
    "reprojection_error",
    "structure_distance",
    "summarise",
    "texture_features",
    "texture_kid",
    "total_counts",
    "warp_excess",
]
