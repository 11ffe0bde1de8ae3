"""make bench: every benchmark, one after the other."""

from benchmarks import burst, door, hub_overhead, scheduling, start

for benchmark in (start, door, scheduling, hub_overhead, burst):
    benchmark.main()
    print()
