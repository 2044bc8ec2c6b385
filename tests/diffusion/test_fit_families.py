"""Every kind of model is fitted, whole and with adapters, and goes on after an interruption to the same bytes."""

import json

import pytest
import torch
from conftest import street
from test_fit import _bytes
from tiny_families import KINDS, tiny_pipeline

from phipd_sim2real import Enhancer
from phipd_sim2real.diffusion import lora
from phipd_sim2real.diffusion.families import load_family
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_settings import ExponentialCutoff, FitSettings, LoraSettings

FITS = [(kind, way) for kind in KINDS for way in ("whole", "adapters")]
OBJECTIVES = {"sd15": "epsilon", "sdxl": "epsilon", "sd3": "flow", "flux": "flow"}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Folder of a tiny model of a kind, written once."""
    folder = tmp_path_factory.mktemp("bases")

    def base(kind: str):
        if not (folder / kind).exists():
            tiny_pipeline(kind).save_pretrained(folder / kind)
        return folder / kind

    return base


def _settings(captioned, base, way: str) -> FitSettings:
    return FitSettings(
        data=captioned,
        captions=True,
        initial=str(base),
        lora=LoraSettings(rank=2) if way == "adapters" else None,
        steps=3,
        crops=({"height": 32, "width": 48, "count": 2},),
        cutoff=ExponentialCutoff(start=0.01, mean=0.05),
        times="logit_normal",
        learning_rate=1e-2,
        warmup_steps=0,
        checkpoint_every=1,
        gradient_checkpointing=True,
        samples={"every": 3, "pictures": 1, "cutoffs": [0.1], "height": 32, "width": 32, "steps": 2},
        validation={"share": 0.5, "every": 3, "pictures": 2, "height": 48, "width": 48, "steps": 2},
    )


@pytest.mark.parametrize(("kind", "way"), FITS)
def test_fits_and_resumes_to_the_same_bytes(bases, captioned, tmp_path, kind, way):
    settings = _settings(captioned, bases(kind), way)
    whole = fit(settings, tmp_path / "whole")

    def break_off(label, step, steps):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(settings, tmp_path / "parts", break_off)
    fit(settings, tmp_path / "parts")
    assert _bytes(whole) == _bytes(tmp_path / "parts")
    record = json.loads((whole / "fit.json").read_text())
    assert record["objective"] == OBJECTIVES[kind]
    assert (whole / "training/samples/step-00003.jpg").exists()
    assert str(tmp_path) not in (whole / "README.md").read_text()
    _check_change(bases(kind), whole)


def _check_change(base, fitted) -> None:
    """The fitted network has moved, and nothing beside it has."""
    before, after = load_family(base), load_family(fitted)
    moved = {
        name
        for name, value in after.denoiser.named_parameters()
        if not torch.allclose(value.float(), before.denoiser.get_parameter(name), atol=1e-3)
    }
    assert moved
    vaes = (dict(family.pipeline.vae.named_parameters()) for family in (before, after))
    assert all(torch.equal(*pair) for pair in zip(*(vae.values() for vae in vaes), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_load_with_diffusers_own_means(bases, captioned, tmp_path, kind):
    settings = _settings(captioned, bases(kind), "adapters")
    folder = fit(
        settings.model_copy(update={"validation": None, "samples": None, "ema_decay": 0.0}), tmp_path / "adapters"
    )
    pipeline = tiny_pipeline(kind)
    pipeline.load_lora_weights(str(folder))
    pipeline.fuse_lora()
    ours, theirs = load_family(folder).denoiser, getattr(pipeline, lora.component_name(load_family(folder)))
    merged = {name.replace(".base_layer", ""): value for name, value in theirs.named_parameters()}
    for name, value in ours.named_parameters():
        torch.testing.assert_close(merged[name], value, rtol=0, atol=1e-6)
    image = street(0, 32, 48)[None]
    plain, adapted = (
        Enhancer.from_pretrained(path, device="cpu").enhance(image, [0], steps=1) for path in (bases(kind), folder)
    )
    assert (plain != adapted).any()
