"""A captured segment as arrays, and what every one must satisfy: the road is seen where it lies."""

import numpy as np

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, column, decode_depth, decode_labels
from phipd_sim2real.drivelog.flow import decode_flow
from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.waymo import Calibration, inside_picture, project

ROADS, ROAD_LINES = 1, 24
INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
DECODERS = {"camera_depth": decode_depth, "camera_flow": decode_flow}


def calibrations_of(log, segment):
    """Camera -> its calibration."""

    def value(row, name):
        return row[column("camera_calibration", name)]

    return {
        row[CAMERA]: Calibration(
            np.array([value(row, f"intrinsic.{name}") for name in INTRINSICS]),
            value(row, "extrinsic.transform").reshape(4, 4),
            int(value(row, "width")),
            int(value(row, "height")),
        )
        for _, row in log.table("camera_calibration", segment).iterrows()
    }


def poses_of(log, segment):
    """Time in microseconds -> (4, 4) vehicle in world, in the order of time."""
    table = log.table("vehicle_pose", segment)
    matrices = np.stack(table[column("vehicle_pose", "world_from_vehicle.transform")]).reshape(-1, 4, 4)
    return dict(zip(table[TIMESTAMP], matrices, strict=True))


def pictures_of(log, segment, component):
    """Time and camera -> decoded depth, flow, semantics or instances."""
    table, decode = log.table(component, segment), DECODERS.get(component, decode_labels)
    images = table[column(component, "image")]
    return {
        (time, camera): decode(data) for time, camera, data in zip(table[TIMESTAMP], table[CAMERA], images, strict=True)
    }


def seen_on_road(points_vehicle, calibration, semantics, depth, **tolerance):
    """For each point of the road that falls into the picture, whether road is seen there.

    Where it is, it is seen at the point's depth; what is seen elsewhere stands before the road.
    """
    pixels, valid = project(points_vehicle, calibration)
    valid &= inside_picture(np.nan_to_num(pixels, nan=-1), calibration)
    u, v = pixels[valid].astype(int).T
    along = transform_points(invert(calibration.extrinsic), points_vehicle[valid])[:, 0]
    on_road, seen = np.isin(semantics[v, u], (ROADS, ROAD_LINES)), depth[v, u]
    np.testing.assert_allclose(seen[on_road], along[on_road], **tolerance)
    assert (seen[~on_road] < along[~on_road]).all(), "what is not road hides it"
    return on_road
