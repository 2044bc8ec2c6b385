"""Planners at the wheel, scored on routes."""

from planner_eval.closed_loop.record import DriveRecord
from planner_eval.closed_loop.result import ClosedLoopResult
from planner_eval.closed_loop.run import drive_closed_loop
from planner_eval.closed_loop.settings import ClosedLoopSettings
from planner_eval.closed_loop.table import closed_loop_table

__all__ = ["ClosedLoopResult", "ClosedLoopSettings", "DriveRecord", "closed_loop_table", "drive_closed_loop"]
