"""Waymo Open Dataset files: TFRecords, Perception frames, end-to-end driving records and the camera model."""

from phipd_sim2real.waymo.camera_model import CAMERA_NAMES, Calibration, inside_picture, project
from phipd_sim2real.waymo.e2e import e2e_samples
from phipd_sim2real.waymo.e2e_index import E2EIndex, open_e2e_index
from phipd_sim2real.waymo.e2e_writer import drivelog_jpegs, write_e2e
from phipd_sim2real.waymo.perception_v1 import perception_samples, perception_segments
from phipd_sim2real.waymo.sample import PlannerSample, SampleError, SampleFailure, SampleKey, single_precision
from phipd_sim2real.waymo.tfrecord import RecordError, read_records, write_records

__all__ = [
    "CAMERA_NAMES",
    "Calibration",
    "E2EIndex",
    "PlannerSample",
    "RecordError",
    "SampleError",
    "SampleFailure",
    "SampleKey",
    "drivelog_jpegs",
    "e2e_samples",
    "inside_picture",
    "open_e2e_index",
    "perception_samples",
    "perception_segments",
    "project",
    "read_records",
    "single_precision",
    "write_e2e",
    "write_records",
]
