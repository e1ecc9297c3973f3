"""Work on the library: scanning, watching, the shelf, covers, transcodes, the manifest."""
