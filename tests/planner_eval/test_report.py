"""The report: complete, without outside requests, and the same bytes every time."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import Calibration
from planner_eval.baselines import ConstantVelocity, StandStill
from planner_eval.config import EvaluateSettings
from planner_eval.evaluate import Arm, evaluate
from planner_eval.plans import Plans
from planner_eval.report import Picture, PicturePair, Provenance, ReportContent, write_report
from planner_eval.report.cases import choose_cases
from planner_eval.report.drawing import LOG_COLOUR, Line, bird_eye_svg, draw_on_image
from planner_eval.report.headline import headline, verdict
from planner_eval.report.page import arm_colours
from planner_eval.result import EvaluationResult
from planner_eval.samples import samples_from_log

SETTINGS = EvaluateSettings(resamples=200)


class Drifting:
    """Drives what happened, drifting aside by `metres` at 5 s."""

    cameras = (1,)

    def __init__(self, metres: float) -> None:
        self.metres = metres

    def plan(self, samples):
        future = np.stack([sample.future for sample in samples])
        aside = np.stack([np.zeros(20), np.linspace(0.05, 1, 20) * self.metres], axis=1)
        return Plans((future + aside)[:, None], np.ones((len(samples), 1)))


@pytest.fixture(scope="module")
def result(dusk_samples) -> EvaluationResult:
    arms = [
        Arm("stand-still", "stays", (StandStill(),)),
        Arm("constant-velocity", "keeps its velocity", (ConstantVelocity(),)),
        Arm("source", "trained on source frames", (Drifting(3.0),), (0,)),
        Arm("phi-pd", "trained on enhanced frames", (Drifting(0.5),), (0,)),
    ]
    return evaluate(arms, dusk_samples, SETTINGS, "the drawing at dusk")


def content(samples) -> ReportContent:
    image = samples[0].images[1]
    return ReportContent(
        title="A <drawn> run",
        treated="phi-pd",
        stand_in="Drawings stand in for everything.",
        pairs=[PicturePair("one frame", image, 255 - image)],
        targets=[Picture("another", samples[1].images[1])],
        provenance=[Provenance("target log", "test drawing", {"segments": "4"})],
        not_run=["Nothing was driven in a closed loop."],
        recipe={"command": "phipd demo"},
    )


class Links(HTMLParser):
    """Collects everything that a page would load or refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes) -> None:
        self.found += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]


def test_one_file_without_outside_requests(result, dusk_log, dusk_samples, tmp_path):
    page = write_report(
        result, content(dusk_samples), lambda keys: samples_from_log(dusk_log, only=keys), tmp_path, others=[result]
    )
    text = page.read_text()
    links = Links()
    links.feed(text)
    assert links.found
    assert all(link.startswith(("data:image/", "#")) for link in links.found)
    assert not re.search(r"url\(|@import|<script|<link|<iframe", text)
    for shown in (
        "A &lt;drawn&gt; run",
        "Drawings stand in",
        "0.0 %",
        "100.0 %",
        "target log",
        "phipd demo",
        "closed loop",
    ):
        assert shown in text
    assert str(tmp_path) not in text


def test_same_inputs_same_bytes(result, dusk_log, dusk_samples, tmp_path):
    for name in ("first", "second"):
        write_report(result, content(dusk_samples), lambda keys: samples_from_log(dusk_log, only=keys), tmp_path / name)
    for name in ("report.html", "report.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_json_carries_every_number(result, dusk_log, dusk_samples, tmp_path):
    write_report(result, content(dusk_samples), lambda keys: samples_from_log(dusk_log, only=keys), tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    arms = {arm["name"]: arm for arm in report["evaluation"]["arms"]}
    assert arms["phi-pd"]["scores"]["success_rate"]["mean"] == 1.0
    assert arms["phi-pd"]["differences"]["fde_5s"]["mean"] == pytest.approx(-2.5)
    assert arms["phi-pd"]["scores"]["fde_5s"]["valid"] == len(dusk_samples)
    assert report["evaluation"]["settings"]["resamples"] == 200
    assert report["provenance"][0]["domain"] == "test drawing"
    assert report["cases"][0]["cases"][0]["errors"]["phi-pd"] == pytest.approx(0.5)


def test_headline_claims_only_what_the_interval_allows(result):
    claim = headline(result, "phi-pd")
    assert (claim.before, claim.after) == ("0.0 %", "100.0 %")
    assert "better, paired difference +100.0 points" in claim.sentence
    assert "Single seed" in claim.caveat
    assert verdict(result.arm("stand-still").differences["success_rate"], "success_rate") == "no difference shown"
    assert verdict(result.arm("stand-still").differences["ade_5s"], "ade_5s") == "worse"


def test_cases_are_from_different_segments_and_never_twice(result):
    groups = choose_cases(result, "phi-pd", count=3)
    for group in groups:
        assert len({case.key.segment for case in group.cases}) == len(group.cases) == 3
    indices = [case.index for group in groups for case in group.cases]
    assert len(indices) == len(set(indices))


def test_the_treated_arm_is_another_than_the_baseline(result, dusk_samples, tmp_path):
    with pytest.raises(UsageError, match="no arm 'psi'"):
        write_report(result, replace(content(dusk_samples), treated="psi"), lambda _: [], tmp_path)
    with pytest.raises(UsageError, match="baseline itself"):
        write_report(result, replace(content(dusk_samples), treated="source"), lambda _: [], tmp_path)


def test_the_logged_future_is_drawn_where_the_camera_sees_it():
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = 1.0, 0.0, 1.5
    calibration = Calibration(np.array([60.0, 60, 60, 36, 0, 0, 0, 0, 0]), extrinsic, 120, 72)
    future = np.stack([np.linspace(2.5, 50, 20), np.zeros(20)], axis=1)
    drawn = draw_on_image(np.zeros((72, 120, 3), np.uint8), calibration, future, [Line("plan", "#FF0000", future)])
    assert drawn.shape == (432, 720, 3)
    assert drawn[:210].max() == 0  # above the horizon
    assert (drawn[400, 360] == (255, 0, 0)).all()  # straight ahead: the plan
    assert drawn[400, 300, 1] > drawn[400, 300, 0]  # beside it: the band of the log
    svg = bird_eye_svg(future, -future[:4], [Line("plan", "#FF0000", future)])
    assert svg.count("#FF0000") == 1 + 5
    assert LOG_COLOUR in svg


def test_arms_that_are_compared_have_colours_of_their_own(result):
    floors, trained = [arm for arm in result.arms if not arm.seeds], [arm for arm in result.arms if arm.seeds]
    lesser = [replace(trained[0], name=f"lesser-{number}", seeds=(0,)) for number in range(7)]
    compared = [replace(trained[0], name=name, seeds=(0, 1, 2)) for name in ("source", "treated", "a", "b", "c", "d")]
    colours = arm_colours(replace(result, baseline="source", arms=[*floors, *lesser, *compared]), "treated")
    assert len({colours[arm.name] for arm in compared}) == len(compared)
