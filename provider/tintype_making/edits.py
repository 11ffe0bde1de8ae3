"""Pictures before and after an instruction, so that the right answer is known; and the ways to give the instruction."""

import random
from collections.abc import Callable
from typing import NamedTuple

from .captions import PLACE_PHRASES, random_name, with_article
from .random_scenes import any_scene, chosen, is_held_out, random_thing
from .scenes import Scene, Thing
from .vocabulary import COLOURS, GRADIENTS, PLACES, SHAPES, SIZES


class Edit(NamedTuple):
    """What to do, and the scene before and after it. The number is of the thing that is meant."""

    kind: str
    before: Scene
    after: Scene
    number: int = 0


#: How often each kind is asked for.
KINDS = {
    "background": 0.2,
    "replace": 0.2,
    "remove": 0.14,
    "add": 0.16,
    "resize": 0.1,
    "move": 0.07,
    "recolour": 0.07,
    "restyle": 0.06,
}
#: What undoes a kind, where that is not the same kind.
OPPOSITES = {"remove": "add", "add": "remove"}


def random_edit(rng: random.Random, *, held_out: bool = False, kind: str = "") -> Edit:
    """An edit that training may show; or, with held_out, one whose result it never does."""
    while True:
        edit = EDITS[kind or chosen(KINDS, rng)](rng)
        if edit is None or edit.before == edit.after:
            continue
        if is_held_out(edit.after) == held_out and (held_out or not is_held_out(edit.before)):
            return edit


def change_background(rng: random.Random) -> Edit | None:
    before = any_scene(rng)
    background = rng.choice(GRADIENTS) if rng.random() < 0.08 else rng.choice(tuple(COLOURS))
    if {thing.colour for thing in before.things if thing.is_shape} & set(background.split(" to ")):
        return None
    return Edit("background", before, before._replace(background=background))


def replace(rng: random.Random) -> Edit | None:
    before = any_scene(rng, rng.choice(("one", "one", "two", "three")))
    number = rng.randrange(len(before.things))
    thing = random_thing(rng, before.background, before.things[number].size)
    if thing.name in {other.name for other in before.things}:
        return None
    return Edit("replace", before, with_thing(before, number, thing), number)


def remove(rng: random.Random) -> Edit | None:
    before = any_scene(rng, rng.choice(("two", "two", "three")))
    number = rng.randrange(len(before.things))
    things = before.things[:number] + before.things[number + 1 :]
    places = before.places[:number] + before.places[number + 1 :]
    return Edit("remove", before, before._replace(things=things, places=places), number)


def add(rng: random.Random) -> Edit | None:
    removal = remove(rng)
    return removal and way_back(removal)


def resize(rng: random.Random) -> Edit | None:
    before = any_scene(rng, "one")
    sizes = tuple(SIZES)
    number = sizes.index(before.things[0].size) + rng.choice((-1, 1))
    if before.places != ("center",) or number not in range(len(sizes)):
        return None
    return Edit("resize", before, with_thing(before, 0, before.things[0]._replace(size=sizes[number])))


def move(rng: random.Random) -> Edit | None:
    before = any_scene(rng, "one")
    if before.things[0].size == "big":
        return None
    return Edit("move", before, before._replace(places=(rng.choice(tuple(PLACES)),)))


def recolour(rng: random.Random) -> Edit | None:
    before = any_scene(rng, rng.choice(("one", "two")))
    number = rng.randrange(len(before.things))
    colour = rng.choice([name for name in COLOURS if name not in before.background.split(" to ")])
    shape = Thing(rng.choice(SHAPES), before.things[number].size, colour)
    other = shape._replace(colour=rng.choice(tuple(COLOURS)))
    if other.colour in (colour, *before.background.split(" to ")) or shape.name in {x.name for x in before.things}:
        return None
    return Edit("recolour", with_thing(before, number, shape), with_thing(before, number, other), number)


def restyle(rng: random.Random) -> Edit | None:
    before = any_scene(rng)
    if all(thing.is_shape for thing in before.things):
        return None
    return Edit("restyle", before, before._replace(style="flat" if before.style == "detailed" else "detailed"))


def way_back(edit: Edit) -> Edit | None:
    """The edit that undoes it; None where no instruction tells that much."""
    if edit.kind != "restyle" and edit.before.style != edit.after.style:
        # A detailed drawing gave way to a shape, which has but one style.
        return None
    return Edit(OPPOSITES.get(edit.kind, edit.kind), edit.after, edit.before, edit.number)


def with_thing(scene: Scene, number: int, thing: Thing) -> Scene:
    things = (*scene.things[:number], thing, *scene.things[number + 1 :])
    style = "flat" if all(thing.is_shape for thing in things) else scene.style
    return scene._replace(things=things, style=style)


EDITS: dict[str, Callable[[random.Random], Edit | None]] = {
    "background": change_background,
    "replace": replace,
    "remove": remove,
    "add": add,
    "resize": resize,
    "move": move,
    "recolour": recolour,
    "restyle": restyle,
}


def plain_instruction(edit: Edit) -> str:
    """In the form the examples use: "replace the apple with a cat"."""
    return INSTRUCTIONS[edit.kind][0].format(**words_of(edit, None))


def random_instruction(edit: Edit, rng: random.Random) -> str:
    """One of the ways in which a person might ask for it."""
    text = rng.choice(INSTRUCTIONS[edit.kind]).format(**words_of(edit, rng))
    return f"please {text}" if rng.random() < 0.05 else text


INSTRUCTIONS: dict[str, tuple[str, ...]] = {
    "background": (
        "make the background {background}",
        "make the background {background}",
        "change the background to {background}",
        "change the background colour to {background}",
        "turn the background {background}",
        "put it on {a_background} background",
        "{background} background",
    ),
    "replace": (
        "replace the {old} with {a_new}",
        "replace the {old} with {a_new}",
        "replace the {old} by {a_new}",
        "turn the {old} into {a_new}",
        "change the {old} to {a_new}",
        "swap the {old} for {a_new}",
        "{a_new} instead of the {old}",
    ),
    "remove": ("remove the {old}", "remove the {old}", "delete the {old}", "take away the {old}", "erase the {old}"),
    "add": (
        "add {a_new} {place}",
        "add {a_new} {place}",
        "put {a_new} {place}",
        "draw {a_new} {place}",
        "{place} add {a_new}",
    ),
    "resize": ("make {it} {larger}", "make {it} {larger}", "make {it} {larger}", "{larger}"),
    "move": ("move {it} {to_place}", "move {it} {to_place}", "put {it} {place}", "place {it} {place}"),
    "recolour": (
        "make the {old} {colour}",
        "make the {old} {colour}",
        "change the {old} to {colour}",
        "change the colour of the {old} to {colour}",
        "paint the {old} {colour}",
        "turn the {old} {colour}",
    ),
    "restyle": (
        "make it {style}",
        "make it {style}",
        "change the style to {style}",
        "in {style} style",
        "turn it into a {style} drawing",
    ),
}


def words_of(edit: Edit, rng: random.Random | None) -> dict[str, str]:
    """What the instructions may say; the plain words without an rng."""
    before, after, number = edit.before, edit.after, edit.number
    old = word_for(before.things[min(number, len(before.things) - 1)], rng, of=before)
    new = after.things[min(number, len(after.things) - 1)]
    place = after.places[min(number, len(after.places) - 1)]
    sizes = tuple(SIZES)
    grows = sizes.index(after.things[0].size) > sizes.index(before.things[0].size)
    return {
        "background": with_kind_of_background(after.background),
        "a_background": with_article(with_kind_of_background(after.background)),
        "old": old,
        "a_new": with_article(f"{new.colour} {word_for(new, rng, of=None)}".strip()),
        "it": "it" if rng is None or rng.random() < 0.5 else f"the {old}",
        "larger": one_of(("bigger", "larger") if grows else ("smaller", "smaller", "tinier"), rng),
        "place": one_of(PLACE_PHRASES[place], rng),
        "to_place": "to the center" if place == "center" else f"to the {place}",
        "colour": new.colour,
        "style": after.style,
    }


def word_for(thing: Thing, rng: random.Random | None, *, of: Scene | None) -> str:
    """The thing's name; with its colour where another in the scene has the same."""
    name = thing.name if rng is None else random_name(thing, rng)
    same = of is not None and sum(other.name == thing.name for other in of.things) > 1
    return f"{thing.colour} {name}".strip() if same else name


def one_of(words: tuple[str, ...], rng: random.Random | None) -> str:
    return words[0] if rng is None else rng.choice(words)


def with_kind_of_background(background: str) -> str:
    return f"{background} gradient" if " to " in background else background
