"""A job that has not ended, as the server that paints it knows it: in memory, without its pictures."""

from __future__ import annotations

import asyncio

from calotype_provider.types import ImageEvent, ImagePreview, ImageStep
from calotype_runtime.jobs.job import JobProgress
from calotype_runtime.jobs.job_store import Answer, WaitingJob


class LiveJob:
    def __init__(self, kept: WaitingJob) -> None:
        self.id = kept.id
        self.caller = kept.caller
        self.created_at = kept.created_at
        self.cost_seconds = kept.cost_seconds
        self.started_at: float | None = None
        """None while it is queued."""
        self.preview: ImagePreview | None = None
        """The newest."""
        self.is_cancelled = False
        """Whether its caller has cancelled it, which may come too late."""
        self.painting: asyncio.Task[Answer] | None = None
        self.ended = asyncio.Event()
        self.followers = set[asyncio.Event]()
        """Set whenever something has changed, for as many as look on."""
        self._steps_done: dict[int, int] = {}
        self._images = kept.images
        self._steps = kept.steps

    @property
    def progress(self) -> JobProgress | None:
        return JobProgress(sum(self._steps_done.values()), self._images * self._steps) if self._steps else None

    @property
    def progress_at_end(self) -> JobProgress | None:
        """Of one that succeeded: not every step is told."""
        return JobProgress(self._images * self._steps, self._images * self._steps) if self._steps else None

    def begin(self, now: float) -> None:
        """Its turn has come, perhaps not for the first time."""
        self.started_at = now
        self._steps_done.clear()
        self.preview = None
        self.tell_followers()

    def note(self, event: ImageEvent) -> None:
        match event:
            case ImageStep(index=index, step=step, steps=steps):
                # Pictures that start from others may take fewer than were asked for.
                self._steps_done[index], self._steps = step, steps
            case ImagePreview():
                self.preview = event
            case _:
                return
        self.tell_followers()

    def tell_followers(self) -> None:
        for follower in self.followers:
            follower.set()
