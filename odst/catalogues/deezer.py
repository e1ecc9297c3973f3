"""Deezer, through its public API: needs no account. Fifty asks in five seconds are allowed from one address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from odst.catalogues.asking import Budget, Pace, ServiceSession, date, isrc, key, names, part, rows, text, web, whole
from shared.model.download import Failure, Offer, Wanted
from shared.outbound import Outbound
from shared.ports import Lookups
from shared.settings import Settings

KEPT_S = 7 * 86_400.0       # answers about one track or album
ALLOWED = (50, 5.0)         # https://developers.deezer.com/api : 50 requests / 5 seconds
PAGE = 100
MOST_ALBUMS = 100           # of one artist, the newest first
ISRC_TRACKS, ISRC_S = 50, 3.0   # a list without ISRCs has this many looked up, in this time
HOPS = 5                    # of a short link

_LINK = re.compile(r"^/(?:[a-z]{2}(?:-[a-z]{2})?/)?(track|album|playlist|artist)/(\d{1,19})(?:/|$)", re.IGNORECASE)
_HOSTS = frozenset({"deezer.com", "www.deezer.com"})
_SHORT_HOSTS = frozenset({"link.deezer.com", "deezer.page.link", "dzr.page.link"})

# The API's own error codes, https://developers.deezer.com/api/errors
_CODES = {
    4: ("rate_limited", "Deezer asks to be left alone for a few seconds."),
    100: ("service_error", "Deezer has too many items to answer."),
    200: ("no_permission", "Deezer does not show this to everybody: it is private."),
    300: ("no_permission", "Deezer does not show this to everybody: it is private."),
    500: ("not_found", "Deezer does not understand this link."),
    501: ("not_found", "Deezer does not understand this link."),
    600: ("not_found", "Deezer does not understand this."),
    700: ("service_error", "Deezer is too busy to answer."),
    800: ("not_found", "Deezer has no such thing (any more)."),
    901: ("no_permission", "Deezer does not show this to everybody: it is private."),
}


class Deezer:
    """Deezer's catalogue. `lookups` keeps answers for a week; `outbound` is the way to short links."""

    name = "deezer"

    def __init__(self, *, settings: Settings, lookups: Lookups | None = None, outbound: Outbound | None = None) -> None:
        self._base = settings.deezer_url.rstrip("/")
        self._most = settings.download_batch_limit
        self._lookups = lookups
        self._outbound = outbound or Outbound(settings.allow_private_hosts)
        self._session = ServiceSession(self._base, provider=self.name, label="Deezer", contact=settings.contact)
        self._pace = Pace(*ALLOWED)

    def understands(self, url: str) -> bool:
        host, path = _split(url)
        return (host in _HOSTS and _LINK.match(path) is not None) or (host in _SHORT_HOSTS and len(path) > 1)

    def resolve(self, url: str) -> Offer:
        host, path = _split(url)
        if host in _SHORT_HOSTS:
            host, path = _split(self._long(url))
        found = _LINK.match(path) if host in _HOSTS else None
        if found is None:
            raise Failure("bad_link", "This is no link to a track, album, playlist or artist of Deezer.",
                          provider=self.name)
        kind, id = found[1].lower(), found[2]
        if kind == "track":
            return self._track(id)
        if kind == "album":
            return self.album(id)
        return self._playlist(id) if kind == "playlist" else self._artist(id)

    def album(self, id: str) -> Offer:
        about = self._ask(f"album/{_id(id)}", keep=True)
        if not text(about.get("title")):
            raise self._garbage()
        tracks = [_wanted(one, album=about) for one in self._tracks_of_album(id, about)]
        return _offer("album", about, tracks=self._with_isrcs(tracks))

    def search(self, words: str, *, limit: int) -> list[Offer]:
        """Tracks, then albums, artists and playlists. Four asks; the first that fails is told, the others cost less."""
        tracks = self._ask("search", q=words, limit=limit).get("data")
        if not isinstance(tracks, list):
            raise self._garbage()
        found = [_offer("track", one) for one in rows(tracks)]
        for kind in ("album", "artist", "playlist"):
            try:
                answer = self._ask(f"search/{kind}", q=words, limit=max(3, limit // 3))
                found += [_offer(kind, one) for one in rows(answer.get("data"))]
            except Failure:
                if not found:
                    raise
                break       # tracks are what most people look for: better those than nothing
        return [one for one in found if one.id and one.title]

    def preview_url(self, wanted: Wanted) -> str | None:
        """Thirty seconds of a recording as MP3, of a track of Deezer's or by its ISRC; None when there are none.

        The link ends within a day: it is never kept. Raises Failure.
        """
        by_isrc = isrc(wanted.isrc)
        if wanted.source == self.name and wanted.source_id:
            asked = _id(wanted.source_id)
        elif by_isrc:
            asked = f"isrc:{by_isrc}"
        else:
            return None
        try:
            return web(self._ask(f"track/{asked}").get("preview"))
        except Failure as failure:
            if failure.code == "not_found":
                return None
            raise

    # ---- one kind each --------------------------------------------------------------------------------------------

    def _track(self, id: str) -> Offer:
        about = self._ask(f"track/{_id(id)}", keep=True)
        if not text(about.get("title")):
            raise self._garbage()
        wanted = _wanted(about)
        album_id = key(part(about, "album").get("id"))
        if album_id:
            try:            # its genres, album artist and number of tracks stand with the album alone
                wanted = _wanted(about, album=self._ask(f"album/{_id(album_id)}", keep=True))
            except Failure as failure:
                if failure.code == "rate_limited":
                    raise
        return _offer("track", about, tracks=[wanted])

    def _playlist(self, id: str) -> Offer:
        about = self._ask(f"playlist/{_id(id)}")
        if not text(about.get("title")):
            raise self._garbage()
        listed = rows(part(about, "tracks").get("data"))
        total = whole(about.get("nb_tracks"), 0) or 0
        if len(listed) < total or not listed:
            listed = list(self._pages(f"playlist/{_id(id)}/tracks")) or listed
        tracks = [_wanted(one) for one in listed[:self._most]]
        return _offer("playlist", about, tracks=self._with_isrcs(tracks))

    def _artist(self, id: str) -> Offer:
        """All that an artist has released under the own name, newest album first, each recording once."""
        about = self._ask(f"artist/{_id(id)}")
        if not text(about.get("name")):
            raise self._garbage()
        albums = sorted(self._pages(f"artist/{_id(id)}/albums"), key=lambda one: date(one.get("release_date")) or "",
                        reverse=True)
        tracks: dict[str, Wanted] = {}
        for album in albums[:MOST_ALBUMS]:
            album.setdefault("artist", about)
            for one in self._tracks_of_album(key(album.get("id")), {}):
                wanted = _wanted(one, album=album)
                tracks.setdefault(wanted.isrc or f"{wanted.artist} {wanted.title}".casefold(), wanted)
            if len(tracks) >= self._most:
                break
        if not albums:
            tracks = {key(one.get("id")): _wanted(one) for one in self._pages(f"artist/{_id(id)}/top")}
        return _offer("artist", about, tracks=list(tracks.values())[:self._most])

    def _tracks_of_album(self, id: str, about: dict[str, Any]) -> list[dict[str, Any]]:
        """The tracks with their numbers. The album's own answer lists them without."""
        within = rows(part(about, "tracks").get("data"))
        try:
            listed = list(self._pages(f"album/{_id(id)}/tracks", keep=True))
        except Failure:
            if not within:
                raise
            listed = []
        return listed or [{"track_position": number, **one} for number, one in enumerate(within, 1)]

    def _with_isrcs(self, tracks: list[Wanted]) -> list[Wanted]:
        """`tracks` with the ISRCs that lists leave out, as far as a little time allows."""
        budget, looked_up, done = Budget(ISRC_S), 0, []
        for one in tracks:
            if one.isrc is None and one.source_id and looked_up < ISRC_TRACKS and budget.left:
                looked_up += 1
                try:
                    about = self._ask(f"track/{_id(one.source_id)}", keep=True)
                    one = replace(one, isrc=isrc(about.get("isrc")),
                                  track_number=one.track_number or whole(about.get("track_position")),
                                  disc_number=one.disc_number or whole(about.get("disk_number")),
                                  date=one.date or date(about.get("release_date")))
                except Failure:
                    looked_up = ISRC_TRACKS     # what is known is enough; the service has said that it is not well
            done.append(one)
        return done

    # ---- asking ---------------------------------------------------------------------------------------------------

    def _ask(self, path: str, *, keep: bool = False, **params: Any) -> dict[str, Any]:
        """One answer. `keep`: it may be a week old. Raises Failure."""
        stored_as = f"{path}?{sorted(params.items())}" if params else path
        if keep and self._lookups is not None:
            kept = self._lookups.get(self.name, stored_as, max_age_s=KEPT_S)
            if isinstance(kept, dict):
                return kept
        self._pace.wait()
        try:
            answer = self._session.ask(f"{self._base}/{path}", params=params or None)
        except Failure as failure:
            if failure.code == "rate_limited" and failure.retry_after_s is None:
                failure.retry_after_s = ALLOWED[1]
            raise
        if error := part(answer, "error"):
            code, message = _CODES.get(whole(error.get("code"), 0) or 0, ("service_error", "Deezer cannot answer."))
            wait_s = ALLOWED[1] if code == "rate_limited" else None
            raise Failure(code, message, provider=self.name, retry_after_s=wait_s)
        if keep and self._lookups is not None:
            self._lookups.put(self.name, stored_as, answer)
        return answer

    def _pages(self, path: str, *, keep: bool = False) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page, at most the batch limit. A page without news ends it."""
        index, seen = 0, set[str]()
        while index < self._most:
            answer = self._ask(path, keep=keep, limit=PAGE, index=index)
            page = rows(answer.get("data"))
            fresh = [one for one in page if key(one.get("id")) not in seen]
            yield from fresh
            seen.update(key(one.get("id")) for one in page)
            index += len(page)
            if not fresh or not (answer.get("next") or index < (whole(answer.get("total"), 0) or 0)):
                return

    def _long(self, url: str) -> str:
        """What a short link stands for. Only redirects are read, each checked before it is followed."""
        address = url
        with self._outbound.session() as session:
            for _ in range(HOPS):
                with session.get(address, allow_redirects=False) as response:
                    target = urljoin(address, response.headers.get("Location") or "")
                if target == address or not target:
                    break
                address = _within(target)
                host, path = _split(address)
                if host in _HOSTS and _LINK.match(path):
                    return address
                if host not in _SHORT_HOSTS:
                    break
        raise Failure("bad_link", "This short link leads to no track, album, playlist or artist of Deezer.",
                      provider=self.name)

    def _garbage(self) -> Failure:
        return Failure("garbage", "Deezer answered something unexpected.", provider=self.name)


# ---- Deezer's words → ours ----------------------------------------------------------------------------------------


def _wanted(one: dict[str, Any], *, album: dict[str, Any] | None = None) -> Wanted:
    """A track of Deezer's; `album` is its album's own answer, where that was asked for."""
    within = part(one, "album")
    about = {**within, **(album or {})}
    artists = names([*(row.get("name") for row in rows(one.get("contributors"))), part(one, "artist").get("name")])
    main = text(part(one, "artist").get("name"))
    if main in artists:
        artists = (main, *(name for name in artists if name != main))
    id = key(one.get("id"))
    return Wanted(
        title=text(one.get("title")), artist=", ".join(artists) or None, artists=artists,
        album=text(about.get("title")), album_artist=text(part(about, "artist").get("name")),
        isrc=isrc(one.get("isrc")),
        duration_ms=(whole(one.get("duration"), 1, 1_000_000) or 0) * 1000 or None,
        track_number=whole(one.get("track_position"), 1, 9999), disc_number=whole(one.get("disk_number"), 1, 999),
        track_total=whole(about.get("nb_tracks"), 1, 9999) if album else None,
        date=date(about.get("release_date")) or date(one.get("release_date")),
        genres=names(row.get("name") for row in rows(part(about, "genres").get("data"))),
        explicit=one["explicit_lyrics"] if isinstance(one.get("explicit_lyrics"), bool) else None,
        cover_url=_picture(about, "cover"), source="deezer",
        source_url=web(one.get("link")) or (f"https://www.deezer.com/track/{id}" if id else None),
        source_id=id or None,
    )


def _offer(kind: str, one: dict[str, Any], *, tracks: list[Wanted] | None = None) -> Offer:
    """`tracks`: those of a resolved link."""
    id, album = key(one.get("id")), part(one, "album") if kind == "track" else {}
    first = tracks[0] if tracks and kind == "track" else None
    return Offer(
        kind=kind, source="deezer", id=id, title=text(one.get("name" if kind == "artist" else "title")) or "",
        url=web(one.get("link")) or f"https://www.deezer.com/{kind}/{id}",
        artist=(first.artist if first else None) or text(part(one, "artist").get("name"))
        or text(part(one, "creator").get("name")) or text(part(one, "user").get("name")),
        album=text(album.get("title")), date=date(one.get("release_date")) or date(album.get("release_date")),
        duration_ms=(whole(one.get("duration"), 1, 10_000_000) or 0) * 1000 or None,
        track_count=len(tracks) if tracks is not None and kind != "track" else whole(one.get("nb_tracks"), 0),
        cover_url=_picture(album, "cover") or _picture(one, "cover") or _picture(one, "picture"),
        isrc=isrc(one.get("isrc")),
        explicit=one["explicit_lyrics"] if isinstance(one.get("explicit_lyrics"), bool) else None,
        tracks=tuple(one for one in tracks or () if one.title),
    )


def _picture(one: dict[str, Any], name: str) -> str | None:
    return next((link for size in ("_xl", "_big", "_medium", "") if (link := web(one.get(name + size)))), None)


def _split(url: str) -> tuple[str, str]:
    """Host and path; ("", "") of what is no link of the web."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme.lower() not in ("http", "https") or parts.username or parts.password:
            return "", ""
        return (parts.hostname or "").lower(), parts.path
    except ValueError:
        return "", ""


def _within(url: str) -> str:
    """The link of Deezer's that a page in between carries in its query (`dest=`, `link=`); else `url` itself."""
    query = parse_qs(urlsplit(url).query)
    for name in ("dest", "link", "redirect_uri"):
        for value in query.get(name, ()):
            host, path = _split(value)
            if host in _HOSTS and _LINK.match(path):
                return value
    return url


def _id(id: str) -> str:
    if not re.fullmatch(r"\d{1,19}", id):
        raise Failure("bad_link", "This is no id of Deezer's.", provider="deezer")
    return id
