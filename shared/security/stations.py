"""Other stations: pair with them by a sync token, look at their libraries, and copy what is one's own there.

A pairing goes both ways where it can: who claims another station's token offers it one of ours in the same breath. What
a station may there is what its token says (listen, usually): it reads what its person could, and changes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from shared.library.belongings import KINDS, Belongings, ImportReport, kinds, read
from shared.model.errors import BadInput, Conflict, Forbidden, SoundsibleError
from shared.model.person import SCOPES, Person
from shared.model.units import MIB, Bytes, Seconds
from shared.records.folding import fold
from shared.records.moments import shown
from shared.security import sync_token
from shared.security.accounts import one_line
from shared.security.audit import NO_AUDIT
from shared.security.peer import Peer, StationRefuses, StationUnreachable

if TYPE_CHECKING:
    from shared.records.people import People
    from shared.records.stations import StationRow
    from shared.records.stations import Stations as StationRecords
    from shared.security.audit import AuditLog
    from shared.security.pairing import Identity, Pairing
    from shared.vault import Vault

log = logging.getLogger(__name__)

FRESH_S: Seconds = 600.0        # what is known of its addresses
OFFER_S: Seconds = 600.0        # after it became a device, another station may offer a token of its own
DOCUMENT_BYTES: Bytes = 32 * MIB
PAGE = 100
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherStation:
    """Another station, as it is shown to whose it is."""

    id: str
    name: str
    fingerprint: str
    endpoints: list[str]
    created_at: str
    last_seen_at: str | None
    last_error: str | None


class PeerAlbum(msgspec.Struct, kw_only=True):
    """What is taken of another station's album; the rest of its answer is not passed on."""

    id: str
    title: str
    artist: str = ""
    year: int | None = None
    track_count: int = 0
    duration_ms: int = 0


class PeerTrack(msgspec.Struct, kw_only=True):
    id: str
    title: str
    artist: str = ""
    album: str | None = None
    duration_ms: int = 0


class PeerPlaylist(msgspec.Struct, kw_only=True):
    id: str
    name: str
    owner: str = ""
    track_count: int = 0
    duration_ms: int = 0


class PeerLibrary(msgspec.Struct, kw_only=True):
    """A look into another station: a page of its albums (or tracks) and its playlists, or what a search found."""

    albums: list[PeerAlbum] = []
    tracks: list[PeerTrack] = []
    playlists: list[PeerPlaylist] = []
    next_cursor: str | None = None
    total: int = 0


class _Page(msgspec.Struct, kw_only=True):
    items: list[dict[str, Any]]
    next_cursor: str | None = None
    total: int = 0


class _Endpoint(msgspec.Struct, kw_only=True):
    url: str
    kind: str
    reachable: bool


class _Endpoints(msgspec.Struct, kw_only=True):
    items: list[_Endpoint]


# msgspec looks at a shape when it first reads one; two threads that do so at once would crash it (0.22).
for _shape in (PeerLibrary, _Page, _Endpoints):
    msgspec.json.Decoder(_shape)


class Stations:
    """The other stations of everybody here."""

    def __init__(self, *, records: StationRecords, vault: Vault, identity: Identity, pairing: Pairing, people: People,
                 belongings: Belongings, name: Callable[[], str], audit: AuditLog = NO_AUDIT) -> None:
        self._records, self._vault, self._identity = records, vault, identity
        self._pairing, self._people, self._belongings = pairing, people, belongings
        self._name, self._audit = name, audit

    # ---- pairing -----------------------------------------------------------------------------------------------------

    def add(self, person: Person, text: str, *, address: str = "") -> OtherStation:
        """Claim another station's sync token for `person`, and offer it one of ours. Takes seconds. Raises WrongToken,
        Conflict for this very station, StationUnreachable, StationRefuses."""
        row, token = self._claimed(person, text, address)
        with contextlib.suppress(SoundsibleError, OSError):
            self._offer(person, row, token)
        return _shown(row)

    def offered(self, person: Person, text: str, *, address: str = "") -> OtherStation:
        """Another station that has just become a device of `person` offers its own sync token. Raises Forbidden when
        who asks is no such device."""
        asking = next((one for one in self._people.tokens(person.user_id, kind="device")
                       if one.id == person.token_id), None)
        if asking is None or time.time() - asking.created_at > OFFER_S:
            raise Forbidden("Only a station that was paired a moment ago offers a token of its own.")
        row = self._claimed(person, text, address)[0]
        self._pairing.is_station(person, row.fingerprint, token_id=asking.id)
        return _shown(row)

    def _claimed(self, person: Person, text: str, address: str) -> tuple[StationRow, str]:
        token = sync_token.read(text)
        if token.fingerprint == self._identity.fingerprint:
            raise Conflict("This sync token is of this very station. Make one on the other station and enter it here.")
        peer = Peer(endpoints=token.endpoints, fingerprint=token.fingerprint, name=token.name)
        told = peer.claim(token, name=one_line(self._name(), LONGEST_NAME))
        name = one_line(token.name, LONGEST_NAME) or token.fingerprint[:16]
        self._only_listens(peer, told, name)
        former = next((one for one in self._records.list(person.user_id) if one.fingerprint == token.fingerprint), None)
        row = self._records.put(person.user_id, fingerprint=token.fingerprint, name=name, endpoints=token.endpoints,
                                token=self._vault.seal(told["token"]))
        log.info("user %s paired another station, %s", person.id, token.fingerprint[:16])
        self._audit.write("station_paired", person=person, address=address, subject=name)
        if former is not None:
            self._give_back(former, row.endpoints)
        return row, told["token"]

    def _only_listens(self, peer: Peer, told: dict[str, Any], name: str) -> None:
        """Keep no key that may more than is needed: a change on the way could have asked for one. Raises
        StationRefuses."""
        device = told.get("device")
        if isinstance(device, dict) and device.get("scope") == SCOPES[0]:
            return
        with contextlib.suppress(SoundsibleError, OSError):
            peer.with_token(told["token"]).ask("DELETE", "/api/session")
        raise StationRefuses(f"{name} gives more than another station needs, which only listens. Is it an older one?")

    def _offer(self, person: Person, row: StationRow, token: str) -> None:
        made = self._pairing.make(person, name=row.name, scope="listen", kind="station")
        try:
            self._peer(row, token).ask("POST", "/api/stations/offer", body={"token": made.token})
        except SoundsibleError as error:
            log.info("the other station does not pair back: %s", error.message)
            self._pairing.withdraw(person, made.id)
        else:
            self._pairing.is_station(person, row.fingerprint, uid=made.id)

    def list(self, person: Person) -> Collection[OtherStation]:
        """The person's own, by name."""
        return [_shown(one) for one in self._records.list(person.user_id)]

    def remove(self, person: Person, uid: str, *, address: str = "") -> None:
        """Forget a station: it is out here at once, and is told that its token is not needed any more, if it hears
        that. Raises NotFound."""
        row = self._records.get(person.user_id, uid)
        self._records.remove(person.user_id, uid)
        self._pairing.forget_station(person, row.fingerprint)
        self._audit.write("station_removed", person=person, address=address, subject=row.name)
        self._give_back(row, row.endpoints)

    def _give_back(self, row: StationRow, endpoints: Sequence[str]) -> None:
        """Tell another station that what it gave is not needed any more."""
        with contextlib.suppress(SoundsibleError, OSError):
            Peer(endpoints=endpoints, fingerprint=row.fingerprint, name=row.name,
                 token=self._vault.open(row.token)).ask("DELETE", "/api/session")

    # ---- looking and copying -----------------------------------------------------------------------------------------

    def library(self, person: Person, uid: str, *, words: str = "", of: str = "albums", cursor: str | None = None,
                limit: int = PAGE) -> PeerLibrary:
        """A look at what is there. Raises NotFound, StationUnreachable, StationRefuses."""
        row = self._records.get(person.user_id, uid)
        with self._telling(row):
            peer = self._peer(row)
            if words:
                found = peer.ask_json("GET", "/api/library/search", query={"q": words, "limit": limit})
                if not isinstance(found, dict):
                    raise StationUnreachable(f"{row.name} answers something that cannot be read.")
                lists = self._page(peer, "playlists", None, 500)
                return self._made(row, {
                    "albums": found.get("albums", []), "tracks": found.get("tracks", []),
                    "playlists": [one for one in lists.items if fold(words) in fold(str(one.get("name", "")))]})
            page = self._page(peer, of, cursor, limit)
            made = {of: page.items, "next_cursor": page.next_cursor, "total": page.total}
            if of == "albums" and cursor is None:
                made["playlists"] = self._page(peer, "playlists", None, limit).items
            return self._made(row, made)

    def copy(self, person: Person, uid: str, what: Collection[str] = KINDS, *, dry_run: bool = False,
             address: str = "") -> ImportReport:
        """Take over the person's own things from there; playlists stay private. A second time changes nothing. Raises
        NotFound, BadInput, StationUnreachable, StationRefuses."""
        row = self._records.get(person.user_id, uid)
        wanted = kinds(what)
        if not wanted:
            raise BadInput(f"Say what to copy: {', '.join(KINDS)}.", field="what")
        with self._telling(row):
            text = self._peer(row).ask("GET", "/api/export", query={"what": ",".join(wanted)},
                                       limit_bytes=DOCUMENT_BYTES)
            try:
                document = read(text)
                report = self._belongings.take(person, document, what=wanted, dry_run=dry_run, private=True)
            except BadInput as error:
                raise StationUnreachable(f"{row.name} gives no document that can be read: {error.message}") from None
        if not dry_run:
            self._audit.write("imported", person=person, address=address, subject=row.name,
                              playlists=report.playlists.made, ratings=report.ratings, favourites=report.favourites,
                              plays=report.plays)
        return report

    def _page(self, peer: Peer, of: str, cursor: str | None, limit: int) -> _Page:
        query: dict[str, Any] = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        try:
            return msgspec.convert(peer.ask_json("GET", f"/api/library/{of}", query=query), _Page)
        except msgspec.ValidationError:
            raise StationUnreachable("The other station answers something that cannot be read.") from None

    def _made(self, row: StationRow, found: Any) -> PeerLibrary:
        try:
            return msgspec.convert(found, PeerLibrary)
        except msgspec.ValidationError:
            raise StationUnreachable(f"{row.name} answers something that cannot be read.") from None

    @contextlib.contextmanager
    def _telling(self, row: StationRow) -> Any:
        """Remember whether it answered."""
        try:
            yield
        except (StationUnreachable, StationRefuses) as error:
            self._records.told(row.uid, error=error.message[:500])
            raise
        self._records.told(row.uid, error=None)
        if row.last_seen_at is None or time.time() - row.last_seen_at > FRESH_S:
            with contextlib.suppress(SoundsibleError, OSError, msgspec.ValidationError):
                self._learn(row)

    def _learn(self, row: StationRow) -> None:
        """Where it answers now: networks give other addresses from time to time. The known ones stay behind them."""
        told = msgspec.convert(self._peer(row).ask_json("GET", "/api/endpoints"), _Endpoints)
        now = [one.url for one in told.items if one.reachable and one.kind != "this_machine"]
        kept = [one for one in dict.fromkeys([*now, *row.endpoints]) if sync_token.is_base(one)]
        self._records.moved(row.uid, kept)

    def _peer(self, row: StationRow, token: str | None = None) -> Peer:
        """Raises SealedElsewhere when its token cannot be opened on this machine."""
        return Peer(endpoints=row.endpoints, fingerprint=row.fingerprint, name=row.name,
                    token=self._vault.open(row.token) if token is None else token)


def _shown(row: StationRow) -> OtherStation:
    return OtherStation(
        id=row.uid, name=row.name, fingerprint=row.fingerprint, endpoints=list(row.endpoints),
        created_at=shown(row.created_at), last_seen_at=None if row.last_seen_at is None else shown(row.last_seen_at),
        last_error=row.last_error,
    )
