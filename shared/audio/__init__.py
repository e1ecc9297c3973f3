"""Crafts of sound and pictures: a path in, facts or a file out. Opened in worker processes only."""
