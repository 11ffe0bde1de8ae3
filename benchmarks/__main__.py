"""make bench: every benchmark, one after the other."""

from benchmarks import door, start

for benchmark in (start, door):
    benchmark.main()
    print()
