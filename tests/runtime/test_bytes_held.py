"""What many hold at once has one bound."""

from __future__ import annotations

import pytest

from calotype_provider.errors import ModelBusyError
from calotype_runtime.bytes_held import BytesHeld


def test_who_would_hold_too_much_is_told_to_come_back() -> None:
    held = BytesHeld(bytes_max=10, what="pictures are held")
    with held.hold(6), held.hold(4):
        with pytest.raises(ModelBusyError, match="as many pictures are held already as may"):
            held.hold(1)
        with held.hold(0):
            assert held.count == 10
    assert held.count == 0


def test_a_holding_grows_and_shrinks_and_is_given_back_whole() -> None:
    held = BytesHeld(bytes_max=10, what="pictures are held")
    with held.hold(2) as holding:
        holding.resize(10)
        with pytest.raises(ModelBusyError):
            holding.resize(11)
        assert held.count == 10
        holding.resize(3)
        assert held.count == 3
    assert held.count == 0


def test_what_fails_gives_back_what_it_held() -> None:
    held = BytesHeld(bytes_max=10, what="pictures are held")
    with pytest.raises(ZeroDivisionError), held.hold(5):
        raise ZeroDivisionError
    assert held.count == 0
