"""Tables of further labels: official ones as the official reader has them, flow as KITTI stores it."""

import cv2
import numpy as np
import pytest

from phipd_sim2real.drivelog.flow import LARGEST_PX, decode_flow, encode_flow
from phipd_sim2real.drivelog.schema import SCHEMAS
from phipd_sim2real.motion_geometry import Flow


def test_official_tables_have_the_official_schema():
    v2 = pytest.importorskip(
        "waymo_open_dataset.v2", reason="needs the waymo wheel with dask, tensorflow and scikit-learn"
    )
    for component, component_class in {
        "camera_box": v2.CameraBoxComponent,
        "projected_lidar_box": v2.ProjectedLiDARBoxComponent,
        "lidar_camera_synced_box": v2.LiDARCameraSyncedBoxComponent,
    }.items():
        assert SCHEMAS[component].equals(component_class.schema()), component_class.schema()


def test_flow_survives_in_steps_of_a_sixty_fourth():
    rng = np.random.default_rng(0)
    flow = Flow(rng.normal(0, 40, (9, 13, 2)).astype(np.float32), rng.random((9, 13)) > 0.3)
    flow.forward[2, 3], flow.valid[2, 3] = (LARGEST_PX + 1, 0), True
    again = decode_flow(encode_flow(flow))
    assert not again.valid[2, 3], "longer than fits"
    expected = flow.valid.copy()
    expected[2, 3] = False
    np.testing.assert_array_equal(again.valid, expected)
    np.testing.assert_allclose(again.forward[expected], flow.forward[expected], atol=0.5 / 64 + 1e-6)
    assert (again.forward[~expected] == 0).all()


def test_flow_is_kittis_picture():
    flow = Flow(np.full((2, 2, 2), (3.0, -1.5), np.float32), np.ones((2, 2), bool))
    picture = cv2.imdecode(np.frombuffer(encode_flow(flow), np.uint8), cv2.IMREAD_UNCHANGED)
    red, green, blue = (int(value) for value in picture[0, 0, ::-1])
    assert ((red - 2**15) / 64, (green - 2**15) / 64, blue) == (3.0, -1.5, 1)


@pytest.mark.parametrize("data", [b"", b"nothing", cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].tobytes()])
def test_what_is_no_flow_is_refused(data):
    with pytest.raises(ValueError, match="not a flow picture"):
        decode_flow(data)
