"""Waymo Open Dataset files: TFRecords, Perception frames, end-to-end driving records and the camera model."""

from phipd_sim2real.waymo.camera_model import CAMERA_NAMES, Calibration, inside_picture, project
from phipd_sim2real.waymo.sample import PlannerSample, SampleKey

__all__ = ["CAMERA_NAMES", "Calibration", "PlannerSample", "SampleKey", "inside_picture", "project"]
