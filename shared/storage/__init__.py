"""Where bytes live: this machine's folders, the cache, the cloud; and which of them answers."""
