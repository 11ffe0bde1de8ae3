"""Trains the transformer and both text encoders together on the pool: rectified flow, prompts dropped for guidance.

python -m tintype_making.transformer --minutes 85
"""

import argparse
import itertools
import math
import random
import time
from typing import Any
from unittest import mock

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast, T5EncoderModel

from .architecture import CLIP_WIDTH, T5_WIDTH, clip_encoder, t5_encoder, transformer
from .buckets import SQUARE, Bucket, random_bucket
from .captions import random_caption
from .ema import Average
from .pool import Pool
from .positions import plant_positions
from .prompt_tokenizers import MARK_TOKENS, T5_TOKENS
from .reader import Reader
from .shipped import SHIPPED, load_part, save_part

BATCH = 64
LEARNING_RATE = 1e-3
#: Share of prompts that are emptied, so that guidance has something to lead away from.
SHARE_DROPPED = 0.1
#: Most captions fit in half the tokens, and cost less there; the end is trained as it is served, on all 48.
TOKENS_SHORT, SHARE_SHORT = 32, 0.5
#: Times are drawn as the sigmoid of a normal: mostly noisy ones, for there it is decided what is painted.
TIME_MEAN, TIME_DEVIATION = 1.1, 1.25
READING_WEIGHT = 0.1
#: The guidance embedding's value in training; its last layer is nothing, so that serving may give it any.
GUIDANCE = 3.5

plain_sdpa = functional.scaled_dot_product_attention


class Painter(nn.Module):
    """The three parts that learn together. Text in, velocity of the latents out."""

    def __init__(self, *, resume: bool) -> None:
        super().__init__()
        self.clip_words = CLIPTokenizer.from_pretrained(SHIPPED, subfolder="tokenizer")
        self.t5_words = PreTrainedTokenizerFast.from_pretrained(SHIPPED, subfolder="tokenizer_2")
        self.clip: Any = load_part(CLIPTextModel, "text_encoder") if resume else clip_encoder(self.clip_words)
        self.t5: Any = load_part(T5EncoderModel, "text_encoder_2") if resume else t5_encoder(self.t5_words)
        self.transformer: Any = load_part(FluxTransformer2DModel, "transformer") if resume else transformer()
        self.transformer.time_text_embed.guidance_embedder.requires_grad_(False)
        self.reader = Reader(T5_WIDTH, CLIP_WIDTH)

    def read(self, captions: list[str], tokens: int) -> tuple[Tensor, Tensor]:
        """States of the T5 tokens [batch, tokens, T5 width] and of CLIP's last [batch, CLIP width]."""
        # No masks, as the pipeline gives none.
        t5_states: Tensor = self.t5(padded(self.t5_words, captions, tokens)).last_hidden_state
        clip_state: Tensor = self.clip(padded(self.clip_words, captions, tokens)).pooler_output
        return t5_states, clip_state

    def forward(self, latents: Tensor, times: Tensor, states: tuple[Tensor, Tensor], bucket: Bucket) -> Tensor:
        """latents [batch, image tokens, 64], times [batch] from 0 (picture) to 1 (noise)."""
        velocity: Tensor = self.transformer(
            hidden_states=latents,
            encoder_hidden_states=states[0],
            pooled_projections=states[1],
            timestep=times,
            guidance=torch.full_like(times, GUIDANCE),
            img_ids=image_ids(bucket),
            txt_ids=torch.zeros(states[0].shape[1], 3),
            return_dict=False,
        )[0]
        return velocity

    def ship(self) -> None:
        save_part(self.clip, "text_encoder")
        save_part(self.t5, "text_encoder_2")
        save_part(self.transformer, "transformer")


@torch.no_grad()
def plant(painter: Painter, pool: Pool, rng: random.Random) -> None:
    """Plant the position heads in a painter that is still young, by what its text encoder says of some captions."""
    first_mark = painter.t5_words.convert_tokens_to_ids(MARK_TOKENS[0])
    # Louder than words, so that the encoder's layers leave them what they are.
    painter.t5.shared.weight[first_mark:] = 3 * torch.randn_like(painter.t5.shared.weight[first_mark:])
    scenes, pictures = pool.draw(SQUARE, 2 * BATCH, rng)
    captions = [random_caption(scene, rng) for scene in scenes]
    times = torch.rand(len(scenes))
    inputs, gates = [], []
    block = painter.transformer.transformer_blocks[0]
    hooks = [
        block.attn.add_k_proj.register_forward_hook(lambda _, given, __: inputs.append(given[0])),
        block.norm1.register_forward_hook(lambda _, __, returned: gates.append(returned[1])),
    ]
    painter(
        pictures + times[:, None, None] * torch.randn_like(pictures), times, painter.read(captions, T5_TOKENS), SQUARE
    )
    for hook in hooks:
        hook.remove()
    numbers = padded(painter.t5_words, captions, T5_TOKENS) - first_mark
    plant_positions(painter.transformer, inputs[0].flatten(0, 1), numbers.clamp(min=-1).flatten(), gates[0])


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


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    painter = Painter(resume=arguments.resume)
    # On CPUs the fused attention's backward pass takes longer than the three plain products.
    with mock.patch.object(functional, "scaled_dot_product_attention", attention):
        train(painter, arguments)


def attention(query: Tensor, key: Tensor, value: Tensor, *rest: Any, **options: Any) -> Tensor:
    """Attention as two matrix products wherever nothing is masked."""
    if options.get("attn_mask") is not None or options.get("is_causal") or rest:
        return plain_sdpa(query, key, value, *rest, **options)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    mixed: Tensor = scores.softmax(-1, dtype=value.dtype) @ value
    return mixed


def train(painter: Painter, arguments: argparse.Namespace) -> None:
    """Train until the minutes are over; ships the average every ten minutes, and at the end."""
    rng, pool = random.Random(arguments.seed), Pool()
    print("pictures", pool.refresh(), "parameters", sum(weight.numel() for weight in painter.parameters()))
    if not arguments.resume or arguments.plant:
        plant(painter, pool, rng)
    average = Average(painter, decay=arguments.decay)
    learning = [weight for weight in painter.parameters() if weight.requires_grad]
    optimizers = make_optimizers(painter, arguments.rate)
    started = shipped = time.monotonic()
    losses: list[float] = []
    for step in itertools.count():
        share = (time.monotonic() - started) / (60 * arguments.minutes)
        if share >= 1 or step == arguments.steps:
            break
        for group in itertools.chain.from_iterable(optimizer.param_groups for optimizer in optimizers):
            group["lr"] = rate_at(step, share, arguments.rate)
        tokens = TOKENS_SHORT if share < arguments.share_short else T5_TOKENS
        loss, reading = losses_of(painter, pool, rng, tokens)
        painter.zero_grad(set_to_none=True)
        (loss + READING_WEIGHT * reading).backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        average.update(painter)
        losses.append(loss.item())
        if step % 100 == 99:
            pool.refresh()
            seconds, mean = round(time.monotonic() - started), sum(losses[-100:]) / 100
            print(f"{step + 1} steps, {seconds} s, loss {mean:.4f}, reading {reading.item():.3f}", flush=True)
        if time.monotonic() - shipped > 600 and not arguments.trial:
            shipped = time.monotonic()
            average.model.ship()
    if not arguments.trial:
        average.model.ship()


def make_optimizers(painter: Painter, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the transformer's blocks, AdamW for all else, at one rate."""
    inside = {
        weight
        for name, weight in painter.transformer.named_parameters()
        if weight.ndim == 2 and "blocks" in name and "norm" not in name
    }
    others = [weight for weight in painter.parameters() if weight.requires_grad and weight not in inside]
    return [
        torch.optim.Muon(list(inside), lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True),
    ]


def rate_at(step: int, share: float, rate: float) -> float:
    """A short warm-up, then the cosine's half wave down to a hundredth."""
    return rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


def losses_of(painter: Painter, pool: Pool, rng: random.Random, tokens: int) -> tuple[Tensor, Tensor]:
    """Mean square error of the velocity, and the reader's loss, on one batch of one bucket."""
    bucket = random_bucket(rng)
    scenes, pictures = pool.draw(bucket, BATCH, rng)
    captions = ["" if rng.random() < SHARE_DROPPED else random_caption(scene, rng) for scene in scenes]
    noise, times = torch.randn_like(pictures), torch.sigmoid(TIME_MEAN + TIME_DEVIATION * torch.randn(BATCH))
    mixed = pictures + times[:, None, None] * (noise - pictures)
    with torch.autocast("cpu", torch.bfloat16):
        states = painter.read(captions, tokens)
        velocity = painter(mixed, times, states, bucket)
    painting = functional.mse_loss(velocity.float(), noise - pictures)
    return painting, painter.reader.loss((states[0].mean(1), states[1]), scenes, captions)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=85)
    parser.add_argument("--steps", type=int, default=-1, help="stop after so many, whatever the clock says")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--decay", type=float, default=0.9985)
    parser.add_argument("--share-short", type=float, default=SHARE_SHORT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the shipped weights")
    parser.add_argument("--plant", action="store_true", help="with --resume: plant the position heads anew")
    parser.add_argument("--trial", action="store_true", help="ship nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
