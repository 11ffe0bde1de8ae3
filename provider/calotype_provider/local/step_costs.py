"""What a forward of so many rows costs: seconds and peak bytes, learnt from those that ran. Knows no device, no queue.

Whether rows gain by sharing a forward differs by model, size and device. On a large GPU a step at 1024 x 1024 is bound
by arithmetic with one row already (Qwen-Image: 1.02 times the throughput with two rows, yet 2.8 times with four at
512 x 512: SGLang pull request 22183); a small transformer on a CPU gains 3.2 times with 48 tokens a row, and nothing
with 1,280. So the bound of a batch is a number of tokens, read from this table, and not a count of requests.

A row is the call of one request. Where guidance doubles it inside (SD3), its tokens count twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise

import msgspec

GAIN_MIN = 0.03
"""One more row pays where the seconds per row fall by more than this share; below it they only wait for each other."""

ROWS_MAX = 32
SHAPES_MAX = 256
"""Kept at once, over all models; the one measured longest ago goes first."""

MEASUREMENTS_KEPT = 9
MEASUREMENTS_MIN = 3
"""Before a row count is tried: the first forward of a new shape also allocates, tunes or compiles."""

SECONDS_MIN = 1e-6
"""What a coarse clock does not see took this long."""

RETRIED_AFTER_FORWARDS = 512
"""The verdict on the largest row count tried is forgotten this often: it may have been measured at a bad moment."""

SECONDS_PER_TOKEN_GUESS = 1e-4
"""Before anything of a model is measured: the requests of one model are in their right order even so."""


class StepShape(msgspec.Struct, frozen=True):
    """What the cost of a row depends on: the model, and its tokens, those of latents, references and text together."""

    model_id: str
    tokens: int


class StepCosts:
    """The table. Every answer is a guess at first, and a median of measurements later.

    `bytes_max` bounds the peak of one forward. With `explores` a batch may hold more rows than are known to pay, up to
    the next power of two, so that the table learns from what is asked anyway. Without, it stays within what is known:
    for devices on which a row depends on its batch by rounding, and where whoever loads a model measures it.
    """

    def __init__(self, *, bytes_max: int | None = None, explores: bool = True) -> None:
        self._bytes_max = bytes_max
        self._explores = explores
        self._shapes: dict[StepShape, _ShapeCosts] = {}
        self._tokens_too_many: dict[str, int] = {}

    def measured(self, shape: StepShape, rows: int, *, seconds: float, peak_bytes: int = 0) -> None:
        """Enter one forward of `rows` rows, and the bytes that it needed beyond what was held before."""
        assert 1 <= rows <= ROWS_MAX, "no batch is larger"
        costs = self._shapes.pop(shape, None) or _ShapeCosts()
        self._shapes[shape] = costs
        costs.add(rows, max(seconds, SECONDS_MIN), peak_bytes)
        if self._explores and costs.forwards % RETRIED_AFTER_FORWARDS == 0:
            costs.forget_largest_tried()
        if len(self._shapes) > SHAPES_MAX:
            del self._shapes[next(iter(self._shapes))]

    def out_of_memory(self, shape: StepShape, rows: int) -> None:
        """A forward of so many rows did not fit: as many tokens of this model are never merged again."""
        tokens = rows * shape.tokens
        self._tokens_too_many[shape.model_id] = min(tokens, self._tokens_too_many.get(shape.model_id, tokens))

    def forget(self, model_id: str) -> None:
        self._shapes = {shape: costs for shape, costs in self._shapes.items() if shape.model_id != model_id}
        self._tokens_too_many.pop(model_id, None)

    def knows(self, model_id: str) -> bool:
        """Whether anything of the model is measured, so that what it costs is no mere guess."""
        return any(shape.model_id == model_id for shape in self._shapes)

    def seconds(self, shape: StepShape, rows: int = 1) -> float:
        """Of one forward."""
        if costs := self._shapes.get(shape):
            return costs.seconds(rows)
        # That rows gain by sharing is not taken over from other shapes: it is what differs most between them.
        one_row = {tokens: costs.seconds(1) for tokens, costs in self._by_tokens(shape.model_id).items()}
        if not one_row:
            return rows * shape.tokens * SECONDS_PER_TOKEN_GUESS
        return rows * _interpolated(one_row, shape.tokens)

    def peak_bytes(self, shape: StepShape, rows: int = 1) -> int:
        """Of one forward; 0 where nothing of the model is measured."""
        if costs := self._shapes.get(shape):
            return costs.peak_bytes(rows)
        one_row = {tokens: float(costs.peak_bytes(1)) for tokens, costs in self._by_tokens(shape.model_id).items()}
        return round(rows * _interpolated(one_row, shape.tokens)) if one_row else 0

    def pays(self, shape: StepShape, rows: int) -> bool:
        """Whether `rows` rows and one more cost clearly less a row than `rows` do. False while that is not known."""
        costs = self._shapes.get(shape)
        return costs is not None and rows < costs.rows_that_pay()

    def token_budget(self, shape: StepShape) -> int:
        """How many tokens one forward may hold that begins with a row of this shape; at least that row's."""
        costs = self._shapes.get(shape)
        rows = costs.rows_that_pay() if costs else 1
        if self._explores:
            rows = self.rows_to_try(shape) or rows
        while rows > 1 and not self._fits(shape, rows):
            rows -= 1
        return rows * shape.tokens

    def rows_to_try(self, shape: StepShape) -> int | None:
        """The row count that a forward should have next, for the table to learn what pays; None when it knows."""
        costs = self._shapes.get(shape)
        rows = costs.rows_to_try() if costs else 1
        return rows if rows is not None and (rows == 1 or self._fits(shape, rows)) else None

    def _fits(self, shape: StepShape, rows: int) -> bool:
        too_many = self._tokens_too_many.get(shape.model_id)
        if too_many is not None and rows * shape.tokens >= too_many:
            return False
        return self._bytes_max is None or self.peak_bytes(shape, rows) <= self._bytes_max

    def _by_tokens(self, model_id: str) -> dict[int, _ShapeCosts]:
        return {shape.tokens: costs for shape, costs in self._shapes.items() if shape.model_id == model_id}


class _ShapeCosts:
    """One shape's row counts. What pays is judged by powers of two: nearer neighbours differ by less than the noise."""

    def __init__(self) -> None:
        self.forwards = 0
        self._by_rows: dict[int, _Measured] = {}
        self._rows_that_pay: int | None = None

    def add(self, rows: int, seconds: float, peak_bytes: int) -> None:
        self.forwards += 1
        if self._by_rows.setdefault(rows, _Measured()).add(seconds, peak_bytes):
            self._rows_that_pay = None

    def seconds(self, rows: int) -> float:
        if measured := self._by_rows.get(rows):
            return measured.seconds
        return _interpolated({count: measured.seconds for count, measured in self._by_rows.items()}, rows)

    def peak_bytes(self, rows: int) -> int:
        return round(_interpolated({count: float(some.peak_bytes) for count, some in self._by_rows.items()}, rows))

    def rows_that_pay(self) -> int:
        """Grow while the next row pays; between two powers of two the seconds are taken to lie on a line."""
        if self._rows_that_pay is None:
            tried = self._tried()
            rows, last = 1, max(tried, default=1)
            while rows < last and _pays(tried, rows):
                rows += 1
            self._rows_that_pay = rows
        return self._rows_that_pay

    def rows_to_try(self) -> int | None:
        tried = self._tried()
        rows = 2 * max(tried) if tried else 1
        return rows if rows <= ROWS_MAX and self.rows_that_pay() == max(tried, default=1) else None

    def forget_largest_tried(self) -> None:
        largest = max(self._tried(), default=1)
        if largest > 1:
            del self._by_rows[largest]
            self._rows_that_pay = None

    def _tried(self) -> dict[int, float]:
        """The seconds of 1, 2, 4 ... rows, as far as each is measured often enough."""
        tried: dict[int, float] = {}
        rows = 1
        while (measured := self._by_rows.get(rows)) and measured.count >= MEASUREMENTS_MIN:
            tried[rows] = measured.seconds
            rows *= 2
        return tried


class _Measured:
    """The newest measurements of one shape and row count. Their median forgives a forward that was disturbed."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque(maxlen=MEASUREMENTS_KEPT)
        self.seconds = 0.0
        self.peak_bytes = 0

    @property
    def count(self) -> int:
        return len(self._newest)

    def add(self, seconds: float, peak_bytes: int) -> bool:
        """Whether what is known of it has changed."""
        before = (self.seconds, min(self.count, MEASUREMENTS_MIN))
        self._newest.append(seconds)
        # Of two in the middle the lower: what disturbs a forward makes it longer, never shorter.
        self.seconds = sorted(self._newest)[(self.count - 1) // 2]
        self.peak_bytes = max(self.peak_bytes, peak_bytes)
        return before != (self.seconds, min(self.count, MEASUREMENTS_MIN))


def _pays(seconds: Mapping[int, float], rows: int) -> bool:
    per_row = _interpolated(seconds, rows) / rows
    return _interpolated(seconds, rows + 1) / (rows + 1) < per_row * (1 - GAIN_MIN)


def _interpolated(points: Mapping[int, float], at: int) -> float:
    """On the line between its neighbours; outside all points in proportion to the nearest, which promises no gain."""
    for (left, low), (right, high) in pairwise(sorted(points.items())):
        if left <= at <= right:
            return low + (high - low) * (at - left) / (right - left)
    nearest = min(points, key=lambda point: abs(point - at))
    return points[nearest] * at / nearest
