"""Low-rank adapters: nothing at first, the fit's whole change at the end, kept apart from their base."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from test_fit import _bytes

from phipd_sim2real.diffusion import lora
from phipd_sim2real.diffusion.families import load_family
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_settings import FitSettings, LoraSettings
from phipd_sim2real.diffusion.models import INDEX, WEIGHTS
from phipd_sim2real.errors import UsageError


@pytest.fixture(scope="module")
def settings(tiny_fit, tiny_model) -> FitSettings:
    update = {"initial": str(tiny_model), "lora": LoraSettings(rank=2), "learning_rate": 2e-2}
    return tiny_fit.model_copy(update=update)


@pytest.fixture(scope="module")
def adapters(settings, tmp_path_factory):
    return fit(settings, tmp_path_factory.mktemp("adapters"))


def _answer(network):
    cells = torch.randn(1, 48, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return network(cells, torch.tensor([300.0]), class_labels=torch.tensor([200.0])).sample


def test_fresh_adapters_change_nothing_and_alone_ask_for_gradients(tiny_model):
    family = load_family(tiny_model)
    before = _answer(family.denoiser)
    lora.add(family, LoraSettings(rank=2), seed=0)
    torch.testing.assert_close(_answer(family.denoiser), before, rtol=0, atol=0)
    asking = [name for name, value in family.denoiser.named_parameters() if value.requires_grad]
    assert asking
    assert all(".lora_A." in name or ".lora_B." in name for name in asking)


def test_writes_adapters_and_a_note_of_their_base(adapters, settings):
    assert not (adapters / INDEX).exists()
    tensors, record = load_file(adapters / lora.WEIGHTS), json.loads((adapters / lora.RECORD).read_text())
    assert all(name.startswith("unet.") and name.endswith((".lora_A.weight", ".lora_B.weight")) for name in tensors)
    assert record["base"] == settings.initial
    fitted = json.loads((adapters / "fit.json").read_text())
    assert fitted["base_sha256"] == record["base_sha256"]
    assert fitted["parameters"] == sum(value.numel() for value in tensors.values())


def test_merged_weights_are_the_base_plus_the_scaled_product(adapters, tiny_model):
    base, merged = load_family(tiny_model), load_family(tiny_model)
    lora.attach(merged, adapters)
    tensors = load_file(adapters / lora.WEIGHTS)
    name = "down_blocks.0.resnets.0.conv1"
    down, up = (tensors[f"unet.{name}.lora_{part}.weight"] for part in "AB")
    change = torch.einsum("or,rikl->oikl", up[:, :, 0, 0], down)  # alpha = rank, so the scale is 1
    assert change.abs().max() > 1e-3
    weight, plain = (family.denoiser.get_submodule(name).weight for family in (merged, base))
    torch.testing.assert_close(weight - plain, change, rtol=0, atol=1e-6)
    assert set(dict(merged.denoiser.named_parameters())) == set(dict(base.denoiser.named_parameters()))


def test_merging_at_export_gives_the_same_model(settings, adapters, tiny_model, tmp_path):
    merging = settings.model_copy(update={"lora": LoraSettings(rank=2, merge=True)})
    whole = fit(merging, tmp_path)
    assert not (whole / lora.WEIGHTS).exists()
    merged = load_family(tiny_model)
    lora.attach(merged, adapters)
    stored = load_file(whole / WEIGHTS)
    for name, value in merged.denoiser.named_parameters():
        torch.testing.assert_close(stored[name], value.detach().half(), rtol=0, atol=0)


def test_a_fit_of_adapters_resumes_to_the_same_bytes(settings, adapters, tmp_path):
    def break_off(label, step, steps):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(settings, tmp_path, break_off)
    fit(settings, tmp_path)
    assert _bytes(tmp_path) == _bytes(adapters)


def test_refuses_another_base(settings, tiny_model, tmp_path):
    base = shutil.copytree(tiny_model, tmp_path / "base")
    folder = fit(settings.model_copy(update={"initial": str(base), "steps": 1}), tmp_path / "adapters")
    weights = bytearray((base / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (base / WEIGHTS).write_bytes(weights)
    with pytest.raises(UsageError, match="now is another"):
        lora.attach(load_family(base), folder)


def test_refuses_layers_that_do_not_exist(settings, tmp_path):
    unknown = settings.model_copy(update={"lora": LoraSettings(targets=("to_nowhere",))})
    with pytest.raises(UsageError, match="to_nowhere"):
        fit(unknown, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_adapters_need_a_model_to_adapt(tiny_fit):
    with pytest.raises(ValueError, match="initial"):
        FitSettings(**tiny_fit.model_dump() | {"lora": {"rank": 2}})
