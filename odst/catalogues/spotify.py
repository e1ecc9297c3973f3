"""Spotify, through spotipy with client credentials: what music there is, by link or words. Nothing is fetched there.

Works with applications in development mode too (since 2026): one thing an ask, playlists by their `items`.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from odst.catalogues.asking import Budget, ServiceSession, date, isrc, key, names, part, rows, text, web, whole
from shared.model.download import Failure, Offer, Wanted
from shared.settings import Settings

if TYPE_CHECKING:
    from spotipy import Spotify as Client

PUBLIC = "https://api.spotify.com"
ACCOUNTS = "https://accounts.spotify.com"
PAGE = 50
SEARCH_MOST = 10            # a search answers no more to applications in development mode
MOST_ALBUMS = 100           # of one artist
ISRC_TRACKS, ISRC_S = 60, 5.0   # an album's answer has no ISRCs: so many are looked up, in this time
MISSING = ("Spotify is not set up. Make an application at https://developer.spotify.com/dashboard and set "
           "spotify_client_id and spotify_client_secret; or use the same album's link from Deezer or MusicBrainz.")

_LINK = re.compile(
    r"(?:https?://)?(?:open|play)\.spotify\.com/(?:intl-[a-z]{2,3}(?:-[a-z]{2})?/)?(?:embed/)?"
    r"(?:user/[^/?#]+/)?(track|album|playlist|artist)/([0-9A-Za-z]{10,40})(?:[/?#].*)?",
    re.IGNORECASE,
)
_URI = re.compile(r"spotify:(?:user:[^:]+:)?(track|album|playlist|artist):([0-9A-Za-z]{10,40})")
_ID = re.compile(r"[0-9A-Za-z]{10,40}")


class Spotify:
    """Spotify's catalogue. Without credentials it is off: searches leave it out, links are told what to set."""

    name = "spotify"

    def __init__(self, *, settings: Settings) -> None:
        self._base = settings.spotify_url.rstrip("/")
        self._id, self._secret = settings.spotify_client_id, settings.spotify_client_secret
        self._most = settings.download_batch_limit
        self._made: Client | None = None
        self._lock = threading.Lock()

    @property
    def configured(self) -> bool:
        return bool(self._id and self._secret)

    def understands(self, url: str) -> bool:
        return _read(url) is not None

    def resolve(self, url: str) -> Offer:
        found = _read(url)
        if found is None:
            raise Failure("bad_link", "This is no link to a track, album, playlist or artist of Spotify.",
                          provider=self.name)
        kind, id = found
        if kind == "track":
            about = self._track(id)
            if not text(about.get("name")):
                raise _garbage()
            return _offer("track", about, tracks=[_wanted(about)])
        if kind == "album":
            return self.album(id)
        return self._playlist(id) if kind == "playlist" else self._artist(id)

    def album(self, id: str) -> Offer:
        if not _ID.fullmatch(id):
            raise Failure("bad_link", "This is no id of Spotify's.", provider=self.name)
        about = self._ask(lambda client: client.album(id))
        if not text(about.get("name")):
            raise _garbage()
        tracks = [_wanted(one, album=about) for one in self._tracks_of_album(id, part(about, "tracks"))]
        return _offer("album", about, tracks=self._with_isrcs(tracks))

    def search(self, words: str, *, limit: int) -> list[Offer]:
        """Tracks, albums, artists and playlists in one ask; none when there are no credentials."""
        if not self.configured:
            return []
        most = max(1, min(limit, SEARCH_MOST))
        answer = self._ask(lambda client: client.search(words, limit=most, type="track,album,artist,playlist"))
        if not part(answer, "tracks"):
            raise _garbage()
        found = [_offer(kind, one) for kind in ("track", "album", "artist", "playlist")
                 for one in rows(part(answer, kind + "s").get("items"))]
        return [one for one in found if one.id and one.title]

    # ---- one kind each --------------------------------------------------------------------------------------------

    def _track(self, id: str) -> dict[str, Any]:
        return self._ask(lambda client: client.track(id))

    def _tracks_of_album(self, id: str, first: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
        """`first`: the page that came with the album, where it was asked for."""
        def page(offset: int) -> dict[str, Any]:
            return self._ask(lambda client: client.album_tracks(id, limit=PAGE, offset=offset))

        yield from self._pages(first or page(0), page)

    def _playlist(self, id: str) -> Offer:
        try:
            about = self._ask(lambda client: client.playlist(id))
            if not text(about.get("name")):
                raise _garbage()
            first = next((page for name in ("items", "tracks") if "items" in (page := part(about, name))), None)
            if first is None:       # the name alone: a playlist of others, to an application in development mode
                first = self._items(id, 0)
        except Failure as failure:
            if failure.code in ("not_found", "no_permission"):
                raise Failure(failure.code, "Spotify does not give this playlist to this application: it is private, "
                              "somebody else's, or one that Spotify itself makes. Its tracks can be exported as a list "
                              "(Exportify) and fetched by that.", provider=self.name) from failure
            raise
        listed = self._pages(first, lambda offset: self._items(id, offset))
        within = (part(one, "item") or part(one, "track") for one in listed)
        tracks = [_wanted(one) for one in within if one.get("type", "track") == "track" and not one.get("episode")]
        return _offer("playlist", about, tracks=tracks)

    def _items(self, id: str, offset: int) -> dict[str, Any]:
        try:
            return self._ask(lambda client: client.playlist_items(
                id, limit=PAGE, offset=offset, additional_types=("track",)))
        except Failure as failure:
            if failure.code == "not_found":     # an address that knows the older name only
                return self._ask(lambda client: client._get(f"playlists/{id}/tracks", limit=PAGE, offset=offset))
            raise

    def _artist(self, id: str) -> Offer:
        """All albums and singles of an artist's own, newest first, each recording once."""
        about = self._ask(lambda client: client.artist(id))
        if not text(about.get("name")):
            raise _garbage()

        def page(offset: int) -> dict[str, Any]:
            return self._ask(lambda client: client.artist_albums(
                id, include_groups="album,single", limit=SEARCH_MOST, offset=offset))

        albums = sorted(self._pages(page(0), page), key=lambda one: date(one.get("release_date")) or "", reverse=True)
        tracks: dict[str, Wanted] = {}
        for album in albums[:MOST_ALBUMS]:
            album_id = key(album.get("id"))
            for one in self._tracks_of_album(album_id, None):
                wanted = _wanted(one, album=album)
                tracks.setdefault(f"{wanted.artist} {wanted.title}".casefold(), wanted)
            if len(tracks) >= self._most:
                break
        return _offer("artist", about, tracks=list(tracks.values())[:self._most])

    def _with_isrcs(self, tracks: list[Wanted]) -> list[Wanted]:
        """Tracks of an album come without ISRC; they are asked for one by one as far as a little time allows."""
        budget, looked_up, done = Budget(ISRC_S), 0, []
        for one in tracks:
            if one.isrc is None and one.source_id and looked_up < ISRC_TRACKS and budget.left:
                looked_up += 1
                try:
                    one = replace(one, isrc=isrc(part(self._track(one.source_id), "external_ids").get("isrc")))
                except Failure:
                    looked_up = ISRC_TRACKS     # what is known is enough; the service has said that it is not well
            done.append(one)
        return done

    # ---- asking ---------------------------------------------------------------------------------------------------

    def _pages(self, first: dict[str, Any], ask: Callable[[int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """All rows from `first` on, at most the batch limit. Pages are asked for by number, never by their `next`."""
        page, offset = first, 0
        while True:
            listed = page.get("items")
            if not isinstance(listed, list):
                return
            yield from rows(listed)[:max(0, self._most - offset)]
            offset += len(listed)
            more = bool(page.get("next")) or offset < (whole(page.get("total"), 0) or 0)
            if not listed or not more or offset >= self._most:
                return
            page = ask(offset)

    def _ask(self, deed: Callable[[Client], Any]) -> dict[str, Any]:
        """One answer. Raises Failure."""
        client = self._client()
        from spotipy.exceptions import SpotifyBaseException

        try:
            answer = deed(client)
        except Failure as failure:
            if failure.details.get("of") == "token" and failure.code in ("no_permission", "not_found"):
                raise Failure("not_configured", "Spotify does not accept spotify_client_id and spotify_client_secret. "
                              "Compare them with the application's page.", provider=self.name) from failure
            raise
        except SpotifyBaseException as error:
            raise Failure("service_error", "Spotify cannot answer.", provider=self.name) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:      # spotipy trusts what it reads
            raise _garbage() from error
        if not isinstance(answer, dict):
            raise _garbage()
        return answer

    def _client(self) -> Client:
        if not self.configured:
            raise Failure("not_configured", MISSING, provider=self.name)
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Client:
        import spotipy
        from spotipy.cache_handler import MemoryCacheHandler
        from spotipy.oauth2 import SpotifyClientCredentials

        logging.getLogger("spotipy").setLevel(logging.CRITICAL)     # it logs headers; failures are told by us
        accounts = ACCOUNTS if self._base == PUBLIC else self._base
        credentials = SpotifyClientCredentials(
            client_id=self._id, client_secret=self._secret, cache_handler=MemoryCacheHandler(),
            requests_session=_TokenSession(accounts, provider=self.name, label="Spotify"),
        )
        credentials.OAUTH_TOKEN_URL = f"{accounts}/api/token"
        client = spotipy.Spotify(
            auth_manager=credentials,
            requests_session=ServiceSession(self._base, provider=self.name, label="Spotify"),
        )
        client.prefix = f"{self._base}/v1/"
        return client


class _TokenSession(ServiceSession):
    """Failures at the token are told apart: they mean the credentials."""

    def request(self, *args: Any, **options: Any) -> Any:
        try:
            response = super().request(*args, **options)
        except Failure as failure:
            failure.details["of"] = "token"
            raise
        try:
            told = response.json()
        except ValueError as error:
            raise _garbage() from error
        if not isinstance(told, dict) or not text(told.get("access_token")) or not whole(told.get("expires_in"), 0):
            raise _garbage()
        return response


def _read(url: str) -> tuple[str, str] | None:
    """Kind and id of a link or URI."""
    found = _LINK.fullmatch(url.strip()) or _URI.fullmatch(url.strip())
    return (found[1].lower(), found[2]) if found else None


def _garbage() -> Failure:
    return Failure("garbage", "Spotify answered something unexpected.", provider="spotify")


# ---- Spotify's words → ours ---------------------------------------------------------------------------------------


def _wanted(one: dict[str, Any], *, album: dict[str, Any] | None = None) -> Wanted:
    """A track of Spotify's; `album` where the track's own answer does not carry it."""
    about = album or part(one, "album")
    artists = names(row.get("name") for row in rows(one.get("artists")))
    id = key(one.get("id"))
    return Wanted(
        title=text(one.get("name")), artist=", ".join(artists) or None, artists=artists, album=text(about.get("name")),
        album_artist=", ".join(names(row.get("name") for row in rows(about.get("artists")))) or None,
        isrc=isrc(part(one, "external_ids").get("isrc")), duration_ms=whole(one.get("duration_ms"), 1, 10**9),
        track_number=whole(one.get("track_number"), 1, 9999), track_total=whole(about.get("total_tracks"), 1, 9999),
        disc_number=whole(one.get("disc_number"), 1, 999), date=date(about.get("release_date")),
        genres=names(genres) if isinstance(genres := about.get("genres"), list) else (),
        explicit=one["explicit"] if isinstance(one.get("explicit"), bool) else None, cover_url=_picture(about),
        source="spotify",
        source_url=web(part(one, "external_urls").get("spotify"))
        or (f"https://open.spotify.com/track/{id}" if id else None),
        source_id=id or None,
    )


def _offer(kind: str, one: dict[str, Any], *, tracks: list[Wanted] | None = None) -> Offer:
    """`tracks`: those of a resolved link."""
    id, album = key(one.get("id")), part(one, "album") if kind == "track" else {}
    listed = part(one, "items") or part(one, "tracks")
    return Offer(
        kind=kind, source="spotify", id=id, title=text(one.get("name")) or "",
        url=web(part(one, "external_urls").get("spotify")) or f"https://open.spotify.com/{kind}/{id}",
        artist=", ".join(names(row.get("name") for row in rows(one.get("artists"))))
        or text(part(one, "owner").get("display_name")),
        album=text(album.get("name")), date=date(one.get("release_date")) or date(album.get("release_date")),
        duration_ms=whole(one.get("duration_ms"), 1, 10**9),
        track_count=(len(tracks) if tracks is not None and kind != "track"
                     else whole(one.get("total_tracks"), 0) or whole(listed.get("total"), 0)),
        cover_url=_picture(album) or _picture(one), isrc=isrc(part(one, "external_ids").get("isrc")),
        explicit=one["explicit"] if isinstance(one.get("explicit"), bool) else None,
        tracks=tuple(one for one in tracks or () if one.title),
    )


def _picture(one: dict[str, Any]) -> str | None:
    """The largest one; Spotify lists them from large to small."""
    return next((link for row in rows(one.get("images")) if (link := web(row.get("url")))), None)
