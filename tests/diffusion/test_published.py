"""Published weights: read without running anything, every name accounted for, the same numbers afterwards."""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel, WanImageToVideoPipeline, WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import load_file, save_file
from tiny_families import tiny_pipeline

from phipd_sim2real import Enhancer, released_structured_noise
from phipd_sim2real.diffusion.published import import_weights
from phipd_sim2real.diffusion.published.reader import read_sections
from phipd_sim2real.diffusion.published.unet_names import diffsynth_names, ldm_names
from phipd_sim2real.errors import UsageError

WEIGHTS = "diffusion_pytorch_model.safetensors"


def seeded(build, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build().eval()


def unet(seed=0):
    """The levels of Stable Diffusion 1.5, narrow."""
    return seeded(
        lambda: UNet2DConditionModel(
            block_out_channels=(4, 4, 8, 8),
            cross_attention_dim=6,
            attention_head_dim=2,
            norm_num_groups=2,
            sample_size=8,
        ),
        seed,
    )


def flux():
    return seeded(
        lambda: FluxTransformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=8,
            pooled_projection_dim=8,
            axes_dims_rope=(2, 2, 4),
        )
    )


def wan(seed=0):
    return seeded(
        lambda: WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=12,
            out_channels=4,
            text_dim=8,
            freq_dim=8,
            ffn_dim=16,
            num_layers=2,
            image_dim=8,
            added_kv_proj_dim=24,
        ),
        seed,
    )


def base_folder(folder: Path, parts: dict) -> Path:
    """A base model's folder: its denoisers, a scheduler and a licence."""
    index = {"_class_name": "SomePipeline", "scheduler": ["diffusers", "SomeScheduler"]}
    (folder / "scheduler").mkdir(parents=True)
    (folder / "scheduler/config.json").write_text("{}")
    (folder / "LICENSE.md").write_text("terms of the base")
    (folder / "stray.ckpt").write_text("not part of the model")
    for name, model in parts.items():
        model.save_pretrained(folder / name)
        index[name] = ["diffusers", type(model).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def sd_base(tmp_path_factory):
    return base_folder(tmp_path_factory.mktemp("sd") / "base", {"unet": unet()})


def numbers(model):
    """What a UNet answers to one input."""
    generator = torch.Generator().manual_seed(1)
    sample, text = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 3, 6, generator=generator)
    with torch.no_grad():
        return model(sample, torch.tensor([500]), text).sample


def ldm(state):
    """As the latent-diffusion code stores a UNet."""
    names = ldm_names(state)
    return {f"model.diffusion_model.{names[name]}": tensor for name, tensor in state.items()}


def diffsynth(state):
    """As DiffSynth stores it: projections of attentions are linear layers."""
    names = diffsynth_names(state)
    flat = {name: t.flatten(1) if "proj_in.w" in name or "proj_out.w" in name else t for name, t in state.items()}
    return {names[name]: tensor for name, tensor in flat.items()}


def ema(state):
    """As the latent-diffusion code stores running averages."""
    named = {name.removeprefix("model."): tensor for name, tensor in ldm(state).items()}
    counters = {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7)}
    return {f"model_ema.{name.replace('.', '')}": tensor for name, tensor in named.items()} | counters


def test_ldm_names_are_those_that_diffusers_reads():
    model = unet()
    config = {**model.config, "class_embed_type": None, "addition_embed_type": None}
    converted = convert_ldm_unet_checkpoint(ldm(model.state_dict()), config)
    assert converted.keys() == model.state_dict().keys()
    assert all(torch.equal(converted[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("time_embedding.linear_2.bias", "time_embedding.2.bias"),
        ("conv_in.weight", "conv_in.weight"),
        ("down_blocks.0.downsamplers.0.conv.weight", "blocks.6.conv.weight"),
        ("down_blocks.3.resnets.0.time_emb_proj.bias", "blocks.24.time_emb_proj.bias"),
        ("mid_block.attentions.0.norm.weight", "blocks.29.norm.weight"),
        ("up_blocks.0.resnets.0.conv_shortcut.weight", "blocks.32.conv_shortcut.weight"),
        ("up_blocks.0.upsamplers.0.conv.bias", "blocks.37.conv.bias"),
        ("up_blocks.2.upsamplers.0.conv.bias", "blocks.57.conv.bias"),
        (
            "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj.weight",
            "blocks.66.transformer_blocks.0.act_fn.proj.weight",
        ),
        (
            "up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_out.0.weight",
            "blocks.66.transformer_blocks.0.attn1.to_out.weight",
        ),
        ("up_blocks.3.attentions.2.transformer_blocks.0.ff.net.2.bias", "blocks.66.transformer_blocks.0.ff.bias"),
    ],
)
def test_names_of_sd15_in_diffsynth(ours, theirs):
    assert diffsynth_names(unet().state_dict())[ours] == theirs


def checkpoint(kind, trained, averaged):
    """A file's content in each layout, with what a trainer writes beside weights."""
    record = {
        "epoch": 10,
        "pytorch-lightning_version": "2.1",
        "callbacks": {"best": Path("somewhere/best.ckpt")},
        "hyper_parameters": argparse.Namespace(lr=1e-4),
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
    }
    beside = {"first_stage_model.conv.weight": torch.zeros(1), "betas": torch.zeros(3), "logvar": torch.zeros(3)}
    return {
        "diffsynth ema": record | {"ema_state_dict": diffsynth(averaged), "state_dict": diffsynth(trained)},
        "ldm ema": record | {"state_dict": ldm(trained) | ema(averaged) | beside},
        "ldm": record | {"state_dict": ldm(averaged) | beside},
        "diffusers": averaged,
    }[kind]


@pytest.mark.parametrize("kind", ["diffsynth ema", "ldm ema", "ldm", "diffusers"])
def test_whole_weights_answer_as_the_model_they_came_from(kind, sd_base, tmp_path):
    averaged = unet(seed=2)
    torch.save(checkpoint(kind, unet(seed=1).state_dict(), averaged.state_dict()), tmp_path / "published.ckpt")
    summary = import_weights(tmp_path / "published.ckpt", sd_base, tmp_path / "out")
    imported = UNet2DConditionModel.from_pretrained(tmp_path / "out/unet")
    torch.testing.assert_close(numbers(imported), numbers(averaged), rtol=0, atol=1e-5)
    assert summary.averaged == kind.endswith("ema")
    assert summary.changed == len(averaged.state_dict())
    assert summary.left_out == {"ldm ema": len(averaged.state_dict()) + 5, "ldm": 3}.get(kind, 0)


def test_the_trained_copy_is_taken_when_asked_for(sd_base, tmp_path):
    trained = unet(seed=1)
    for kind in ("diffsynth ema", "ldm ema"):
        torch.save(checkpoint(kind, trained.state_dict(), unet(seed=2).state_dict()), tmp_path / "p.ckpt")
        summary = import_weights(tmp_path / "p.ckpt", sd_base, tmp_path / kind, averaged=False)
        imported = UNet2DConditionModel.from_pretrained(tmp_path / kind / "unet")
        torch.testing.assert_close(numbers(imported), numbers(trained), rtol=0, atol=1e-5)
        assert not summary.averaged


def test_the_folder_is_the_base_with_a_marker_of_its_noise(sd_base, tmp_path):
    save_file(unet(seed=2).state_dict(), tmp_path / "p.safetensors")
    summary = import_weights(tmp_path / "p.safetensors", sd_base, tmp_path / "out")
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {
        "LICENSE.md", "model_index.json", "phipd.json", "scheduler/config.json", "unet/config.json", f"unet/{WEIGHTS}",
    }  # fmt: skip
    marker = json.loads((tmp_path / "out/phipd.json").read_text())
    assert (marker["noise"], marker["cutoff_bins"]) == ("released", 15)
    assert marker["source_sha256"] == marker["imports"][0]["sha256"]
    assert "released_structured_noise at 15 bins" in summary.sentence()
    with pytest.raises(UsageError, match="there already"):
        import_weights(tmp_path / "p.safetensors", sd_base, tmp_path / "out")


def test_an_imported_model_enhances_with_the_published_noise(tmp_path):
    base, averaged = tiny_pipeline("sd15"), tiny_pipeline("sd15", seed=2).unet
    base.save_pretrained(tmp_path / "base")
    torch.save({"epoch": 10, "ema_state_dict": diffsynth(averaged.state_dict())}, tmp_path / "p.ckpt")
    import_weights(tmp_path / "p.ckpt", tmp_path / "base", tmp_path / "out", cutoff_bins=6.0)
    enhancer = Enhancer.from_pretrained(tmp_path / "out", device="cpu")
    imported = enhancer.family.denoiser.state_dict()
    assert all(torch.equal(imported[name], tensor) for name, tensor in averaged.state_dict().items())
    x_0 = enhancer.family.encode(torch.rand(1, 3, 32, 48) * 2 - 1)
    white = torch.randn(1, *enhancer.family.noise_shape(32, 48))
    noise = enhancer.family.noise(x_0, [enhancer.preservation("auto", 32, 48)], white)
    torch.testing.assert_close(noise, released_structured_noise(x_0, white, 6.0), rtol=0, atol=1e-4)
    assert enhancer.enhance(np.zeros((1, 32, 48, 3), np.uint8), [0], steps=1).shape == (1, 32, 48, 3)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda state: state.pop("conv_in.bias"), r"lacks conv_in\.bias of the base"),
        (lambda state: state.update({"extra.weight": torch.zeros(1)}), r"holds extra\.weight, which the base"),
        (lambda state: state.update({"conv_in.bias": torch.zeros(9)}), r"conv_in\.bias of shape \(9,\)"),
        (lambda state: state.clear() or state.update(a=torch.zeros(1)), "no UNet in a known layout"),
    ],
)
def test_refuses_weights_that_are_not_the_bases(damage, sentence, sd_base, tmp_path):
    state = unet().state_dict()
    damage(state)
    save_file(state, tmp_path / "p.safetensors")
    with pytest.raises(UsageError, match=sentence):
        import_weights(tmp_path / "p.safetensors", sd_base, tmp_path / "out")
    assert not any(path.name.startswith((".out", "out")) for path in tmp_path.iterdir())


class Harmful:
    """Writes a file when it is unpickled the ordinary way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_cannot_run_anything(tmp_path):
    torch.save({"state_dict": {"a": torch.ones(2)}, "more": Harmful(tmp_path / "ran")}, tmp_path / "p.ckpt")
    with pytest.raises(UsageError, match=r"names posix\.mkdir, which is neither a tensor"):
        read_sections(tmp_path / "p.ckpt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "p.ckpt", weights_only=False)
    assert (tmp_path / "ran").exists()


def test_tensors_come_back_as_they_were_saved(tmp_path):
    whole = torch.arange(24, dtype=torch.float64).reshape(4, 6)
    saved = {
        "whole": whole,
        "view": whole[1:3, ::2].t(),
        "half": torch.randn(3).half(),
        "bf16": torch.randn(3).bfloat16(),
        "scalar": torch.tensor(3),
        "none": torch.empty(0, 4),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    torch.save({"state_dict": saved, "loose": torch.ones(1)}, tmp_path / "p.pt")
    sections = read_sections(tmp_path / "p.pt")
    assert sections.keys() == {"", "state_dict"}
    for name, tensor in saved.items():
        read = sections["state_dict"][name]
        assert read.shape == tuple(tensor.shape)
        assert torch.equal(read.load(), tensor)
        assert read.load().dtype == tensor.dtype


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "neither .safetensors nor"), (b"PK\x05\x06" + bytes(18), "no PyTorch checkpoint")],
)
def test_refuses_files_that_are_no_checkpoints(content, sentence, tmp_path):
    (tmp_path / "p.ckpt").write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        read_sections(tmp_path / "p.ckpt")
    (tmp_path / "p.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match="not a whole"):
        read_sections(tmp_path / "p.safetensors")


def pair(rows, columns, seed, rank=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rank, columns, generator=generator), torch.randn(rows, rank, generator=generator)


FLUX_LAYERS = {
    # DiffSynth's name: (FLUX's own with underscores, diffusers' weights)
    "blocks.0.attn.a_to_qkv": ("double_blocks_0_img_attn_qkv", ["0.attn.to_q", "0.attn.to_k", "0.attn.to_v"]),
    "blocks.0.attn.b_to_qkv": (
        "double_blocks_0_txt_attn_qkv",
        ["0.attn.add_q_proj", "0.attn.add_k_proj", "0.attn.add_v_proj"],
    ),
    "blocks.0.attn.a_to_out": ("double_blocks_0_img_attn_proj", ["0.attn.to_out.0"]),
    "blocks.0.attn.b_to_out": ("double_blocks_0_txt_attn_proj", ["0.attn.to_add_out"]),
    "blocks.0.ff_a.0": ("double_blocks_0_img_mlp_0", ["0.ff.net.0.proj"]),
    "blocks.0.ff_b.2": ("double_blocks_0_txt_mlp_2", ["0.ff_context.net.2"]),
    "blocks.0.norm1_a.linear": ("double_blocks_0_img_mod_lin", ["0.norm1.linear"]),
    "single_blocks.1.to_qkv_mlp": (
        "single_blocks_1_linear1",
        ["1.attn.to_q", "1.attn.to_k", "1.attn.to_v", "1.proj_mlp"],
    ),
    "single_blocks.1.proj_out": ("single_blocks_1_linear2", ["1.proj_out"]),
    "single_blocks.1.norm.linear": ("single_blocks_1_modulation_lin", ["1.norm.linear"]),
}


@pytest.mark.parametrize("spelling", ["diffsynth", "kohya"])
def test_a_flux_update_is_added_to_the_weights_it_means(spelling, tmp_path):
    model = flux()
    base = base_folder(tmp_path / "base", {"transformer": model})
    before, update, expected = model.state_dict(), {}, dict(model.state_dict())
    for seed, (theirs, (kohya, parts)) in enumerate(FLUX_LAYERS.items()):
        stem = "single_transformer_blocks." if theirs.startswith("single") else "transformer_blocks."
        names = [f"{stem}{part}.weight" for part in parts]
        fused = torch.cat([before[name] for name in names])
        A, B = pair(*fused.shape, seed)
        alpha = 4.0 if spelling == "kohya" else 2.0  # the rank
        merged = fused + 0.5 * alpha / 2 * B @ A
        expected |= dict(zip(names, merged.split([len(before[name]) for name in names]), strict=True))
        if spelling == "diffsynth":
            update |= {f"{theirs}.lora_A.default.weight": A, f"{theirs}.lora_B.default.weight": B}
        else:
            stem = f"lora_unet_{kohya}"
            update |= {f"{stem}.lora_down.weight": A, f"{stem}.lora_up.weight": B, f"{stem}.alpha": torch.tensor(alpha)}
    save_file(update, tmp_path / "lora.safetensors")
    summary = import_weights(tmp_path / "lora.safetensors", base, tmp_path / "out", scale=0.5)
    after = load_file(tmp_path / "out/transformer" / WEIGHTS)
    assert after.keys() == before.keys()
    for name in after:
        torch.testing.assert_close(after[name], expected[name], rtol=0, atol=1e-6)
    assert (summary.kind, summary.changed, summary.cutoff_bins) == ("lora", 17, 30)
    assert summary.kept == len(before) - 17


def wan_update(model, scale=1.0):
    """An update of every layer that DiffSynth's training script names, and of the image keys."""
    names = {"self_attn.q": "attn1.to_q", "self_attn.o": "attn1.to_out.0", "cross_attn.v": "attn2.to_v"}
    names |= {"cross_attn.k_img": "attn2.add_k_proj", "cross_attn.v_img": "attn2.add_v_proj"}
    names |= {"ffn.0": "ffn.net.0.proj", "ffn.2": "ffn.net.2"}
    update = {}
    for block in range(2):
        for seed, (theirs, ours) in enumerate(names.items()):
            A, B = pair(*model.state_dict()[f"blocks.{block}.{ours}.weight"].shape, seed + 10 * block)
            update[f"blocks.{block}.{theirs}"] = (A, B)
    return update


def test_a_wan_update_agrees_with_diffusers_own_reader(tmp_path):
    model = wan()
    base = base_folder(tmp_path / "base", {"transformer": model})
    update = {
        f"diffusion_model.{name}.lora_{letter}.weight": matrix
        for name, matrices in wan_update(model).items()
        for letter, matrix in zip("AB", matrices, strict=True)
    }
    save_file(update, tmp_path / "lora.safetensors")
    import_weights(tmp_path / "lora.safetensors", base, tmp_path / "out")
    after = load_file(tmp_path / "out/transformer" / WEIGHTS)
    # diffusers mistakes the image values' matrices for others, so those are compared by hand
    shared = {name: matrix for name, matrix in update.items() if "_img" not in name}
    model.load_lora_adapter(WanImageToVideoPipeline.lora_state_dict(dict(shared)), prefix="transformer")
    model.fuse_lora()
    model.unload_lora()
    for name, tensor in model.state_dict().items():
        if "add_" in name and name.endswith("weight"):
            A, B = wan_update(model)[name.replace("attn2.add_", "cross_attn.").replace("_proj.weight", "_img")]
            tensor = tensor + B @ A
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-6)


def test_two_updates_of_wan_22_are_imported_in_turn(tmp_path):
    high, low = wan(0), wan(1)
    base = base_folder(tmp_path / "base", {"transformer": high, "transformer_2": low})
    A, B = pair(24, 24, 0)
    update = {"blocks.1.self_attn.q.lora_A.default.weight": A, "blocks.1.self_attn.q.lora_B.default.weight": B}
    save_file(update | {"color_embed.weight": torch.zeros(3, 1)}, tmp_path / "lora.safetensors")
    with pytest.raises(UsageError, match="say with --into which"):
        import_weights(tmp_path / "lora.safetensors", base, tmp_path / "out")
    first = import_weights(tmp_path / "lora.safetensors", base, tmp_path / "one", into="transformer_2")
    import_weights(tmp_path / "lora.safetensors", tmp_path / "one", tmp_path / "two", into="transformer", scale=0.125)
    name = "blocks.1.attn1.to_q.weight"
    for part, model, scale in (("transformer", high, 0.125), ("transformer_2", low, 1.0)):
        after = load_file(tmp_path / "two" / part / WEIGHTS)
        torch.testing.assert_close(after.pop(name), model.state_dict()[name] + scale * B @ A, rtol=0, atol=1e-6)
        assert all(torch.equal(after[other], model.state_dict()[other]) for other in after)
    assert first.left_out == 1
    marker = json.loads((tmp_path / "two/phipd.json").read_text())
    assert [entry["into"] for entry in marker["imports"]] == ["transformer_2", "transformer"]


def test_a_base_in_several_files_keeps_them(tmp_path):
    base = base_folder(tmp_path / "base", {})
    model = wan().to(torch.bfloat16)
    model.save_pretrained(base / "transformer", max_shard_size="20KB")
    (base / "model_index.json").write_text(json.dumps({"transformer": ["diffusers", "WanTransformer3DModel"]}))
    A, B = pair(24, 24, 0)
    save_file(
        {"blocks.0.self_attn.k.lora_A.weight": A, "blocks.0.self_attn.k.lora_B.weight": B}, tmp_path / "l.safetensors"
    )
    import_weights(tmp_path / "l.safetensors", base, tmp_path / "out")
    shards = sorted(path.name for path in (base / "transformer").glob("*.safetensors"))
    assert len(shards) > 1
    assert sorted(path.name for path in (tmp_path / "out/transformer").glob("*.safetensors")) == shards
    after, before = (
        WanTransformer3DModel.from_pretrained(tmp_path / "out/transformer", torch_dtype=torch.bfloat16),
        model,
    )
    changed = [
        name for name, tensor in after.state_dict().items() if not torch.equal(tensor, before.state_dict()[name])
    ]
    assert changed == ["blocks.0.attn1.to_k.weight"]
    assert after.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        ({"blocks.9.ffn.0.lora_A.weight": (2, 24), "blocks.9.ffn.0.lora_B.weight": (16, 2)}, "blocks_9_ffn_0 that the"),
        ({"blocks.0.self_attn.q.lora_A.weight": (2, 24)}, "only one of the two matrices"),
        ({"blocks.0.ffn.0.lora_A.weight": (2, 24), "blocks.0.ffn.0.lora_B.weight": (24, 2)}, "16 rows"),
        ({"blocks.0.ffn.0.lora_A.weight": (2, 24), "blocks.0.ffn.0.diff": (16, 24)}, "no part of a low-rank update"),
        (
            {
                "blocks.0.ffn.0.lora_A.weight": (2, 24), "blocks.0.ffn.0.lora_B.weight": (16, 2),
                "blocks.0.ffn.net.0.proj.lora_A.weight": (2, 24), "blocks.0.ffn.net.0.proj.lora_B.weight": (16, 2),
            },
            "twice",
        ),
    ],
)  # fmt: skip
def test_refuses_updates_that_are_not_the_bases(update, sentence, tmp_path):
    base = base_folder(tmp_path / "base", {"transformer": wan()})
    save_file({name: torch.zeros(shape) for name, shape in update.items()}, tmp_path / "l.safetensors")
    with pytest.raises(UsageError, match=sentence):
        import_weights(tmp_path / "l.safetensors", base, tmp_path / "out")
    assert not (tmp_path / "out").exists()
