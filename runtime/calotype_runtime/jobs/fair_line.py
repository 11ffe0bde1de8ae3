"""Whose job is next: of the caller who has the fewest at work, then of whoever was served longest ago. No asyncio."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

from calotype_runtime.jobs.live_job import LiveJob


class FairLine:
    """Jobs that wait, and how many of each caller are at work."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[LiveJob]] = {}
        """Callers in the order in which they were served, the latest last."""
        self._at_work = Counter[str]()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[LiveJob]:
        return (job for jobs in self._waiting.values() for job in jobs)

    def count(self, caller: str) -> int:
        return len(self._waiting.get(caller, ()))

    def add(self, job: LiveJob) -> None:
        self._waiting.setdefault(job.caller, deque()).append(job)

    def take(self) -> LiveJob:
        """The next. It is at work until `ended` is told of it."""
        caller = self._callers()[0]
        # To the end of the callers.
        jobs = self._waiting.pop(caller)
        job = jobs.popleft()
        if jobs:
            self._waiting[caller] = jobs
        self._at_work[caller] += 1
        return job

    def ended(self, job: LiveJob) -> None:
        self._at_work[job.caller] -= 1
        if not self._at_work[job.caller]:
            del self._at_work[job.caller]

    def leave(self, job: LiveJob) -> bool:
        """False when it does not wait here any more."""
        jobs = self._waiting.get(job.caller, deque())
        if job not in jobs:
            return False
        jobs.remove(job)
        if not jobs:
            del self._waiting[job.caller]
        return True

    def before(self, job: LiveJob) -> list[LiveJob]:
        """Those whose turn comes first, as it stands now: a job of each other caller for each of the job's own.

        None for a job that does not wait here.
        """
        if job not in self._waiting.get(job.caller, ()):
            return []
        own = self._waiting[job.caller].index(job)
        callers = self._callers()
        place = callers.index(job.caller)
        turns = {caller: own + (rank < place) for rank, caller in enumerate(callers)}
        return [other for caller, jobs in self._waiting.items() for other in islice(jobs, turns[caller])]

    def _callers(self) -> list[str]:
        return sorted(self._waiting, key=lambda caller: self._at_work[caller])
