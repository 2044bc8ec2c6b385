"""The static world: surfaces where OpenDRIVE says, nothing in the way, the same for the same seed."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import EDGE_WIDTH, LANE_WIDTH, straight_road

from phipd_sim2real.simulator.districts import DISTRICTS
from phipd_sim2real.simulator.lane_marks import Mark
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.triangles import Label, Material
from phipd_sim2real.simulator.vegetation import icosphere


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene.from_opendrive("straight", straight_road())


def area(vertices: np.ndarray) -> float:
    edges = vertices[:, 1:] - vertices[:, :1]
    return float(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2)


def test_road_and_sidewalk_have_the_area_that_the_map_says(scene):
    soup = scene.geometry("modern").soup
    assert area(soup.vertices[soup.material == Material.ROAD]) == pytest.approx(300 * 2 * LANE_WIDTH, rel=1e-3)
    assert area(soup.vertices[soup.material == Material.SIDEWALK]) == pytest.approx(300 * 2 * 2.0, rel=1e-3)


def test_marks_are_the_maps(scene):
    assert scene.marks[0] is None
    found = {(m.dashed, m.yellow, round(m.width, 3)) for m in scene.marks[1:]}
    assert found == {(True, True, 0.15), (False, False, EDGE_WIDTH)}
    assert Mark(False, 0.0, pytest.approx(EDGE_WIDTH), False) in scene.marks


@pytest.mark.parametrize("district", sorted(DISTRICTS))
def test_lanes_are_free_and_lead_over_road(scene, district):
    geometry = scene.geometry(district)
    x = np.arange(5.0, 290.0, 5.0, dtype=np.float32)
    for y in (-LANE_WIDTH / 2, LANE_WIDTH / 2):
        eye = np.column_stack([x, np.full_like(x, y), np.full_like(x, 1.5)])
        down = geometry.cast(eye, np.tile(np.float32([0, 0, -1]), (len(x), 1)))
        np.testing.assert_allclose(down["tfar"], 1.5, atol=1e-3)
        assert (geometry.soup.label[down["primID"]] == Label.ROADS).all()
        ahead = geometry.cast(eye[:-2], np.tile(np.float32([1, 0, 0]), (len(x) - 2, 1)))
        assert ((ahead["primID"] < 0) | (ahead["tfar"] > 5)).all()


def test_terrain_stays_below_the_road(scene):
    soup = scene.geometry("modern").soup
    ground = soup.vertices[soup.material == Material.TERRAIN].reshape(-1, 3)
    on_road = (np.abs(ground[:, 1]) < LANE_WIDTH) & (ground[:, 0] > 0) & (ground[:, 0] < 300)
    assert on_road.any()
    assert (ground[on_road, 2] < -0.2).all()


def test_equal_seeds_give_equal_worlds_and_others_only_the_same_roads(scene):
    soup = scene.geometry("old").soup
    again = Scene.from_opendrive("straight", straight_road()).geometry("old").soup
    np.testing.assert_array_equal(soup.vertices, again.vertices)
    np.testing.assert_array_equal(soup.variate, again.variate)
    other = Scene.from_opendrive("straight", straight_road(), seed=1).geometry("old").soup
    roads = [s.vertices[s.material == Material.ROAD] for s in (soup, other)]
    np.testing.assert_array_equal(*roads)
    walls = [s.vertices[s.material == Material.WALL] for s in (soup, other)]
    assert walls[0].shape != walls[1].shape or not np.array_equal(*walls)


@pytest.mark.parametrize("district", sorted(DISTRICTS))
def test_every_kind_of_thing_is_there(scene, district):
    labels = set(np.unique(scene.geometry(district).soup.label))
    wanted = {Label.ROADS, Label.SIDEWALKS, Label.TERRAIN, Label.BUILDINGS, Label.VEGETATION, Label.POLES}
    assert wanted <= labels


def test_icosphere_is_a_closed_unit_sphere():
    sphere = icosphere(3)
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=-1), 1, atol=1e-12)
    assert len(sphere) == 20 * 4**3
    assert area(sphere) == pytest.approx(4 * np.pi, rel=0.01)


def test_a_town_of_carla_becomes_a_scene(shared_data):
    xodr = gzip.decompress((shared_data / "maps" / "Town02.xodr.gz").read_bytes()).decode()
    soup = Scene.from_opendrive("Town02", xodr).geometry("modern").soup
    assert {Label.ROADS, Label.SIDEWALKS, Label.BUILDINGS} <= set(np.unique(soup.label))
    assert np.isfinite(soup.vertices).all()
    assert np.isfinite(soup.params).all()
