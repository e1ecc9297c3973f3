"""All calls of /rest, each room built with what it needs of the station."""

from __future__ import annotations

from functools import partial
from typing import Any

from shared.routes.sending import Sending
from shared.subsonic import (
    annotation,
    bookmarks,
    browsing,
    folders,
    jukebox,
    likeness,
    lists,
    lyrics,
    media,
    playlists,
    podcasts,
    queue,
    radio,
    scanning,
    searching,
    shares,
    system,
    users,
)
from shared.subsonic.calls import Calls
from shared.subsonic.pictures import Pictures
from shared.subsonic.telling import Telling
from shared.subsonic.unfolding import unfolding


def rooms(station: Any, *, sending: Sending, pictures: Pictures) -> list[Calls]:
    """`station` has its parts by their rooms' names; `sending` sends what sounds, `pictures` makes links to covers."""
    entries, choosing, directories = station.entries, station.choosing, station.directories
    telling = Telling(entries=entries, episodes=partial(podcasts.episodes_by_id, station.podcasts))
    unfold = unfolding(directories=directories, telling=telling)
    return [
        system.calls(sounds_known=station.likeness.known),
        browsing.calls(choosing=choosing, entries=entries, telling=telling),
        folders.calls(choosing=choosing, entries=entries, directories=directories, telling=telling),
        likeness.calls(likeness=station.likeness, telling=telling, directories=directories,
                       picture=lambda person, uid, size: pictures.url(uid, size, person=person)),
        lists.calls(choosing=choosing, telling=telling),
        searching.calls(choosing=choosing, search=station.search, telling=telling),
        media.calls(tracks=station.tracks, albums=station.albums, playlists=station.playlists, covers=station.covers,
                    sending=sending, episodes=station.podcasts, held=station.podcasts.episodes.heard,
                    podcast_cover=partial(podcasts.cover, station.podcasts, station.outside_covers)),
        lyrics.calls(tracks=station.tracks),
        annotation.calls(listening=station.listening, now_playing=station.now_playing, telling=telling,
                         episodes=station.podcast_records, unfold=unfold),
        podcasts.calls(podcasts=station.podcasts),
        radio.calls(radios=station.radios),
        playlists.calls(playlists=station.playlists, telling=telling),
        queue.calls(listening=station.listening, telling=telling),
        shares.calls(shares=station.shares, telling=telling, unfold=unfold),
        bookmarks.calls(bookmarks=station.bookmarks, telling=telling, episodes=station.podcast_records),
        jukebox.calls(jukebox=station.jukebox, telling=telling),
        scanning.calls(scanning=station.scanning, count=lambda person: station.tracks.list(person, limit=1).total,
                       folders=lambda person: len(choosing.folders(person))),
        users.calls(accounts=station.accounts, people=station.people, scans=station.scans,
                    shares=station.settings.shares),
    ]
