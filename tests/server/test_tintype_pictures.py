"""What the embedded models paint through the door: judged by what the pictures show, not by there being some."""

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from drawings.scenes import Picture, Thing, paint
from numpy.typing import NDArray
from PIL import Image
from server_process import ServerProcess
from tintype_judge import faults, mean_difference, ranking, rest_difference, things_at, window

from tintype_making.edges import edge_f1, edge_picture
from tintype_making.judging import main_colour, standing_out
from tintype_making.scenes import Box, box_of

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
TINTYPE, KONTEXT, CANNY = "calotype/tintype", "calotype/tintype-kontext", "calotype/tintype-canny"
SEED = 7
DRAWN_SEEDS = (7, 8, 9, 10)
#: Mean difference, of 255, that an edit may make where nothing was asked of it.
REST_LIMIT = 6.0
#: The same inside of a thing, where the autoencoder alone is some twelve off.
THING_LIMIT = 24.0
#: How well a picture keeps to the edges it was given.
EDGE_F1_MIN = 0.5
#: A small model's pictures are not all good: so many of each table below are as asked. Of what ships these are a little
#: less than what was seen; how far that is from what is wanted is in tintype_making's README.
COMMON_MIN, LESS_COMMON_MIN, OTHER_RATIO_MIN, FOUR_STEPS_MIN, GUIDED_MIN = 10, 7, 2, 5, 3
SIZED_MIN, PLACED_MIN, GRADIENTS_MIN, COUNTS_MIN, UNKNOWN_WORDS_MIN = 4, 3, 1, 2, 4
#: Of the pairs, and of the things in them.
BOTH_PLACES_MIN, PAIRED_THINGS_MIN = 3, 3
COLOURS_GONE_MIN, EDITS_MIN, DRAWN_MIN = 3, 2, 10


class Asked(NamedTuple):
    """A prompt, and what its picture is to show."""

    prompt: str
    background: str
    things: tuple[Thing, ...]


class Edit(NamedTuple):
    """A true picture's things over its background, what is to be done, and what is to be there then."""

    background: str
    before: tuple[Thing, ...]
    instruction: str
    after: tuple[Thing, ...]


def one(subject: str, background: str, name: str, size: str = "medium", place: str = "center") -> Asked:
    kind = " gradient" if " to " in background else ""
    return Asked(f"{subject} on a {background}{kind} background", background, (Thing(name, size, place),))


def small(**names: str) -> tuple[Thing, ...]:
    """Small things, by their places."""
    return tuple(Thing(name, "small", place.replace("_", " ")) for place, name in names.items())


COMMON = (
    one("a fox", "blue", "fox"),
    one("a cat", "red", "cat"),
    one("a dog", "green", "dog"),
    one("an apple", "white", "apple"),
    one("a green apple", "pink", "green apple"),
    one("a banana", "purple", "banana"),
    one("a car", "gray", "car"),
    one("a rocket", "black", "rocket"),
    one("a cup of coffee", "orange", "cup"),
    one("a blue book", "yellow", "blue book"),
    one("a yellow star", "blue", "yellow star"),
    one("a red heart", "white", "red heart"),
)
LESS_COMMON = (
    one("a giraffe", "pink", "giraffe"),
    one("a hedgehog", "yellow", "hedgehog"),
    one("a dolphin", "white", "dolphin"),
    one("a croissant", "blue", "croissant"),
    one("a helicopter", "green", "helicopter"),
    one("a castle", "purple", "castle"),
    one("a drum", "gray", "drum"),
    one("a padlock", "red", "lock"),
    one("a puppy", "blue", "dog"),
    one("a plane", "brown", "airplane"),
)
#: With words that no caption had, or that meant nothing there.
UNKNOWN_WORDS = (
    one("a flumpish cat", "red", "cat"),
    one("an apple zorblax", "white", "apple"),
    one("please a vexillar rocket", "black", "rocket"),
    one("a wuggly fox", "green", "fox"),
    one("a banana, highly acclaimed,", "purple", "banana"),
    one("a breathtaking car", "gray", "car"),
)
SIZED = (
    one("a small apple", "yellow", "apple", "small"),
    one("an apple", "yellow", "apple"),
    one("a big apple", "yellow", "apple", "big"),
    one("a tiny cat", "blue", "cat", "small"),
    one("a large cat", "blue", "cat", "big"),
)
PLACED = (
    one("a small apple on the left", "blue", "apple", "small", "left"),
    one("a small apple on the right", "blue", "apple", "small", "right"),
    one("a small fox at the bottom", "white", "fox", "small", "bottom"),
    one("a small cat in the top right", "green", "cat", "small", "top right"),
)
GRADIENTS = (
    one("a cat", "blue to yellow", "cat"),
    one("an apple", "white to green", "apple"),
    one("a car", "purple to pink", "car"),
)
PAIRS = (
    Asked("a cat left of a dog on a yellow background", "yellow", small(left="cat", right="dog")),
    Asked("an apple to the right of a banana on a blue background", "blue", small(right="apple", left="banana")),
    Asked("a rocket above a car on a white background", "white", small(top="rocket", bottom="car")),
    Asked("a fox and a red heart on a green background", "green", small(left="fox", right="red heart")),
)
COUNTS = (
    Asked("two bananas on a purple background", "purple", small(left="banana", right="banana")),
    Asked("three apples on a white background", "white", small(top_left="apple", top_right="apple", bottom="apple")),
    Asked("three foxes on a blue background", "blue", small(top_left="fox", top_right="fox", bottom="fox")),
)
SHAPES_OF_NO_COLOUR = (("heart", "white"), ("circle", "black"), ("square", "gray"), ("diamond", "white"))
EDITS_OF_THINGS = (
    Edit("blue", (Thing("apple"),), "replace the apple with a cat", (Thing("cat"),)),
    Edit("green", small(left="apple", right="book"), "replace the book with a cat", small(left="apple", right="cat")),
    Edit("white", small(left="apple", right="book"), "remove the book", small(left="apple")),
    Edit("yellow", small(left="cat", right="dog"), "remove the cat", small(right="dog")),
    Edit("blue", small(right="book"), "add a yellow star on the left", small(right="book", left="yellow star")),
    Edit("pink", small(left="fox"), "add an apple on the right", small(left="fox", right="apple")),
    Edit("white", (Thing("cat"),), "make it bigger", (Thing("cat", "big"),)),
    Edit("gray", (Thing("banana"),), "make it smaller", (Thing("banana", "small"),)),
    Edit("black", (Thing("red heart"),), "make the heart yellow", (Thing("yellow heart"),)),
)  # fmt: skip
#: The edges' own sizes and places are in them alone, so that nobody could guess them from the prompt.
DRAWN = (
    Asked("a fox on a red background", "red", (Thing("fox", "big"),)),
    Asked("a cat on a blue background", "blue", (Thing("cat", "small", "left"),)),
    Asked("an apple on a green background", "green", (Thing("apple", "small", "top right"),)),
    Asked("a yellow star on a purple background", "purple", (Thing("yellow star", "big"),)),
)


def test_common_things_are_painted_on_the_background_that_was_asked_for(server: ServerProcess) -> None:
    assert_most(COMMON_MIN, of=COMMON, wrong=wrong(server, COMMON))


def test_less_common_things_are_painted_too(server: ServerProcess) -> None:
    assert_most(LESS_COMMON_MIN, of=LESS_COMMON, wrong=wrong(server, LESS_COMMON))


def test_words_that_it_does_not_know_do_no_harm(server: ServerProcess) -> None:
    assert_most(UNKNOWN_WORDS_MIN, of=UNKNOWN_WORDS, wrong=wrong(server, UNKNOWN_WORDS))


def test_a_size_word_is_followed(server: ServerProcess) -> None:
    assert_most(SIZED_MIN, of=SIZED, wrong=wrong(server, SIZED))


def test_a_place_word_is_followed(server: ServerProcess) -> None:
    assert_most(PLACED_MIN, of=PLACED, wrong=wrong(server, PLACED))


def test_a_gradient_runs_from_the_top_down(server: ServerProcess) -> None:
    assert_most(GRADIENTS_MIN, of=GRADIENTS, wrong=wrong(server, GRADIENTS))


def test_two_things_stand_where_they_were_asked_for(server: ServerProcess) -> None:
    pictures = posted(server, [{"prompt": pair.prompt} for pair in PAIRS])
    places = [things_at(picture, pair.background) for picture, pair in zip(pictures, PAIRS, strict=True)]
    wanted = [{thing.place for thing in pair.things} for pair in PAIRS]
    assert sum(map(set.__eq__, map(set, places), wanted)) >= BOTH_PLACES_MIN, places
    seen = [
        (ranking(picture, pair.background, thing.place, ("small",))[0].name, thing.name)
        for picture, pair in zip(pictures, PAIRS, strict=True)
        for thing in pair.things
    ]
    assert sum(name == asked for name, asked in seen) >= PAIRED_THINGS_MIN, seen


def test_there_are_as_many_as_were_asked_for(server: ServerProcess) -> None:
    assert_most(COUNTS_MIN, of=COUNTS, wrong=wrong(server, COUNTS))


@pytest.mark.parametrize("size", ["160x96", "80x192", "112x144"])
def test_a_picture_of_another_shape_shows_the_same(server: ServerProcess, size: str) -> None:
    assert_most(OTHER_RATIO_MIN, of=COMMON[:4], wrong=wrong(server, COMMON[:4], size=size))


def test_four_steps_are_enough_to_be_recognised(server: ServerProcess) -> None:
    assert_most(FOUR_STEPS_MIN, of=COMMON[:6], wrong=wrong(server, COMMON[:6], steps=4))


def test_guidance_changes_the_picture_but_not_what_it_shows(server: ServerProcess) -> None:
    assert_most(GUIDED_MIN, of=COMMON[:4], wrong=wrong(server, COMMON[:4], guidance_scale=5))
    low, high = posted(server, [{"prompt": COMMON[0].prompt, "guidance_scale": scale} for scale in (1.5, 5)])
    assert mean_difference(low, high) > 1


def test_a_negative_prompt_takes_a_shapes_colour_away(server: ServerProcess) -> None:
    asked = [{"prompt": f"a {shape} on a {background} background"} for shape, background in SHAPES_OF_NO_COLOUR]
    backgrounds = [background for _, background in SHAPES_OF_NO_COLOUR]
    colours = list(map(main_colour, posted(server, asked), backgrounds))
    negatives = [
        body | {"negative_prompt": f"a {colour} {shape}"}
        for body, colour, (shape, _) in zip(asked, colours, SHAPES_OF_NO_COLOUR, strict=True)
    ]
    others = list(map(main_colour, posted(server, negatives, warned=["negative_prompt"]), backgrounds))
    # A shape that is gone has not another colour.
    gone = [after not in seen for after, *seen in zip(others, colours, backgrounds, strict=True)]
    assert sum(gone) >= COLOURS_GONE_MIN, (colours, others)


def test_the_same_seed_paints_the_same_picture(server: ServerProcess) -> None:
    # Each of another user, so that none is an answer to one before.
    bodies = [{"prompt": COMMON[0].prompt, "steps": 4, "seed": seed, "user": str(seed)} for seed in (7, 8)]
    first, other = (posted(server, [body])[0] for body in bodies)
    [again] = posted(server, [bodies[0] | {"user": "again"}])
    assert mean_difference(first, again) == 0
    assert mean_difference(first, other) > 0


def test_strength_says_how_much_of_a_picture_is_kept(server: ServerProcess) -> None:
    given = paint("blue", Thing("cat", "big"))
    body = {"prompt": "a big lion on a yellow background", "image": sent(given)}
    kept, left = posted(server, [body | {"strength": strength} for strength in (0.2, 1.0)])
    assert faults(kept, "blue", Thing("cat", "big")) == []
    assert mean_difference(kept, given) < mean_difference(left, given) / 3
    assert faults(left, "yellow", Thing("lion", "big")) == []


def test_a_mask_keeps_what_is_outside_it_and_paints_what_is_inside(server: ServerProcess) -> None:
    given = paint("blue", Thing("cat", "small", "left"), Thing("cat"), width=176, height=96)
    hole = box_of("medium", "center", 176, 96)
    mask = np.full((96, 176, 4), 255, np.uint8)
    mask[window(hole)] = 0
    body = {"prompt": "an apple on a blue background", "image": sent(given), "mask": sent(mask)}
    [after] = posted(server, [body], EDITS)
    assert rest_difference(given, after, hole) == 0
    assert ranking(after, "blue")[0].name == "apple"


@pytest.mark.parametrize(("name", "before", "after"), [("apple", "red", "blue"), ("cat", "white", "green")])
def test_an_instruction_changes_the_background_alone(server: ServerProcess, name: str, before: str, after: str) -> None:
    given, wanted = paint(before, Thing(name)), paint(after, Thing(name))
    [edited] = edited_as(server, [(given, f"make the background {after}")])
    assert faults(edited, after, Thing(name)) == []
    assert mean_difference(edited, wanted, standing_out(wanted, after)) < THING_LIMIT


def test_an_instruction_is_done_and_the_rest_stays(server: ServerProcess) -> None:
    given = [paint(edit.background, *edit.before) for edit in EDITS_OF_THINGS]
    edited = edited_as(
        server, [(picture, edit.instruction) for picture, edit in zip(given, EDITS_OF_THINGS, strict=True)]
    )
    failed = {}
    for edit, before, after in zip(EDITS_OF_THINGS, given, edited, strict=True):
        seen = faults(after, edit.background, *edit.after)
        rest = rest_difference(before, after, *changed_boxes(edit))
        if seen or rest >= REST_LIMIT:
            failed[edit.instruction] = [*seen, f"the rest differs by {rest:.1f}"]
    assert_most(EDITS_MIN, of=EDITS_OF_THINGS, wrong=failed)


def test_a_painted_picture_can_be_edited(server: ServerProcess) -> None:
    [painted] = posted(server, [{"prompt": "a big apple on a yellow background"}])
    [edited] = edited_as(server, [(painted, "make the background blue")])
    assert faults(edited, "blue", Thing("apple", "big")) == []


def test_edges_are_kept_to_in_the_colours_that_were_asked_for(server: ServerProcess) -> None:
    # Each from several seeds: of four pictures alone chance decides.
    asked = [(drawn, seed) for seed in DRAWN_SEEDS for drawn in DRAWN]
    edges = [edge_picture(paint("white", *drawn.things)) for drawn, _ in asked]
    bodies = [
        {"prompt": drawn.prompt, "seed": seed, "control_image": sent(given)}
        for (drawn, seed), given in zip(asked, edges, strict=True)
    ]
    failed = {}
    for (drawn, seed), given, picture in zip(asked, edges, posted(server, bodies, model=CANNY), strict=True):
        seen, score = faults(picture, drawn.background, *drawn.things), edge_f1(edge_picture(picture), given)
        if seen or score < EDGE_F1_MIN:
            failed[f"{drawn.prompt}, {seed}"] = [*seen, f"edges: {score:.2f}"]
    assert_most(DRAWN_MIN, of=asked, wrong=failed)


def wrong(server: ServerProcess, asked: Sequence[Asked], **fields: object) -> dict[str, list[str]]:
    """By prompt, what its picture shows otherwise than asked."""
    pictures = posted(server, [{"prompt": line.prompt, **fields} for line in asked])
    seen = {
        line.prompt: faults(picture, line.background, *line.things)
        for line, picture in zip(asked, pictures, strict=True)
    }
    return {prompt: found for prompt, found in seen.items() if found}


def assert_most(enough: int, *, of: Sequence[object], wrong: dict[str, list[str]]) -> None:
    """At least so many of a table are as asked."""
    seen = "\n".join(f"{asked}: {', '.join(faults)}" for asked, faults in wrong.items())
    assert len(of) - len(wrong) >= enough, seen


def edited_as(server: ServerProcess, edits: Sequence[tuple[Picture, str]]) -> list[Picture]:
    bodies = [{"prompt": instruction, "image": sent(picture)} for picture, instruction in edits]
    return posted(server, bodies, EDITS, model=KONTEXT)


def changed_boxes(edit: Edit) -> list[Box]:
    changed = set(edit.before) ^ set(edit.after)
    return [box_of(thing.size, thing.place, 128, 128) for thing in changed]


def posted(
    server: ServerProcess,
    bodies: Sequence[dict[str, Any]],
    path: str = GENERATIONS,
    *,
    model: str = TINTYPE,
    warned: Sequence[str] = (),
) -> list[Picture]:
    """The picture of each request. They are sent at once, and so are painted together."""
    whole = [{"model": model, "seed": SEED, **body} for body in bodies]
    with ThreadPoolExecutor(len(whole)) as callers:
        answers = list(callers.map(partial(server.post, path), whole))
    assert [status for status, _ in answers] == [200] * len(whole), answers
    # A demo lets tintype stand in for models that it does not have.
    assert {answer["model"] for _, answer in answers} == {model}
    features = [[warning["feature"] for warning in answer["warnings"]] for _, answer in answers]
    assert features == [list(warned)] * len(whole)
    return [opened(answer["data"][0]["b64_json"]) for _, answer in answers]


def opened(b64_json: str) -> Picture:
    with Image.open(io.BytesIO(base64.b64decode(b64_json))) as image:
        return np.asarray(image.convert("RGB"))


def sent(picture: NDArray[np.uint8]) -> str:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()
