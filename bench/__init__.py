"""The project's own benchmarks: each beside the bare cost of the same work, as ratios of one run."""
