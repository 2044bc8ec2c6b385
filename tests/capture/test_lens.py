"""Pictures of a lens made from a pinhole's: known points and surfaces, seen through both ways."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phipd_sim2real.capture.cameras import LENS_ATTRIBUTES, lens_attributes
from phipd_sim2real.capture.lens import LensResampler, lens_resampler, resampler_of
from phipd_sim2real.capture.rig import CameraMount, Lens, load_rig
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import sight_lines
from phipd_sim2real.waymo.camera_model import Calibration, project

RIGS = Path(__file__).parents[2] / "configs/rigs"
LENSES = {
    "barrel": Lens(f_u=340, f_v=340, c_u=158, c_v=106, k1=0.04, k2=-0.33, p1=0.001, p2=-0.0016),
    "pincushion": Lens(f_u=300, f_v=290, c_u=165, c_v=100, k1=0.15, k3=0.02),
    "aside": Lens(f_u=342, f_v=342, c_u=161, c_v=41, k1=0.04, k2=-0.33),
}
WIDTH, HEIGHT = 320, 213


def _mount(lens):
    return CameraMount(camera=1, width=WIDTH, height=HEIGHT, lens=lens, position_in_vehicle=(0, 0, 0))


def _pinhole_rays(resampler: LensResampler):
    view = resampler.view
    centre = [view.width / 2, view.height / 2]
    intrinsic = np.array([view.focal_px, view.focal_px, *centre, 0, 0, 0, 0, 0])
    return sight_lines(Calibration(intrinsic, np.eye(4), view.width, view.height))


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_spots_of_known_direction_appear_where_the_lens_images_them(lens):
    mount = _mount(lens)
    resampler, calibration = resampler_of(mount), mount.calibration()
    columns, rows = np.meshgrid(np.linspace(12, WIDTH - 12, 7), np.linspace(12, HEIGHT - 12, 5))
    chosen = rows.astype(int).ravel() * WIDTH + columns.astype(int).ravel()
    spots = sight_lines(calibration)[chosen] + (0, 0.0007, -0.0004)
    expected, valid = project(spots, calibration)
    assert valid.all()
    rays = _pinhole_rays(resampler)
    away = np.square(rays[:, None, 1:] - spots[None, :, 1:]).sum(axis=-1)
    brightness = np.exp(-away / (2 * (2.5 / lens.f_u) ** 2)).sum(axis=1)
    size = (resampler.view.height, resampler.view.width)
    picture = np.rint(250 * np.clip(brightness, 0, 1)).astype(np.uint8).reshape(size)
    seen = resampler.colour(np.repeat(picture[..., None], 3, axis=-1))[..., 0].astype(float)
    for u, v in expected:
        left, top = int(u) - 8, int(v) - 8
        patch = seen[top : top + 17, left : left + 17]
        y, x = np.indices(patch.shape)
        found = np.array([(patch * x).sum(), (patch * y).sum()]) / patch.sum() + (left + 0.5, top + 0.5)
        assert np.abs(found - (u, v)).max() < 0.1


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_depth_of_a_road_and_a_wall_is_that_along_the_camera_axis(lens):
    mount = _mount(lens)
    resampler = resampler_of(mount)

    def depth(rays):
        road = np.where(rays[:, 2] < -1e-6, -2.0 / np.minimum(rays[:, 2], -1e-6), 1000.0)
        return np.minimum(road, np.where(rays[:, 1] > 0.1, 12.0, 1000.0)).astype(np.float32)

    seen = resampler.depth(depth(_pinhole_rays(resampler)).reshape(resampler.view.height, resampler.view.width))
    expected = depth(sight_lines(mount.calibration())).reshape(HEIGHT, WIDTH)
    error = np.abs(seen / expected - 1)
    surface = np.where(expected == 12, 1, np.where(expected == 1000, 2, 0)).astype(np.uint8)
    outline = cv2.dilate(surface, np.ones((3, 3))) != cv2.erode(surface, np.ones((3, 3)))
    assert error[(expected < 30) & ~outline].max() < 0.002
    half_pixel = 0.5 / (2.0 * lens.f_v)  # of a road 2 m below: where neighbours differ much, the nearest counts
    assert np.abs(1 / seen - 1 / expected)[~outline & (expected < 1000)].max() < 1.1 * half_pixel
    assert (expected < 30).mean() > 0.3


def test_labels_are_never_mixed():
    mount = _mount(LENSES["barrel"])
    resampler = resampler_of(mount)
    labels = np.where(np.indices((resampler.view.height, resampler.view.width)).sum(axis=0) % 9 < 4, 700, 3)
    seen = resampler.labels(labels.astype(np.uint16))
    assert seen.shape == (HEIGHT, WIDTH)
    assert set(np.unique(seen)) == {3, 700}


def test_the_pinhole_holds_the_whole_picture_in_whole_blocks():
    for lens in LENSES.values():
        resampler = resampler_of(_mount(lens))
        assert resampler.view.width % 64 == 0
        assert resampler.columns.min() > 1
        assert resampler.rows.min() > 1
        assert resampler.columns.max() < resampler.view.width - 2
        assert resampler.rows.max() < resampler.view.height - 2
        finest = min(np.diff(resampler.columns, axis=1).min(), np.diff(resampler.rows, axis=0).min())
        assert finest == pytest.approx(1, abs=0.01), "no pixel of the lens is finer than the pinhole's"


def test_a_pinhole_is_left_to_the_server():
    assert resampler_of(load_rig(RIGS / "front-one.yaml").cameras[0]) is None


def test_a_lens_that_folds_is_refused():
    calibration = _mount(Lens(f_u=150, f_v=150, c_u=160, c_v=106, k1=-0.5)).calibration()
    with pytest.raises(UsageError, match="folds the picture"):
        lens_resampler(calibration)


def test_a_server_that_renders_lenses_is_told_all_of_them():
    told = lens_attributes(LENSES["barrel"])
    assert set(told) == set(LENS_ATTRIBUTES)
    assert [float(value) for value in told.values()] == LENSES["barrel"].intrinsic().tolist()
