"""Units as names, so that a signature says what its numbers mean."""

# Aliases: they document, they do not convert.


Milliseconds = int
Nanoseconds = int
Bytes = int
Kbps = int
Hertz = int
Decibels = float
Lufs = float
Bpm = float
Seconds = float

KIB: Bytes = 1024
MIB: Bytes = 1024 * KIB
GIB: Bytes = 1024 * MIB
