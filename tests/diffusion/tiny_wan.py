"""Wan's image-to-video pipeline of its real classes, tiny, tokenizer included; nothing is downloaded."""

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanImageToVideoPipeline, WanTransformer3DModel
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedTokenizerFast,
    UMT5Config,
    UMT5EncoderModel,
)

WORDS = ["<pad>", "</s>", "<unk>", "a", "street", "in", "rain", "drawing"]


def tiny_wan(version: str, seed: int = 0) -> WanImageToVideoPipeline:
    """Wan "2.1" (told the first frame by CLIP too), "2.2" (two networks) or "2.2-ti2v" (the first frame stands in place
    of its noise, on cells of 16 pixels), with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return WanImageToVideoPipeline(
            tokenizer=_tokenizer(),
            text_encoder=UMT5EncoderModel(
                UMT5Config(vocab_size=len(WORDS), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
            ).eval(),
            vae=_autoencoder(version),
            scheduler=UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=5.0
            ),
            image_processor=CLIPImageProcessor(crop_size=8, size=8) if version == "2.1" else None,
            image_encoder=_vision() if version == "2.1" else None,
            transformer=_transformer(version),
            transformer_2=_transformer(version) if version == "2.2" else None,
            boundary_ratio=0.9 if version == "2.2" else None,
            expand_timesteps=version == "2.2-ti2v",
        )


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _autoencoder(version: str) -> AutoencoderKLWan:
    finer = {"is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12, "scale_factor_spatial": 16}
    more = finer if version == "2.2-ti2v" else {}
    return AutoencoderKLWan(base_dim=3, dim_mult=[1, 1, 1, 1], num_res_blocks=1, **more).eval()


def _vision() -> CLIPVisionModel:
    config = CLIPVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, image_size=8, patch_size=4
    )
    return CLIPVisionModel(config).eval()


def _transformer(version: str) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16 if version == "2.2-ti2v" else 36,
        out_channels=16,
        text_dim=8,
        freq_dim=16,
        ffn_dim=16,
        num_layers=1,
        image_dim=8 if version == "2.1" else None,
        added_kv_proj_dim=24 if version == "2.1" else None,
        rope_max_seq_len=32,
    ).eval()
