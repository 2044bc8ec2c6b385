"""What a step learns from: laws of cutoffs, levels and prompts; pictures set aside."""

import numpy as np
import pytest
import torch

from phipd_sim2real.diffusion.families.pixel import PixelFamily
from phipd_sim2real.diffusion.fit_batches import Batches, drawn_cutoffs, drawn_prompts, drawn_times
from phipd_sim2real.diffusion.fit_settings import ExponentialCutoff
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.pipeline import PhasePipeline
from phipd_sim2real.drivelog import decode_jpeg
from phipd_sim2real.errors import UsageError

MANY = 20_000


def _highest(settings, count=MANY):
    return np.array([c.cycles_per_pixel_x for c in drawn_cutoffs(np.random.default_rng(0), settings, count)])


def test_uniform_cutoffs_fill_their_range(tiny_fit):
    drawn = _highest(tiny_fit.model_copy(update={"cutoff": (0.1, 0.3)}))
    assert 0.1 <= drawn.min() < 0.101
    assert 0.299 < drawn.max() <= 0.3
    assert drawn.mean() == pytest.approx(0.2, abs=0.002)


def test_exponential_cutoffs_have_their_start_mean_and_limit(tiny_fit):
    law = ExponentialCutoff(start=0.01, mean=0.02, highest=0.06)
    drawn = _highest(tiny_fit.model_copy(update={"cutoff": law}))
    assert drawn.min() >= 0.01
    assert drawn.max() == 0.06
    assert (drawn == 0.06).mean() == pytest.approx(np.exp(-0.05 / 0.02), abs=0.005)  # what lay above
    assert drawn.mean() == pytest.approx(0.01 + 0.02 * (1 - np.exp(-0.05 / 0.02)), abs=5e-4)


def test_a_third_of_the_crops_let_the_lowest_band_go(tiny_fit):
    cutoffs = drawn_cutoffs(np.random.default_rng(0), tiny_fit, MANY)
    lowest = np.array([cutoff.free_below for cutoff in cutoffs])
    assert (lowest > 0).mean() == pytest.approx(1 / 3, abs=0.01)
    assert lowest.max() <= tiny_fit.free_below


def test_logit_normal_levels_dwell_on_the_middle(tiny_fit):
    uniform, normal = (
        drawn_times(np.random.default_rng(0), tiny_fit.model_copy(update={"times": law}), MANY)
        for law in ("uniform", "logit_normal")
    )
    assert np.quantile(uniform, [0.25, 0.75]) == pytest.approx([0.25, 0.75], abs=0.01)
    logits = np.log(normal / (1 - normal))
    assert (logits.mean(), logits.std()) == pytest.approx((0, 1), abs=0.02)


def test_prompts_are_left_out_for_their_share(tiny_fit, captioned):
    images = UnpairedImages.load(captioned, 100, captions=True)
    settings = tiny_fit.model_copy(update={"captions": True, "prompt_dropout": 0.25})
    indices = [index % 3 for index in range(MANY)]
    prompts = drawn_prompts(np.random.default_rng(0), settings, images, indices)
    assert prompts.count("") / MANY == pytest.approx(0.25, abs=0.01)
    assert all(prompt in ("", images.captions[i]) for prompt, i in zip(prompts, indices, strict=True))


def test_captions_lie_beside_the_pictures_and_count_for_the_hash(captioned, pictures):
    with_text, without = UnpairedImages.load(captioned, 100, captions=True), UnpairedImages.load(captioned, 100)
    assert with_text.captions == ("street 0", "street 1", "street 2")
    assert with_text.sha256 != without.sha256
    with pytest.raises(UsageError, match="no caption"):
        UnpairedImages.load(pictures, 100, captions=True)


def test_every_process_step_and_micro_batch_draws_its_own_crops(tiny_fit, pictures):
    settings = tiny_fit.model_copy(update={"crops": tiny_fit.crops[:1], "accumulate": 2})
    family = PixelFamily(PhasePipeline.build(settings.model, 0.5, 0))
    images = UnpairedImages.load(pictures, 100)

    def drawn(process, step):
        return [batch.x_t for batch in Batches(settings, images, family, process).of_step(step)]

    several = [x_t for process in (0, 1) for step in (0, 1) for x_t in drawn(process, step)]
    assert len(several) == 8
    assert all(not torch.equal(a, b) for i, a in enumerate(several) for b in several[:i])
    assert all(torch.equal(a, b) for a, b in zip(drawn(1, 1), several[-2:], strict=True))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
def test_pictures_set_aside_are_never_trained_on(pictures, share):
    images = UnpairedImages.load(pictures, 100)
    training, aside = images.split(share)
    assert set(training.encoded) | set(aside.encoded) == set(images.encoded)
    assert not set(training.encoded) & set(aside.encoded)
    assert len(training) >= 1
    assert len(aside) == min(len(images) - 1, int(np.ceil(share * len(images))))


def test_segments_and_copies_are_not_torn_apart():
    images = UnpairedImages(tuple(bytes([i]) for i in range(12)), "carla", tuple("aaaabbbbcccc"))
    training, aside = images.split(0.2)
    assert len(aside) == 4
    assert len(set(aside.groups)) == 1
    assert not set(aside.groups) & set(training.groups)
    with pytest.raises(UsageError, match="single"):
        aside.split(0.5)


def test_the_middle_shows_as_much_as_fits(pictures):
    images = UnpairedImages.load(pictures, 100)
    for height, width in ((32, 32), (32, 64), (96, 128)):
        assert images.middle(0, height, width).shape == (height, width, 3)
    np.testing.assert_array_equal(images.middle(0, 48, 64), decode_jpeg(images.encoded[0]))
