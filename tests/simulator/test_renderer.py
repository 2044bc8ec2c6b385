"""The picture and its labels against geometry that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import LANE_WIDTH, straight_road

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.pavement import DASH, DASH_PERIOD
from phipd_sim2real.simulator.renderer import ActorShape, CameraView, Frame, Renderer, Weather
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.triangles import Label

WIDTH, HEIGHT, EYE = 240, 144, 1.6
FOCAL = WIDTH / 2
EXTENT = (2.4, 1.0, 0.74)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(Scene.from_opendrive("straight", straight_road()))


def pose(x: float, y: float, z: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def view(x: float = 50.0, y: float = -LANE_WIDTH / 2, z: float = EYE) -> CameraView:
    return CameraView(WIDTH, HEIGHT, 90.0, pose(x, y, z))


def car(x: float, y: float = -LANE_WIDTH / 2, actor_id: int = 70) -> ActorShape:
    return ActorShape(actor_id, "vehicle.tesla.model3", (200, 30, 30), pose(x, y, 0), EXTENT, (0, 0, EXTENT[2]))


def render(renderer: Renderer, *actors: ActorShape, look: str = "source", seed: int = 0, at=None) -> Frame:
    return renderer.render(at or view(), actors, look, Weather(), seed)


def pixel(x: float, y: float, z: float = 0.0) -> tuple[int, int]:
    """Row and column where the default camera sees a world point."""
    ahead, left, up = x - 50.0, y + LANE_WIDTH / 2, z - EYE
    return int(HEIGHT / 2 - FOCAL * up / ahead), int(WIDTH / 2 - FOCAL * left / ahead)


def test_shapes_and_types(renderer):
    frame = render(renderer)
    assert (frame.rgb.shape, frame.rgb.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    assert (frame.depth.shape, frame.depth.dtype) == ((HEIGHT, WIDTH), np.float32)
    assert (frame.semantics.shape, frame.semantics.dtype) == ((HEIGHT, WIDTH), np.uint8)
    assert (frame.instances.shape, frame.instances.dtype) == ((HEIGHT, WIDTH), np.uint16)


def test_depth_of_a_flat_road_is_the_plane_through_the_eye(renderer):
    frame = render(renderer)
    row = np.arange(HEIGHT)[:, None] + 0.5 - HEIGHT / 2
    expected = np.broadcast_to(FOCAL * EYE / np.where(row > 0, row, np.nan), (HEIGHT, WIDTH))
    road = np.isin(frame.semantics, (Label.ROADS, Label.ROAD_LINES)) & (frame.depth < 60)
    assert road.sum() > 5000
    np.testing.assert_allclose(frame.depth[road], expected[road], rtol=1e-3)


def test_sky_is_as_far_as_carla_says(renderer):
    frame = render(renderer)
    sky = frame.semantics == Label.SKY
    assert sky.any()
    assert (frame.depth[sky] == 1000.0).all()
    assert (frame.depth <= 1000.0).all()


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_lane_marks_are_labelled_where_they_are(renderer, look):
    labels = render(renderer, look=look).semantics
    first = np.ceil(54.0 / DASH_PERIOD) * DASH_PERIOD
    assert labels[pixel(first + DASH / 2, 0.0)] == Label.ROAD_LINES
    assert labels[pixel(first + (DASH + DASH_PERIOD) / 2, 0.0)] == Label.ROADS
    for x in (55.0, 56.0, 57.0):
        assert labels[pixel(x, -LANE_WIDTH + 0.03)] == Label.ROAD_LINES
        assert labels[pixel(x, -LANE_WIDTH / 2)] == Label.ROADS
        assert labels[pixel(x, -LANE_WIDTH - 1.0, 0.13)] == Label.SIDEWALKS


def test_paint_is_brighter_than_asphalt_where_its_label_is(renderer):
    for look in LOOKS:
        frame = render(renderer, look=look)
        near = frame.depth < 15
        paint = frame.rgb[near & (frame.semantics == Label.ROAD_LINES)].mean()
        assert paint > frame.rgb[near & (frame.semantics == Label.ROADS)].mean() + 12


def test_a_car_is_where_its_box_is(renderer):
    frame = render(renderer, car(60.0))
    seen = frame.instances == 70
    np.testing.assert_array_equal(seen, frame.semantics == Label.CAR)
    rows, columns = np.nonzero(seen)
    rear = 60.0 - EXTENT[0]
    top, left = pixel(60.0, -LANE_WIDTH / 2 + EXTENT[1], 2 * EXTENT[2])[0], pixel(rear, -LANE_WIDTH / 2 + EXTENT[1])[1]
    bottom, right = pixel(rear, -LANE_WIDTH / 2 - EXTENT[1])
    assert abs(rows.min() - top) <= 2
    assert bottom - 3 <= rows.max() <= bottom
    assert 0 <= columns.min() - left <= 2
    assert 0 <= right - columns.max() <= 2
    assert frame.depth[seen].min() == pytest.approx(rear - 50.0, abs=0.1)
    assert frame.depth[seen].max() < 62.5 - 50.0


def test_the_nearer_of_two_cars_hides_the_other_and_ids_wrap_at_16_bits(renderer):
    frame = render(renderer, car(72.0, y=0.0, actor_id=5), car(60.0, actor_id=65536 + 9))
    assert (frame.instances == 9).sum() > (frame.instances == 5).sum() > 0
    alone = render(renderer, car(72.0, y=0.0, actor_id=5)).instances == 5
    assert ((frame.instances == 9) & alone).any()
    both = np.isin(frame.instances, (5, 9))
    np.testing.assert_array_equal(both, frame.semantics == Label.CAR)


def test_the_car_that_carries_the_camera_is_left_out(renderer):
    np.testing.assert_array_equal(render(renderer, car(50.0)).rgb, render(renderer).rgb)


def test_a_car_throws_a_shadow_on_the_road(renderer):
    weather = Weather(sun_azimuth_deg=90.0, sun_altitude_deg=45.0, cloudiness=0.0)
    # The sun stands at CARLA's +y, which is to the right: the shadow falls to the left, over the middle line.
    spot = pixel(60.0, -LANE_WIDTH / 2 + 1.5)
    empty = renderer.render(view(), [], "source", weather, 0).rgb[spot].mean()
    shaded = renderer.render(view(), [car(60.0)], "source", weather, 0).rgb[spot].mean()
    assert shaded < 0.8 * empty


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_equal_arguments_give_equal_bytes(renderer, look):
    first, again = (render(renderer, car(63.0), look=look, seed=4) for _ in range(2))
    for name in ("rgb", "depth", "semantics", "instances"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_the_seed_is_the_grains_alone(renderer):
    for look in LOOKS:
        one, two = (render(renderer, look=look, seed=seed) for seed in (1, 2))
        assert np.array_equal(one.rgb, two.rgb) == (LOOKS[look].lens.grain == 0)
        np.testing.assert_array_equal(one.semantics, two.semantics)
        np.testing.assert_array_equal(one.depth, two.depth)


def test_road_labels_agree_between_the_looks(renderer):
    source, target = (render(renderer, look=look).semantics for look in ("source", "target"))
    flat = (Label.ROADS, Label.ROAD_LINES)
    differs = (source != target) & np.isin(source, flat) & np.isin(target, flat)
    assert not differs.any()
    assert (np.isin(source, flat) != np.isin(target, flat)).mean() < 0.01


def test_the_looks_are_far_apart(renderer):
    source, target = (render(renderer, look=look).rgb.astype(float) for look in ("source", "target"))
    chroma = [np.ptp(image, axis=-1).mean() for image in (source, target)]
    assert chroma[1] < 0.6 * chroma[0]
    assert np.abs(source - target).mean() > 20


@pytest.mark.parametrize(("pitch", "label"), [(1, Label.SKY), (-1, Label.ROADS)])
def test_straight_up_is_sky_and_straight_down_is_road(renderer, pitch, label):
    turned = pose(50.0, -LANE_WIDTH / 2, EYE)
    turned[:3, :3] = [[0, 0, -pitch], [0, 1, 0], [pitch, 0, 0]]
    frame = render(renderer, at=CameraView(32, 24, 60.0, turned))
    assert (frame.semantics == label).all()
    assert frame.depth.min() == pytest.approx(1000.0 if pitch > 0 else EYE, rel=1e-3)


@pytest.mark.parametrize(
    ("type_id", "label"),
    [
        ("vehicle.mercedes.sprinter", Label.CAR),
        ("vehicle.carlamotors.carlacola", Label.TRUCK),
        ("vehicle.mitsubishi.fusorosa", Label.BUS),
        ("vehicle.yamaha.yzf", Label.MOTORCYCLE),
        ("vehicle.bh.crossbike", Label.BICYCLE),
        ("walker.pedestrian.0001", Label.PEDESTRIANS),
    ],
)
def test_every_kind_of_actor_has_a_shape_and_its_label(renderer, type_id, label):
    actor = ActorShape(3, type_id, (10, 200, 10), pose(58, -LANE_WIDTH / 2, 0), (1.0, 0.6, 0.9), (0, 0, 0.9))
    frame = render(renderer, actor)
    assert (frame.instances == 3).sum() > 60
    assert (frame.semantics[frame.instances == 3] == label).all()


def test_an_unknown_look_is_refused_with_the_known_ones(renderer):
    with pytest.raises(UsageError, match="source, target"):
        render(renderer, look="sepia")
