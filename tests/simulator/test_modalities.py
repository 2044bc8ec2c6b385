"""All kinds of picture from one cast tell one geometry, checked through depth and poses alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import LANE_WIDTH, straight_road

from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.rays import CameraView
from phipd_sim2real.simulator.renderer import Renderer
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.sky import Weather
from phipd_sim2real.simulator.triangles import Label

WIDTH, HEIGHT = 240, 160
EXTENT = (2.4, 1.0, 0.74)
ALL = frozenset({"normals", "flow"})
CLASSES = {70: Label.CAR, 71: Label.BUS, 72: Label.PEDESTRIANS}


@pytest.fixture(scope="module")
def renderer():
    return Renderer(Scene.from_opendrive("straight", straight_road()))


def pose(x, y, z, yaw=0.0, pitch=0.0):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("ZY", [yaw, pitch], degrees=True).as_matrix()
    matrix[:3, 3] = x, y, z
    return matrix


CAMERA = pose(50.0, -LANE_WIDTH / 2, 1.6, yaw=2.0, pitch=3.0)
CAMERA_BEFORE = pose(49.2, -LANE_WIDTH / 2 - 0.05, 1.6, yaw=0.5, pitch=2.0)


def actors(time):
    """A car that turns, a bus that comes and a walker that crosses; time 1 is now, 0 the tick before."""
    moves = (
        (70, "vehicle.tesla.model3", pose(60 + 0.9 * time, -1.2 + 0.2 * time, 0, 8 * time), EXTENT),
        (71, "vehicle.mitsubishi.fusorosa", pose(72 - 1.5 * time, 2.0, 0, 180), (3.5, 1.0, 1.35)),
        (72, "walker.pedestrian.0001", pose(58, 1.0 + 0.15 * time, 0, -90), (0.2, 0.2, 0.9)),
    )
    return moves


def shapes(time):
    return [
        ActorShape(number, kind, (90, 20, 20), now, extent, (0, 0, extent[2]), before)
        for (number, kind, now, extent), (_, _, before, _) in zip(actors(time), actors(time - 1), strict=True)
    ]


def picture(renderer, time):
    now, before = (CAMERA, CAMERA_BEFORE) if time == 1 else (CAMERA_BEFORE, None)
    view = CameraView(WIDTH, HEIGHT, 90.0, now, None, before, 0.1)
    return renderer.render(view, shapes(time), "source", Weather(), 0, ALL)


def world_points(frame, camera):
    """(H, W, 3) by the depth and the pinhole alone."""
    column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    focal = WIDTH / 2
    rays = np.stack([np.ones_like(row), (WIDTH / 2 - column) / focal, (HEIGHT / 2 - row) / focal], axis=-1)
    return transform_points(camera, rays * frame.depth[..., None].astype(np.float64))


@pytest.fixture(scope="module")
def now(renderer):
    return picture(renderer, 1)


@pytest.fixture(scope="module")
def before(renderer):
    return picture(renderer, 0)


def test_depth_lands_on_the_box_of_its_instance(now):
    points = world_points(now, CAMERA)
    for number, _, actor, extent in actors(1):
        mine = now.instances == number
        assert mine.sum() > 30
        local = np.abs(transform_points(invert(actor), points[mine]) - (0, 0, extent[2]))
        assert (local <= np.multiply(extent, 1.012) + 2e-3).all()
    road = np.isin(now.semantics, (Label.ROADS, Label.ROAD_LINES)) & (now.depth < 80)
    np.testing.assert_allclose(points[road][:, 2], 0.0, atol=5e-3)


def test_semantics_are_the_class_of_the_instance(now):
    for number, label in CLASSES.items():
        assert (now.semantics[now.instances == number] == label).all()
        assert (now.instances[now.semantics == label] == number).all()


def test_normals_are_the_gradient_of_depth_on_planes(now):
    points = world_points(now, CAMERA)
    right, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    gradient = np.cross(down, right)
    gradient /= np.linalg.norm(gradient, axis=-1, keepdims=True)
    normals, inner = now.normals, (slice(1, -1), slice(1, -1))
    around = [normals[1:-1, :-2], normals[1:-1, 2:], normals[:-2, 1:-1], normals[2:, 1:-1]]
    flat = np.all([np.abs(other - normals[inner]).max(-1) < 1e-4 for other in around], axis=0)
    # A step between two parallel planes has no gradient: all five pixels must lie on one plane.
    offset = np.einsum("ijk,ijk->ij", np.stack([right, down]).max(0), normals[inner])
    one_plane = flat & (now.depth[inner] < 60) & (np.abs(offset) < 5.0)
    reach = [np.abs(np.einsum("ijk,ijk->ij", step, normals[inner])) < 5e-3 for step in (right, down)]
    one_plane &= reach[0] & reach[1]
    assert one_plane.sum() > 0.4 * (now.semantics != Label.SKY).sum()
    agree = np.einsum("ijk,ijk->ij", gradient, normals[inner])[one_plane]
    assert np.quantile(agree, 0.01) > 0.999
    solid = now.semantics != Label.SKY
    np.testing.assert_allclose(np.linalg.norm(normals[solid], axis=-1), 1.0, atol=1e-5)
    assert not normals[~solid].any()


def test_flow_is_the_reprojection_of_depth_and_poses(now):
    points = world_points(now, CAMERA)
    for (number, _, actor, _), (_, _, earlier, _) in zip(actors(1), actors(0), strict=True):
        mine = now.instances == number
        points[mine] = transform_points(earlier @ invert(actor), points[mine])
    camera = transform_points(invert(CAMERA_BEFORE), points)
    column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    old = WIDTH / 2 - WIDTH / 2 * camera[..., 1:] / camera[..., :1] + (0, (HEIGHT - WIDTH) / 2)
    expected = np.stack([column, row], axis=-1) - old
    seen = (now.depth < 200) & (camera[..., 0] > 0.5)
    np.testing.assert_allclose(now.flow[seen], expected[seen], atol=0.02)


def test_flow_finds_every_pixel_again_in_the_picture_before(now, before):
    column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    old = np.stack([column, row], axis=-1) - now.flow
    inside = (old > 1).all(-1) & (old < (WIDTH - 1, HEIGHT - 1)).all(-1)
    old_column, old_row = np.floor(np.where(inside[..., None], old, 1)).astype(int).transpose(2, 0, 1)
    same = before.instances[old_row, old_column] == now.instances
    for number in CLASSES:
        mine = inside & (now.instances == number)
        assert same[mine].mean() > 0.85
        assert np.abs(now.flow[mine]).max() > 1.0
    assert same[inside].mean() > 0.97


def test_labels_do_not_depend_on_which_pictures_are_made(renderer, now):
    view = CameraView(WIDTH, HEIGHT, 90.0, CAMERA)
    whole = renderer.render(view, shapes(1), "source", Weather(), 0)
    for name in ("depth", "semantics", "instances"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(now, name))
    assert now.rgb is None
    assert whole.flow is None
