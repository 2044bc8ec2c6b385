"""Profiles learned from the labels of a drive log: the bands of frequency that the geometry of a task lives in.

What the shipped ones say (configs/profiles, 288 pictures of 240×144 px in 32 drives of two maps): every task's shares
fall with frequency, from about 0.7 below 0.1 cycles per pixel to 0.2 at 0.5, because fine bands hold more texture than
outline. Tasks differ moderately. From 0.02 to 0.25 cycles per pixel planning keeps 0.10 to 0.12 more than detection
(standard errors of the difference over drives: 0.03 to 0.04); above 0.3 there is no difference. Planning and
segmentation are within 0.07 of each other everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from phipd_sim2real.diffusion.label_pictures import class_region
from phipd_sim2real.diffusion.profiles import LearnedFrom, ProfileSettings
from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column, decode_jpeg, decode_labels
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path
from phipd_sim2real.phase import Profile
from phipd_sim2real.quality.edges import luminance

TASKS: dict[str, tuple[str, ...]] = {
    "planning": ("lane_paint", "kerbs", "vehicles", "road"),
    "detection": ("vehicles", "pedestrian", "rider", "traffic_signs"),
    "segmentation": (),
}
"""Task -> the classes whose outlines it looks at; none are those of all labels."""

EDGES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
REACH_PX = 12
MOST_FRAMES = 400
IMAGES, SEMANTICS, INSTANCES = "camera_image", "camera_semantics", "camera_instances"


def learned_profile(log: DriveLog, task: str) -> ProfileSettings:
    """Learns a task's profile with `Profile.learned`, from the first camera of every segment.

    Regions are what differs in class or instance. Weights are 1 on the outlines of the task's classes and fall to 0
    as a raised cosine within 12 px: a sharp rim would be an outline of its own, in picture and cartoon alike.
    Pictures that show none of the classes are left out, and more than 400 are thinned out evenly.

    Args:
        log: a captured log with semantic labels; of instances too, where it has them.
        task: one of `TASKS`.

    Raises:
        UsageError: there is no such task, the log has no labels, its pictures differ in size, or none shows a class.
    """
    if task not in TASKS:
        raise UsageError(f"There is no task {task!r}; there are {', '.join(TASKS)}.")
    seen = [frame for frame in _frames(log) if task_weights(frame[1], task).any()]
    if not seen:
        raise UsageError(f"No picture of {log.root} shows {', '.join(TASKS[task]) or 'an outline'}; give another log.")
    pictures, semantics, instances = (np.stack(maps) for maps in zip(*seen, strict=True))
    learned = Profile.learned(
        torch.from_numpy(np.stack([luminance(picture) for picture in pictures]).astype(np.float32)),
        torch.from_numpy(semantics.astype(np.int64) << 16 | instances),
        EDGES,
        torch.from_numpy(np.stack([task_weights(labels, task) for labels in semantics])),
    )
    source = LearnedFrom(
        domain=log.provenance.domain,
        config=log.provenance.config,
        config_hash=log.provenance.config_hash,
        frames=len(pictures),
        picture=pictures.shape[2:0:-1],
    )
    shares = tuple(round(share, 3) for share in learned.shares)
    return ProfileSettings(edges=learned.edges, shares=shares, task=task, learned_from=source)


def task_weights(semantics: np.ndarray, task: str) -> np.ndarray:
    """Where a task looks, (H, W) float32 in [0, 1], of (H, W) uint8 CARLA labels."""
    regions = [class_region(semantics, name) for name in TASKS[task]] or [semantics == n for n in np.unique(semantics)]
    outlines = np.zeros(semantics.shape, bool)
    for region in regions:
        outlines |= cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    if not outlines.any():
        return np.zeros(semantics.shape, np.float32)
    distance = cv2.distanceTransform((~outlines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (0.5 + 0.5 * np.cos(np.pi * np.minimum(distance / REACH_PX, 1))).astype(np.float32)


def profile_yaml(profile: ProfileSettings) -> str:
    """A profile as YAML, which `profile=FILE.yaml` reads."""
    return yaml.safe_dump(profile.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)


def write_profile(profile: ProfileSettings, path: Path) -> None:
    """Writes a profile as a YAML file, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(profile_yaml(profile), encoding="utf-8")


def _frames(log: DriveLog) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Picture, classes and instances of up to `MOST_FRAMES` frames."""
    encoded = [frame for segment in log.segments for frame in _encoded(log, segment)]
    kept = encoded if len(encoded) <= MOST_FRAMES else encoded[:: -(-len(encoded) // MOST_FRAMES)]
    frames = [(decode_jpeg(image), *_labels(*labels)) for image, *labels in kept]
    if len(sizes := {picture.shape for picture, *_ in frames}) > 1:
        raise UsageError(f"The pictures of {log.root} have {len(sizes)} sizes; a profile is learned from one.")
    return frames


def _encoded(log: DriveLog, segment: str) -> Iterator[tuple[bytes, ...]]:
    """Encoded pictures and labels of a segment's first camera, in the order of time."""
    if SEMANTICS not in log.components(segment):
        raise UsageError(f"Segment {segment} of {log.root} has no {SEMANTICS}; capture with images.labels.")
    components = [name for name in (IMAGES, SEMANTICS, INSTANCES) if name in log.components(segment)]
    tables: list[dict[int, Any]] = []
    for component in components:
        name = column(component, "image")
        table = log.table(component, segment, [name])
        table = table[table[CAMERA] == table[CAMERA].min()]
        tables.append(dict(zip(table[TIMESTAMP], table[name], strict=True)))
    for time in sorted(set.intersection(*(set(table) for table in tables))):
        yield tuple(table[time] for table in tables)


def _labels(semantics: bytes, instances: bytes | None = None) -> tuple[np.ndarray, np.ndarray]:
    classes = decode_labels(semantics)
    return classes, np.zeros(classes.shape, np.int64) if instances is None else decode_labels(instances).astype(int)
