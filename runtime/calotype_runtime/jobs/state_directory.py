"""Where jobs are kept when no setting says where: a directory of the user's own, one for each address served."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from calotype_runtime.config import Settings


def state_directory(settings: Settings, environment: Mapping[str, str]) -> Path | None:
    """None where there is none: an address that the system chooses is another one after a restart.

    Two servers on one machine listen on two addresses, so that neither takes up the other's jobs.
    """
    if settings.port == 0:
        return None
    home = environment.get("HOME", "")
    state = Path(environment.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        # The XDG specification: what is relative is ignored.
        state = Path(home) / ".local" / "state"
    if not state.is_absolute():
        return None
    address = re.sub(r"[^A-Za-z0-9.]", "_", settings.host)
    return state / "calotype" / f"jobs-{address}-{settings.port}"
