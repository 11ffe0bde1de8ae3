"""The judge of tintype's pictures, on true ones: clean, and as rough as a small model paints them."""

import random

import numpy as np
import pytest
from drawings.scenes import Picture, Thing, drawings, paint
from PIL import Image, ImageFilter
from tintype_judge import faults, ranking, recognised, rest_difference, things_at

from tintype_making.buckets import OTHERS, Bucket
from tintype_making.classifier import alone
from tintype_making.edges import edge_f1, edge_picture
from tintype_making.judging import main_colour, nearest_background
from tintype_making.scenes import background_pixels, box_of
from tintype_making.vocabulary import COLOURS, GRADIENTS, LAYOUTS, SIZES

SHARE_RIGHT = 0.97
LAYOUTS_OF_SEVERAL = [layout for count, layouts in LAYOUTS.items() if count > 1 for layout in layouts]


def rough(picture: Picture, rng: random.Random) -> Picture:
    """Blurred, moved by up to two pixels, and noisy."""
    blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(rng.choice((0.5, 1, 1.5)))))
    moved = np.roll(blurred, (rng.randint(-2, 2), rng.randint(-2, 2)), (0, 1))
    noise = np.random.default_rng(rng.randrange(1000)).normal(0, rng.choice((4, 8, 16)), picture.shape)
    return np.asarray((moved + noise).clip(0, 255), np.uint8)


def visible_on(background: str, rng: random.Random) -> str:
    """A name whose drawing has not mostly the background's colour."""
    while True:
        name = rng.choice(list(drawings()))
        if main_colour(paint("gray", Thing(name, "big")), "gray") not in background:
            return name


def test_the_sheet_has_every_noun_and_every_shape_in_every_colour() -> None:
    assert len(drawings()) == 301 + 4 + 8 * len(COLOURS)
    assert all(np.asarray(drawing)[..., 3].mean() > 20 for drawing in drawings().values())


def test_nearly_every_single_thing_is_recognised_with_its_size_and_background() -> None:
    rng, wrong = random.Random(7), []
    for number in range(100):
        background = rng.choice((*COLOURS, *COLOURS, *GRADIENTS))
        thing = Thing(visible_on(background, rng), rng.choice(tuple(SIZES)))
        width, height = rng.choice(((128, 128), (128, 128), (96, 160), (192, 80)))
        picture = rough(paint(background, thing, width=width, height=height), rng)
        wrong += [(number, thing, background)] if faults(picture, background, thing) else []
    assert len(wrong) <= 100 * (1 - SHARE_RIGHT), wrong


def test_nearly_all_of_several_things_are_recognised_in_their_places() -> None:
    rng, count = random.Random(7), 0
    wrong: list[str] = []
    for _ in range(60):
        background = rng.choice(tuple(COLOURS))
        things = [Thing(visible_on(background, rng), "small", place) for place in rng.choice(LAYOUTS_OF_SEVERAL)]
        wrong += faults(rough(paint(background, *things), rng), background, *things)
        count += len(things)
    assert len(wrong) <= count * (1 - SHARE_RIGHT), wrong


def test_sides_sizes_and_colours_are_what_their_words_say() -> None:
    # The making, the model and the judge share one table, and would all be upside down together.
    boxes = {place: box_of("small", place, 128, 128) for place in ("left", "right", "top", "bottom")}
    assert boxes["left"].left == 8 < boxes["right"].left == 72
    assert boxes["top"].top == 8 < boxes["bottom"].top == 72
    assert [box_of(size, "center", 128, 128).side for size in ("small", "medium", "big")] == [48, 80, 112]
    gradient = background_pixels("red to blue", 128, 128)
    assert gradient[0, 0].tolist() == [220, 50, 47]
    assert gradient[-1, -1].tolist() == [50, 110, 220]


@pytest.mark.parametrize("bucket", OTHERS, ids=str)
def test_a_drawing_is_as_large_in_every_ratio_as_in_a_square_where_there_is_room(bucket: Bucket) -> None:
    sides = [box_of(size, "center", bucket.width, bucket.height).side for size in SIZES]
    assert sides == ([32, 48, 80] if min(bucket) == 80 else [48, 80, min(112, *bucket)])
    for layout in LAYOUTS_OF_SEVERAL:
        taken = np.zeros((bucket.height, bucket.width), int)
        for place in layout:
            left, top, side = box_of("small", place, bucket.width, bucket.height)
            taken[top : top + side, left : left + side] += 1
        assert taken.max() == 1
        assert taken.sum() == len(layout) * side**2


@pytest.mark.parametrize("bucket", OTHERS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_a_thing_is_cut_out_of_a_picture_of_any_ratio_as_it_looks_in_a_square(bucket: Bucket, size: str) -> None:
    picture = paint("blue", Thing("fox", size), width=bucket.width, height=bucket.height)
    box = box_of(size, "center", bucket.width, bucket.height)
    wanted, start = background_pixels("blue", 128, 128), (128 - box.side) // 2
    wanted[start:, start:][: box.side, : box.side] = picture[box.top :, box.left :][: box.side, : box.side]
    assert np.array_equal(alone(picture, box), wanted)


def test_faults_are_named() -> None:
    picture = paint("blue", Thing("apple", "small", "left"), Thing("cat", "small", "right"))
    right = (Thing("apple", "small", "left"), Thing("cat", "small", "right"))
    assert faults(picture, "blue", *right) == []
    assert faults(picture, "blue", right[0], Thing("dog", "small", "right")) == ["small cat right, not small dog right"]
    assert faults(picture, "red", *right)[0] == "blue, not red"
    three = faults(picture, "blue", *right, Thing("fox", "small", "top"))
    assert three[-1] == "['left', 'right'], not ['left', 'right', 'top']"
    assert faults(paint("blue", Thing("apple")), "blue", Thing("apple", "big")) == [
        "medium apple center, not big apple center"
    ]


@pytest.mark.parametrize("background", [*COLOURS, "blue to yellow", "yellow to blue", "white to gray"])
def test_a_background_is_told_whatever_stands_in_one_corner(background: str) -> None:
    picture = paint(background, Thing("panda", "medium", "top left"))
    assert nearest_background(picture) == background
    assert nearest_background(rough(picture, random.Random(7))) == background


def test_a_picture_of_a_background_alone_shows_nothing() -> None:
    empty = background_pixels("green", 128, 128)
    assert recognised(empty, "green") == "nothing"
    assert things_at(empty, "green") == set()


def test_what_is_like_no_drawing_is_nothing() -> None:
    noise = np.random.default_rng(7).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    stripes = background_pixels("blue", 128, 128)
    stripes[24:104:8, 24:104] = COLOURS["yellow"]
    stripes[28:104:8, 24:104] = COLOURS["black"]
    assert recognised(stripes, "blue") == "nothing"
    blob = paint("blue", Thing("orange circle"))
    for picture in (noise, stripes, blob):
        assert "fox" not in [match.name for match in ranking(picture, "blue")[:10]]


@pytest.mark.parametrize("colour", [name for name in COLOURS if name != "gray"])
def test_a_shapes_colour_is_told(colour: str) -> None:
    picture = rough(paint("gray", Thing(f"{colour} heart")), random.Random(7))
    assert main_colour(picture, "gray") == colour


def test_what_changed_outside_a_box_is_told() -> None:
    before = paint("blue", Thing("apple", "small", "left"), Thing("cat", "small", "right"))
    after = paint("blue", Thing("apple", "small", "left"), Thing("dog", "small", "right"))
    assert rest_difference(before, after, box_of("small", "right", 128, 128)) == 0
    assert rest_difference(before, after, box_of("small", "left", 128, 128)) > 2


def test_edges_tell_drawings_apart_and_not_their_backgrounds() -> None:
    fox = edge_picture(paint("white", Thing("fox", "big")))

    def score(picture: Picture) -> float:
        return edge_f1(edge_picture(picture), fox)

    assert score(paint("white", Thing("fox", "big"))) == 1
    assert score(paint("blue", Thing("fox", "big"))) > 0.75
    for other in (Thing("fox"), Thing("car", "big"), Thing("fox", "small", "left")):
        assert score(paint("white", other)) < 0.4
    assert score(background_pixels("blue", 128, 128)) == 0
