"""The many ways to ask for a scene, and which scenes are never asked for in training. Text only."""

import hashlib
import random

from .scenes import Scene, Thing
from .vocabulary import COLOURED_NOUNS, COLOURS, FILLER_WORDS, NOUNS, PLACES, RELATIONS, SHAPES, SIZE_WORDS

SHARE_HELD_OUT = 0.04
SHARE_PAIRS = 0.08
SHARE_SHAPES = 0.12
SHARE_PLACED = 0.1
SHARE_DETAILED = 0.15

SIZES = tuple(SIZE_WORDS)
KINDS = ("picture", "image", "drawing", "illustration", "icon", "emoji", "photo", "painting", "sticker", "cartoon")
PLACE_PHRASES = {
    "center": ("in the center", "in the middle"),
    "left": ("on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right side", "at the right"),
    "top": ("at the top", "on top"),
    "bottom": ("at the bottom",),
}
RELATION_PHRASES = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under"),
    "and": ("and", "next to", "beside"),
}


def random_scene(rng: random.Random, *, held_out: bool = False) -> Scene:
    """A scene that training may show, or, with held_out, one that it never does."""
    while True:
        scene = any_scene(rng)
        if is_held_out(scene) == held_out:
            return scene


def any_scene(rng: random.Random) -> Scene:
    background = rng.choice(tuple(COLOURS))
    style = "detailed" if rng.random() < SHARE_DETAILED else "flat"
    thing = random_thing(rng, background)
    if rng.random() < SHARE_PAIRS:
        other = random_thing(rng, background)
        return Scene(thing, background, style, relation=rng.choice(tuple(RELATIONS)), other=other)
    if thing.is_shape:
        style = "flat"
    place = rng.choice(tuple(PLACES)) if rng.random() < SHARE_PLACED else "center"
    return Scene(thing, background, style, place)


def random_thing(rng: random.Random, background: str) -> Thing:
    size = rng.choice(SIZES)
    if rng.random() < SHARE_SHAPES:
        # A shape of the background's own colour could not be seen.
        return Thing(rng.choice(SHAPES), size, rng.choice([colour for colour in COLOURS if colour != background]))
    coloured = rng.randrange(len(NOUNS) + len(COLOURED_NOUNS))
    if coloured < len(COLOURED_NOUNS):
        name, colour = tuple(COLOURED_NOUNS)[coloured]
        return Thing(name, size, colour)
    return Thing(rng.choice(tuple(NOUNS)), size)


def is_held_out(scene: Scene) -> bool:
    """Whether the scene's (noun, colour, background, size, style) is kept for measuring; the same on every machine."""
    if scene.other is not None:
        key = "/".join((*scene.thing, *scene.other, scene.background))
    else:
        key = "/".join((*scene.thing, scene.background, scene.style))
    return hashlib.sha256(key.encode()).digest()[0] < 256 * SHARE_HELD_OUT


def plain_caption(scene: Scene) -> str:
    """The scene in the form the examples use: "a big red apple on a blue background"."""
    subject = phrase(scene.thing, scene.style)
    if scene.other is not None:
        subject += f" {scene.relation} {phrase(scene.other, '')}"
    elif scene.place != "center":
        subject += " " + PLACE_PHRASES[scene.place][0]
    return f"{subject} on {with_article(scene.background)} background"


def phrase(thing: Thing, style: str) -> str:
    words = (SIZE_WORDS[thing.size][0], "detailed" if style == "detailed" else "", thing.colour, thing.name)
    return with_article(" ".join(word for word in words if word))


def with_article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def random_caption(scene: Scene, rng: random.Random) -> str:
    """One of the ways in which a person might ask for the scene; what is left unsaid is left to chance by the model."""
    subject = random_phrase(scene.thing, scene.style, rng)
    if scene.other is not None:
        relation = rng.choice(RELATION_PHRASES[scene.relation])
        subject += f" {relation} {random_phrase(scene.other, '', rng)}"
    elif scene.place != "center" or rng.random() < 0.05:
        subject += " " + rng.choice(PLACE_PHRASES[scene.place])
    return with_fillers(with_background(with_kind(subject, rng), scene.background, rng), rng)


def random_phrase(thing: Thing, style: str, rng: random.Random) -> str:
    size = rng.choice(SIZE_WORDS[thing.size])
    name, colour = thing.name, thing.colour
    if not thing.is_shape:
        noun = NOUNS[thing.name]
        name = noun.words[0] if rng.random() < 0.6 else rng.choice(noun.words)
        if not colour and noun.colours and rng.random() < 0.2:
            colour = rng.choice(noun.colours)
    # Flat is what is drawn when nothing is said, and so is seldom said.
    style_word = style if style == "detailed" or rng.random() < 0.25 else ""
    words = [word for word in (size, style_word) if word]
    if rng.random() < 0.2:
        words.reverse()
    if rng.random() < 0.1:
        words.append(rng.choice(("cute", "nice", "beautiful", "simple", "single", "lovely", "pretty")))
    text = " ".join([*words, *([colour] if colour else []), name])
    chance = rng.random()
    if chance < 0.65:
        return with_article(text)
    return f"the {text}" if chance < 0.72 else text


def with_kind(subject: str, rng: random.Random) -> str:
    if rng.random() < 0.7:
        return subject
    kind = rng.choice(KINDS)
    return rng.choice((f"{with_article(kind)} of {subject}", f"{kind} of {subject}", f"{subject} {kind}"))


def with_background(subject: str, colour: str, rng: random.Random) -> str:
    background = f"{colour} background"
    chance = rng.random()
    if chance < 0.08:
        return subject
    if chance < 0.60:
        return f"{subject} on {with_article(background)}"
    if chance < 0.90:
        joint = rng.choice((" with", " against", " in front of", " on the", " on", " and", "", ","))
        article = "" if joint in (" on the", " on", "", ",") else " an" if colour[0] == "o" else " a"
        return f"{subject}{joint}{article} {background}"
    return f"{background} {subject}" if chance < 0.95 else f"{with_article(background)} with {subject}"


def with_fillers(caption: str, rng: random.Random) -> str:
    """The caption, now and then among words that mean nothing here."""
    if rng.random() < 0.75:
        return caption
    before = [filler(rng) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    after = [filler(rng) for _ in range(rng.choice((0, 1, 2, 3, 5)))]
    return " ".join([*before, caption, *after])


def filler(rng: random.Random) -> str:
    word = rng.choice(FILLER_WORDS)
    if word in RESERVED or rng.random() < 0.15:
        return "".join(rng.choice("abcdefghijklmnoprstuvw") for _ in range(rng.randint(2, 6)))
    return word


#: Words that do mean something, and so are no filler.
RESERVED = frozenset(
    " ".join([*COLOURS, *SHAPES, "flat detailed left right top bottom below under over on tiny near one"]).split()
) | {word for noun in NOUNS.values() for name in noun.words for word in name.split()}
