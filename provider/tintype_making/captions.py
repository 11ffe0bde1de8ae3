"""The many ways to ask for a scene. Text only; which scenes there are is in random_scenes.py."""

import random
import string

from .nouns import NOUNS
from .plurals import plural
from .scenes import Scene, Thing
from .vocabulary import COUNT_WORDS, FILLER_WORDS, LAYOUTS, RESERVED, SIZE_WORDS

KINDS = ("picture", "image", "drawing", "illustration", "icon", "emoji", "photo", "painting", "sticker", "cartoon")
PLEASANT = ("cute", "nice", "beautiful", "simple", "single", "lovely", "pretty")
PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "center": ("in the center", "in the middle"),
    "left": ("on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right side", "at the right"),
    "top": ("at the top", "on top"),
    "bottom": ("at the bottom",),
    "top left": ("in the top left", "in the top left corner", "at the top left"),
    "top right": ("in the top right", "in the top right corner", "at the top right"),
    "bottom left": ("in the bottom left", "in the bottom left corner", "at the bottom left"),
    "bottom right": ("in the bottom right", "in the bottom right corner", "at the bottom right"),
}
#: What is said between the first thing and the second, by where the first is; {first} and {second} are the things.
PAIRS: dict[str, tuple[str, ...]] = {
    "left": (
        "{first} left of {second}",
        "{first} to the left of {second}",
        "{second} right of {first}",
        "{second} to the right of {first}",
        "{first} on the left and {second} on the right",
        "{second} on the right and {first} on the left",
        "{first} and {second}",
        "{first} and {second}",
        "{first} and {second} side by side",
        "{first} next to {second}",
        "{first} beside {second}",
        "{first}, {second}",
        "{first} with {second}",
    ),
    "top": (
        "{first} above {second}",
        "{first} above {second}",
        "{first} over {second}",
        "{first} on top of {second}",
        "{second} below {first}",
        "{second} below {first}",
        "{second} under {first}",
        "{second} beneath {first}",
        "{first} at the top and {second} at the bottom",
        "{second} at the bottom and {first} at the top",
    ),
}
#: The same for three things.
TRIOS: dict[str, tuple[str, ...]] = {
    "top left": (
        "{first}, {second} and {third}",
        "{first}, {second} and {third}",
        "{first} and {second} and {third}",
        "{first} and {second} above {third}",
        "{third} below {first} and {second}",
        "{first} left of {second}, and {third} below",
        "{first} next to {second} with {third} below",
    ),
    "top": (
        "{first} above {second} and {third}",
        "{first} over {second} and {third}",
        "{second} and {third} below {first}",
        "{second} and {third} under {first}",
        "{first} at the top, {second} on the left and {third} on the right",
    ),
}


def plain_caption(scene: Scene) -> str:
    """The scene in the form the examples use: "a big red apple on a blue background"."""
    return f"{plain_subject(scene)} on {with_article(plain_background(scene.background))}"


def plain_subject(scene: Scene) -> str:
    first, place = scene.things[0], scene.places[0]
    detailed = "detailed " if scene.style == "detailed" else ""
    if scene.is_count:
        return f"{COUNT_WORDS[len(scene.things)][0]} {detailed}{counted(first)}"
    if len(scene.things) == 1:
        words = (SIZE_WORDS[first.size][0], detailed.strip(), named(first))
        subject = with_article(" ".join(word for word in words if word))
        return subject if place == "center" else f"{subject} {PLACE_PHRASES[place][0]}"
    phrases = [with_article(named(thing)) for thing in scene.things]
    phrases[0] = with_article(detailed + named(first))
    return joined(scene, phrases, 0)


def joined(scene: Scene, phrases: list[str], choice: int) -> str:
    """The phrases of two or three things, with where they are to each other."""
    if scene.places not in LAYOUTS[len(phrases)]:
        # What an edit leaves of three things.
        placed = zip(phrases, scene.places, strict=True)
        return " and ".join(f"{phrase} {PLACE_PHRASES[place][0]}" for phrase, place in placed)
    forms = (PAIRS if len(phrases) == 2 else TRIOS)[scene.places[0]]
    return forms[choice % len(forms)].format(**dict(zip(("first", "second", "third"), phrases, strict=False)))


def named(thing: Thing) -> str:
    return f"{thing.colour} {thing.name}".strip()


def counted(thing: Thing) -> str:
    return f"{thing.colour} {plural(thing.name)}".strip()


def plain_background(background: str) -> str:
    return f"{background} gradient background" if " to " in background else f"{background} background"


def with_article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def random_caption(scene: Scene, rng: random.Random) -> str:
    """One of the ways in which a person might ask for the scene; what is left unsaid is left to chance by the model."""
    subject = random_subject(scene, rng)
    return with_fillers(with_background(with_kind(subject, rng), scene.background, rng), rng)


def random_subject(scene: Scene, rng: random.Random) -> str:
    first, place = scene.things[0], scene.places[0]
    if scene.is_count:
        words = [rng.choice(COUNT_WORDS[len(scene.things)]), *style_words(scene, rng)]
        if rng.random() < 0.1:
            words.append(rng.choice(PLEASANT))
        return " ".join([*words, random_colour(first, rng), plural(random_name(first, rng))]).replace("  ", " ")
    if len(scene.things) > 1:
        phrases = [random_phrase(thing, rng, ()) for thing in scene.things]
        phrases[0] = random_phrase(first, rng, style_words(scene, rng))
        return joined(scene, phrases, rng.randrange(100))
    size = rng.choice(SIZE_WORDS[first.size])
    words = [word for word in (size, *style_words(scene, rng)) if word]
    if rng.random() < 0.2:
        words.reverse()
    subject = random_phrase(first, rng, words)
    if place != "center" or rng.random() < 0.05:
        phrase = rng.choice(PLACE_PHRASES[place])
        return f"{subject} {phrase}" if rng.random() < 0.85 else f"{phrase} {subject}"
    return subject


def style_words(scene: Scene, rng: random.Random) -> tuple[str, ...]:
    # Flat is what is drawn when nothing is said, and so is seldom said.
    return (scene.style,) if scene.style == "detailed" or rng.random() < 0.2 else ()


def random_phrase(thing: Thing, rng: random.Random, words: list[str] | tuple[str, ...]) -> str:
    """The thing with those words before it, mostly with an article."""
    pleasant = (rng.choice(PLEASANT),) if rng.random() < 0.1 else ()
    text = " ".join([*words, *pleasant, random_colour(thing, rng), random_name(thing, rng)]).replace("  ", " ").strip()
    chance = rng.random()
    if chance < 0.65:
        return with_article(text)
    return f"the {text}" if chance < 0.72 else text


def random_name(thing: Thing, rng: random.Random) -> str:
    if thing.is_shape or rng.random() < 0.55:
        return thing.name
    return rng.choice(NOUNS[thing.name].words)


def random_colour(thing: Thing, rng: random.Random) -> str:
    """The colour that it must have, which is seldom left to chance; or now and then the one it has anyway."""
    if thing.is_shape:
        return "" if rng.random() < 0.06 else thing.colour
    if thing.colour:
        return thing.colour
    colours = NOUNS[thing.name].colours
    return rng.choice(colours) if colours and rng.random() < 0.2 else ""


def with_kind(subject: str, rng: random.Random) -> str:
    if rng.random() < 0.7:
        return subject
    kind = rng.choice(KINDS)
    return rng.choice((f"{with_article(kind)} of {subject}", f"{kind} of {subject}", f"{subject} {kind}"))


def with_background(subject: str, background: str, rng: random.Random) -> str:
    if " to " in background:
        return with_gradient(subject, background, rng)
    words = f"{background} background"
    chance = rng.random()
    if chance < 0.06:
        return subject
    if chance < 0.60:
        return f"{subject} on {with_article(words)}"
    if chance < 0.90:
        joint = rng.choice((" with", " against", " in front of", " on the", " on", " and", "", ","))
        article = "" if joint in (" on the", " on", "", ",") else " an" if background[0] == "o" else " a"
        return f"{subject}{joint}{article} {words}"
    return f"{words} {subject}" if chance < 0.95 else f"{with_article(words)} with {subject}"


def with_gradient(subject: str, background: str, rng: random.Random) -> str:
    above, _, below = background.partition(" to ")
    words = rng.choice(
        (
            f"{with_article(background)} gradient background",
            f"{with_article(background)} gradient background",
            f"{with_article(background)} gradient",
            f"a gradient background from {background}",
            f"a gradient from {background}",
            f"a background that is {above} at the top and {below} at the bottom",
        )
    )
    return f"{subject} {rng.choice(('on', 'on', 'on', 'with', 'against'))} {words}"


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
        return "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(2, 6)))
    return word
