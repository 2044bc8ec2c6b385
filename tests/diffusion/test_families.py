"""Every kind of image model behind one enhancer, with diffusers' real classes at tiny size."""

import json
from itertools import product

import numpy as np
import pytest
import torch
from conftest import street
from tiny_families import KINDS, tiny_controlnet, tiny_pipeline

from phipd_sim2real import Cutoff, Enhancer, released_structured_noise, structured_noise
from phipd_sim2real.diffusion.enhancer import method
from phipd_sim2real.diffusion.families import Sampling, load_family
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.models import model_defaults, resolved, weights_sha256
from phipd_sim2real.diffusion.settings import EnhanceSettings, ProfileSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import periodic_component

SHAPES = {"sd15": (4, 24, 32), "sdxl": (4, 24, 32), "sd3": (8, 24, 32), "flux": (8, 24, 32)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model folder of each kind."""
    root = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        tiny_pipeline(kind).save_pretrained(root / kind)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def enhancer(kind, folders):
    return Enhancer.from_pretrained(folders[kind], device="cpu")


@pytest.fixture(scope="module")
def images():
    return np.stack([street(index) for index in range(3)])


def _x_0(family, images):
    levels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return family.encode(levels)


def _network_calls(family, monkeypatch):
    """Inputs and times of every pass of the denoiser, in the family's own layout."""
    calls = []

    def record(_, args, kwargs):
        state = args[0] if args else kwargs["hidden_states"]
        time = args[1] if len(args) > 1 else kwargs["timestep"]
        calls.append((state.clone(), time))

    handle = family.denoiser.register_forward_pre_hook(record, with_kwargs=True)
    monkeypatch.setattr(family, "_test_handle", handle, raising=False)
    return calls, handle


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_the_network_first_sees_structured_noise_at_the_wanted_strength(enhancer, images, monkeypatch, strength):
    """From pure structured noise x_t is the noise itself; below that, the forward process at t = strength."""
    family = enhancer.family
    x_0 = _x_0(family, images[:1])
    white = torch.randn(1, *enhancer.noise_shape(48, 64), generator=torch.Generator().manual_seed(0))
    eps = family.noise(x_0, [Cutoff.isotropic(0.05)], white)
    calls, handle = _network_calls(family, monkeypatch)
    family.generate(x_0, eps, [None], Sampling(strength, 3))
    handle.remove()
    state, time = calls[0]
    expected = eps if strength == 1 else family.corrupt(x_0, eps, torch.tensor([strength]))[0]
    torch.testing.assert_close(state, family.packed(expected), rtol=0, atol=1e-5)
    scale = {"epsilon": 1000, "flow": 1 if family.name == "flux" else 1000}[family.objective]
    assert float(time.flatten()[0]) / scale == pytest.approx(strength, abs=0.0011)
    assert len(calls) == 3


def test_noise_carries_the_phase_of_the_latents_up_to_the_physical_cutoff(enhancer, images):
    family = enhancer.family
    x_0 = _x_0(family, images[:1])
    white = torch.randn(1, *enhancer.noise_shape(48, 64), generator=torch.Generator().manual_seed(0))
    cells = structured_noise(periodic_component(x_0), white, Cutoff.isotropic(0.05 * family.factor))
    torch.testing.assert_close(family.noise(x_0, [Cutoff.isotropic(0.05)], white), cells)


def test_an_ideal_network_gives_the_source_back(enhancer, images, monkeypatch):
    """With the true target in place of its prediction, every step of the sampler stays on the way to x_0."""
    family = enhancer.family
    x_0 = _x_0(family, images[:1])
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    answer = {"epsilon": eps, "flow": eps - x_0}[family.objective]
    monkeypatch.setattr(family.denoiser, "forward", lambda *_, **__: (family.packed(answer),))
    result = family.generate(x_0, eps, [None], Sampling(0.7, 5))
    torch.testing.assert_close(result, family.decode(x_0), rtol=0, atol=1e-4)


def test_little_noise_leaves_the_source(enhancer, images):
    """Whatever the network says: x_0 is off by no more than its share, of the lowest levels 4 % of the noise."""
    family = enhancer.family
    x_0 = _x_0(family, images[:1])
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    for strength, least, most in ((0.001, 0.0, 0.1), (0.8, 0.3, 100.0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(family, "decode", lambda latents: latents)
            found = family.generate(x_0, eps, [None], Sampling(strength, 1))
        assert least < (found - x_0).abs().mean() < most


def test_a_frame_does_not_depend_on_its_batch(enhancer, images, monkeypatch):
    for group in (1, 2):
        monkeypatch.setattr(enhancer.family, "groups", {"cpu": group})
        together = enhancer.enhance(images, [1, 2, 3], steps=2, guidance=3.0, prompt="a street")
        alone = [
            enhancer.enhance(images[i : i + 1], [i + 1], steps=2, guidance=3.0, prompt="a street") for i in range(3)
        ]
        np.testing.assert_array_equal(np.concatenate(alone), together)


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_any_size_comes_back_as_it_went_in(enhancer, size):
    result = enhancer.enhance(street(0, *size)[None], [0], steps=1)
    assert result.shape == (1, *size, 3)


def test_white_noise_fits_the_grid(enhancer, kind, images):
    shape = enhancer.noise_shape(48, 64)
    assert shape == SHAPES[kind]
    assert enhancer.grid.noise_window() == (0, 0, 2)
    white = torch.randn(shape, generator=torch.Generator().manual_seed(5))[None]
    given = enhancer.enhance(images[:1], [0], steps=1, white=white)
    np.testing.assert_array_equal(given, enhancer.enhance(images[:1], [5], steps=1))


def test_prompts_and_guidance_count(enhancer, images):
    def result(**how):
        return enhancer.enhance(images[:1], [0], steps=1, strength=1.0, **how)

    plain = result(prompt="a street", guidance=4.0)
    np.testing.assert_array_equal(plain, result(prompt="a street", guidance=4.0))
    for other in ({"prompt": "rain"}, {"guidance": 8.0}, {"negative_prompt": "drawing"}):
        assert (result(**({"prompt": "a street", "guidance": 4.0} | other)) != plain).any(), other


def test_a_controlnet_counts_and_is_steady(kind, folders, images, tmp_path):
    tiny_controlnet(kind, tiny_pipeline(kind)).save_pretrained(tmp_path)
    enhancer = Enhancer.from_pretrained(folders[kind], device="cpu", controlnet=str(tmp_path))
    canny = enhancer.enhance(images, [0, 1, 2], steps=1, control="canny")
    np.testing.assert_array_equal(enhancer.enhance(images, [0, 1, 2], steps=1, control="canny"), canny)
    blank = enhancer.enhance(images, [0, 1, 2], steps=1, control=np.zeros_like(images))
    assert (blank != canny).any()
    without = enhancer.enhance(images, [0, 1, 2], steps=1, control="canny", control_scale=0.0)
    stock = Enhancer.from_pretrained(folders[kind], device="cpu").enhance(images, [0, 1, 2], steps=1)
    np.testing.assert_array_equal(without, stock)
    with pytest.raises(UsageError, match="go together"):
        enhancer.enhance(images, [0, 1, 2])


def test_fit_save_load_enhance(kind, folders, pictures, images, tmp_path):
    settings = FitSettings(
        data=pictures,
        initial=str(folders[kind]),
        steps=2,
        crops=({"height": 32, "width": 32, "count": 2},),
        cutoff=(0.01, 0.05),
        warmup_steps=0,
        learning_rate=1e-2,
        ema_decay=0.0,
    )
    fitted = fit(settings, tmp_path / "fitted")
    load_family(fitted).save_pretrained(tmp_path / "again")
    before, after, again = (
        Enhancer.from_pretrained(path, device="cpu").enhance(images[:1], [0], steps=1, prompt="a street")
        for path in (folders[kind], fitted, tmp_path / "again")
    )
    assert (before != after).any()
    first, second = (load_family(path).denoiser.state_dict() for path in (fitted, tmp_path / "again"))
    assert all(torch.equal(second[name], weight) for name, weight in first.items())
    np.testing.assert_allclose(after.astype(int), again, atol=1)  # other files align weights otherwise, which rounds


def test_published_noise_is_chosen_by_the_folder(folders, images, tmp_path):
    tiny_pipeline("sd15").save_pretrained(tmp_path)
    (tmp_path / "phipd.json").write_text(json.dumps({"noise": "released", "cutoff_bins": 6, "imports": []}))
    enhancer = Enhancer.from_pretrained(tmp_path, device="cpu")
    assert enhancer.noise_shape(48, 64) == (4, 24, 32)
    seen = []
    enhancer.family.generate = lambda x_0, eps, *_: seen.append((x_0, eps)) or enhancer.family.decode(x_0)
    white = torch.randn(2, 4, 24, 32, generator=torch.Generator().manual_seed(0))
    enhancer.enhance(images[:2], [0, 0], white=white)
    for (x_0, eps), draw in zip(seen, white, strict=True):
        torch.testing.assert_close(eps, released_structured_noise(x_0, draw[None], 6.0), rtol=1e-3, atol=1e-3)
    told = resolved(EnhanceSettings(model=str(tmp_path)))
    assert (told.noise, told.cutoff) == ("released", "auto")
    exact = resolved(EnhanceSettings(model=str(tmp_path), noise="exact"))
    assert (exact.noise, exact.cutoff, exact.guidance) == ("exact", 1 / 48, 7.5)


def test_defaults_and_hashes_of_models(folders):
    assert {kind: model_defaults(folders[kind]).guidance for kind in KINDS} == {
        "sd15": 7.5, "sdxl": 5.0, "sd3": 5.0, "flux": 3.5,
    }  # fmt: skip
    assert model_defaults("street-small").cutoff == 0.2
    hashes = {weights_sha256(folder) for folder in folders.values()}
    assert len(hashes) == len(KINDS)


def test_settings_become_arguments():
    banded = EnhanceSettings(profile=ProfileSettings(edges=(0.0, 0.1, 0.5), shares=(1.0, 0.5)))
    assert method(banded)["cutoff"].shares == (1.0, 0.5)
    assert method(EnhanceSettings(free_below=0.01))["cutoff"] == Cutoff.isotropic(0.2, free_below=0.01)
    assert method(EnhanceSettings(cutoff=None))["cutoff"] is None
    assert method(EnhanceSettings())["cutoff"] == "auto"


def test_pixel_models_refuse_what_they_do_not_know(tiny_model, images):
    enhancer = Enhancer.from_pretrained(tiny_model, device="cpu")
    for how, sentence in ({"prompt": "rain"}, "no prompts"), ({"guidance": 3.0}, "no guidance"):
        with pytest.raises(UsageError, match=sentence):
            enhancer.enhance(images, range(3), **how)
    with pytest.raises(UsageError, match="go together"):
        enhancer.enhance(images, range(3), control="canny")
    for how, sentence in ({"controlnet": "x"}, "takes no ControlNet"), ({"tiling": True}, "no tiling"):
        with pytest.raises(UsageError, match=sentence):
            Enhancer.from_pretrained(tiny_model, device="cpu", **how)


def test_every_level_of_strength_starts_where_it_says(folders):
    """Of both kinds of schedule, static and growing with the picture."""
    for kind, strength in product(("sd3", "flux"), (0.2, 0.6, 1.0)):
        family = load_family(folders[kind])
        for cells in ((16, 16), (88, 160)):
            first = family.schedule(strength, 4, cells)["sigmas"][0]
            a = family.shift(cells)
            assert a * first / (1 + (a - 1) * first) == pytest.approx(strength)
