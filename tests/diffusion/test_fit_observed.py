"""What is seen of a fit: measures on held-out pictures, sheets of samples, the model card."""

import csv
import json
from contextlib import suppress

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_fit import _bytes

from phipd_sim2real.diffusion.card import card
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_data import FitData
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.observation_settings import SampleSettings, ValidationSettings
from phipd_sim2real.diffusion.validation import Measured, Validation, best
from phipd_sim2real.errors import UsageError

VALIDATION = {"share": 0.3, "every": 2, "pictures": 2, "height": 48, "width": 48, "steps": 1}
SAMPLES = {"every": 3, "pictures": 2, "cutoffs": (0.1, 0.4), "height": 32, "width": 48, "steps": 1}


@pytest.fixture(scope="module")
def observed(tiny_fit) -> FitSettings:
    update = {"validation": ValidationSettings(**VALIDATION), "samples": SampleSettings(**SAMPLES)}
    return tiny_fit.model_copy(update=update)


@pytest.fixture(scope="module")
def folder(observed, tmp_path_factory):
    return fit(observed, tmp_path_factory.mktemp("observed"))


def _rows(folder):
    with (folder / "training/validation.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_measures_carry_unit_direction_and_number(folder):
    rows = _rows(folder)
    assert [row["step"] for row in rows] == ["2"] * 4 + ["4"] * 4 + ["6"] * 4
    assert {row["name"] for row in rows} == {"loss", "lab_frechet", "texture_kid", "phase_coherence@0.2"}
    for row in rows:
        assert np.isfinite(float(row["value"]))
        assert (row["valid"], row["total"]) == ("2", "2")
        assert row["better"] == ("higher" if row["name"].startswith("phase") else "lower")


def test_an_observed_fit_resumes_to_the_same_bytes(observed, folder, tmp_path):
    def break_off(label, step, steps):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(observed, tmp_path, break_off)
    fit(observed, tmp_path)
    assert _bytes(tmp_path) == _bytes(folder)


def test_watching_changes_nothing_but_what_is_learnt_from(observed, folder, tmp_path):
    unwatched = observed.model_copy(update={"samples": None})
    assert (fit(unwatched, tmp_path) / "unet/diffusion_pytorch_model.safetensors").read_bytes() == (
        folder / "unet/diffusion_pytorch_model.safetensors"
    ).read_bytes()


def test_a_sheet_has_a_row_per_picture_and_cutoff(folder):
    sheets = sorted((folder / "training/samples").iterdir())
    assert [path.name for path in sheets] == ["step-00003.jpg", "step-00006.jpg"]
    assert cv2.imread(str(sheets[0])).shape == (4 * 32 + 3 * 4, 3 * 48 + 2 * 4, 3)


def test_held_out_pictures_are_not_trained_on(observed):
    data = FitData.load(observed)
    assert not set(data.training.encoded) & set(data.held_out.encoded)
    assert len(data.training) == 7
    assert len(data.held_out) == 2
    assert data.shown is data.sources


def test_pictures_of_their_own_leave_the_training_set_whole(observed, captioned):
    validation = ValidationSettings(**VALIDATION, data=captioned)
    data = FitData.load(observed.model_copy(update={"validation": validation}))
    assert len(data.training) == 10
    assert len(data.held_out) == 2


def test_the_best_step_follows_the_measures_direction():
    rows = [Measured(step, "loss", value, "1", "lower", 1, 1) for step, value in ((1, 3.0), (2, 1.0), (3, 2.0))]
    assert best(rows, "loss").step == 2
    rows = [Measured(step, "ssim", value, "1", "higher", 1, 1) for step, value in ((1, 0.3), (2, 0.9), (3, 0.4))]
    assert best(rows, "ssim").step == 2


@pytest.mark.parametrize("broken_off_at", [None, 3, 5])
def test_the_weights_of_the_best_step_are_exported(observed, tmp_path, monkeypatch, broken_off_at):
    """A measure that is best in the middle chooses the weights of that step, also across an interruption."""

    def chosen_by_loss(validation, family, step):
        return [Measured(step, "loss", abs(step - 4), "1", "lower", 2, 2)]

    monkeypatch.setattr(Validation, "measured", chosen_by_loss)
    validation = observed.validation.model_copy(update={"choose": "loss"})
    settings = observed.model_copy(update={"validation": validation, "samples": None})
    four = settings.model_copy(update={"steps": 4, "validation": observed.validation})
    expected = load_file(fit(four, tmp_path / "four") / "unet/diffusion_pytorch_model.safetensors")

    def break_off(label, step, steps):
        if step == broken_off_at:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        fit(settings, tmp_path / "chosen", break_off)
    found = load_file(fit(settings, tmp_path / "chosen") / "unet/diffusion_pytorch_model.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    record = json.loads((tmp_path / "chosen/fit.json").read_text())
    assert (record["validation"]["step"], record["validation"]["chosen_by"]) == (4, "loss")
    assert "at step 4, whose weights these are" in (tmp_path / "chosen/README.md").read_text()


def test_the_card_says_where_the_model_comes_from(folder):
    text, record = (folder / "README.md").read_text(), json.loads((folder / "fit.json").read_text())
    assert text == card(record)
    for fact in (
        record["images"]["sha256"],
        record["held_out"]["sha256"],
        record["weights_sha256"],
        'domain "images"',
        "uniform in 0 to 0.5 cycles per pixel",
        f"| {record['loss_curve'][-1]['loss']:.4f} |",
        "phase_coherence@0.2",
        "2 of 2",
    ):
        assert fact in text
    assert str(folder.parent) not in text


def test_a_measure_without_a_value_is_no_number(observed, tmp_path):
    """At cutoff 0 no phase is kept, so there is none to be coherent with."""
    validation = observed.validation.model_copy(update={"cutoff": 0.0})
    folder = fit(observed.model_copy(update={"validation": validation, "samples": None}), tmp_path)
    record = json.loads((folder / "fit.json").read_text())
    (row,) = (row for row in record["validation"]["measures"] if row["name"] == "phase_coherence@0")
    assert (row["value"], row["valid"], row["total"]) == (None, 0, 2)
    assert "| phase_coherence@0 | – |" in (folder / "README.md").read_text()


def test_the_card_of_rendered_pictures_says_so(folder):
    record = json.loads((folder / "fit.json").read_text())
    assert "no real picture" not in card(record)
    record["images"]["domain"] = "carla-protocol simulator"
    assert "no real picture" in card(record)


@pytest.mark.parametrize("section", ["samples", "validation"])
def test_refuses_sizes_that_the_network_cannot_take(tiny_fit, section):
    values = tiny_fit.model_dump() | {section: {"height": 52, "width": 48}}
    with pytest.raises(ValueError, match=f"{section} of 48×52 need sides that are multiples of 8"):
        FitSettings(**values)


def test_refuses_to_measure_on_a_single_picture(observed, captioned, tmp_path):
    validation = ValidationSettings(**VALIDATION | {"share": 0.3})
    with pytest.raises(UsageError, match="1 held-out pictures and 1 sources"):
        fit(observed.model_copy(update={"data": captioned, "validation": validation}), tmp_path)


def test_refuses_to_hold_out_of_a_single_picture(tiny_fit, tmp_path, pictures):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/a.jpg").write_bytes((pictures / "street_0.jpg").read_bytes())
    settings = tiny_fit.model_copy(update={"data": tmp_path / "one", "validation": ValidationSettings(**VALIDATION)})
    with pytest.raises(UsageError, match="single"):
        fit(settings, tmp_path / "out")
