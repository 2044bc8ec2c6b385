"""Diffusers' text-to-image pipelines of their real classes, tiny, tokenisers included; nothing is downloaded."""

import string

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

KINDS = ("sd15", "sdxl", "sd3", "flux")
WIDTH = 8
"""Of every text embedding."""


def tiny_pipeline(kind: str, seed: int = 0) -> DiffusionPipeline:
    """One of `KINDS` with random weights; images of multiples of 4 pixels, 2 pixels per latent cell."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {"sd15": _sd15, "sdxl": _sdxl, "sd3": _sd3, "flux": _flux}[kind]()


def tiny_controlnet(kind: str, pipeline: DiffusionPipeline) -> torch.nn.Module:
    """A ControlNet of a pipeline's kind that already has a say: diffusers' own start with zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if kind in ("sd15", "sdxl"):
            net = ControlNetModel.from_unet(pipeline.unet, conditioning_embedding_out_channels=(4, 8))
        elif kind == "sd3":
            net = SD3ControlNetModel.from_transformer(
                pipeline.transformer, num_layers=1, num_extra_conditioning_channels=0
            )
        else:
            net = FluxControlNetModel.from_transformer(
                pipeline.transformer, num_layers=1, num_single_layers=1, num_attention_heads=2, attention_head_dim=8
            )
        for parameter in net.parameters():
            parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
    return net


def _sd15() -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=_vae(4, 0.18215, None),
        text_encoder=CLIPTextModel(_clip_config()).eval(),
        tokenizer=_clip_tokenizer(),
        unet=_unet(),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl() -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=_vae(4, 0.13025, None),
        text_encoder=CLIPTextModel(_clip_config()).eval(),
        text_encoder_2=CLIPTextModelWithProjection(_clip_config()).eval(),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(),
        unet=_unet(
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=WIDTH + 6 * 4,
        ),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    )


def _sd3() -> StableDiffusion3Pipeline:
    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=8,
        out_channels=8,
        num_layers=2,  # the last one is of another shape, which ControlNets are not
        attention_head_dim=8,
        num_attention_heads=2,
        caption_projection_dim=16,
        joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=32,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(8, 1.5305, 0.0609),
        text_encoder=CLIPTextModelWithProjection(_clip_config()).eval(),
        text_encoder_2=CLIPTextModelWithProjection(_clip_config()).eval(),
        text_encoder_3=_t5(2 * WIDTH),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(),
        tokenizer_3=_t5_tokenizer(),
    )


def _flux() -> FluxPipeline:
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=32,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=_vae(8, 0.3611, 0.1159),
        text_encoder=CLIPTextModel(_clip_config()).eval(),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=_t5(WIDTH),
        tokenizer_2=_t5_tokenizer(),
        transformer=transformer.eval(),
    )


def _unet(cross_attention_dim: int = WIDTH, **more: object) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=cross_attention_dim,
        **more,
    ).eval()


def _vae(latent_channels: int, scaling_factor: float, shift_factor: float | None) -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        latent_channels=latent_channels,
        sample_size=32,
        scaling_factor=scaling_factor,
        shift_factor=shift_factor,
    ).eval()


def _clip_tokenizer() -> CLIPTokenizer:
    letters = [letter + end for end in ("", "</w>") for letter in string.ascii_lowercase + string.digits]
    vocab = {token: index for index, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=16)


def _clip_config() -> CLIPTextConfig:
    words = len(_clip_tokenizer())
    return CLIPTextConfig(
        vocab_size=words,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )


def _t5_tokenizer() -> T5Tokenizer:
    pieces = ["<pad>", "</s>", "<unk>", "▁", *string.ascii_lowercase, *string.digits]
    return T5Tokenizer(vocab=[(piece, -1.0) for piece in pieces], extra_ids=0, model_max_length=16)


def _t5(width: int) -> T5EncoderModel:
    words = len(_t5_tokenizer())
    config = T5Config(
        vocab_size=words, d_model=width, d_kv=4, d_ff=8, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu"
    )
    return T5EncoderModel(config).eval()
