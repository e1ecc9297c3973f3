"""What a track sounds like, as it is kept: signed bytes, made by audio.timbre, compared by library.neighbours."""

from __future__ import annotations

VERSION = 1  # of the way it is computed: what another version made is computed anew
STEPS = 16  # of a byte, for each standard deviation of music in general

# (group, numbers in it, how much the group weighs)
GROUPS: tuple[tuple[str, int, float], ...] = (
    ("timbre", 39, 0.52),
    ("contrast", 6, 0.10),
    ("shape", 5, 0.10),
    ("rhythm", 10, 0.16),
    ("harmony", 8, 0.12),
)
SIZE = sum(amount for _, amount, _ in GROUPS)  # bytes
ENOUGH = 0.8  # of the library that is known by its sound, for comparing to make sense
