"""Doors: HTTP in, JSON and bytes out. One blueprint a file; no SQL here."""
