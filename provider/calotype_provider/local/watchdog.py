"""Ends the process when its device hangs: the server starts another, and paints again what was lost."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import NoReturn

LOOK_SECONDS = 0.5
HANG_STATUS = 70
"""EX_SOFTWARE of <sysexits.h>."""

logger = logging.getLogger("calotype.worker")


class Watchdog:
    """Watches one thing at a time, from a thread of its own: a hanging forward holds the engine's."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._what = ""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def expect(self, what: str, *, seconds_max: float) -> None:
        self._what, self._deadline = what, time.monotonic() + seconds_max

    def relax(self) -> None:
        self._deadline = None

    def _watch(self) -> NoReturn:
        while True:
            time.sleep(LOOK_SECONDS)
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                logger.critical("%s hangs: the worker ends itself", self._what)
                os._exit(HANG_STATUS)
