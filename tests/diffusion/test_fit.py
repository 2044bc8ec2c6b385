"""Fitting: interruption leaves no trace in the result, and wrong input is refused before work."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_batches import Batches
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.models import WEIGHTS
from phipd_sim2real.diffusion.trainer import learning_rate_share
from phipd_sim2real.errors import UsageError
from phipd_sim2real.settings import load_settings

MODELS = Path(__file__).resolve().parents[2] / "configs/models"


def _bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a fit but the speed of the run that made it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "speed.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_writes_a_diffusers_folder_in_half_precision(tiny_model):
    weights = load_file(tiny_model / WEIGHTS)
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert json.loads((tiny_model / "model_index.json").read_text())["_class_name"] == "PhasePipeline"
    assert json.loads((tiny_model / "fit.json").read_text())["images"]["count"] == 10


def test_a_fit_in_two_parts_gives_the_same_bytes(tiny_fit, tiny_model, tmp_path):
    fit(tiny_fit.model_copy(update={"steps": 3}), tmp_path)
    fit(tiny_fit, tmp_path)
    assert _bytes(tmp_path) == _bytes(tiny_model)


def test_a_fit_broken_off_between_checkpoints_ends_with_the_same_bytes(tiny_fit, tiny_model, tmp_path):
    def break_off(label, step, steps):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny_fit, tmp_path, break_off)
    assert not (tmp_path / "model_index.json").exists()
    fit(tiny_fit, tmp_path)
    assert _bytes(tmp_path) == _bytes(tiny_model)


def test_batches_are_drawn_with_as_many_threads_as_torch_has_from_the_first_on(tiny_fit, tmp_path, monkeypatch):
    """Sums over another number of threads would make the first batch after an interruption another one."""
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="needs the dev extra")
    drawn, found = Batches.of_step, []

    def watched(batches, step):
        openmp = threadpoolctl.ThreadpoolController().select(user_api="openmp").info()
        found.extend(pool["num_threads"] for pool in openmp if "torch" in pool["filepath"])
        return drawn(batches, step)

    monkeypatch.setattr(Batches, "of_step", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        fit(tiny_fit.model_copy(update={"steps": 1}), tmp_path)
    finally:
        torch.set_num_threads(before)
    assert set(found) == {before + 1}


def test_a_finished_fit_is_left_alone(tiny_fit, tiny_model):
    before = (tiny_model / WEIGHTS).stat().st_mtime_ns
    fit(tiny_fit, tiny_model)
    assert (tiny_model / WEIGHTS).stat().st_mtime_ns == before


def test_refuses_to_continue_with_other_settings(tiny_fit, tmp_path):
    fit(tiny_fit.model_copy(update={"steps": 2}), tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        fit(tiny_fit.model_copy(update={"learning_rate": 1e-3}), tmp_path)


def test_loss_falls(tiny_fit, tmp_path):
    settings = tiny_fit.model_copy(
        update={"steps": 60, "checkpoint_every": 20, "learning_rate": 2e-3, "warmup_steps": 5}
    )
    fit(settings, tmp_path)
    losses = [float(line.split(",")[1]) for line in (tmp_path / "training/loss.csv").read_text().splitlines()[1:]]
    assert losses[-1] < 0.95 * losses[0]


def test_the_learning_rate_rises_holds_and_falls_to_nothing(tiny_fit):
    settings = tiny_fit.model_copy(update={"steps": 100, "warmup_steps": 10, "decay_steps": 40})
    rates = [learning_rate_share(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:61] == [1.0] * 52
    assert rates[80] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.01
    assert all(learning_rate_share(step, settings.model_copy(update={"decay_steps": 0})) == 1 for step in range(9, 100))


def test_a_decayed_fit_is_not_continued(tiny_fit, tmp_path):
    settings = tiny_fit.model_copy(update={"steps": 2, "decay_steps": 1})
    fit(settings, tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        fit(settings.model_copy(update={"steps": 3}), tmp_path)


def test_starts_from_another_model(tiny_fit, tiny_model, tmp_path):
    settings = tiny_fit.model_copy(update={"initial": str(tiny_model), "steps": 1, "learning_rate": 1e-9})
    fit(settings, tmp_path)
    old, new = load_file(tiny_model / WEIGHTS), load_file(tmp_path / WEIGHTS)
    assert all(torch.allclose(old[name].float(), new[name].float(), atol=1e-3) for name in old)
    assert str(tiny_model) not in (tmp_path / "unet/config.json").read_text()


def test_crops_have_the_asked_size_at_every_scale(pictures):
    images = UnpairedImages.load(pictures, 100)
    rng = np.random.default_rng(0)
    for scale in ((0.1, 0.1), (1.0, 1.0), (3.0, 3.0)):
        assert images.crop(rng, 32, 48, scale)[0].shape == (32, 48, 3)


def test_many_pictures_are_thinned_out(pictures):
    assert len(UnpairedImages.load(pictures, 4).encoded) == 4


def test_refuses_missing_or_empty_data(tiny_fit, tmp_path):
    for data, sentence in ((tmp_path / "absent", "no folder"), (tmp_path, "no images")):
        with pytest.raises(UsageError, match=sentence):
            fit(tiny_fit.model_copy(update={"data": data}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("override", ["crops=[{height: 100}]", "cutoff=[0.5, 0.1]", "model.channels=[20]", "stepz=1"])
def test_refuses_impossible_settings(override):
    with pytest.raises(UsageError):
        load_settings(FitSettings, MODELS / "street-small.yaml", [override])


CONFIGS = [
    path for path in sorted(MODELS.glob("*.yaml")) if not path.stem.endswith("-data")
]  # those say what to render


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_valid(path):
    settings = load_settings(FitSettings, path)
    assert (settings.lora is not None) == path.stem.endswith("-lora")
    assert path.stem != "street-small" or settings.model.channels == (64, 128, 160)
