"""Perception v1 frames made up for tests: a straight drive with boxes, pictures in no order, and Waymo's own ids."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phipd_sim2real.drivelog import CAMERA, column
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES
from phipd_sim2real.waymo.protos import dataset_protos
from phipd_sim2real.waymo.tfrecord import write_records

SPEED = 8.0
BEGIN_MICROS = 1_500_000_000_000_000


def frame(index, name="segment-a", shade=0):
    """A vehicle that drives straight at 8 m/s, heading 30° in a far-away world."""
    message = dataset_protos().Frame(timestamp_micros=BEGIN_MICROS + index * 100_000)
    message.context.name = name
    stats = message.context.stats
    stats.location, stats.time_of_day, stats.weather = "location_sf", "Dawn/Dusk", "rain"
    stats.laser_object_counts.add(type=1, count=1)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    pose = np.array([[c, -s, 0, 5e4], [s, c, 0, -3e4], [0, 0, 1, 20], [0, 0, 0, 1]])
    pose[:2, 3] += index * 0.1 * SPEED * np.array([c, s])
    message.pose.transform.extend(pose.ravel())
    for camera in (1, 3, 2):  # pictures and calibrations come in different orders
        picture = np.full((8 + camera, 16, 3), shade, np.uint8)
        image = message.images.add(name=camera, image=cv2.imencode(".jpg", picture)[1].tobytes(), shutter=0.5)
        image.pose.transform.extend(pose.ravel())
        image.velocity.v_x = SPEED
    for camera in (3, 2, 1):
        proto = message.context.camera_calibrations.add(name=camera, width=16, height=8 + camera)
        proto.intrinsic.extend([20, 20, 8, 4, 0, 0, 0, 0, 0])
        proto.extrinsic.transform.extend(np.eye(4).ravel())
    add_labels(message, index)
    return message


def add_labels(message, index):
    """One car ahead, in three dimensions and in the picture of camera 1."""
    label = message.laser_labels.add(id="car", type=1, num_lidar_points_in_box=40 + index)
    label.box.center_x, label.box.length, label.box.width, label.box.height, label.box.heading = 12, 4.5, 2, 1.6, 0.1
    label.metadata.speed_x = 3.0
    label.most_visible_camera_name = "FRONT_LEFT"
    label.camera_synced_box.CopyFrom(label.box)
    for labels, name in ((message.camera_labels, "flat"), (message.projected_lidar_labels, "car_FRONT")):
        flat = labels.add(name=1).labels.add(id=name, type=1)
        flat.box.center_x, flat.box.center_y, flat.box.length, flat.box.width = 8, 5, 3, 2


def write(path, frames):
    """A v1 TFRecord file of Frame messages."""
    write_records(path, (message.SerializeToString() for message in frames))
    return path


def as_v2(log, root, older=False):
    """A log's tables as they are downloaded, without our markers; `older` with the columns of older releases."""
    for path in log.root.glob("*/*.parquet"):
        table = pq.read_table(path)
        if older and path.parent.name == "vehicle_pose":
            name = column("vehicle_pose", "world_from_vehicle.transform")
            index = table.column_names.index(name)
            table = table.set_column(index, name, table[name].cast(pa.list_(pa.float32(), 16)))
        if older and CAMERA in table.column_names:
            names = pa.array([CAMERA_NAMES[camera] for camera in table[CAMERA].to_pylist()], pa.string())
            table = table.set_column(table.column_names.index(CAMERA), CAMERA, names)
        (root / path.parent.name).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / path.parent.name / path.name)
    return root
