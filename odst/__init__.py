"""The downloader: what you want becomes a track in your library."""
