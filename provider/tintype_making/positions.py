"""Two attention heads that tell each image token where it is, planted before training.

A FLUX transformer has no absolute positions: an image token learns where it is only from the rotary angle between
itself and the text, all of which stands at (0, 0). Large models find that out; a small one takes hours. So the T5
tokenizer ends every prompt with place marks, and two heads of the first block begin as a look-up: a token in column
five attends to mark five with one head, and with the other to the mark of its row.
"""

import random
from typing import Any

import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from .architecture import HEAD_WIDTH
from .buckets import SQUARE
from .captions import random_caption
from .fitting import fitted
from .painter import Painter, padded
from .pool import Pool
from .prompt_tokenizers import MARK_TOKENS, MARKS, T5_TOKENS

#: How the length of a query is divided among the three fastest rotary pairs; slower ones hardly turn on this grid.
PAIR_SHARES = (0.5, 0.3, 0.2)
#: Root mean square of what the look-up adds to an image token.
STRENGTH = 0.3
#: First channel of each axis within a head; axis 0 never turns.
ROW_CHANNEL, COLUMN_CHANNEL = 16, 40
#: Captions by which the look-up is fitted.
CAPTIONS = 128


@torch.no_grad()
def plant(painter: Painter, pool: Pool, rng: random.Random) -> None:
    """Plant the heads in a painter that has learnt nothing yet, by what its text encoder says of some captions."""
    first_mark = painter.t5_words.convert_tokens_to_ids(MARK_TOKENS[0])
    marks = painter.t5.shared.weight[first_mark:]
    # Louder than words, so that the encoder's layers leave them what they are.
    painter.t5.shared.weight[first_mark:] = 3 * torch.randn_like(marks)
    scenes, pictures = pool.draw_scenes(SQUARE, CAPTIONS, rng)
    captions = [random_caption(scene, rng) for scene in scenes]
    times = torch.rand(len(scenes))
    inputs, gates = [], []
    block = painter.transformer.transformer_blocks[0]
    hooks = [
        block.attn.add_k_proj.register_forward_hook(lambda _, given, __: inputs.append(given[0])),
        block.norm1.register_forward_hook(lambda _, __, returned: gates.append(returned[1])),
    ]
    noisy = pictures + times[:, None, None] * torch.randn_like(pictures)
    painter(noisy.to(painter.device), times.to(painter.device), painter.read(captions), SQUARE)
    for hook in hooks:
        hook.remove()
    numbers = padded(painter.t5_words, captions, T5_TOKENS) - first_mark
    plant_positions(painter.transformer, inputs[0].flatten(0, 1), numbers.clamp(min=-1).flatten(), gates[0])


@torch.no_grad()
def plant_positions(transformer: Any, text_inputs: Tensor, mark_numbers: Tensor, gate: Tensor) -> None:
    """Overwrite heads 0 (rows) and 1 (columns) of the first double block.

    text_inputs [tokens, width] are what its text projections are given for some captions, mark_numbers [tokens] the
    number of each mark or -1 for other tokens, gate the gates that its image attention leaves through.
    """
    attention = transformer.transformer_blocks[0].attn
    still = torch.zeros(HEAD_WIDTH)
    still[:16] = 1.0
    for head, (axis, channel) in enumerate(((1, ROW_CHANNEL), (2, COLUMN_CHANNEL))):
        rows = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
        query = torch.zeros(HEAD_WIDTH)
        for pair, share in enumerate(PAIR_SHARES):
            query[channel + 2 * pair] = (share * HEAD_WIDTH) ** 0.5
        set_rows(attention.to_q, rows, bias=query)
        set_rows(attention.to_k, rows, bias=still * 2)
        set_rows(attention.to_v, rows, bias=torch.zeros(HEAD_WIDTH))
        keys = turned(transformer, query, axis)
        values = torch.randn(MARKS, HEAD_WIDTH)
        is_mark = (mark_numbers >= 0)[:, None]
        fit_rows(attention.add_k_proj, rows, text_inputs, torch.where(is_mark, keys[mark_numbers], still * 2))
        fit_rows(attention.add_v_proj, rows, text_inputs, values[mark_numbers] * is_mark)
    scale = STRENGTH / (gate.square().mean().sqrt().item() * (2 * HEAD_WIDTH) ** 0.5)
    attention.to_out[0].weight[:, : 2 * HEAD_WIDTH] = torch.randn(gate.shape[-1], 2 * HEAD_WIDTH) * scale


def turned(transformer: Any, query: Tensor, axis: int) -> Tensor:
    """The query as the rotary embedding turns it at each place along an axis, [MARKS, HEAD_WIDTH]."""
    ids = torch.zeros(MARKS, 3)
    ids[:, axis] = torch.arange(MARKS)
    keys: Any = apply_rotary_emb(
        query.expand(1, MARKS, 1, HEAD_WIDTH).contiguous(), transformer.pos_embed(ids), sequence_dim=1
    )
    at_each_place: Tensor = keys[0, :, 0]
    return at_each_place


def set_rows(layer: Any, rows: slice, *, bias: Tensor) -> None:
    layer.weight[rows] = 0
    layer.bias[rows] = bias


def fit_rows(layer: Any, rows: slice, inputs: Tensor, targets: Tensor) -> None:
    """So that they give the targets, of the inputs."""
    solution = fitted(inputs, targets, damping=1e-5)
    layer.weight[rows] = solution[:-1].T
    layer.bias[rows] = solution[-1]
