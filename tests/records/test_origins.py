from __future__ import annotations

import pytest

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records.origins import Origins
from shared.records.tracks import Tracks
from tests.records.songs import Music


@pytest.fixture
def songs(music: Music) -> list[str]:
    return music.album("a", "Low", "David Bowie", 3)


@pytest.fixture
def origins(music: Music) -> Origins:
    return Origins(database=music.database)


def test_a_track_remembers_where_it_came_from(origins: Origins, songs: list[str]) -> None:
    assert origins.of(songs[0]) is None
    origins.put(
        songs[0], provider="youtube", source="deezer", url="http://x/1", downloaded_at=1e9, sha256="ff",
        quality_got="opus", stage_ms={"fetch": 3},
    )  # fmt: skip
    found = origins.of(songs[0])
    assert found is not None
    assert (found.track_id, found.provider, found.source, found.url, found.sha256, found.review) == (
        songs[0], "youtube", "deezer", "http://x/1", "ff", None,
    )  # fmt: skip
    assert found.downloaded_at == "2001-09-09T01:46:40.000Z"
    assert found.content == {"quality_got": "opus", "stage_ms": {"fetch": 3}}
    with pytest.raises(NotFound):
        origins.put("nothing", provider="direct")


def test_a_link_leads_to_the_track_that_came_from_it_last(origins: Origins, songs: list[str], music: Music) -> None:
    origins.put(songs[0], provider="direct", url="http://x/1", downloaded_at=10.0)
    origins.put(songs[1], provider="direct", url="http://x/1", downloaded_at=20.0)
    assert origins.by_url("http://x/1") == songs[1]
    assert origins.by_url("http://x/2") is None
    Tracks(database=music.database).trash(songs[1], trashed_from="a", path=".soundsible/trash/a")
    assert origins.by_url("http://x/1") == songs[0]


def test_doubtful_tracks_are_listed_until_a_person_has_looked(
    origins: Origins, songs: list[str], owner: Person
) -> None:
    for place, song in enumerate(songs):
        review = "Two recordings fit." if place else None
        origins.put(song, provider="direct", downloaded_at=float(place), review=review)
    first = origins.doubtful(owner, limit=1)
    assert ([one.track_id for one in first.items], first.total) == ([songs[2]], 2)
    second = origins.doubtful(owner, limit=1, cursor=first.next_cursor)
    assert [(one.track_id, one.review) for one in second.items] == [(songs[1], "Two recordings fit.")]
    origins.settle(songs[2])
    assert [one.track_id for one in origins.doubtful(owner).items] == [songs[1]]
    with pytest.raises(NotFound):
        origins.settle("nothing")
