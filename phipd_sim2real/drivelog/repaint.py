"""A segment with other pictures: every label of its source is carried over byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from phipd_sim2real.drivelog.reader import DriveLog
from phipd_sim2real.drivelog.schema import CAMERA, TIMESTAMP
from phipd_sim2real.drivelog.writer import SegmentWriter

IMAGES = "camera_image"

Row = dict[str, Any]
"""A row of `camera_image`, by official column name."""


def repaint_segment(
    log: DriveLog,
    segment: str,
    out: Path,
    config_hash: str,
    repaint: Callable[[int, list[Row]], Iterable[Row]],
    more: Callable[[], tuple[str, Iterable[Row]]] | None = None,
) -> None:
    """Writes one segment of a log with other pictures.

    Args:
        log: the source.
        segment: a complete segment of it.
        out: folder of the repainted log.
        config_hash: of how it is repainted.
        repaint: camera id, its rows in the order of time -> the rows of the repainted log.
        more: called after the pictures; name and rows of a table of the repainted log's own.
    """
    with SegmentWriter(out, segment, config_hash) as writer:
        for component in log.components(segment):
            if component != IMAGES:
                writer.copy(component, log)
        if IMAGES in log.components(segment):
            writer.declare(IMAGES)
            rows = log.table(IMAGES, segment).to_dict("records")
            cameras = sorted({row[CAMERA] for row in rows})
            made = [row for one in cameras for row in repaint(one, [row for row in rows if row[CAMERA] == one])]
            for row in sorted(made, key=lambda row: (row[TIMESTAMP], row[CAMERA])):
                writer.append(IMAGES, row)
        if more is not None:
            component, rows = more()
            writer.declare(component)
            for row in rows:
                writer.append(component, row)
