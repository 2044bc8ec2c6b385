"""The look for style transfer: the source look's streets in other colours, far from both other looks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import LANE_WIDTH, straight_road

from phipd_sim2real.quality.colour import LabStatistics, lab_frechet
from phipd_sim2real.simulator.renderer import CameraView, Frame, Renderer, Weather
from phipd_sim2real.simulator.scene import Scene


@pytest.fixture(scope="module")
def frames() -> dict[str, Frame]:
    renderer = Renderer(Scene.from_opendrive("straight", straight_road()))
    pose = np.eye(4)
    pose[:3, 3] = 50.0, -LANE_WIDTH / 2, 1.6
    view = CameraView(160, 96, 90.0, pose)
    return {look: renderer.render(view, (), look, Weather(), 0) for look in ("source", "target", "dusk")}


def test_source_and_dusk_show_one_street(frames):
    for labels in ("depth", "semantics", "instances"):
        np.testing.assert_array_equal(getattr(frames["dusk"], labels), getattr(frames["source"], labels))
    assert (frames["target"].depth != frames["source"].depth).any()


def test_dusk_is_as_far_from_either_look_as_they_are_from_each_other(frames):
    sets = {look: LabStatistics() for look in frames}
    for look, statistics in sets.items():
        statistics.add(frames[look].rgb)
    between = {
        pair: lab_frechet(*(sets[look] for look in pair)).value
        for pair in (("source", "target"), ("source", "dusk"), ("target", "dusk"))
    }
    assert min(between["source", "dusk"], between["target", "dusk"]) > 0.5 * between["source", "target"] > 0
