"""Ratios to a plain version of the same work: measured in one run, in turns, and printed beside their targets.

pytest tests/benchmarks --benchmark-enable
"""

from timeit import Timer

import pytest

MEASURED = []


@pytest.fixture
def ratio(benchmark):
    """Function that times `ours` against `plain` in turns and notes the ratio of the best times, with its target.

    The ratio is in pytest-benchmark's table (and JSON) as extra_info. Off by default: then each side runs once.
    `scale` is how many times more work `ours` does: the time of `plain` counts as that many times longer.
    """

    def measure(name, ours, plain, target, rounds=25, scale=1):
        benchmark.extra_info["against"] = name
        if benchmark.disabled:
            benchmark(ours)
            plain()
            return
        sides = Timer(ours), Timer(plain)
        loops = [max(1, round(0.02 / (side.timeit(1) or 1e-9))) for side in sides]
        loops = [max(1, round(n * 0.02 / side.timeit(n))) for side, n in zip(sides, loops, strict=True)]
        best = [float("inf")] * 2
        for _ in range(rounds):
            for k, side in enumerate(sides):
                best[k] = min(best[k], side.timeit(loops[k]) / loops[k])
        best[1] *= scale
        benchmark.extra_info.update(ours=best[0], plain=best[1], ratio=best[0] / best[1], target=target)
        MEASURED.append((name, *best, best[0] / best[1], target))
        benchmark.pedantic(ours, rounds=5, iterations=loops[0])

    return measure


def pytest_terminal_summary(terminalreporter):
    if not MEASURED:
        return
    terminalreporter.section("ratios: ours to plain, best of the rounds")
    terminalreporter.line(f"{'':<68}{'ours':>15}{'plain':>15}{'ratio':>9}{'target':>9}")
    for name, ours, plain, found, target in MEASURED:
        shown = f"{found:.2f}" if found > 0.1 else f"{found:.2g}"
        line = f"{name:<68}{ours * 1e6:>12.2f} µs{plain * 1e6:>12.2f} µs{shown:>9}{target:>9g}"
        terminalreporter.line(line, red=found > target)
