"""Planners at the wheel, scored on routes."""

from planner_eval.closed_loop.result import ClosedLoopResult, DriveRecord
from planner_eval.closed_loop.run import drive_closed_loop
from planner_eval.closed_loop.settings import ClosedLoopSettings

__all__ = ["ClosedLoopResult", "ClosedLoopSettings", "DriveRecord", "drive_closed_loop"]
