"""The rooms of long work, each built once for one command, upon the station's own rooms.

The station itself has no use for them: what it wants done it has done by the tool (shared.cloud.errands). They are made
when they are asked for first, so that a command imports no more than it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.cloud.offload import Offload
    from shared.cloud.uploads import Uploads
    from shared.station import Station
    from shared.upkeep.backup import Backup
    from shared.upkeep.better_covers import BetterCovers
    from shared.upkeep.cleanup import Cleanup
    from shared.upkeep.journal import Journal
    from shared.upkeep.refresh import Refresh
    from shared.upkeep.selfcheck import SelfCheck
    from shared.upkeep.trash import Trash


class Workshop:
    def __init__(self, station: Station) -> None:
        self._station = station

    @cached_property
    def journal(self) -> Journal:
        from shared.records.journal import JournalRecords
        from shared.upkeep.journal import Journal

        station = self._station
        return Journal(records=JournalRecords(database=station.database), folder=station.settings.data_dir)

    @cached_property
    def uploads(self) -> Uploads:
        from shared.cloud.catalogue import Catalogue
        from shared.cloud.uploads import Uploads
        from shared.records.telling import Telling
        from shared.records.uploads import UploadRecords

        station = self._station
        return Uploads(
            copies=station.copies, records=UploadRecords(database=station.database), providers=station.storages,
            buckets=station.buckets, access=station.access, workers=station.workers, keepings=station.keepings,
            settings=station.settings, catalogue=Catalogue(
                telling=Telling(database=station.database), copies=station.copies, covers=station.kept_covers,
                buckets=station.buckets),
        )

    @cached_property
    def offload(self) -> Offload:
        from shared.cloud.offload import Offload

        station = self._station
        return Offload(
            copies=station.copies, pins=station.pins, providers=station.storages, buckets=station.buckets,
            uploads=self.uploads, access=station.access, covers=station.kept_covers,
        )

    @cached_property
    def backup(self) -> Backup:
        from shared.upkeep.backup import Backup

        station = self._station
        return Backup(
            database=station.database, settings=station.settings, providers=station.storages,
            buckets=station.buckets, covers=station.covers,
        )

    @cached_property
    def self_check(self) -> SelfCheck:
        from shared.upkeep.selfcheck import SelfCheck

        return SelfCheck(database=self._station.database, cache=self._station.cache)

    @cached_property
    def cleanup(self) -> Cleanup:
        from shared.model.download import OVER, Status
        from shared.model.person import Person
        from shared.upkeep.cleanup import Cleanup

        station = self._station
        house = Person(user_id=0, id="", username="", role="owner")
        alive = [one.value for one in Status if one not in OVER]

        def told(provider: Any, keys: Sequence[str]) -> None:
            self.uploads.catalogue.tell(provider, removed=keys)

        return Cleanup(
            **self._left_over, kept=station.artworks.kept, told=told,
            unfinished=lambda: station.download_records.ids(house, statuses=alive),
        )

    @cached_property
    def trash(self) -> Trash:
        from shared.upkeep.trash import Trash

        station = self._station
        return Trash(**self._left_over, purge=station.shelf.purge, purge_rows=station.tracks.purge_alone)

    @cached_property
    def better_covers(self) -> BetterCovers:
        from shared.metadata.sleeves import Sleeves
        from shared.records.upkeep import Upkeep
        from shared.upkeep.better_covers import BetterCovers

        station, settings = self._station, self._station.settings
        return BetterCovers(
            records=Upkeep(database=station.database), artworks=station.artworks, access=station.access,
            workers=station.workers, sleeves=Sleeves(settings=settings, lookups=station.lookups),
            journal=self.journal, folder=settings.cache_dir / "better_covers", trash=settings.data_dir / "trash",
            uploads=self._uploads_if_any,
        )

    @cached_property
    def refresh(self) -> Refresh:
        from shared.metadata.client import MusicBrainzClient, pace_of
        from shared.metadata.musicbrainz import Finder
        from shared.records.upkeep import Upkeep
        from shared.upkeep.refresh import Refresh

        station, settings = self._station, self._station.settings
        client = MusicBrainzClient(settings=settings, lookups=station.lookups, pace=pace_of(settings))
        return Refresh(
            records=Upkeep(database=station.database), access=station.access, workers=station.workers,
            finder=Finder(client=client), journal=self.journal, uploads=self._uploads_if_any,
        )

    @cached_property
    def _left_over(self) -> dict[str, Any]:
        """What the clean-up and the emptying of the trash share."""
        from shared.records.leftovers import Leftovers

        station, settings = self._station, self._station.settings
        return {
            "records": Leftovers(database=station.database), "journal": self.journal, "access": station.access,
            "data": settings.data_dir, "cache": settings.cache_dir, "providers": station.storages,
            "buckets": station.buckets,
        }

    @property
    def _uploads_if_any(self) -> Uploads | None:
        """Who makes copies in the cloud anew; None where there is no storage."""
        return self.uploads if self._station.storages.all() else None
