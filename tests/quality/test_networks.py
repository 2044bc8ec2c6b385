"""Measures that need weights, with networks of random weights: agreement with torchmetrics, refusals, records."""

import hashlib

import numpy as np
import pytest
from known_pictures import textured

from phipd_sim2real.errors import UsageError
from phipd_sim2real.quality.feature_network import FeatureNetwork
from phipd_sim2real.quality.lpips import TRUNKS, Lpips
from phipd_sim2real.quality.network_distances import fid, kid
from phipd_sim2real.quality.set_distance import squared_mmd

torch = pytest.importorskip("torch")


def trunk(name):
    """The convolutional part of a network with random weights, as torchvision lays it out."""
    layout, layers = TRUNKS[name], {}
    index = 0
    for stage, pooled in zip(layout.stages, layout.pooled, strict=True):
        if pooled:
            layers[str(index)] = torch.nn.MaxPool2d(layout.pool, stride=2)
            index += 1
        for layer in stage:
            assert layer.index == index
            layers[str(index)] = torch.nn.Conv2d(*layer.channels, layer.kernel, layer.stride, layer.padding)
            layers[str(index + 1)] = torch.nn.ReLU()
            index += 2
    return torch.nn.Sequential(*layers.values())


@pytest.fixture(scope="module", params=["alexnet", "vgg16"])
def weights(request, tmp_path_factory):
    torch.manual_seed(0)
    features = trunk(request.param)
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.pth"
    torch.save({f"features.{key}": value for key, value in features.state_dict().items()}, path)
    return request.param, features, path


def test_lpips_equals_torchmetrics_on_the_same_trunk(weights, monkeypatch):
    from torchmetrics.functional.image import lpips as reference

    name, features, path = weights
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda *_: features)
    network = reference._LPIPS(net=TRUNKS[name].heads, pretrained=True)
    source, output = textured(0, 70, 82), textured(1, 70, 82)
    tensors = [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in (source, output)]
    expected = float(network(*tensors).detach())
    measure = Lpips.from_path(path)
    assert measure(source, output).value == pytest.approx(expected, rel=1e-4)
    assert measure(source, source).value == 0
    assert measure.trunk == name
    assert measure.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_lpips_reads_safetensors_and_refuses_what_is_no_trunk(weights, tmp_path):
    from safetensors.torch import save_file

    _, features, path = weights
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    save_file(state, tmp_path / "trunk.safetensors")
    pictures = textured(0, 70, 82), textured(1, 70, 82)
    same = Lpips.from_path(tmp_path / "trunk.safetensors")(*pictures)
    assert same == Lpips.from_path(path)(*pictures)
    save_file({key: value for key, value in state.items() if "features.0" not in key}, tmp_path / "part.safetensors")
    with pytest.raises(UsageError, match="neither AlexNet nor VGG-16"):
        Lpips.from_path(tmp_path / "part.safetensors")
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(UsageError, match="--lpips-weights, cannot be read"):
        Lpips.from_path(tmp_path / "junk.pth")


@pytest.mark.parametrize("path", [None, "absent"])
def test_weights_are_asked_for_by_the_options_name(path, tmp_path):
    path = path and tmp_path / path
    with pytest.raises(UsageError, match=r"--lpips-weights names .* Nothing is downloaded"):
        Lpips.from_path(path)
    with pytest.raises(UsageError, match=r"--features names .* Nothing is downloaded"):
        FeatureNetwork.from_path(path)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    from transformers import Dinov2Config, Dinov2Model

    folder = tmp_path_factory.mktemp("models") / "tiny-dino"
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 28}, "image_mean": [0, 0, 0]}')
    return folder


def test_a_transformers_backbone_gives_features_and_a_record(backbone):
    network = FeatureNetwork.from_path(backbone)
    pictures = [textured(seed, 60, 90) for seed in range(3)]
    features = network.features(pictures)
    assert (features.shape, features.dtype) == ((3, 16), np.float32)
    np.testing.assert_array_equal(network.features(pictures[1:2]), features[1:2])  # one at a time: no batch effects
    sha256 = hashlib.sha256((backbone / "model.safetensors").read_bytes()).hexdigest()
    assert network.record() == {
        "network": "tiny-dino",
        "sha256": sha256,
        "resize": "bicubic with antialiasing to 28 × 28 px",
    }
    by_file = FeatureNetwork.from_path(backbone / "model.safetensors")
    np.testing.assert_array_equal(by_file.features(pictures), features)


def test_a_network_without_pooling_is_averaged(tmp_path):
    from transformers import ConvNextV2Config, ConvNextV2Model

    ConvNextV2Model(ConvNextV2Config(hidden_sizes=[8, 8, 8, 12], depths=[1, 1, 1, 1])).save_pretrained(tmp_path)
    assert FeatureNetwork.from_path(tmp_path).features([textured(0, 60, 90)]).shape == (1, 12)


def test_a_torchscript_file_gets_bytes_and_is_asked_for_features(tmp_path):
    class Means(torch.nn.Module):
        def forward(self, images: torch.Tensor, return_features: bool = False) -> torch.Tensor:
            assert images.dtype == torch.uint8
            means = images.float().mean(dim=(2, 3))
            return means if return_features else means[:, :1]

    torch.jit.script(Means()).save(str(tmp_path / "means.pt"))
    picture = textured()
    features = FeatureNetwork.from_path(tmp_path / "means.pt").features([picture])
    np.testing.assert_allclose(features[0], picture.mean(axis=(0, 1)), rtol=1e-5)


def test_what_is_no_vision_network_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9)
    BertModel(config).save_pretrained(tmp_path / "text")
    with pytest.raises(UsageError, match="takes input_ids"):
        FeatureNetwork.from_path(tmp_path / "text")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"lacks config\.json"):
        FeatureNetwork.from_path(tmp_path / "empty")
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(UsageError, match="no TorchScript file"):
        FeatureNetwork.from_path(tmp_path / "junk.pt")


def test_kid_is_reproducible_and_its_whole_set_is_the_formula():
    rng = np.random.default_rng(0)
    first, second = (rng.normal(mean, 1, (50, 6)).astype(np.float32) for mean in (0, 0.5))
    whole = kid(first, second, subsets=2)
    assert whole.measurement.value == pytest.approx(squared_mmd(*(f.astype(float) for f in (second, first))), rel=1e-6)
    assert (whole.subset_size, whole.first, whole.second) == (50, 50, 50)
    before = torch.random.get_rng_state()
    part = kid(first, second, subsets=5, subset_size=20)
    assert part == kid(first, second, subsets=5, subset_size=20)
    assert part.deviation > 0
    assert torch.equal(before, torch.random.get_rng_state())
    assert not kid(first[:1], second).measurement.valid


def test_fid_of_a_shift_is_its_square_and_warns_of_few_pictures():
    first = np.random.default_rng(0).normal(0, 1, (400, 4)).astype(np.float32)
    distance = fid(first + np.float32(2), first)
    assert distance.measurement.value == pytest.approx(4 * 2**2, rel=1e-4)
    assert "the smaller has 400" in distance.warning
    assert not fid(first, first[:1]).measurement.valid
