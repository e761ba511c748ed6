"""Percentiles, the same everywhere."""

import statistics
from collections.abc import Sequence


def percentiles(values: Sequence[float]) -> list[float]:
    """The 1st to the 99th, by their number less one; zeros of nothing at all."""
    if len(values) < 2:
        return [values[0] if values else 0.0] * 99
    return statistics.quantiles(values, n=100, method="inclusive")
