"""Captures drive logs through the real `carla.Client`, from CARLA or from the embedded simulator."""

from phipd_sim2real.capture.log import CaptureSummary, capture_log, check_capture
from phipd_sim2real.capture.settings import CaptureSettings

__all__ = ["CaptureSettings", "CaptureSummary", "capture_log", "check_capture"]
