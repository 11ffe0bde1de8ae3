"""Short and long pictures mixed, on the real engine with tintype, beside first come, first served.

60 % of 4 steps, 35 % of 28, 5 % of 50, arriving at random at 0.8 of what one call at a time can do. First-come order is
computed from the same arrivals and the measured times of single calls: it has nothing to gain from being run.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from benchmarks.conditions import print_conditions
from benchmarks.hub_engine import HubEngine, load_tintype, tintype_paint
from calotype_provider.local.painting import pipeline_arguments

SHARES = {4: 0.60, 28: 0.35, 50: 0.05}
LOAD = 0.8
ARRIVALS = 80
SIDE = 64
MEASUREMENTS = 3
SEED = 7


def main() -> None:
    print("mixed load: time from arrival to picture, the engine beside first come, first served")
    print_conditions("torch", "diffusers", "greenlet")
    pipeline = load_tintype()
    seconds = {steps: _single_call_seconds(pipeline, steps) for steps in SHARES}
    arrivals = _arrivals(LOAD / sum(share * seconds[steps] for steps, share in SHARES.items()))
    print(f"  tintype at {SIDE} px, bf16, {ARRIVALS} arrivals at {LOAD} of capacity, seed {SEED}")
    print("  one call alone: " + ", ".join(f"{steps} steps {each:.2f} s" for steps, each in seconds.items()))
    engine = HubEngine(pipeline)
    for _ in range(3):
        engine.paint_all([tintype_paint(str(number), steps=4, side=SIDE) for number in range(8)])
    served = _served_by(engine, arrivals)
    first_come = _first_come(arrivals, seconds)
    short = [index for index, (_, steps) in enumerate(arrivals) if steps == min(SHARES)]
    print(f"  4-step pictures: {_ratio(first_come, served, short)}")
    print(f"  all pictures:    {_ratio(first_come, served, list(range(len(arrivals))))}")
    stretches = [own / limit for own, limit in zip(served, first_come, strict=True)]
    print(f"  the worst off took {max(stretches):.2f} times as long as in first-come order")


def _single_call_seconds(pipeline: Any, steps: int) -> float:
    times = []
    for number in range(MEASUREMENTS + 1):
        started = time.perf_counter()
        pipeline(**pipeline_arguments(pipeline, tintype_paint(str(number), steps=steps, side=SIDE)))
        times.append(time.perf_counter() - started)
    # The first also warms up.
    return statistics.median(times[1:])


def _arrivals(per_second: float) -> list[tuple[float, int]]:
    """Seconds after the beginning, and steps."""
    rng = random.Random(SEED)
    now, arrivals = 0.0, []
    for _ in range(ARRIVALS):
        now += rng.expovariate(per_second)
        arrivals.append((now, rng.choices(list(SHARES), list(SHARES.values()))[0]))
    return arrivals


def _first_come(arrivals: list[tuple[float, int]], seconds: dict[int, float]) -> list[float]:
    free, times = 0.0, []
    for arrival, steps in arrivals:
        free = max(free, arrival) + seconds[steps]
        times.append(free - arrival)
    return times


def _served_by(engine: HubEngine, arrivals: list[tuple[float, int]]) -> list[float]:
    times, waiting = [0.0] * len(arrivals), list(enumerate(arrivals))[::-1]
    started = time.perf_counter()

    def note(index: int, arrival: float) -> None:
        times[index] = time.perf_counter() - started - arrival

    while waiting or not all(times):
        while waiting and waiting[-1][1][0] <= time.perf_counter() - started:
            index, (arrival, steps) = waiting.pop()
            paint = tintype_paint(str(index), steps=steps, side=SIDE)
            engine.submit(paint, lambda index=index, arrival=arrival: note(index, arrival))  # type: ignore[misc]  # bound
        if not engine.run_step() and waiting:
            time.sleep(max(0.0, waiting[-1][1][0] - (time.perf_counter() - started)))
    return times


def _ratio(first_come: list[float], served: list[float], indices: list[int]) -> str:
    before = statistics.mean(first_come[index] for index in indices)
    after = statistics.mean(served[index] for index in indices)
    return f"{before:.2f} s -> {after:.2f} s on the mean, {before / after:.1f} times sooner"


if __name__ == "__main__":
    main()
