"""The report: one HTML file that opens anywhere, and the same numbers as JSON."""

from planner_eval.report.content import Picture, PicturePair, Provenance, ReportContent
from planner_eval.report.page import write_report

__all__ = ["Picture", "PicturePair", "Provenance", "ReportContent", "write_report"]
