"""How long the tests may take: minutes for all of them; with HYPOTHESIS_PROFILE=long as long as they like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def some(every: Sequence[Thing], count: int) -> list[Thing]:
    """`count` of `every`, evenly spaced, the first and the last among them; all of them when there is time."""
    if LONG or len(every) <= count:
        return list(every)
    return [every[round(at * (len(every) - 1) / (count - 1))] for at in range(count)]


def often(count: int) -> int:
    """`count` examples of a property that is dear to try; ten times as many when there is time."""
    return count * 10 if LONG else count
