"""Drive logs with an analytic truth: a winding road drawn by formula, and a vehicle that keeps to its middle.

The curvature ahead is a random smooth function that the past does not tell, so only the picture decides.
"""

from pathlib import Path

import numpy as np

from phipd_sim2real.drivelog import (
    CAMERA,
    OBJECT,
    TIMESTAMP,
    Provenance,
    SegmentWriter,
    column,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.geometry import invert, transform_points, yaw_of
from planner_eval.config import PlannerSettings
from planner_eval.samples import INTRINSIC_NAMES

WIDTH, HEIGHT = 120, 72
FOCAL, CAMERA_HEIGHT, CAMERA_X = 60.0, 1.5, 1.0
SPEED, SECONDS, TICK_S = 10.0, 20.0, 0.1
DAY = {"road": (90, 90, 95), "line": (240, 240, 240), "grass": (70, 140, 60), "sky": (140, 180, 240)}
DUSK = {"road": (60, 55, 60), "line": (120, 110, 90), "grass": (50, 50, 45), "sky": (90, 70, 70)}
TINY = PlannerSettings(
    image_width=64,
    image_height=32,
    crop=(0.4, 1.0),
    backbone={
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "layer_type": "basic",
        "out_features": ["stage1", "stage2"],
    },
    cell_width=8,
    width=32,
)


def path(seed: int) -> np.ndarray:
    """(n, 3) x, y, heading every 0.25 m of a road with curvature up to about 0.02 1/m."""
    rng = np.random.default_rng(seed)
    s = np.arange(0, SPEED * SECONDS + 80, 0.25)
    waves = rng.uniform(40, 120, 4), rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.3, 1.0, 4)
    curvature = sum(a * np.sin(2 * np.pi * s / w + p) for w, p, a in zip(*waves, strict=True))
    curvature *= 0.018 / np.abs(curvature).max()
    heading = np.cumsum(curvature) * 0.25
    return np.stack([np.cumsum(np.cos(heading)) * 0.25, np.cumsum(np.sin(heading)) * 0.25, heading], axis=1)


def picture(ahead: np.ndarray, colours: dict, rng: np.random.Generator) -> np.ndarray:
    """Draws the road of an (n, 2) path in the vehicle frame as the camera sees it."""
    u, v = np.meshgrid((np.arange(WIDTH) + 0.5 - WIDTH / 2) / FOCAL, (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / FOCAL)
    below = v > 0.02
    x = CAMERA_HEIGHT / np.where(below, v, 1.0)
    offset = np.abs(-u * x - np.interp(x + CAMERA_X, ahead[:, 0], ahead[:, 1]))
    image = np.where((offset < 4.0)[..., None], colours["road"], colours["grass"])
    line = (np.abs(offset - 3.5) < 0.15 + 0.01 * x) | (offset < 0.1 + 0.005 * x)
    image = np.where(line[..., None], colours["line"], image)
    image = np.where(below[..., None], image, colours["sky"])
    return np.clip(image + rng.normal(scale=6, size=(HEIGHT, WIDTH, 1)), 0, 255).astype(np.uint8)


def write_log(
    root: Path, segments: int, colours: dict, first_seed: int = 0, period: int = 5, parked: tuple | None = None
) -> Path:
    """Writes a log of `segments` drives with a picture every `period` ticks, where past and future exist.

    `parked` is the x, y and heading in the world of a car (and of a sign in the same place) to be labelled.
    """
    provenance = Provenance(domain="test drawing", config={}, config_hash="test", seed=first_seed)
    write_provenance(root, provenance)
    for seed in range(first_seed, first_seed + segments):
        _write_segment(root, f"drive-{seed:04d}", path(seed), colours, period, parked, np.random.default_rng(seed))
    return root


def _write_segment(root, name, road, colours, period, parked, rng) -> None:
    with SegmentWriter(root, name, "test") as writer:
        intrinsic = dict(zip(INTRINSIC_NAMES, [FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, 0, 0, 0, 0, 0], strict=True))
        extrinsic = np.eye(4)
        extrinsic[:3, 3] = CAMERA_X, 0.0, CAMERA_HEIGHT
        fields = {f"intrinsic.{key}": float(value) for key, value in intrinsic.items()}
        fields |= {
            "extrinsic.transform": extrinsic,
            "width": WIDTH,
            "height": HEIGHT,
            "rolling_shutter_direction": 5,
        }
        writer.append("camera_calibration", {CAMERA: 1} | named("camera_calibration", fields))
        for tick in range(int(SECONDS / TICK_S)):
            stamp, index = {TIMESTAMP: 1_000_000 + tick * 100_000}, round(tick * TICK_S * SPEED / 0.25)
            pose = np.eye(4)
            cos, sin = np.cos(road[index, 2]), np.sin(road[index, 2])
            pose[:2, :2], pose[:2, 3] = [[cos, -sin], [sin, cos]], road[index, :2]
            writer.append("vehicle_pose", stamp | named("vehicle_pose", {"world_from_vehicle.transform": pose}))
            for kind in (1, 3) if parked is not None else ():
                writer.append("lidar_box", stamp | {OBJECT: f"object-{kind}"} | box_row(pose, parked, kind))
            if 40 <= tick < 150 and tick % period == 0:
                ahead = (road[index : index + 280, :2] - pose[:2, 3]) @ pose[:2, :2]
                image = encode_jpeg(picture(ahead, colours, rng), 95)
                writer.append("camera_image", stamp | {CAMERA: 1} | image_row(image, pose))
                writer.append("ego_intent", stamp | named("ego_intent", {"intent": 1}))


def image_row(image: bytes, pose: np.ndarray) -> dict:
    """A camera_image row with a global shutter and no motion."""
    motion = [f"velocity.{kind}_velocity.{axis}" for kind in ("linear", "angular") for axis in "xyz"]
    shutter = [f"rolling_shutter_params.{n}" for n in ("shutter", "camera_trigger_time", "camera_readout_done_time")]
    zeros = dict.fromkeys([*motion, "pose_timestamp", *shutter], 0.0)
    return named("camera_image", {"image": image, "pose.transform": pose} | zeros)


def box_row(pose: np.ndarray, parked: tuple, kind: int) -> dict:
    """A lidar_box row of something at x, y, heading in the world, seen from a pose."""
    centre = transform_points(invert(pose), np.array([*parked[:2], 0.0]))
    fields = {f"box.center.{axis}": float(value) for axis, value in zip("xyz", centre, strict=True)}
    fields |= {"box.size.x": 4.5, "box.size.y": 1.9, "box.size.z": 1.6, "type": kind}
    fields |= {"box.heading": parked[2] - float(yaw_of(pose))}
    return named("lidar_box", fields | {"num_lidar_points_in_box": 0, "num_top_lidar_points_in_box": 0})


def named(component: str, fields: dict) -> dict:
    """Fields under their official column names."""
    return {column(component, key): value for key, value in fields.items()}
