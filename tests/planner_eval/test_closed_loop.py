"""Closed-loop drives with the real client on the embedded simulator: planners whose fate is known."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs the carla wheel")
pytest.importorskip("embreex", reason="needs the ray caster")

import cv2

from phipd_sim2real.driving import DrivingSettings
from phipd_sim2real.errors import UsageError
from planner_eval.baselines import ConstantVelocity, StandStill
from planner_eval.closed_loop import ClosedLoopResult, ClosedLoopSettings, drive_closed_loop
from planner_eval.evaluate import Arm
from planner_eval.plans import TIMES_S, Plans

RIG = Path(__file__).parents[2] / "configs" / "rigs" / "front-one-320.yaml"


def quiet(label, done, total):
    """Progress that nobody watches."""


def settings(**driving) -> ClosedLoopSettings:
    given = {"maps": ["Orchard01"], "routes": 2, "length_m": 60.0, "seconds": 12.0, "rig": RIG, "delta_s": 0.1}
    given |= {"plan_period_s": 0.3, "look": "target", "seed": 5}
    return ClosedLoopSettings(driving=DrivingSettings(**given | driving), baseline="stand-still", resamples=200)


class Oracle:
    """Drives the reference along the lanes of the map."""

    cameras = ()

    def plan(self, samples):
        return Plans(np.stack([sample.future for sample in samples])[:, None], np.ones((len(samples), 1)))


class Swerving:
    """Turns to the right, whatever it sees."""

    cameras = (1,)

    def plan(self, samples):
        assert all(sample.images[1].shape == (192, 320, 3) for sample in samples)
        angle = 8.0 * TIMES_S / 25.0
        path = 25.0 * np.stack([np.sin(angle), np.cos(angle) - 1], axis=1)
        return Plans(np.stack([path] * len(samples))[:, None], np.ones((len(samples), 1)))


ARMS = (
    Arm("stand-still", "stays", (StandStill(),)),
    Arm("oracle", "keeps to its lane", (Oracle(),)),
    Arm("swerving", "leaves the road", (Swerving(),), (7,)),
)


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    out = tmp_path_factory.mktemp("closed") / "drives"
    return drive_closed_loop(ARMS, settings(), out, quiet), out


def of(result: ClosedLoopResult, arm: str):
    return [drive for drive in result.drives if drive.arm == arm]


def test_the_oracle_completes_its_routes_in_its_lane(driven):
    for drive in of(driven[0], "oracle"):
        assert (drive.ending, drive.success, drive.completion) == ("completed", True, 1.0)
        assert (drive.collisions, drive.red_lights, drive.oncoming_s) == ({}, 0, 0.0)
        assert drive.mean_off_route_m < 0.3


def test_standing_still_times_out(driven):
    for drive in of(driven[0], "stand-still"):
        assert (drive.ending, drive.success) == ("timed_out", False)
        assert drive.seconds == pytest.approx(12.0)
        assert drive.completion < 0.5


def test_leaving_the_road_is_caught_and_filmed(driven):
    result, out = driven
    for drive in of(result, "swerving"):
        assert drive.ending in ("off_road", "collision")
        assert drive.seconds < 5.0
    assert "off_road" in next(arm for arm in result.arms if arm.name == "swerving").endings
    clips = sorted((out / "drives" / "swerving" / "seed-7").glob("*.mp4"))
    assert len(clips) == 2
    video = cv2.VideoCapture(str(clips[0]))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) >= 2
    assert not list((out / "drives" / "oracle").rglob("*.mp4"))


def test_arms_are_compared_on_the_same_routes(driven):
    result, out = driven
    oracle = next(arm for arm in result.arms if arm.name == "oracle")
    assert oracle.scores["drive_success_rate"].mean == 1.0
    assert oracle.differences["drive_success_rate"].mean == 1.0
    assert oracle.scores["drive_success_rate"].segments == 2
    assert len({drive.route for drive in result.drives}) == 2
    loaded = ClosedLoopResult.load(out)
    assert loaded.drives == result.drives
    assert loaded.summary() == result.summary()


def test_what_is_driven_is_not_driven_again(driven):
    result, out = driven

    class Broken:
        cameras = ()

        def plan(self, samples):
            raise AssertionError("the drives are recorded")

    again = [Arm(arm.name, arm.description, (Broken(),), arm.seeds) for arm in ARMS]
    assert drive_closed_loop(again, settings(), out, quiet).summary() == result.summary()
    with pytest.raises(UsageError, match="other planners or settings"):
        drive_closed_loop(ARMS, settings(seed=6), out, quiet)
    drive_closed_loop(ARMS, settings(), out, quiet, {"swerving, seed 7": "a hash"})
    with pytest.raises(UsageError, match="other planners or settings"):
        drive_closed_loop(ARMS, settings(), out, quiet, {"swerving, seed 7": "another hash"})


def test_same_seed_same_drives_in_traffic(tmp_path):
    arms = (Arm("stand-still", "keeps its velocity", (ConstantVelocity(),)),)
    busy = settings(routes=1, cars=4, seconds=5.0)
    first, second = (drive_closed_loop(arms, busy, tmp_path / name, quiet) for name in ("a", "b"))
    assert first.drives == second.drives


def test_arms_need_a_baseline(tmp_path):
    with pytest.raises(UsageError, match="baseline"):
        drive_closed_loop(ARMS[1:], settings(), tmp_path, quiet)


def test_a_planner_that_ignores_the_lights_runs_a_red_one_and_the_oracle_waits(tmp_path):
    """The first route of this seed comes to a light that is red, 18 m after the planner took over."""
    arms = (Arm("stand-still", "keeps its velocity", (ConstantVelocity(),)), Arm("oracle", "", (Oracle(),)))
    town = settings(maps=["Boulevard01"], routes=1, length_m=60.0, seconds=8.0, seed=2)
    blind, waiting = drive_closed_loop(arms, town, tmp_path, quiet).drives
    assert (blind.red_lights, blind.success) == (1, False)
    assert (waiting.red_lights, waiting.ending) == (0, "timed_out")
