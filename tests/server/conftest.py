"""One demo server for all tests that only ask it something."""

from collections.abc import Iterator

import pytest
from server_process import ServerProcess


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--demo") as process:
        yield process.wait_ready()
