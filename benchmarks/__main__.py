"""make bench: every benchmark, one after the other."""

from benchmarks import burst, door, encoding, hub_overhead, loop, scheduling, start

for benchmark in (start, door, scheduling, hub_overhead, burst, encoding, loop):
    benchmark.main()
    print()
