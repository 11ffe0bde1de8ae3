"""Oldest first, with whoever can share its forward."""

from __future__ import annotations

from calotype_provider.local.waiting_call import WaitingCall, oldest_first


def waiting(*keys: str | None, tokens: int = 100) -> list[WaitingCall]:
    return [
        WaitingCall(request_id=str(index), model_id="tiny", merge_key=key, rows=1, tokens=tokens, steps_done=1, steps=4)
        for index, key in enumerate(keys)
    ]


def chosen(calls: list[WaitingCall], *, tokens_max: int) -> list[str]:
    return [call.request_id for call in oldest_first(tokens_max)(calls)]


def test_the_oldest_and_its_likes_run_together() -> None:
    assert chosen(waiting("a", "b", "a", "a"), tokens_max=1000) == ["0", "2", "3"]


def test_tokens_bound_the_batch_but_never_the_oldest() -> None:
    assert chosen(waiting("a", "a", "a"), tokens_max=200) == ["0", "1"]
    assert chosen(waiting("a", "a"), tokens_max=10) == ["0"]


def test_what_never_merges_runs_alone() -> None:
    assert chosen(waiting(None, None, "a"), tokens_max=1000) == ["0"]


def test_steps_left_are_those_that_are_not_done() -> None:
    assert waiting("a")[0].steps_left == 3
