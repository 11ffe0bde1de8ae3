"""Which scenes training shows, how often, and which it never does. Knows nothing of how they are asked for."""

import hashlib
import random
from typing import TypeVar

from .nouns import NOUNS
from .plurals import UNCOUNTED
from .scenes import Scene, Thing
from .vocabulary import COLOURED_NOUNS, COLOURS, GRADIENTS, LAYOUTS, PLACES, SHAPES, SIZES

Choice = TypeVar("Choice")

SHARE_HELD_OUT = 0.04
SHARE_SHAPES = 0.1
SHARE_GRADIENTS = 0.08
SHARE_DETAILED = 0.2
#: How often a single thing is not in the middle.
SHARE_PLACED = 0.15
#: One thing alone; two and three different ones; two to four of the same.
KINDS = {"one": 0.58, "two": 0.24, "three": 0.07, "count": 0.11}
COUNTS = {2: 0.4, 3: 0.3, 4: 0.3}


def random_scene(rng: random.Random, *, held_out: bool = False, kind: str = "") -> Scene:
    """A scene that training may show, or, with held_out, one that it never does."""
    while True:
        scene = any_scene(rng, kind)
        if is_held_out(scene) == held_out:
            return scene


def any_scene(rng: random.Random, kind: str = "") -> Scene:
    """A scene of that kind, one of KINDS, or of any."""
    background = rng.choice(GRADIENTS) if rng.random() < SHARE_GRADIENTS else rng.choice(tuple(COLOURS))
    style = "detailed" if rng.random() < SHARE_DETAILED else "flat"
    match kind or chosen(KINDS, rng):
        case "one":
            return single(random_thing(rng, background, rng.choice(tuple(SIZES))), background, style, rng)
        case "count":
            return several_of_one(background, style, chosen(COUNTS, rng), rng)
        case "two":
            return different(background, style, 2, rng)
        case _:
            return different(background, style, 3, rng)


def chosen(shares: dict[Choice, float], rng: random.Random) -> Choice:
    return rng.choices(tuple(shares), tuple(shares.values()))[0]


def single(thing: Thing, background: str, style: str, rng: random.Random) -> Scene:
    # A big one fills the picture, and is nowhere else than in its middle.
    placed = thing.size != "big" and rng.random() < SHARE_PLACED
    place = rng.choice(tuple(PLACES)) if placed else "center"
    return Scene((thing,), (place,), background, "flat" if thing.is_shape else style)


def several_of_one(background: str, style: str, count: int, rng: random.Random) -> Scene:
    thing = random_thing(rng, background, "small")
    while thing.name in UNCOUNTED:
        thing = random_thing(rng, background, "small")
    return Scene((thing,) * count, LAYOUTS[count][0], background, "flat" if thing.is_shape else style)


def different(background: str, style: str, count: int, rng: random.Random) -> Scene:
    things: list[Thing] = []
    while len(things) < count:
        thing = random_thing(rng, background, "small")
        if thing not in things:
            things.append(thing)
    if all(thing.is_shape for thing in things):
        style = "flat"
    return Scene(tuple(things), rng.choice(LAYOUTS[count]), background, style)


def random_thing(rng: random.Random, background: str, size: str) -> Thing:
    if rng.random() < SHARE_SHAPES:
        # A shape of the background's own colour could not be seen.
        return Thing(rng.choice(SHAPES), size, rng.choice([c for c in COLOURS if c not in background.split(" to ")]))
    number = rng.randrange(len(NOUNS) + len(COLOURED_NOUNS))
    if number < len(COLOURED_NOUNS):
        name, colour = tuple(COLOURED_NOUNS)[number]
        return Thing(name, size, colour)
    return Thing(rng.choice(tuple(NOUNS)), size)


def is_held_out(scene: Scene) -> bool:
    """Whether this combination of things and background (and a single thing's style) is kept for measuring.

    The same on every machine. Where things stand is no part of it.
    """
    key = [*(part for thing in scene.things for part in thing), scene.background]
    if len(scene.things) == 1:
        key.append(scene.style)
    return hashlib.sha256("/".join(key).encode()).digest()[0] < 256 * SHARE_HELD_OUT
