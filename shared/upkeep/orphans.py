"""Objects in buckets that no row tells of, and rows whose object is gone.

Something is only said of a bucket that answered a whole listing. Another library may use the same bucket, and this one
may have been brought back from an older backup: so an object is spared when the bucket's own catalogue tells that it
is the copy of a track which this library has never had.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shared.cloud import catalogue, layout
from shared.model.cloud import CloudFailure, Provider, StoredObject
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records.leftovers import Leftovers
from shared.upkeep.leftovers import GoneCopy, LeftObject, LeftUpload, Spared

if TYPE_CHECKING:
    from shared.storage.s3 import Bucket

log = logging.getLogger(__name__)

DAY_S = 86_400.0
SETTLED_S = 600.0       # after so long an object of this station has its row, or will have none
YOUNG_ASKED = 2000      # young objects that are asked whose they are
AT_ONCE = 8             # requests to one bucket
LOOK_EVERY = 1000       # objects of a listing between two looks at whether to end
_MUSIC = re.compile(r"music/([0-9a-f]{2})/\1[0-9a-f]{62}(\.[a-z0-9.-]+)?\Z")
_COVER = re.compile(r"covers/[0-9a-f]{64}\.(jpg|sealed)\Z")


class Providers(Protocol):
    """What of storage.providers.Providers is needed here."""

    def all(self) -> list[Provider]: ...
    def broken(self) -> list[tuple[str, str]]: ...


@dataclass(slots=True)
class InBuckets:
    objects: list[LeftObject] = field(default_factory=list)
    copies: list[GoneCopy] = field(default_factory=list)
    uploads: list[LeftUpload] = field(default_factory=list)
    spared: list[Spared] = field(default_factory=list)


class Orphans:
    """buckets    opens a provider's bucket
    kept       hashes of the covers that pictures refer to
    """

    def __init__(self, *, records: Leftovers, providers: Providers, buckets: Callable[[Provider], Bucket],
                 kept: Callable[[], Collection[str]], clock: Callable[[], float]) -> None:
        self._records = records
        self._providers = providers
        self._buckets = buckets
        self._kept = kept
        self._clock = clock

    def find(self, *, work: Work) -> InBuckets:
        """Costs one listing of each bucket (a request for 1,000 objects), its catalogue, and a request for each copy
        that seems to be gone. Raises Stopped."""
        found = InBuckets()
        for name, why in self._providers.broken():
            found.spared.append(Spared(what=name, why=why))
        for provider in self._providers.all():
            try:
                self._look_at(provider, found, work)
            except CloudFailure as failure:
                log.info("%s is left alone: %s", provider.name, failure.message)
                found.spared.append(Spared(what=provider.name, why=f"It is left alone: {failure.message}"))
        return found

    def still_gone(self, *, work: Work) -> tuple[list[tuple[str, str]], list[Spared]]:
        """Of the objects that were called gone those that are not there at this moment, as (provider, key), and what
        was left alone: an answer that was wrong once is no reason. Costs a request for each. Raises Stopped."""
        asked: dict[str, list[str]] = {}
        for name, key in self._records.gone():
            asked.setdefault(name, []).append(key)
        gone: list[tuple[str, str]] = []
        spared: list[Spared] = []
        for provider in self._providers.all():
            keys = asked.get(provider.name)
            if not keys:
                continue
            try:
                its = self._proved_gone(self._buckets(provider), keys, work)
            except CloudFailure as failure:
                spared.append(Spared(what=provider.name, why="Whether what was called gone is there again cannot be "
                                                             f"told: {failure.message}"))
                continue
            gone += [(provider.name, key) for key in its]
            if len(its) < len(keys):
                spared.append(Spared(
                    what=provider.name, why=f"Of what was called gone, {len(keys) - len(its):,} of {len(keys):,} is "
                                            "there again. It counts once the station has read it, or tool pin has "
                                            "brought it back."))
        return gone, spared

    def lying(self, uids: Collection[str], *, work: Work) -> tuple[set[str], list[Spared]]:
        """Of these tracks, which have no copy that the library knows of, those that have one all the same, as a bucket
        tells: the library was brought back from before it was made. All of them where a bucket cannot tell. Costs
        reading each catalogue, and a request for each copy that it tells of. Raises Stopped."""
        found: set[str] = set()
        spared: list[Spared] = []
        for provider in self._providers.all() if uids else ():
            try:
                bucket = self._buckets(provider)
                library = catalogue.read(bucket, provider, work)
                told = {(one.copy.key, one.track.uid) for one in library.entries if one.track.uid in uids}
                gone = set(self._proved_gone(bucket, sorted({key for key, _ in told}), work))
            except CloudFailure as failure:
                spared.append(Spared(what=provider.name, why="Whether it holds copies of tracks that are nowhere else "
                                                             f"cannot be told: {failure.message}"))
                return set(uids), spared
            if library.unreadable:
                spared.append(Spared(what=provider.name, why="Part of what it tells of its own content cannot be read; "
                                                             "so no track is taken for lost."))
                return set(uids), spared
            its = {uid for key, uid in told if key not in gone}
            if its:
                spared.append(Spared(
                    what=provider.name, why=f"It holds the copies of tracks that are nowhere else ({len(its):,}), "
                                            "which this library does not know of: it was brought back from before they "
                                            "were made. Restore without --backup-only to have them again."))
                found |= its
        return found, spared

    def _look_at(self, provider: Provider, found: InBuckets, work: Work) -> None:
        bucket = self._buckets(provider)
        # Rows first: what they tell of was there before the listing began.
        told = self._records.objects(provider.name)
        listed = self._listed(bucket, provider, work)
        ours = {key: one for key, one in listed.items() if _is_ours(provider, key)}
        counting = [key for key, counts in told.items() if counts]
        if counting and not any(key in listed for key in counting):
            found.spared.append(Spared(
                what=provider.name, why=f"It holds none of the {len(counting):,} objects that lay there: perhaps it is "
                                        "another bucket, or another prefix, than before. Nothing is concluded."))
            return
        gone = self._proved_gone(bucket, [key for key in counting if key not in listed], work)
        found.copies += [GoneCopy(provider=provider.name, key=key) for key in gone]
        found.uploads += self._uploads(bucket, provider)

        unknown = {key: one for key, one in ours.items() if key not in told}
        before = self._clock() - DAY_S
        old = {key: one for key, one in unknown.items() if one.modified_at < before}
        young = {key: one for key, one in unknown.items() if key not in old}
        old |= self._settled(bucket, young, work)
        if len(unknown) > len(old):
            found.spared.append(Spared(
                what=provider.name, why=f"{len(unknown) - len(old):,} of its objects were put there in the last hours: "
                                        "perhaps they belong to an upload that goes on. Clean up again tomorrow."))
        if not old:
            return
        wanted = self._wanted(bucket, provider, set(told), work)
        if wanted is None:
            found.spared.append(Spared(what=provider.name, why="Part of what it tells of its own content cannot be "
                                                               "read; so none of its objects is taken for left over."))
            return
        referred = self._records.referred(provider.name, old)
        for key, one in sorted(old.items()):
            if key in referred or key in wanted:
                continue
            is_music = layout.relative(provider, key).startswith(layout.MUSIC)
            found.objects.append(LeftObject(
                provider=provider.name, key=key, size_bytes=one.size_bytes, etag=one.etag,
                why="No track refers to it." if is_music else "No picture refers to it."))
        spared = sum(key in wanted for key in old if layout.relative(provider, key).startswith(layout.MUSIC))
        if spared:
            found.spared.append(Spared(
                what=provider.name, why=f"{spared:,} of its objects are copies of tracks that this library has never "
                                        "had, or has nowhere else: another library's, or from before this one was "
                                        "brought back."))

    def _listed(self, bucket: Bucket, provider: Provider, work: Work) -> dict[str, StoredObject]:
        listed: dict[str, StoredObject] = {}
        for below in (layout.MUSIC, layout.COVERS):
            for one in bucket.list(provider.prefix + below):
                listed[one.key] = one
                if len(listed) % LOOK_EVERY == 0:
                    work.tell(Moved("listing buckets", len(listed), now=provider.name))
                    if work.stopped():
                        raise Stopped
        return listed

    def _settled(self, bucket: Bucket, young: dict[str, StoredObject], work: Work) -> dict[str, StoredObject]:
        """Of objects that came lately those that belong to no upload under way: no station wrote them, or this one did
        and has long written its rows."""
        settled: dict[str, StoredObject] = {}
        station, before = self._records.station_id(), self._clock() - SETTLED_S
        asked = sorted(young)[:YOUNG_ASKED]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cleanup") as threads:
            try:
                for key, there in zip(asked, threads.map(bucket.head, asked), strict=True):
                    if work.stopped():
                        raise Stopped
                    if there is None:
                        continue
                    whose = there.metadata.get("station")
                    sealed = key.endswith(".sealed") or "sealed" in there.metadata
                    if whose == station and young[key].modified_at < before if whose else not sealed:
                        settled[key] = young[key]
            finally:
                threads.shutdown(cancel_futures=True)
        return settled

    def _proved_gone(self, bucket: Bucket, keys: list[str], work: Work) -> list[str]:
        """Those that are not there when they are asked for by name, either."""
        gone: list[str] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cleanup") as threads:
            try:
                for number, (key, there) in enumerate(zip(keys, threads.map(bucket.head, keys), strict=True)):
                    if there is None:
                        gone.append(key)
                    work.tell(Moved("asking for copies", number + 1, len(keys)))
                    if work.stopped():
                        raise Stopped
            finally:
                threads.shutdown(cancel_futures=True)
        return gone

    def _uploads(self, bucket: Bucket, provider: Provider) -> Iterable[LeftUpload]:
        known = {(one.key, one.upload_id) for one in self._records.uploads() if one.provider == provider.name}
        before = self._clock() - DAY_S
        return [
            LeftUpload(provider=provider.name, key=key, upload_id=upload_id)
            for key, upload_id, started in bucket.unfinished(provider.prefix)
            if started < before and (key, upload_id) not in known and _is_ours(provider, key)
        ]

    def _wanted(self, bucket: Bucket, provider: Provider, told: Collection[str], work: Work) -> set[str] | None:
        """Keys that are referred to by more than this library's rows: copies of tracks that it never had, or that it
        has nowhere else, and covers. None when the catalogue cannot be read whole."""
        library = catalogue.read(bucket, provider, work)
        if library.unreadable:
            return None
        uids = {one.track.uid for one in library.entries}
        strangers = self._records.strangers(uids) | self._records.bereft(uids)
        wanted = {layout.cover_key(provider, sha256) for sha256 in self._kept()}
        for one in library.entries:
            if one.track.uid in strangers:
                wanted.add(one.copy.key)
            elif one.copy.key not in told:
                continue
            if one.cover:
                wanted.add(layout.cover_key(provider, one.cover))
        return wanted


def _is_ours(provider: Provider, key: str) -> bool:
    """Whether a key is one that an upload of ours would give."""
    relative = layout.relative(provider, key)
    return key.startswith(provider.prefix) and bool(_MUSIC.match(relative) or _COVER.match(relative))
