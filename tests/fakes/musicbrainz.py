"""A MusicBrainz that knows a few recordings: web service /ws/2, XML as musicbrainzngs 0.7.1 asks for it.

Where the shapes come from: the examples on https://musicbrainz.org/doc/MusicBrainz_API/Examples (recording, release,
release group, artist, ISRC look-ups) and the recorded answers in musicbrainzngs' own tests
(github.com/alastair/python-musicbrainzngs, test/data/search-recording.xml and
test/data/release/833d4c3a-…-recordings+artist-credits.xml): `ext:score` on search results, `release-list` with
`medium-list` and a `track-list offset=` below a recording, `artist-credit` of `name-credit joinphrase=`, tags with
counts, ISRCs with ids; a missing thing is 404 with `<error><text>Not Found</text>…`; too often is 503 with
Retry-After (https://musicbrainz.org/doc/MusicBrainz_API/Rate_Limiting).

The search is a small part of Lucene's: `field:"phrase"`, bare words, AND and OR.

    with FakeMusicBrainz(recordings=[Recording("Blue Monday", artists=["New Order"], length_ms=449_000)]) as fake:
        settings = Settings(musicbrainz_url=fake.url)
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tests.fakes.answering import Answering, Asked, Reply

_HEAD = ('<?xml version="1.0" encoding="UTF-8"?>\n<metadata created="2026-11-21T05:00:00.000Z" '
         'xmlns="http://musicbrainz.org/ns/mmd-2.0#" xmlns:ext="http://musicbrainz.org/ns/ext#-2.0">')
VARIOUS_ARTISTS = "89ad4ac3-39f7-470e-963a-56509c546377"


def mbid(*parts: str) -> str:
    """A stable id for a thing of the tests."""
    if parts == ("artist", "Various Artists"):
        return VARIOUS_ARTISTS
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))


@dataclass(frozen=True)
class Recording:
    """`artists`: names; a name that begins with a join phrase in braces, like "{ feat. }Bob", is joined by it."""

    title: str
    artists: tuple[str, ...] | list[str] = ("Somebody",)
    length_ms: int | None = 200_000
    isrcs: tuple[str, ...] | list[str] = ()
    tags: tuple[tuple[str, int], ...] | list[tuple[str, int]] = ()
    disambiguation: str = ""
    key: str = ""                   # tells two recordings of the same title and artists apart

    @property
    def id(self) -> str:
        return mbid("recording", self.title, *self.artists, self.key)


@dataclass(frozen=True)
class Release:
    title: str
    media: tuple[tuple[Recording, ...], ...] | list[list[Recording]]
    artists: tuple[str, ...] | list[str] = ("Somebody",)
    date: str = "2001-03-05"
    first_date: str = ""            # of its group; the same when empty
    status: str = "Official"
    country: str = "XE"
    type: str = "Album"
    secondary: tuple[str, ...] | list[str] = ()
    tags: tuple[tuple[str, int], ...] | list[tuple[str, int]] = ()
    key: str = ""
    disc_titles: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return mbid("release", self.title, *self.artists, self.date, self.status, self.key)

    @property
    def group_id(self) -> str:
        return mbid("release-group", self.title, *self.artists, self.type, *self.secondary)

    @property
    def recordings(self) -> list[Recording]:
        return [one for medium in self.media for one in medium]


class FakeMusicBrainz(Answering):
    def __init__(self, *, recordings: Iterable[Recording] = (), releases: Iterable[Release] = ()) -> None:
        super().__init__()
        self.releases = list(releases)
        every = [*recordings, *(one for release in self.releases for one in release.recordings)]
        self.recordings = list({one.id: one for one in every}.values())

    # ---- answering -------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Reply:
        if "user-agent" not in asked.headers or "python-requests" in asked.headers["user-agent"]:
            return _error(403, "Your requests are exceeding the allowable rate limit; say who you are.")
        parts = [one for one in asked.path.split("/") if one]
        if parts[:2] != ["ws", "2"] or not 3 <= len(parts) <= 4:
            return _error(404, "Not Found")
        entity = parts[2]
        body = self._single(entity, parts[3]) if len(parts) == 4 else self._several(entity, asked.query)
        return _error(404, "Not Found") if body is None else Reply(
            200, f"{_HEAD}{body}</metadata>".encode(), "application/xml; charset=utf-8")

    def _single(self, entity: str, key: str) -> str | None:
        if entity == "recording":
            return next((self._recording(one, releases=False) for one in self.recordings if one.id == key), None)
        if entity == "release":
            return next((self._release(one, tracks=True) for one in self.releases if one.id == key), None)
        if entity == "release-group":
            mine = [one for one in self.releases if one.group_id == key]
            return self._group(mine[0], releases=mine) if mine else None
        if entity == "artist":
            return next((_artist(one) for one in self._artists() if mbid("artist", one) == key), None)
        if entity == "isrc":
            mine = [one for one in self.recordings if key in one.isrcs]
            if not mine:
                return None
            inner = "".join(self._recording(one, groups=False) for one in mine)
            return f'<isrc id="{key}"><recording-list count="{len(mine)}">{inner}</recording-list></isrc>'
        return None

    def _several(self, entity: str, query: dict[str, str]) -> str | None:
        limit = int(query.get("limit") or 25)
        if "query" in query:
            return self._search(entity, query["query"], limit)
        if entity == "release" and ("recording" in query or "release-group" in query):
            mine = [one for one in self.releases if one.group_id == query.get("release-group")
                    or query.get("recording") in [track.id for track in one.recordings]]
            inner = "".join(self._release(one) for one in mine[:limit])
            return f'<release-list count="{len(mine)}">{inner}</release-list>'
        if entity == "release-group" and "artist" in query:
            groups = {one.group_id: one for one in self.releases
                      if query["artist"] in [mbid("artist", _name(name)) for name in one.artists]}
            inner = "".join(self._group(one) for one in list(groups.values())[:limit])
            return f'<release-group-list count="{len(groups)}">{inner}</release-group-list>'
        return None

    def _search(self, entity: str, query: str, limit: int) -> str | None:
        if entity == "recording":
            found = _ranked(query, self.recordings, lambda one: {
                "recording": one.title, "artist": _phrase(one.artists), "artistname": _phrase(one.artists),
                "creditname": _phrase(one.artists), "isrc": " ".join(one.isrcs), "rid": one.id,
                "release": " ".join(r.title for r in self._on(one)), "": f"{one.title} {_phrase(one.artists)}",
            })
            inner = "".join(self._recording(one, score=score) for one, score in found[:limit])
        elif entity == "release":
            found_r = _ranked(query, self.releases, lambda one: {
                "release": one.title, "artist": _phrase(one.artists), "reid": one.id, "rgid": one.group_id,
                "arid": " ".join(mbid("artist", _name(name)) for name in one.artists), "status": one.status,
                "": f"{one.title} {_phrase(one.artists)}"})
            inner = "".join(self._release(one, score=score) for one, score in found_r[:limit])
        elif entity == "release-group":
            groups = list({one.group_id: one for one in self.releases}.values())
            found_r = _ranked(query, groups, lambda one: {
                "releasegroup": one.title, "release": one.title, "artist": _phrase(one.artists),
                "": f"{one.title} {_phrase(one.artists)}"})
            inner = "".join(self._group(one, score=score) for one, score in found_r[:limit])
        elif entity == "artist":
            found_a = _ranked(query, self._artists(), lambda one: {"artist": one, "": one})
            inner = "".join(_artist(one, score=score) for one, score in found_a[:limit])
        else:
            return None
        return f'<{entity}-list count="{inner.count("ext:score")}" offset="0">{inner}</{entity}-list>'

    # ---- things as XML ---------------------------------------------------------------------------------------------

    def _on(self, recording: Recording) -> list[Release]:
        return [one for one in self.releases if recording in one.recordings]

    def _artists(self) -> list[str]:
        names = [name for thing in [*self.recordings, *self.releases] for name in thing.artists]
        return list(dict.fromkeys(_name(name) for name in names))

    def _recording(self, one: Recording, *, releases: bool = True, groups: bool = True,
                   score: int | None = None) -> str:
        on = self._on(one) if releases else []
        listed = "".join(self._release(release, only=one, group=groups) for release in on)
        return (
            f'<recording id="{one.id}"{_score(score)}><title>{escape(one.title)}</title>'
            + (f"<length>{one.length_ms}</length>" if one.length_ms else "")
            + (f"<disambiguation>{escape(one.disambiguation)}</disambiguation>" if one.disambiguation else "")
            + _credit(one.artists)
            + (f'<isrc-list count="{len(one.isrcs)}">' + "".join(f'<isrc id="{i}"/>' for i in one.isrcs)
               + "</isrc-list>" if one.isrcs else "")
            + (f'<release-list count="{len(on)}">{listed}</release-list>' if on else "")
            + _tags(one.tags) + "</recording>"
        )

    def _release(self, one: Release, *, tracks: bool = False, only: Recording | None = None, group: bool = True,
                 score: int | None = None) -> str:
        media = []
        for position, recordings in enumerate(one.media, 1):
            listed = ""
            if tracks:
                inner = "".join(
                    f'<track id="{mbid("track", one.id, str(position), str(number))}"><position>{number}</position>'
                    f"<number>{number}</number><length>{track.length_ms or ''}</length>"
                    f"{self._recording(track, releases=False)}</track>"
                    for number, track in enumerate(recordings, 1)
                )
                listed = f'<track-list count="{len(recordings)}" offset="0">{inner}</track-list>'
            elif only is not None and only in recordings:
                number = list(recordings).index(only) + 1
                listed = (f'<track-list count="{len(recordings)}" offset="{number - 1}"><track '
                          f'id="{mbid("track", one.id, str(position), str(number))}"><number>{number}</number>'
                          f"<title>{escape(only.title)}</title></track></track-list>")
            else:
                listed = f'<track-list count="{len(recordings)}"/>'
            named = one.disc_titles[position - 1] if position <= len(one.disc_titles) else ""
            media.append(f"<medium>{f'<title>{escape(named)}</title>' if named else ''}<position>{position}</position>"
                         f"<format>CD</format>{listed}</medium>")
        total = len(one.recordings)
        return (
            f'<release id="{one.id}"{_score(score)}><title>{escape(one.title)}</title>'
            f'<status id="{mbid("status", one.status)}">{one.status}</status><quality>normal</quality>'
            + _credit(one.artists) + (self._group(one) if group else "")
            + (f"<date>{one.date}</date>" if one.date else "") + f"<country>{one.country}</country>"
            + f'<medium-list count="{len(one.media)}"><track-count>{total}</track-count>{"".join(media)}</medium-list>'
            + _tags(one.tags) + "</release>"
        )

    def _group(self, one: Release, *, releases: list[Release] | None = None, score: int | None = None) -> str:
        secondary = "".join(f"<secondary-type>{escape(name)}</secondary-type>" for name in one.secondary)
        shown = one.secondary[0] if one.secondary else one.type
        listed = "".join(f'<release id="{r.id}"><title>{escape(r.title)}</title><status>{r.status}</status>'
                         f"<date>{r.date}</date></release>" for r in releases or ())
        return (
            f'<release-group id="{one.group_id}" type={quoteattr(shown)}{_score(score)}>'
            f"<title>{escape(one.title)}</title><first-release-date>{one.first_date or one.date}</first-release-date>"
            f"<primary-type>{one.type}</primary-type>"
            + (f"<secondary-type-list>{secondary}</secondary-type-list>" if secondary else "")
            + _credit(one.artists)
            + (f'<release-list count="{len(releases or ())}">{listed}</release-list>' if listed else "")
            + _tags(one.tags) + "</release-group>"
        )


def _error(status: int, text: str) -> Reply:
    return Reply(status, f'<?xml version="1.0" encoding="UTF-8"?>\n<error><text>{text}</text></error>'.encode(),
                 "application/xml; charset=utf-8")


def _score(score: int | None) -> str:
    return "" if score is None else f' ext:score="{score}"'


def _name(name: str) -> str:
    return name.partition("}")[2] if name.startswith("{") else name


def _phrase(names: Iterable[str]) -> str:
    return " ".join(_name(name) for name in names)


def _sort_name(name: str) -> str:
    first, _, last = name.rpartition(" ")
    return f"{last}, {first}" if first else name


def _artist(name: str, *, score: int | None = None) -> str:
    return (f'<artist id="{mbid("artist", name)}" type="Group"{_score(score)}><name>{escape(name)}</name>'
            f"<sort-name>{escape(_sort_name(name))}</sort-name></artist>")


def _credit(names: Iterable[str]) -> str:
    held = list(names)
    out = []
    for at, name in enumerate(held):
        following = held[at + 1] if at + 1 < len(held) else ""
        join = following[1:].partition("}")[0] if following.startswith("{") else " & " if following else ""
        attribute = f" joinphrase={quoteattr(join)}" if join else ""
        plain = _name(name)
        out.append(f"<name-credit{attribute}><name>{escape(plain)}</name><artist id=\"{mbid('artist', plain)}\"><name>"
                   f"{escape(plain)}</name><sort-name>{escape(_sort_name(plain))}</sort-name></artist></name-credit>")
    return f"<artist-credit>{''.join(out)}</artist-credit>"


def _tags(tags: Iterable[tuple[str, int]]) -> str:
    inner = "".join(f'<tag count="{count}"><name>{escape(name)}</name></tag>' for name, count in tags)
    return f"<tag-list>{inner}</tag-list>" if inner else ""


# ---- a little of Lucene ------------------------------------------------------------------------------------------

_CLAUSE = re.compile(r'(?:(\w+):)?(?:"((?:[^"\\]|\\.)*)"|\(([^)]*)\)|(\S+))')


def _words(text: str) -> set[str]:
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return set(re.findall(r"\w+", plain))


def _ranked(query: str, things: list, fields) -> list:
    clauses = []
    for field_name, phrase, group, word in _CLAUSE.findall(query):
        if word in ("AND", "OR"):
            continue
        clauses.append((field_name, _words(re.sub(r"\\(.)", r"\1", phrase or group or word))))
    found = []
    for thing in things:
        known = fields(thing)
        met = []
        for name, words in clauses:
            have = _words(known.get(name, ""))
            met.append(len(words & have) / len(words) if words else 0.0)
        if not met or (" AND " in query and min(met) < 1.0) or max(met) == 0:
            continue
        found.append((thing, sum(met) / len(met)))
    found.sort(key=lambda one: -one[1])
    best = found[0][1] if found else 1.0
    return [(thing, round(100 * score / best)) for thing, score in found]
