"""The three parts of tintype that learn together, as one module: text in, velocity of the latents out."""

from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast, T5EncoderModel

from .architecture import CLIP_WIDTH, T5_WIDTH
from .buckets import Bucket
from .folders import load_part, save_part
from .prompt_tokenizers import T5_TOKENS
from .reader import Reader

#: The scale at which the model is what it learnt from pictures alone; guidance.py teaches it the others.
GUIDANCE = 1.0
#: Sequences of text are padded to a multiple of this in training, where one of T5_TOKENS would cost more.
TOKENS_STEP = 8

#: States of the T5 tokens [batch, tokens, T5 width], and of CLIP's last [batch, CLIP width].
States = tuple[Tensor, Tensor]


class Painter(nn.Module):
    """Both text encoders and the transformer of one folder, and the reader that teaches the encoders."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clip_words = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
        self.t5_words = PreTrainedTokenizerFast.from_pretrained(folder, subfolder="tokenizer_2")
        self.clip: Any = load_part(CLIPTextModel, folder, "text_encoder")
        self.t5: Any = load_part(T5EncoderModel, folder, "text_encoder_2")
        self.transformer: Any = load_part(FluxTransformer2DModel, folder, "transformer")
        self.reader = Reader(T5_WIDTH, CLIP_WIDTH)

    @property
    def device(self) -> torch.device:
        return self.reader.queries.device

    def read(self, captions: list[str], tokens: int = T5_TOKENS) -> States:
        # No masks, as the pipeline gives none.
        t5_states: Tensor = self.t5(padded(self.t5_words, captions, tokens).to(self.device)).last_hidden_state
        clip_state: Tensor = self.clip(padded(self.clip_words, captions, tokens).to(self.device)).pooler_output
        return t5_states, clip_state

    def tokens_for(self, captions: list[str]) -> int:
        """How many tokens hold the longest of the captions."""
        longest = max(map(len, self.t5_words(captions).input_ids))
        return min(T5_TOKENS, -(-longest // TOKENS_STEP) * TOKENS_STEP)

    def forward(
        self,
        latents: Tensor,
        times: Tensor,
        states: States,
        bucket: Bucket,
        *,
        reference: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """The velocity at each image token.

        latents [batch, image tokens, channels], times [batch] from 0 (picture) to 1 (noise). The reference is the
        picture to be edited, [batch, image tokens, 64]: more tokens of the same, as FluxKontextPipeline appends them.
        """
        ids = image_ids(bucket).to(self.device)
        if reference is not None:
            ids = torch.cat([ids, ids + torch.tensor([1.0, 0, 0], device=self.device)])
        velocity: Tensor = self.transformer(
            hidden_states=latents if reference is None else torch.cat([latents, reference], 1),
            encoder_hidden_states=states[0],
            pooled_projections=states[1],
            timestep=times,
            guidance=torch.full_like(times, GUIDANCE) if guidance is None else guidance,
            img_ids=ids,
            txt_ids=torch.zeros(states[0].shape[1], 3, device=self.device),
            return_dict=False,
        )[0]
        return velocity[:, : latents.shape[1]]

    def save(self, folder: Path) -> None:
        """The trained parts; the tokenizers stay as they were grown."""
        save_part(self.clip, folder, "text_encoder")
        save_part(self.t5, folder, "text_encoder_2")
        save_part(self.transformer, folder, "transformer")


def padded(words: CLIPTokenizer | PreTrainedTokenizerFast, captions: list[str], tokens: int) -> Tensor:
    batch = words(captions, padding="max_length", truncation=True, max_length=tokens, return_tensors="pt")
    ids: Tensor = batch.input_ids
    return ids


def image_ids(bucket: Bucket) -> Tensor:
    """Row and column of each image token, [tokens, 3], as FluxPipeline numbers them."""
    ids = torch.zeros(bucket.tokens_down, bucket.tokens_across, 3)
    ids[..., 1] += torch.arange(bucket.tokens_down)[:, None]
    ids[..., 2] += torch.arange(bucket.tokens_across)[None, :]
    return ids.reshape(-1, 3)
