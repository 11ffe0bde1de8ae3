"""Where jobs are kept when no setting says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from calotype_runtime.config import Settings
from calotype_runtime.jobs.state_directory import state_directory


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/ann"}, "/state/calotype/jobs-127.0.0.1-8000"),
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/calotype/jobs-127.0.0.1-8000"),
        ({"XDG_STATE_HOME": "state", "HOME": "/home/ann"}, "/home/ann/.local/state/calotype/jobs-127.0.0.1-8000"),
        ({"XDG_STATE_HOME": "state"}, None),
        ({}, None),
    ],
)
def test_it_is_where_the_user_keeps_state(environment: dict[str, str], directory: str | None) -> None:
    assert state_directory(Settings(), environment) == (directory and Path(directory))


def test_each_address_has_its_own() -> None:
    settings = [Settings(), Settings(port=8001), Settings(host="::1"), Settings(host="::"), Settings(host="../..")]
    directories = [state_directory(each, {"HOME": "/home/ann"}) for each in settings]
    assert len({str(directory) for directory in directories}) == len(settings)
    assert {directory and directory.parent for directory in directories} == {Path("/home/ann/.local/state/calotype")}


def test_an_address_that_the_system_chooses_has_none() -> None:
    assert state_directory(Settings(port=0), {"HOME": "/home/ann"}) is None
