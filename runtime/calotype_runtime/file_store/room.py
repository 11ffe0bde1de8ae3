"""How much is kept, how much is promised, and what is due to go. Pure bookkeeping: no clock, no asyncio, no disk."""

from __future__ import annotations

import heapq

from calotype_runtime.file_store.picture_store import KeptPicture

PICTURE_BYTES_COUNTED_MIN = 4096
"""A tiny picture counts as this much, since its entry has a cost too: this bounds the pictures' number."""


class Room:
    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_promised = 0
        """To pictures that are being painted."""
        self._bytes_kept = 0
        self._pictures: dict[str, KeptPicture] = {}
        self._due: list[tuple[float, str]] = []
        """A heap of times and names; names that are gone are passed over when their time comes."""

    @property
    def bytes_free(self) -> int:
        """Below 0 where a store was filled under a larger bound, before a restart."""
        return self.bytes_max - self._bytes_kept - self.bytes_promised

    @property
    def next_due(self) -> float | None:
        """When something has to go; None when nothing is kept."""
        while self._due and self._due[0][1] not in self._pictures:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def get(self, name: str) -> KeptPicture | None:
        return self._pictures.get(name)

    def add(self, picture: KeptPicture) -> None:
        assert picture.name not in self._pictures, "ids are drawn, never given twice"
        self._pictures[picture.name] = picture
        heapq.heappush(self._due, (picture.expires, picture.name))
        self._bytes_kept += counted(picture.bytes_kept)

    def remove(self, picture: KeptPicture) -> None:
        """It is gone from the store; until then it takes its room."""
        del self._pictures[picture.name]
        self._bytes_kept -= counted(picture.bytes_kept)

    def take_due(self, now: float) -> list[KeptPicture]:
        """What is over by now. Each is removed afterwards, or postponed."""
        taken = []
        while (due := self.next_due) is not None and due <= now:
            taken.append(self._pictures[heapq.heappop(self._due)[1]])
        return taken

    def postpone(self, picture: KeptPicture, until: float) -> None:
        heapq.heappush(self._due, (until, picture.name))


def counted(bytes_kept: int) -> int:
    return max(bytes_kept, PICTURE_BYTES_COUNTED_MIN)
