"""Both tokenizers, trained on the captions: every caption word is one token, anything else falls to letters."""

import json
import random
import re
import string
from collections import Counter
from math import log
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from .captions import plain_caption, random_caption
from .edits import INSTRUCTIONS, random_edit, random_instruction
from .nouns import NOUNS
from .plurals import plural
from .random_scenes import any_scene
from .vocabulary import COLOURS, FILLER_WORDS

#: Tokens that the T5 encoder reads; the card's max_sequence_length.
T5_TOKENS = 48
#: Tokens that the CLIP encoder reads.
CLIP_TOKENS = 48

#: Tokens that end every T5 prompt, one for each row or column that a bucket may have; see positions.py.
MARKS = 12
MARK_TOKENS = tuple(f"<place{number}>" for number in range(MARKS))

START, END = "<|startoftext|>", "<|endoftext|>"


def caption_words(captions: int = 30_000) -> Counter[str]:
    """How often each word is said in that many captions, and in a fifth as many instructions."""
    rng = random.Random(0)
    words: Counter[str] = Counter()
    for number in range(captions):
        scene = any_scene(rng)
        words.update(words_in(random_caption(scene, rng)))
        words.update(words_in(plain_caption(scene)))
        if number % 5 == 0:
            words.update(words_in(random_instruction(random_edit(rng), rng)))
    names = [name for noun in NOUNS.values() for word in noun.words for name in (word, plural(word))]
    known = {word for text in (*names, *COLOURS, *FILLER_WORDS) for word in words_in(text)}
    known |= {word for texts in INSTRUCTIONS.values() for text in texts for word in words_in(text)}
    # What was said only once or twice is one of the nonsense words that stand for the unknown.
    return Counter({word: words[word] or 1 for word in {*words, *known} if words[word] > 9 or word in known})


def words_in(text: str) -> list[str]:
    """As the tokenizers divide it: letters and digits only."""
    return re.findall(r"[a-z0-9]+", text.lower())


def t5_tokenizer(words: Counter[str]) -> PreTrainedTokenizerFast:
    """A Unigram tokenizer of whole words by frequency, with single letters far behind them.

    Not a T5Tokenizer, which on loading forgets the normalizer that lowers capitals and drops punctuation.
    """
    total = words.total()
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [("\u2581" + word, log(count / total)) for word, count in sorted_by_count(words) if len(word) > 1]
    letters = string.ascii_lowercase + string.digits
    pieces += [("\u2581", -12.0)] + [("\u2581" + letter, -12.0 if letter != "a" else -3.0) for letter in letters]
    pieces += [(letter, -12.0) for letter in letters]
    pieces += [(mark, -99.0) for mark in MARK_TOKENS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
         normalizers.Replace(Regex(r"[^\p{L}\p{N}]+"), " ")]
    )  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(("$A", "</s>", *MARK_TOKENS)),
        special_tokens=[
            ("</s>", 1),
            *((mark, len(pieces) - MARKS + number) for number, mark in enumerate(MARK_TOKENS)),
        ],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=T5_TOKENS
    )


def sorted_by_count(words: Counter[str]) -> list[tuple[str, int]]:
    return sorted(words.items(), key=lambda item: (-item[1], item[0]))


def clip_tokenizer(words: Counter[str]) -> CLIPTokenizer:
    """A byte-pair tokenizer merged until every caption word is one token; bytes are its fallback."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=10_000, min_frequency=1, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
    )
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trained.train_from_iterator(((f"{word} " * count) for word, count in sorted_by_count(words)), trainer)
    model = json.loads(trained.to_str())["model"]
    pieces = [*sorted(model["vocab"], key=model["vocab"].__getitem__), *(letter + "</w>" for letter in alphabet)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys([*pieces, START, END]))}
    merges: Any = [tuple(pair) for pair in model["merges"]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CLIP_TOKENS)
