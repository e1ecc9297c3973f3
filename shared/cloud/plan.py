"""What an upload would do, decided from facts that were gathered before. Pure: asks nobody, reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from shared.cloud import layout
from shared.model.cloud import Copy, Provider
from shared.model.source import TrackFile
from shared.model.track import AudioFacts
from shared.model.units import Bytes, Nanoseconds

NEW, CHANGED, ADOPT, THERE, CANNOT = "new", "changed", "adopt", "there", "cannot"


@dataclass(frozen=True, slots=True)
class Looked:
    """A file as it is now."""

    size_bytes: Bytes
    mtime_ns: Nanoseconds
    sha256: str | None = None   # where it is known without doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is known of one track before anything is decided."""

    file: TrackFile
    facts: AudioFacts
    looked: Looked | None = None
    trouble: tuple[str, str] | None = None  # (reason, sentence) why it cannot be read
    copies: tuple[Copy, ...] = ()           # at the provider, those that count
    compression: str = ""                   # what this file would be made smaller to; "" it goes as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is to happen with one track.

    new       its bytes go up
    changed   its file is not the one its copies were made of: it goes up, and the older copies are taken away
    adopt     its bytes lie there already: only a row is made
    there     nothing: it has its copy
    cannot    see `reason` and `message`
    """

    action: str
    file: TrackFile
    facts: AudioFacts
    looked: Looked | None = None
    compression: str = ""
    bytes: Bytes = 0            # that go to the bucket; of what is made smaller only about
    replaces: bool = False      # older copies, of other bytes, are taken away for it
    reason: str = ""
    message: str = ""

    @property
    def sends(self) -> bool:
        return self.action in (NEW, CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    provider: str
    compress: str = ""
    items: tuple[Item, ...] = field(default=(), repr=False)
    about: bool = False         # its bytes are an estimate
    #: every key below music/ when it was made; None: not known. What is not among them need not be looked for again.
    there: Mapping[str, Bytes] | None = field(default=None, repr=False)

    def those(self, *actions: str) -> list[Item]:
        return [one for one in self.items if one.action in actions]

    @property
    def uploads(self) -> list[Item]:
        return self.those(NEW, CHANGED)

    @property
    def skipped(self) -> list[Item]:
        return self.those(ADOPT, THERE)

    @property
    def failed(self) -> list[Item]:
        return self.those(CANNOT)

    @property
    def bytes(self) -> Bytes:
        return sum(one.bytes for one in self.uploads)


def current(case: Case) -> Copy | None:
    """The copy that makes another needless: of the file as it is now (or as it was last known, when it is not here),
    bit for bit or made smaller as asked."""
    return next((one for one in case.copies if serves(one, case.compression) and not stale(one, case)), None)


def serves(copy: Copy, compression: str) -> bool:
    """Whether a copy is what was asked for, or better."""
    return copy.exact or copy.compression == compression


def stale(copy: Copy, case: Case) -> bool:
    """Whether it was made of other bytes than the file has now, as far as that can be said without reading it."""
    known = case.looked or Looked(case.file.size_bytes, case.file.mtime_ns)
    return not untouched(copy, known) and not (known.sha256 is not None and copy.source_sha256 == known.sha256)


def untouched(copy: Copy, known: Looked) -> bool:
    return (copy.source_size_bytes, copy.source_mtime_ns) == (known.size_bytes, known.mtime_ns)


def suspects(cases: Iterable[Case], *, provider: Provider, stored: Callable[[Bytes], Bytes],
             there: Mapping[str, Bytes] | None) -> set[str]:
    """Tracks whose files must be hashed before it can be said whether their bytes go up: something of the same size
    lies in the bucket, or goes up with them. Ids; those whose hash is known are left out.

    there       every key below music/ with its size; None: nobody could say
    """
    going = [one for one in cases if one.trouble is None and one.looked and current(one) is None]
    sizes = set((there or {}).values())
    smaller = bool(there) and (provider.seal_key is not None or any(_made_smaller(key) for key in there or ()))
    seen: dict[tuple[Bytes, str], int] = {}
    for one in going:
        assert one.looked is not None
        alike = (one.looked.size_bytes, one.compression)
        seen[alike] = seen.get(alike, 0) + 1
    found = set()
    for one in going:
        assert one.looked is not None
        if one.looked.sha256 is None and (
            seen[one.looked.size_bytes, one.compression] > 1
            or (smaller if one.compression else stored(one.looked.size_bytes) in sizes)
            or any(copy.source_size_bytes == one.looked.size_bytes for copy in one.copies)
        ):
            found.add(one.file.track_id)
    return found


def decide(cases: Iterable[Case], *, provider: Provider, compress: str = "", stored: Callable[[Bytes], Bytes],
           there: Mapping[str, Bytes] | None, unread: Collection[str] = ()) -> Plan:
    """What happens with each.

    stored      plain size → size in the bucket (more when it is sealed)
    there       every key below music/ with its size; None: nobody could say, all count as new
    unread      ids of tracks whose file is not as the library knows it
    """
    items: list[Item] = []
    taken: set[str] = set()
    for case in cases:
        items.append(_one(case, provider, stored, there or {}, taken, unread))
    about = any(one.compression for one in items if one.sends)
    return Plan(provider=provider.name, compress=compress, items=tuple(items), about=about, there=there)


def _one(case: Case, provider: Provider, stored: Callable[[Bytes], Bytes], there: Mapping[str, Bytes],
         taken: set[str], unread: Collection[str]) -> Item:
    item = Item(action=NEW, file=case.file, facts=case.facts, looked=case.looked, compression=case.compression)
    if (found := current(case)) is not None:
        if case.looked is None or untouched(found, case.looked):
            return replace(item, action=THERE)
        return replace(item, action=ADOPT, replaces=any(stale(one, case) for one in case.copies))
    if case.trouble is not None or case.looked is None:
        reason, message = case.trouble or ("unreadable", "Its file could not be looked at.")
        return replace(item, action=CANNOT, reason=reason, message=message)
    changed = any(stale(one, case) for one in case.copies)
    if changed and case.file.track_id in unread:
        return replace(item, action=CANNOT, reason="not_scanned", message=(
            "Its file is not as the library knows it, and its copy may be the better one. Scan it first; then it is "
            "uploaded again."))
    sends = about(case.looked.size_bytes, case.facts, case.compression)
    if case.looked.sha256 is not None:
        key = layout.music_key(provider, case.looked.sha256, compression=case.compression,
                               suffix=layout.suffix_of(case.file.path, case.file.format))
        lies = key in there and (bool(case.compression) or there[key] == stored(case.looked.size_bytes))
        if lies or key in taken:
            return replace(item, action=ADOPT, replaces=changed)
        taken.add(key)
    return replace(item, action=CHANGED if changed else NEW, bytes=stored(sends), replaces=changed)


def about(size_bytes: Bytes, facts: AudioFacts, compression: str) -> Bytes:
    """How large it will be: exactly, when it goes as it is; about, when it is made smaller."""
    if not compression:
        return size_bytes
    kbps = int(compression.partition(":")[2])
    return min(size_bytes, facts.duration_ms * kbps // 8)


def _made_smaller(key: str) -> bool:
    return key.rpartition("/")[2].count(".") > 1
