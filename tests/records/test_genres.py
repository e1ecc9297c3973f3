from __future__ import annotations

from shared.model.person import Person
from shared.records.genres import Genres
from shared.records.tracks import Tracks
from tests.records.songs import Music


def test_genres_tell_how_much_there_is_and_go_with_their_last_track(music: Music, owner: Person) -> None:
    music.album("a", "A", "X", 3, genres=("Rock", "rock", "Pop"))
    music.album("b", "B", "X", 1, genres=("Jazz",))
    genres = Genres(database=music.database)
    assert [(one.name, one.track_count, one.album_count) for one in genres.list(owner).items] == [
        ("Jazz", 1, 1),
        ("Pop", 3, 1),
        ("Rock", 3, 1),
    ]
    assert genres.list(owner, sort="-tracks").items[-1].name == "Jazz"
    first = genres.list(owner, limit=2)
    assert [one.name for one in genres.list(owner, limit=2, cursor=first.next_cursor).items] == ["Rock"]
    Tracks(database=music.database).trash(music.uid("b/01.flac"), trashed_from="b/01.flac", path="t/1.flac")
    page = genres.list(owner)
    assert [one.name for one in page.items] == ["Pop", "Rock"] and page.total == 2
