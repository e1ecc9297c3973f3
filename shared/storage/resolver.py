"""Find out where a track's bytes can be had now, asking one place after the other."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from shared.model.errors import StorageOffline, TrackMissing
from shared.model.source import Source, TrackFile
from shared.ports import Storage

log = logging.getLogger(__name__)


class Resolver:
    """Asks `storages` in order, the dearest to the listener first."""

    def __init__(self, *, storages: Sequence[Storage]) -> None:
        self._storages = tuple(storages)

    def resolve(self, file: TrackFile, *, without: Collection[str] = ()) -> Source:
        """The first place that has a copy. A place that does not answer is passed over, and those named in `without`.

        Raises TrackMissing when none has; `details["reason"]` is "not_there" when all places said so, "no_answer"
        when one of them could not say (the track may be back in a moment).
        """
        silent: StorageOffline | None = None
        for storage in self._storages:
            if storage.name in without:
                continue
            try:
                source = storage.locate(file)
            except StorageOffline as error:
                log.debug("%s does not know of track %s: %s", storage.name, file.track_id, error.message)
                silent = silent or error
                continue
            if source is not None:
                return source
        if silent is not None:
            raise TrackMissing(f"This track cannot be played now. {silent.message}", reason="no_answer") from silent
        raise TrackMissing(
            "This track's file is no longer in its music folder. Put it back and it plays again; its plays and "
            "playlists are kept.", reason="not_there",
        )
