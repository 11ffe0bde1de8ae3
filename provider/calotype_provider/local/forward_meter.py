"""What a forward cost: its time, and the memory that it needed on the way."""

from __future__ import annotations

import time

import msgspec
import torch


class ForwardCost(msgspec.Struct, frozen=True):
    seconds: float
    peak_bytes: int
    """Beyond what was held before it; 0 on the CPU, where torch does not count."""


class ForwardMeter:
    """Started before a forward and read after it. A device that works behind the program's back is waited for."""

    def __init__(self) -> None:
        self._on_cuda = torch.cuda.is_available()
        self._bytes_before = 0
        self._started = 0.0

    def start(self) -> None:
        if self._on_cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self._bytes_before = torch.cuda.memory_allocated()
        self._started = time.perf_counter()

    def read(self) -> ForwardCost:
        peak_bytes = 0
        if self._on_cuda:
            torch.cuda.synchronize()
            peak_bytes = torch.cuda.max_memory_allocated() - self._bytes_before
        return ForwardCost(time.perf_counter() - self._started, peak_bytes)
