"""What tintype's edits are taught by: instructions, the way back, and which times and practice training draws."""

import random

import pytest
import torch

from tintype_making.batches import drawn_times
from tintype_making.buckets import SQUARE
from tintype_making.edits import KINDS, OPPOSITES, Edit, plain_instruction, random_edit, way_back
from tintype_making.pool import EditSample, Pool, Sample, undone
from tintype_making.random_scenes import is_held_out, random_scene

EDITS = [random_edit(random.Random(seed)) for seed in range(500)]
NOTHING = torch.zeros(1, 64)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_undone_is_an_edit_that_training_may_show(kind: str) -> None:
    ways = [(edit, way_back(edit)) for edit in EDITS if edit.kind == kind]
    backs = [(edit, back) for edit, back in ways if back]
    assert len(backs) > len(ways) / 2
    for edit, back in backs:
        assert (back.before, back.after) == (edit.after, edit.before)
        assert back.kind == OPPOSITES.get(kind, kind)
        assert way_back(back) == edit
        assert not is_held_out(back.after)


def test_what_is_to_go_is_in_the_picture_and_what_is_to_come_is_not_yet() -> None:
    for edit in (*EDITS, *filter(None, map(way_back, EDITS))):
        said = plain_instruction(edit)
        if edit.kind in ("replace", "remove"):
            assert edit.before.things[edit.number].name in said
        if edit.kind in ("replace", "add"):
            assert edit.after.things[edit.number].name in said
            assert edit.after.things[edit.number] not in edit.before.things
        if edit.kind == "remove":
            assert len(edit.after.things) == len(edit.before.things) - 1
        if edit.kind == "add":
            assert len(edit.after.things) == len(edit.before.things) + 1


def test_an_undone_sample_has_its_pictures_the_other_way_round() -> None:
    sample = EditSample(next(edit for edit in EDITS if edit.kind == "remove"), NOTHING, NOTHING + 1)
    drawn = {(one.edit.kind, float(one.before[0, 0])) for one in (undone(sample, random.Random(n)) for n in range(20))}
    assert drawn == {("remove", 0.0), ("add", 1.0)}


def test_what_is_learnt_late_is_practised_more_often() -> None:
    pool, rng = Pool(), random.Random(7)
    pool.edits[SQUARE] = [
        EditSample(edit, NOTHING, NOTHING) for edit in EDITS if edit.kind in ("background", "replace")
    ]
    pool.scenes[SQUARE] = [Sample(random_scene(rng), NOTHING) for _ in range(500)]
    pool.weigh()
    kept: list[Edit] = [sample.edit for sample in pool.edits[SQUARE]]
    drawn, _, _ = pool.draw_edits(SQUARE, 4_000, rng)
    assert odds(drawn) == pytest.approx(7.5 * odds(kept), rel=0.15)
    scenes, _ = pool.draw_scenes(SQUARE, 4_000, rng)
    share, kept_share = (
        sum(scene.style == "detailed" for scene in some) / len(some)
        for some in (scenes, [sample.scene for sample in pool.scenes[SQUARE]])
    )
    assert share == pytest.approx(1.6 * kept_share / (1 + 0.6 * kept_share), rel=0.15)


def odds(edits: list[Edit]) -> float:
    replaced = sum(edit.kind == "replace" for edit in edits)
    return replaced / (len(edits) - replaced)


def test_times_are_never_that_of_a_picture_and_some_are_all_noise() -> None:
    torch.manual_seed(7)
    times = drawn_times(20_000)
    assert 0 < times.min() < 0.01
    assert (times == 1).float().mean() == pytest.approx(0.08, abs=0.01)
    assert (times < 0.6).float().mean() == pytest.approx(0.77 * 0.144 + 0.15, abs=0.03)
