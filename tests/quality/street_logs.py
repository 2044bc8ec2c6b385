"""Small drive logs with known pictures and labels."""

import numpy as np
import pyarrow as pa
from known_pictures import labelled_street, textured

from phipd_sim2real.drivelog import (
    CAMERA,
    SCHEMAS,
    SEGMENT,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    column,
    encode_jpeg,
    encode_labels,
    write_provenance,
)

CAPTURED = "c" * 64


def zeros(component, **values):
    """A row of a component with every column: zeros where nothing else is given."""
    row = {}
    for field in SCHEMAS[component]:
        if pa.types.is_list(field.type):
            row[field.name] = []
        elif pa.types.is_fixed_size_list(field.type):
            row[field.name] = np.eye(4)
        elif not pa.types.is_string(field.type) and not pa.types.is_binary(field.type):
            row[field.name] = 0
    named = {name if name.startswith("key.") else column(component, name): value for name, value in values.items()}
    return row | named


def textured_street(seed):
    """A street with some texture, uint8 RGB, and its CARLA labels."""
    picture, labels = labelled_street()
    grain = textured(seed, *picture.shape[:2]).astype(np.float64) - 128
    return (picture + 0.15 * grain).round().clip(0, 255).astype(np.uint8), labels


def labelled_log(root, segments=1, frames=4):
    """A log of textured streets with semantic labels and poses."""
    names = tuple(f"drive-{index}" for index in range(segments))
    write_provenance(
        root,
        Provenance(domain="carla-protocol simulator", config={}, config_hash=CAPTURED, seed=7, planned_segments=names),
    )
    for number, segment in enumerate(names):
        with SegmentWriter(root, segment, CAPTURED) as writer:
            for index in range(frames):
                picture, labels = textured_street(10 * number + index)
                time = {SEGMENT: segment, TIMESTAMP: index * 500_000}
                key = time | {CAMERA: 1}
                writer.append("camera_image", zeros("camera_image", **key, image=encode_jpeg(picture, 95)))
                writer.append("camera_semantics", zeros("camera_semantics", **key, image=encode_labels(labels)))
                writer.append("vehicle_pose", zeros("vehicle_pose", **time))
    return DriveLog(root)
