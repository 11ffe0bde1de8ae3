"""What the order of steps does to waiting times: the scheduler against first-come order, on a simulated device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.conditions import print_conditions
from benchmarks.simulated_device import Arrival, FirstComeOrder, Kind, OurOrder, arrivals_of, ends_of
from calotype_provider.local.step_costs import MEASUREMENTS_MIN, StepCosts, StepShape

ARRIVALS = 2000
SEEDS = (1, 2, 3, 4, 5)
STEP_SECONDS = 0.12

SHORT = StepShape("four steps", 4608)
LONG = StepShape("many steps", 4608)
KINDS = (Kind(SHORT, 4, 0.60), Kind(LONG, 28, 0.35), Kind(LONG, 50, 0.05))


class Variant(msgspec.Struct, frozen=True):
    """The share of a one-row forward that does not grow with its rows; and the load, of what full batches can do."""

    name: str
    fixed_share: float
    load: float

    def forward_seconds(self, rows: int) -> float:
        return STEP_SECONDS * (self.fixed_share + (1 - self.fixed_share) * rows)


VARIANTS = (
    Variant("Nothing gained by sharing a forward (FLUX.1 at 1024 px on a large GPU)", 0.0, 0.8),
    Variant("8 rows 3.2 times the throughput of one (16 latent tokens on a CPU)", 0.79, 0.4),
    Variant("The same", 0.79, 0.8),
)


class Comparison(msgspec.Struct, frozen=True):
    """Mean seconds of a picture in first-come order and in ours, and how many times longer somebody took in ours."""

    short_first: float
    short_ours: float
    all_first: float
    all_ours: float
    longest: float
    above_three: float


def main() -> None:
    print("scheduling: mean seconds of a picture, first-come order -> ours, on a simulated device")
    print_conditions("msgspec")
    print(f"  {ARRIVALS} arrivals, {len(SEEDS)} seeds; 60 % of 4 steps (one model), 35 % of 28 and 5 % of 50 (another)")
    print(f"  a step of one row {STEP_SECONDS} s; the load is a share of what full batches can do")
    started = time.perf_counter()
    for variant in VARIANTS:
        _print_variant(variant)
    print(f"  ({time.perf_counter() - started:.1f} s)")


def _print_variant(variant: Variant) -> None:
    costs = _measured_costs(variant)
    rows_max = costs.token_budget(LONG) // LONG.tokens
    gain = rows_max * variant.forward_seconds(1) / variant.forward_seconds(rows_max)
    baseline = f"first come, up to {rows_max} rows a forward" if rows_max > 1 else "first come, one at a time"
    print(f"  {variant.name}; load {variant.load}; against {baseline}")
    for seed in SEEDS:
        load = variant.load * gain
        arrivals = arrivals_of(KINDS, load=load, count=ARRIVALS, step_seconds=STEP_SECONDS, seed=seed)
        order = OurOrder(costs)
        ours = ends_of(arrivals, order, variant.forward_seconds)
        first = ends_of(arrivals, FirstComeOrder(rows_max), variant.forward_seconds)
        _print_comparison(seed, _compared(arrivals, first, ours))
        promised = max((ours[one.request_id] - one.seconds) / order.seconds_max[one.request_id] for one in arrivals)
        print(f"      the nearest to its limit used {promised:.1%} of the time promised at arrival")


def _print_comparison(seed: int, figures: Comparison) -> None:
    short = f"{figures.short_first:.2f} -> {figures.short_ours:.2f} s ({figures.short_first / figures.short_ours:.1f}x)"
    everybody = f"{figures.all_first:.2f} -> {figures.all_ours:.2f} s ({figures.all_first / figures.all_ours:.2f}x)"
    longest = f"longest {figures.longest:.3f} times its own, {figures.above_three:.2%} above 3"
    print(f"    seed {seed}: 4 steps {short}, all {everybody}, {longest}")


def _compared(arrivals: Sequence[Arrival], first: Mapping[str, float], ours: Mapping[str, float]) -> Comparison:
    seconds_first = [first[arrival.request_id] - arrival.seconds for arrival in arrivals]
    seconds_ours = [ours[arrival.request_id] - arrival.seconds for arrival in arrivals]
    stretches = [own / other for own, other in zip(seconds_ours, seconds_first, strict=True)]
    return Comparison(
        short_first=_short_mean(arrivals, seconds_first),
        short_ours=_short_mean(arrivals, seconds_ours),
        all_first=statistics.mean(seconds_first),
        all_ours=statistics.mean(seconds_ours),
        longest=max(stretches),
        # Not by the rounding of a sum of step times.
        above_three=statistics.mean(stretch > 3.000001 for stretch in stretches),
    )


def _measured_costs(variant: Variant) -> StepCosts:
    costs = StepCosts(explores=False)
    for shape in (SHORT, LONG):
        while (rows := costs.rows_to_try(shape)) is not None:
            for _ in range(MEASUREMENTS_MIN):
                costs.measured(shape, rows, seconds=variant.forward_seconds(rows))
    return costs


def _short_mean(arrivals: Sequence[Arrival], seconds: Sequence[float]) -> float:
    return statistics.mean(own for arrival, own in zip(arrivals, seconds, strict=True) if arrival.shape == SHORT)


if __name__ == "__main__":
    main()
