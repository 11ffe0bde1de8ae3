"""The commands that wait for the worker's engine thread, in their order. Filled and cancelled by its reader thread."""

from __future__ import annotations

import threading
from collections import deque

from calotype_provider.local.messages import LoadModel, Paint, UnloadModel

Work = LoadModel | UnloadModel | Paint


class CommandQueue:
    """Knows at most one picture as running: the last one that `get` gave, until `done`. The server bounds it."""

    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()
        self._condition = threading.Condition()
        self._running: str | None = None
        self._running_cancelled = False

    def put(self, work: Work) -> None:
        with self._condition:
            self._waiting.append(work)
            self._condition.notify()

    def get(self) -> Work:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting)
            work = self._waiting.popleft()
            self._running = work.request_id if isinstance(work, Paint) else None
            self._running_cancelled = False
            return work

    def done(self) -> None:
        with self._condition:
            self._running = None

    def cancel(self, request_id: str) -> bool:
        """Take the picture out, and say so with True; a running one is only marked, and an unknown one ignored."""
        with self._condition:
            self._running_cancelled |= request_id == self._running
            waiting = next((w for w in self._waiting if isinstance(w, Paint) and w.request_id == request_id), None)
            if waiting is not None:
                self._waiting.remove(waiting)
            return waiting is not None

    def is_cancelled(self, request_id: str) -> bool:
        with self._condition:
            return self._running_cancelled and self._running == request_id
