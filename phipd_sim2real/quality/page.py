"""The page of an inspection: one HTML file with its pictures inside, no outside requests."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from phipd_sim2real.drivelog import encode_jpeg
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.colour import lab_frechet
from phipd_sim2real.quality.frames import InspectedFrame
from phipd_sim2real.quality.inspection import Inspection
from phipd_sim2real.quality.label_boundaries import label_safety
from phipd_sim2real.quality.motion_survey import DEFINITIONS as MOTION
from phipd_sim2real.quality.overlays import CLASSES, depth_picture, semantics_overlay
from phipd_sim2real.quality.page_values import boundary_rows, measure_card, number, realism_row
from phipd_sim2real.quality.survey import Survey
from phipd_sim2real.waymo.drawing import draw_boxes

PICTURE_WIDTH = 640
PICTURE_QUALITY = 86
BOX_RANGE_M = 50.0


def render_page(
    found: Inspection,
    worst: Sequence[str],
    typical: Sequence[str],
    progress: ProgressCallback | None = None,
) -> str:
    """Makes the page.

    Args:
        found: what the inspection found; the shown pictures are read again from its set.
        worst: names of the frames to show first, the worst one first.
        typical: names of frames to show after them.
        progress: called as progress("draw frames", done, total).
    """
    from jinja2 import Environment, PackageLoader

    frames, result = found.frames, found.survey
    shown = set(worst) | set(typical)
    cases = {}
    for frame in frames.read([name for name in result.names if name in shown]):
        cases[frame.name] = _case(frame, result, frames.has_before)
        if progress:
            progress("draw frames", len(cases), len(shown))
    environment = Environment(loader=PackageLoader("phipd_sim2real.quality"), autoescape=True, trim_blocks=True)
    return environment.get_template("inspect.html.j2").render(
        title=frames.title,
        facts=frames.facts,
        has_before=frames.has_before,
        measured=len(result.names),
        total=found.total,
        problems=result.problems,
        measures=[measure_card(values, found.definitions[name]) for name, values in result.measurements.items()],
        motion=[measure_card(values, MOTION[name]) for name, values in found.motion.items()],
        moved=number(lab_frechet(result.before, result.after)) if frames.has_before else None,
        boundaries=boundary_rows(result.boundaries),
        safety=number(label_safety(result.boundaries)),
        realism=[realism_row(row) for row in found.realism],
        realism_record={name: value[:32] for name, value in found.realism_record.items()},
        checks=found.checks,
        classes=_class_shares(result.pixels),
        worst=[cases[name] for name in worst],
        typical=[cases[name] for name in typical],
        columns=list(result.measurements),
        rows=list(_table_rows(result)),
    )


def _case(frame: InspectedFrame, result: Survey, has_before: bool) -> dict[str, Any]:
    index = result.names.index(frame.name)
    values = {name: number(items[index]) for name, items in result.measurements.items()}
    return {
        "name": frame.name,
        "problem": frame.problem,
        "values": values,
        "panels": [(label, _data_uri(picture)) for label, picture in _pictures(frame, has_before)],
        "labels": [(label, _data_uri(picture)) for label, picture in _labels(frame)],
    }


def _pictures(frame: InspectedFrame, has_before: bool) -> Iterator[tuple[str, np.ndarray]]:
    """The frame itself, with captions."""
    if frame.before is not None:
        yield "before", frame.before
    if frame.after is not None:
        yield "after" if has_before else "picture", frame.after


def _labels(frame: InspectedFrame) -> Iterator[tuple[str, np.ndarray]]:
    """The frame's labels, drawn over the picture that they must still fit."""
    fits = frame.after is not None and not frame.problem
    if fits and frame.semantics is not None:
        yield "class labels", semantics_overlay(frame.after, frame.semantics)
    if fits and frame.boxes and frame.calibration is not None:
        near = [box for box in frame.boxes if np.linalg.norm(box.centre_vehicle) < BOX_RANGE_M]
        yield f"boxes within {BOX_RANGE_M:.0f} m", draw_boxes(frame.after, near, frame.calibration, thickness=1)
    if frame.depth_m is not None:
        yield "depth, 2 to 200 m", depth_picture(frame.depth_m)


def _data_uri(picture: np.ndarray) -> str:
    height, width = picture.shape[:2]
    if width > PICTURE_WIDTH:
        size = (PICTURE_WIDTH, round(height * PICTURE_WIDTH / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture, PICTURE_QUALITY)).decode()


def _class_shares(pixels: np.ndarray) -> list[dict[str, Any]]:
    """Share of all labelled pictures' pixels per class, largest first."""
    total = max(int(pixels.sum()), 1)
    shares = [
        {"name": name, "colour": "rgb({}, {}, {})".format(*colour), "share": pixels[label] / total}
        for label, (name, colour) in CLASSES.items()
        if pixels[label]
    ]
    return sorted(shares, key=lambda item: -item["share"])


def _table_rows(result: Survey) -> Iterable[Mapping[str, Any]]:
    for index, name in enumerate(result.names):
        yield {"name": name, "values": [number(items[index]) for items in result.measurements.values()]}
