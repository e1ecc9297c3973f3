"""The storage that is the buckets: which copies of a track there are, and whom to ask first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.model.cloud import Copy
from shared.model.errors import BadSetting, StorageOffline
from shared.model.source import CloudFile, TrackFile
from shared.storage.circuits import Circuits

if TYPE_CHECKING:
    from shared.records.copies import Copies
    from shared.storage.providers import Providers

_RANK = {"closed": 0, "half_open": 1, "open": 2}


class CloudStorage:
    """Copies in buckets (ports.Storage). Asks nobody outside: what is known stands in the library."""

    name = "cloud"

    def __init__(self, *, copies: Copies, providers: Providers, circuits: Circuits | None = None) -> None:
        self._copies = copies
        self._providers = providers
        self._circuits = circuits or Circuits()

    def locate(self, file: TrackFile, *, without: frozenset[str] = frozenset()) -> CloudFile | None:
        """The copies that hold the same bytes; None when there are none at a provider known here. `without`: contents
        (SHA-256s) that are left out.

        Exact copies first, then compressed ones; but what lies at a provider that does not answer comes after what
        can be had. Costs one look into the database, and none without providers. Raises StorageOffline when the
        providers cannot be told.
        """
        return self._best(lambda: [one for one in self._copies.of(file.track_id) if one.sha256 not in without])

    def with_content(self, sha256: str) -> CloudFile | None:
        """Copies that hold just these bytes, whichever track's they are; else as `locate`."""
        return self._best(lambda: self._copies.with_content(sha256))

    def states(self) -> list[dict[str, str]]:
        """Each provider with the state of its circuit: closed (all is well), half_open, open. Costs nothing."""
        try:
            return [{"name": one.name, "state": self._circuits.state(one.name)} for one in self._providers.all()]
        except BadSetting:
            return []

    def _best(self, find: Callable[[], list[Copy]]) -> CloudFile | None:
        try:
            known = {one.name for one in self._providers.all()}
        except BadSetting as error:     # config.json cannot be read now
            raise StorageOffline(error.message) from error
        copies = [one for one in find() if one.provider in known] if known else []
        if not copies:
            return None
        ranks = {name: _RANK[self._circuits.state(name)] for name in {one.provider for one in copies}}
        copies.sort(key=lambda one: ranks[one.provider])        # stable: else as they came, the best first
        best = copies[0]
        same = [one for one in copies if one.sha256 == best.sha256 and one.size_bytes == best.size_bytes]
        objects = {(one.provider, one.key): one for one in reversed(same)}      # each once, the best of its rows
        return CloudFile(tuple(one for one in same if objects[one.provider, one.key] is one), best.size_bytes,
                         best.mime_type, best.sha256)
