"""Planners trained and scored on driving logs: samples, planner, baselines, metrics, intervals, report."""

from planner_eval.rfs import rater_feedback_score

__all__ = ["rater_feedback_score"]
