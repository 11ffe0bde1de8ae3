"""Makes the model larger without changing what it paints: more words, and more blocks that begin as nothing.

python -m tintype_making.growth
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast, T5EncoderModel

from .architecture import HEAD_WIDTH, HEADS, T5_WIDTH, clip_encoder, t5_encoder
from .codes import planted_codes
from .folders import SHIPPED, UNFINISHED, load_part, save_part
from .nouns import NOUNS
from .plurals import plural
from .positions import COLUMN_CHANNEL, ROW_CHANNEL
from .prompt_tokenizers import caption_words, clip_tokenizer, t5_tokenizer

#: Before which of the single blocks a new one comes. The first new one begins as a look-up of the picture to be edited.
NEW_BEFORE, GROWN_BLOCKS = (0, 2), 6
#: How the length of the look-up's queries is divided among rotary pairs: whose picture, then row and column.
PICTURE_SHARE, PLACE_SHARES = 0.3, (0.2, 0.1, 0.05)
#: Scale of its queries and keys, for sharpness: other tokens are looked at with a weight of some hundredths.
SHARPNESS = 2.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    words = caption_words()
    grow_t5(arguments.source, t5_tokenizer(words))
    grow_clip(arguments.source, clip_tokenizer(words))
    old = load_part(FluxTransformer2DModel, arguments.source, "transformer")
    new = old if len(old.single_transformer_blocks) >= GROWN_BLOCKS else grown_transformer(old)
    if new.config.joint_attention_dim < T5_WIDTH:
        new = with_wider_text(new)
    if new.config.joint_attention_dim == old.config.joint_attention_dim:
        print("outputs differ by", largest_difference(old, new))
    print("parameters", sum(w.numel() for w in new.parameters()))
    save_part(new, UNFINISHED, "transformer")


def grow_t5(source: Path, words: PreTrainedTokenizerFast) -> None:
    old_words = PreTrainedTokenizerFast.from_pretrained(source, subfolder="tokenizer_2")
    old, new = load_part(T5EncoderModel, source, "text_encoder_2"), t5_encoder(words)
    width = old.config.d_model
    rows = grown_rows(old.shared.weight.data, old_words.get_vocab(), words.get_vocab(), "\u2581{}")
    if width == T5_WIDTH:
        load_all_but(new, old, {"shared.weight", "encoder.embed_tokens.weight"})
    else:
        widen(new, old)
        rows = torch.cat([rows, planted_codes(words.get_vocab(), "\u2581{}")], dim=1)
    new.shared.weight.data = rows
    new.encoder.embed_tokens.weight = new.shared.weight
    save_part(words, UNFINISHED, "tokenizer_2")
    save_part(new, UNFINISHED, "text_encoder_2")


@torch.no_grad()
def widen(new: Any, old: Any) -> None:
    """The T5's layers among channels that they do not use yet; its norms allow for those, which begin as nothing."""
    share = (old.config.d_model / new.config.d_model) ** 0.5
    kept = old.state_dict()
    for name, weight in new.named_parameters():
        if "shared" in name:
            continue
        before = kept[name]
        if weight.ndim == 1:
            weight.fill_(float(before.mean() * share))
            weight[: len(before)] = before * share
        else:
            # Units that are new keep their random way in, and have no way out.
            if not name.endswith(("wi_0.weight", "wi_1.weight")):
                weight.zero_()
            weight[: len(before)] = 0
            weight[: len(before), : before.shape[1]] = before


def grow_clip(source: Path, words: CLIPTokenizer) -> None:
    old_words = CLIPTokenizer.from_pretrained(source, subfolder="tokenizer")
    old, new = load_part(CLIPTextModel, source, "text_encoder"), clip_encoder(words)
    table = next(name for name, _ in old.named_parameters() if name.endswith("token_embedding.weight"))
    rows = grown_rows(old.get_parameter(table).data, old_words.get_vocab(), words.get_vocab(), "{}</w>")
    load_all_but(new, old, {table})
    new.get_parameter(table).data = rows
    save_part(words, UNFINISHED, "tokenizer")
    save_part(new, UNFINISHED, "text_encoder")


def load_all_but(new: nn.Module, old: nn.Module, tables: set[str]) -> None:
    left_out = new.load_state_dict({k: v for k, v in old.state_dict().items() if k not in tables}, strict=False)
    assert set(left_out.missing_keys) <= tables, left_out
    assert not left_out.unexpected_keys, left_out


def grown_rows(old: Tensor, old_pieces: dict[str, int], pieces: dict[str, int], word_form: str) -> Tensor:
    """Embeddings of the new pieces: an old piece keeps its row, and a new word begins with the row of one like it."""
    models = {word_form.format(word): word_form.format(like) for word, like in likenesses().items()}
    known = old[[old_pieces[piece] for name in NOUNS if (piece := word_form.format(name)) in old_pieces]]
    rows = known.mean(0) + torch.randn(len(pieces), old.shape[1]) * known.std(0)
    for piece, number in pieces.items():
        if piece in old_pieces:
            rows[number] = old[old_pieces[piece]]
    for piece, number in pieces.items():
        if piece not in old_pieces and models.get(piece) in pieces:
            rows[number] = rows[pieces[models[piece]]]
    return rows


def likenesses() -> dict[str, str]:
    """For each word of a name, the one word that names the same noun: "puppy" and "dogs" to "dog"."""
    return {
        form: name
        for name, noun in NOUNS.items()
        for word in noun.words
        for form in (word, plural(word))
        if " " not in form + name and form != name
    }


@torch.no_grad()
def grown_transformer(old: Any) -> Any:
    """Some more single blocks; the first new one begins as the look-up."""
    new = with_new_blocks(old, NEW_BEFORE)
    plant_look_up(new, new.single_transformer_blocks[0].attn)
    return new


@torch.no_grad()
def with_new_blocks(old: Any, before: tuple[int, ...]) -> Any:
    """The transformer with a copy of each of those single blocks before itself, whose way out is nothing."""
    count = len(old.single_transformer_blocks)
    new: Any = FluxTransformer2DModel.from_config({**old.config, "num_single_layers": count + len(before)})
    new.load_state_dict({k: v for k, v in old.state_dict().items() if "single_transformer" not in k}, strict=False)
    blocks = iter(new.single_transformer_blocks)
    for number, block in enumerate(old.single_transformer_blocks):
        if number in before:
            copied = next(blocks)
            copied.load_state_dict(block.state_dict())
            nn.init.zeros_(copied.proj_out.weight)
            nn.init.zeros_(copied.proj_out.bias)
        next(blocks).load_state_dict(block.state_dict())
    return new


@torch.no_grad()
def with_wider_text(old: Any) -> Any:
    """The transformer as it is, with random weights for the T5's channels of codes, half as large as for the rest."""
    new: Any = FluxTransformer2DModel.from_config({**old.config, "joint_attention_dim": T5_WIDTH})
    weights, name = old.state_dict(), "context_embedder.weight"
    heard = weights[name]
    more = torch.randn(len(heard), T5_WIDTH - heard.shape[1]) * heard.std() / 2
    new.load_state_dict({**weights, name: torch.cat([heard, more], dim=1)})
    return new


def plant_look_up(transformer: Any, attention: Any) -> None:
    """Each image token attends to that at its own row and column in the picture to be edited (ids 1, row, column)."""
    query = torch.zeros(HEAD_WIDTH)
    query[0] = (PICTURE_SHARE * HEAD_WIDTH) ** 0.5
    for channel in (ROW_CHANNEL, COLUMN_CHANNEL):
        for pair, share in enumerate(PLACE_SHARES):
            query[channel + 2 * pair] = (share * HEAD_WIDTH) ** 0.5
    key = turned_back(transformer, query)
    for layer, bias in ((attention.to_q, query), (attention.to_k, key)):
        nn.init.zeros_(layer.weight)
        layer.bias.copy_(bias.repeat(HEADS))
    nn.init.eye_(attention.to_v.weight)
    nn.init.zeros_(attention.to_v.bias)
    for norm in (attention.norm_q, attention.norm_k):
        nn.init.constant_(norm.weight, SHARPNESS)


def turned_back(transformer: Any, query: Tensor) -> Tensor:
    """What the rotary embedding turns into the query where the first id is 1."""
    cosine, sine = transformer.pos_embed(torch.tensor([[1.0, 0, 0]]))
    back: Any = (cosine, -sine)
    turned: Any = apply_rotary_emb(query.view(1, 1, 1, -1), back, sequence_dim=1)
    key: Tensor = turned[0, 0, 0]
    return key


@torch.no_grad()
def largest_difference(old: Any, new: Any) -> float:
    """Between the velocities of both for some noise."""
    ids = torch.cartesian_prod(torch.zeros(1), torch.arange(8.0), torch.arange(8.0))
    given = {
        "hidden_states": torch.randn(2, 64, old.config.in_channels),
        "encoder_hidden_states": torch.randn(2, 48, old.config.joint_attention_dim),
        "pooled_projections": torch.randn(2, old.config.pooled_projection_dim),
        "timestep": torch.tensor([0.2, 0.9]),
        "guidance": torch.tensor([1.0, 4.0]),
        "img_ids": ids,
        "txt_ids": torch.zeros(48, 3),
    }
    return float((old(**given).sample - new(**given).sample).abs().max())


if __name__ == "__main__":
    main()
