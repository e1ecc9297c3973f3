"""The buckets of one process, each opened once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from shared.model.cloud import Provider

if TYPE_CHECKING:
    from shared.storage.s3 import Bucket

CONNECTIONS = 40    # at most; they are opened as they are needed
ATTEMPTS = 2    # of one request, for what is over in a moment; more patience is the work's own, which can be stopped


class Buckets:
    """Call it with a provider. Not for the serving process: a bucket brings boto3 (see storage.s3)."""

    def __init__(self, *, connections: int = CONNECTIONS, attempts: int = ATTEMPTS) -> None:
        self._connections = connections
        self._attempts = attempts
        self._open: dict[Provider, Bucket] = {}
        self._lock = threading.Lock()

    def __call__(self, provider: Provider) -> Bucket:
        from shared.storage.s3 import Bucket

        with self._lock:
            if provider not in self._open:
                self._open[provider] = Bucket(provider, connections=self._connections, attempts=self._attempts)
            return self._open[provider]

    def close(self) -> None:
        with self._lock:
            open_, self._open = self._open, {}
        for one in open_.values():
            one.close()
