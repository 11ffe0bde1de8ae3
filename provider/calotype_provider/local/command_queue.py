"""The commands that wait for the worker's engine thread. Filled by its reader thread; the server bounds them."""

from __future__ import annotations

import threading
from collections import deque

from calotype_provider.local.messages import Cancel, Command, LoadModel, Paint, UnloadModel


class CommandQueue:
    """Cancellations first, all else in the order in which it came."""

    def __init__(self) -> None:
        self._cancels: deque[Cancel] = deque()
        self._waiting: deque[LoadModel | UnloadModel | Paint] = deque()
        self._condition = threading.Condition()

    def put(self, work: LoadModel | UnloadModel | Paint) -> None:
        with self._condition:
            self._waiting.append(work)
            self._condition.notify()

    def cancel(self, cancel: Cancel) -> bool:
        """Take the picture out, and say so with True; one that does not wait here is left to the engine thread."""
        with self._condition:
            for work in self._waiting:
                if isinstance(work, Paint) and work.request_id == cancel.request_id:
                    self._waiting.remove(work)
                    return True
            self._cancels.append(cancel)
            self._condition.notify()
            return False

    def take(self, *, wait: bool, paints: bool) -> Command | None:
        """The next command; None when there is none and `wait` is False. Without `paints` a picture is not taken, and
        nothing behind it."""
        with self._condition:
            if wait:
                self._condition.wait_for(lambda: self._cancels or self._waiting)
            if self._cancels:
                return self._cancels.popleft()
            if self._waiting and (paints or not isinstance(self._waiting[0], Paint)):
                return self._waiting.popleft()
            return None
