"""Tokenizers and text encoders with random weights, made offline and small: the real classes of transformers."""

# transformers leaves its classes half typed.
# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

WIDTH = 64
"""A multiple of 64: at odd widths the vectorised kernels' tails depend on the batch."""

NARROW = 16
"""Of language models, whose many layers a pipeline asks for by number."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
]


def clip(model_class: type[Any] = CLIPTextModel, *, width: int = WIDTH) -> tuple[Any, Any]:
    letters = _letters()
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[])
    tokenizer.model_max_length = 77
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        # The pooled embedding is the one at this token: the tokenizer's, or it is some other's.
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, model_class(config).eval()


def clip_with_projection(*, width: int = WIDTH) -> tuple[Any, Any]:
    return clip(CLIPTextModelWithProjection, width=width)


def t5() -> tuple[Any, Any]:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    pieces += [(chr(code), -5.0) for code in range(33, 127)]
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=128,
        d_model=WIDTH,
        d_kv=16,
        d_ff=WIDTH,
        num_layers=1,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
    )
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512), T5EncoderModel(config).eval()


def qwen3() -> tuple[Any, Any]:
    """FLUX.2 klein reads the hidden states 9, 18 and 27."""
    tokenizer = _qwen_tokenizer()
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer) + 2,
        hidden_size=NARROW,
        intermediate_size=NARROW * 2,
        num_hidden_layers=28,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=NARROW // 2,
        max_position_embeddings=1024,
    )
    return tokenizer, Qwen3ForCausalLM(config).eval()


def mistral3() -> tuple[Any, Any]:
    """FLUX.2 [dev] reads the hidden states 10, 20 and 30. For its processor, which needs torchvision, a tokenizer."""
    tokenizer = _qwen_tokenizer()
    torch.manual_seed(0)
    text = {
        "model_type": "mistral",
        "vocab_size": len(tokenizer) + 2,
        "hidden_size": NARROW,
        "intermediate_size": NARROW * 2,
        "max_position_embeddings": 1024,
        "num_attention_heads": 2,
        "num_hidden_layers": 31,
        "num_key_value_heads": 2,
        "head_dim": NARROW // 2,
        "sliding_window": None,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    vision = {
        "model_type": "pixtral",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 32,
        "image_size": 30,
        "patch_size": 6,
        "num_channels": 3,
    }
    config = Mistral3Config(text_config=text, vision_config=vision, image_token_index=3)
    return tokenizer, Mistral3ForConditionalGeneration(config).eval()


def qwen2_5_vl() -> tuple[Any, Any]:
    tokenizer = _qwen_tokenizer()
    torch.manual_seed(0)
    text = {
        "vocab_size": len(tokenizer) + 2,
        "hidden_size": NARROW,
        "intermediate_size": NARROW,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
    }
    vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": NARROW}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    return tokenizer, Qwen2_5_VLForConditionalGeneration(config).eval()


def _letters() -> list[str]:
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _qwen_tokenizer() -> Any:
    vocabulary = {piece: index for index, piece in enumerate([*_letters(), *SPECIAL_TOKENS])}
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary, merges=[], model_max_length=512, additional_special_tokens=SPECIAL_TOKENS[1:]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
