"""The nightly window of downloads that wait for the night: whether it is open, and when it opens next.

A window is "HH:MM-HH:MM" in this machine's local time, as the settings have it; it may span midnight, and one that
begins when it ends is always open. Where the clocks are changed, a window counts by what they show: in spring it is
an hour shorter, in autumn longer, and a beginning that the clocks leap over is the moment after the leap.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

_FURTHEST_DAYS = 3      # a window that lies wholly in a leap of the clocks is open again the next day


def bounds(window: str) -> tuple[time, time]:
    """ "01:00-06:00" → (01:00, 06:00). Raises ValueError."""
    first, dash, last = window.partition("-")
    if not dash:
        raise ValueError(f"{window!r} is no window")
    return time.fromisoformat(first.strip()), time.fromisoformat(last.strip())


def inside(window: str, now: float) -> bool:
    """Whether the window is open at `now` (Unix seconds)."""
    first, last = bounds(window)
    shown = datetime.fromtimestamp(now).time()
    if first == last:
        return True
    if first < last:
        return first <= shown < last
    return shown >= first or shown < last


def next_moment(window: str, now: float) -> float:
    """When the window is open next (Unix seconds): `now` itself when it is open."""
    if inside(window, now):
        return now
    first, _ = bounds(window)
    today = datetime.fromtimestamp(now).date()
    opens = now
    for days in range(_FURTHEST_DAYS + 1):
        opens = datetime.combine(today + timedelta(days=days), first).timestamp()
        if opens > now and inside(window, opens):
            return opens
    return opens
