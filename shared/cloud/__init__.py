"""Music in buckets: taking it there, telling what lies there, and bringing it back."""
