"""The parts of tintype before training: a FLUX.1 pipeline of about ten million parameters. No data, no training.

python -m tintype_making.architecture writes them all anew; growth.py starts from the trained ones that ship instead.
"""

from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from .codes import CODE_WIDTH, planted_codes
from .folders import SHIPPED, UNFINISHED, save_part
from .prompt_tokenizers import CLIP_TOKENS, T5_TOKENS, caption_words, clip_tokenizer, t5_tokenizer

LATENT_CHANNELS = 16
#: Width of the T5 states, of the CLIP state, and of the transformer. The T5's last channels hold codes (codes.py).
T5_WIDTH, CLIP_WIDTH, HEADS, HEAD_WIDTH = 128 + CODE_WIDTH, 64, 3, 64
#: Single blocks before routing.py and editing.py add theirs.
DOUBLE_BLOCKS, SINGLE_BLOCKS = 2, 6


def autoencoder() -> Any:
    """Shrinks a picture 8 times to 16 channels; fully convolutional, so that crops train it."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 64, 96, 128),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=16,
        sample_size=128,
        scaling_factor=1.0,
        shift_factor=0.0,
        force_upcast=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )


def clip_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=CLIP_WIDTH,
            intermediate_size=CLIP_WIDTH * 2,
            projection_dim=CLIP_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=CLIP_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            # Pooling takes the state of the first token with this id.
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def t5_encoder(tokenizer: PreTrainedTokenizerFast) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(  # type: ignore[call-arg]  # It takes what every configuration takes.
            vocab_size=len(tokenizer),
            d_model=T5_WIDTH,
            d_kv=32,
            d_ff=T5_WIDTH * 2,
            num_layers=2,
            num_heads=4,
            relative_attention_num_buckets=32,
            relative_attention_max_distance=T5_TOKENS,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            pad_token_id=0,
            eos_token_id=1,
            is_encoder_decoder=False,
            tie_word_embeddings=False,
        )
    )


def transformer() -> Any:
    """Modulations and the way out start as nothing, which trains sooner; so does the guidance embedding, which
    guidance.py teaches last."""
    model: Any = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * LATENT_CHANNELS,
        num_layers=DOUBLE_BLOCKS,
        num_single_layers=SINGLE_BLOCKS,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=HEADS,
        joint_attention_dim=T5_WIDTH,
        pooled_projection_dim=CLIP_WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(16, 24, 24),
    )
    blocks = [*model.transformer_blocks, *model.single_transformer_blocks]
    layers = [norm.linear for block in blocks for norm in block.children() if "AdaLayerNorm" in type(norm).__name__]
    layers += [model.norm_out.linear, model.proj_out, model.time_text_embed.guidance_embedder.linear_2]
    for layer in layers:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return model


def main() -> None:
    torch.manual_seed(0)
    words = caption_words()
    t5_words, clip_words = t5_tokenizer(words), clip_tokenizer(words)
    save_part(autoencoder(), SHIPPED, "vae")
    save_part(clip_words, UNFINISHED, "tokenizer")
    save_part(t5_words, UNFINISHED, "tokenizer_2")
    save_part(clip_encoder(clip_words), UNFINISHED, "text_encoder")
    encoder = t5_encoder(t5_words)
    encoder.shared.weight.data[:, -CODE_WIDTH:] = planted_codes(t5_words.get_vocab(), "\u2581{}")
    save_part(encoder, UNFINISHED, "text_encoder_2")
    save_part(transformer(), UNFINISHED, "transformer")


if __name__ == "__main__":
    main()
