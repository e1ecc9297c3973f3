"""Search; and the list of everything, which apps read through search3 to keep a copy of it.

An empty query, and one of two quotes, are everything: paged by offset in an order that stays (records.choosing).
Anything else is what records.search finds, the best first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from shared.records.choosing import Choosing, Roots
from shared.records.search import Search
from shared.subsonic.answer import listed
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls
from shared.subsonic.telling import Content, Telling, album_child

# Of one kind in one answer: Substreamer asks for 10,000 albums at once and takes what comes for all there is
# (https://github.com/ghenry22/substreamer/issues/204).
MOST = 10_000
MOST_FOUND = 120        # that a search puts in order
EVERYTHING = ("", '""')


def calls(*, choosing: Choosing, search: Search, telling: Telling) -> Calls:
    calls = Calls("searching")

    def found(asked: Asked, album: Callable[[Content], Content] = lambda album: album) -> dict[str, Any]:
        """album: what an AlbumID3 becomes."""
        person = asked.person
        roots = choosing.roots(person, asked.texts("musicFolderId"))
        if not asked.has("query"):
            asked.need("query")
        query = asked.text("query").strip()
        wanted = {kind: (asked.number(f"{name}Count", 20, most=MOST), asked.number(f"{name}Offset", 0))
                  for kind, name in (("artist", "artist"), ("album", "album"), ("track", "song"))}
        if query in EVERYTHING:
            keys = {kind: choosing.every(person, kind, limit=limit, offset=offset, roots=roots, reader=asked.client)
                    for kind, (limit, offset) in wanted.items()}
        else:
            keys = _searched(asked, query, wanted, roots)
        return {
            "artist": listed(partial(telling.artists_by_key, person), keys["artist"]),
            "album": listed(lambda some: [album(one) for one in telling.albums_by_key(person, some)], keys["album"]),
            "song": listed(partial(telling.tracks, person), keys["track"]),
        }

    def _searched(asked: Asked, query: str, wanted: dict[str, tuple[int, int]], roots: Roots) -> dict[str, list[int]]:
        person = asked.person
        most = MOST_FOUND if roots else min(max(limit + offset for limit, offset in wanted.values()), MOST_FOUND)
        if most <= 0:
            return {kind: [] for kind in wanted}
        best = search.keys(person, query, most)
        return {kind: choosing.in_roots(person, kind, best[kind], roots)[offset:offset + limit]
                for kind, (limit, offset) in wanted.items()}

    @calls.answers("search3")
    def search3(asked: Asked) -> dict[str, Any]:
        """Artists, albums and songs that fit a query; everything, page by page, for an empty one or for \"\"."""
        return {"searchResult3": found(asked)}

    @calls.answers("search2")
    def search2(asked: Asked) -> dict[str, Any]:
        """As search3, albums as folders."""
        return {"searchResult2": found(asked, album_child)}

    @calls.answers("search")
    def search1(asked: Asked) -> dict[str, Any]:
        """Songs that fit what was asked for: the oldest search, for old programs."""
        person = asked.person
        words = " ".join(asked.text(name) for name in ("any", "artist", "album", "title")
                         if asked.text(name) not in ("true", "false")).strip()
        limit, offset = asked.number("count", 20, most=MOST), asked.number("offset", 0)
        newer_ms = asked.number("newerThan", 0, most=2**53)
        keys = search.keys(person, words, MOST_FOUND)["track"]
        if newer_ms:
            keys = choosing.newer(person, keys, newer_ms / 1000)
        return {"searchResult": {"offset": offset, "totalHits": len(keys),
                                 "match": telling.tracks(person, keys[offset:offset + limit])}}

    return calls
