"""Memory that many calls hold at once, bounded all together. Pure bookkeeping; one thread."""

from __future__ import annotations

from types import TracebackType

from calotype_provider.errors import ModelBusyError

RETRY_AFTER_SECONDS = 1.0


class BytesHeld:
    """`what` is told to those who are refused: 'bodies are being read'."""

    def __init__(self, *, bytes_max: int, what: str) -> None:
        self._bytes_max = bytes_max
        self._what = what
        self.count = 0

    def hold(self, count: int) -> Holding:
        """Until the end of the `with`. Raises ModelBusyError when there would be too many."""
        holding = Holding(self)
        holding.resize(count)
        return holding

    def add(self, count: int) -> None:
        if count > 0 and self.count + count > self._bytes_max:
            raise ModelBusyError(f"as many {self._what} already as may", retry_after_seconds=RETRY_AFTER_SECONDS)
        self.count += count


class Holding:
    """One call's share."""

    def __init__(self, held: BytesHeld) -> None:
        self._held = held
        self._count = 0

    def resize(self, count: int) -> None:
        """Hold `count` bytes from now on. Raises ModelBusyError, and holds what it did before."""
        self._held.add(count - self._count)
        self._count = count

    def __enter__(self) -> Holding:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.resize(0)
