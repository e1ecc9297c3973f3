"""Lists that people have → what is asked for, and what could not be read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odst.batches import MOST_UNREAD, Batch, read
from shared.model.download import Failure, Options, Wanted
from tests.patience import often

# The header that Exportify writes (github.com/watsonbox/exportify, README; a row as in
# github.com/therealmarius/Spotify-2-AppleMusic/pull/24).
EXPORTIFY = (
    '"Track URI","Track Name","Artist URI(s)","Artist Name(s)","Album URI","Album Name","Album Artist URI(s)",'
    '"Album Artist Name(s)","Album Release Date","Album Image URL","Disc Number","Track Number","Track Duration (ms)",'
    '"Track Preview URL","Explicit","Popularity","ISRC","Added By","Added At"\n'
    '"spotify:track:7k4t7uLgtOxPwTpFmtJNTY","Tusa","spotify:artist:790FomKkXshlbRYZFtlgla, '
    'spotify:artist:0hCNtLu0JehylgoiP8L4Gh","KAROL G, Nicki Minaj","spotify:album:7mKevNHhVnZER3BLgI8O4F","Tusa",'
    '"spotify:artist:790FomKkXshlbRYZFtlgla","KAROL G","2019-11-07","https://i.scdn.co/image/x","1","1","200960",'
    '"","true","80","USUM71921226","","2020-01-01T00:00:00Z"\n'
)


def only(batch: Batch) -> Wanted:
    (request,) = batch.requests
    assert request.wanted is not None and not batch.unread
    return request.wanted


def told(batch: Batch) -> list[tuple[str | None, str | None]]:
    return [(one.wanted.artist, one.wanted.title) if one.wanted else (None, one.url or one.query)
            for one in batch.requests]


# ---- CSV ---------------------------------------------------------------------------------------------------------


def test_a_playlist_of_exportify_keeps_all_it_says() -> None:
    wanted = only(read(EXPORTIFY.encode(), name="tusa.csv"))
    assert (wanted.title, wanted.artist, wanted.artists) == ("Tusa", "KAROL G, Nicki Minaj", ("KAROL G", "Nicki Minaj"))
    assert (wanted.album, wanted.album_artist, wanted.date) == ("Tusa", "KAROL G", "2019-11-07")
    assert (wanted.isrc, wanted.duration_ms) == ("USUM71921226", 200_960)
    assert (wanted.track_number, wanted.disc_number) == (1, 1)
    assert wanted.explicit is True
    assert wanted.source_url == "https://open.spotify.com/track/7k4t7uLgtOxPwTpFmtJNTY"


@pytest.mark.parametrize("text", [
    "Track name,Artist name,Album,Playlist name,Type,ISRC,Spotify - id\nTusa,KAROL G,Tusa,My,Playlist,USUM71921226,x\n",
    "title;artist;album;isrc\nTusa;KAROL G;Tusa;USUM71921226\n",
    "Name\tArtist\tComposer\tAlbum\tISRC\nTusa\tKAROL G\t\tTusa\tUS-UM7-19-21226\n",
    "TITLE, ARTIST, ALBUM, ISRC\n\"Tusa\", \"KAROL G\", \"Tusa\", \"USUM71921226\"\n",
    "Titel;Interpret;Album;ISRC\nTusa;KAROL G;Tusa;USUM71921226\n",
    "Titre,Artiste,Album,ISRC\nTusa,KAROL G,Tusa,USUM71921226\n",
    "Nombre de la canción|Nombre del artista|Nombre del álbum|ISRC\nTusa|KAROL G|Tusa|USUM71921226\n",
    "曲名,アーティスト名,アルバム名,ISRC\nTusa,KAROL G,Tusa,USUM71921226\n",
    "Название,Исполнитель,Альбом,ISRC\nTusa,KAROL G,Tusa,USUM71921226\n",
    "Shazam Library\nIndex,Title,Artist,Album,ISRC\n1,Tusa,KAROL G,Tusa,USUM71921226\n",
    "Track,Title,Artist,Album,ISRC\n7,Tusa,KAROL G,Tusa,USUM71921226\n",
    "Title,Track,Artist,Album,ISRC\nTusa,7,KAROL G,Tusa,USUM71921226\n",
])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_columns_are_known_by_their_names_in_every_dialect(text: str, encoding: str) -> None:
    wanted = only(read(text.encode(encoding), name="list.csv"))
    assert (wanted.title, wanted.artist, wanted.album, wanted.isrc) == ("Tusa", "KAROL G", "Tusa", "USUM71921226")


def test_a_table_without_names_is_artist_and_title() -> None:
    batch = read("Daft Punk,One More Time\nQueen,\"Killer, Queen\",Sheer Heart Attack\n", name="list.csv")
    assert told(batch) == [("Daft Punk", "One More Time"), ("Queen", "Killer, Queen")]
    assert batch.requests[1].wanted is not None and batch.requests[1].wanted.album == "Sheer Heart Attack"


@pytest.mark.parametrize(("value", "ms"), [
    ("3:45", 225_000), ("03:45.5", 225_500), ("1:02:03", 3_723_000), ("225", 225_000), ("225000", 225_000),
    ("225.4", 225_400), ("x", None), ("0", None), ("-1", None), ("3:75", None), ("99999999999999", None),
])
def test_durations_are_read_as_they_come(value: str, ms: int | None) -> None:
    assert only(read(f"title,artist,duration\nX,Y,{value}\n")).duration_ms == ms
    assert only(read("title,artist,duration_ms\nX,Y,900\n")).duration_ms == 900


def test_a_comma_in_a_name_stays_where_nobody_says_what_it_means() -> None:
    wanted = only(read('title,artist\nX,"Tyler, The Creator"\n'))
    assert wanted.artist == "Tyler, The Creator" and wanted.artists == ()
    assert only(read('title;artist\nX;"A;B"\n')).artists == ("A", "B")
    assert only(read('title,artist\nX,A\\\\, B\n'.replace("\\\\", "\\"))).title == "X"


def test_a_row_with_a_link_alone_is_that_link() -> None:
    batch = read("title,url\n,https://example.org/a.mp3\nOnly a title,https://example.org/b.mp3\n"
                 ",file:///etc/passwd\n,\n")
    assert [one.url for one in batch.requests] == ["https://example.org/a.mp3", "https://example.org/b.mp3"]
    assert [(one.line, one.reason) for one in batch.unread] == [(4, "It names no title and no link.")]


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    rows = "".join(f"Song {number},Band\n" for number in range(2, 200))
    batch = read('title,artist\n"Song 1,Band\n' + rows)
    assert ("Band", "Song 150") in told(batch) and len(batch.requests) >= 198


# ---- M3U ---------------------------------------------------------------------------------------------------------


def test_an_m3u_is_links_and_what_is_said_of_files_elsewhere() -> None:
    batch = read("""#EXTM3U
#PLAYLIST:Friday night
#EXTINF:320,Daft Punk - One More Time
C:\\Music\\Daft Punk\\Discovery\\01 One More Time.mp3
# a remark
#EXTINF:-1,A station
https://radio.example/stream.mp3

#EXTALB:Discovery
#EXTINF:212.5 tvg-id="x",Daft Punk – Aerodynamic
/home/ann/2.flac
/home/ann/Daft Punk/Discovery/03 - Digital Love.flac
file:///home/ann/Queen/News/Queen%20-%20Bicycle%20Race.mp3
../Only a name.ogg
""", name="a.m3u8")
    assert batch.name == "Friday night" and not batch.unread
    assert told(batch) == [
        ("Daft Punk", "One More Time"), (None, "https://radio.example/stream.mp3"), ("Daft Punk", "Aerodynamic"),
        ("Daft Punk", "Digital Love"), ("Queen", "Bicycle Race"), (None, "Only a name")]
    assert [one.wanted.duration_ms for one in batch.requests if one.wanted] == [320_000, 212_500, None, None]
    assert batch.requests[2].wanted is not None and batch.requests[2].wanted.album == "Discovery"
    assert batch.requests[3].wanted is not None and batch.requests[3].wanted.track_number == 3


def test_a_list_of_this_stations_own_export_is_read() -> None:
    batch = read("#EXTM3U\n#PLAYLIST:Library\n#EXTINF:3,The Band - Song 1\n/music/Album/1.mp3\n", name="Library.m3u8")
    assert told(batch) == [("The Band", "Song 1")]


def test_a_streams_own_playlist_is_no_list() -> None:
    with pytest.raises(Failure) as failed:
        read("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nsegment0.ts\n")
    assert failed.value.code == "unsupported"


# ---- lines -------------------------------------------------------------------------------------------------------


def test_lines_are_links_titles_and_remarks() -> None:
    batch = read("""# my list
// another remark
https://www.deezer.com/album/302127
look: https://example.org/a.mp3, and <https://example.org/b.mp3>
spotify:track:7k4t7uLgtOxPwTpFmtJNTY
open.spotify.com/track/7k4t7uLgtOxPwTpFmtJNTY
1. Daft Punk – One More Time
 - Queen   —   Killer Queen
99 Luftballons
D:\\Music\\Queen - Bicycle Race.mp3

---
!!!
""")
    assert told(batch) == [
        (None, "https://www.deezer.com/album/302127"), (None, "https://example.org/a.mp3"),
        (None, "https://example.org/b.mp3"), (None, "spotify:track:7k4t7uLgtOxPwTpFmtJNTY"),
        (None, "https://open.spotify.com/track/7k4t7uLgtOxPwTpFmtJNTY"), (None, "Daft Punk - One More Time"),
        (None, "Queen - Killer Queen"), (None, "99 Luftballons"), ("Queen", "Bicycle Race"), (None, "!!!")]
    assert batch.unread == []


def test_links_that_nobody_follows_are_told_and_colons_in_titles_are_none() -> None:
    batch = read("ftp://x.org/a.mp3\nfile:///etc/passwd\nmagnet:?xt=urn:x\nRatatat: Loud Pipes\nAC/DC - T.N.T.\n")
    assert [(one.line, one.reason.split()[4]) for one in batch.unread] == [(1, "ftp:"), (2, "file:"), (3, "magnet:")]
    assert len(batch.requests) == 2


def test_options_and_priority_go_to_each() -> None:
    batch = read("A - B\nC - D", options=Options(quality="128"), priority=70)
    assert {(one.options.quality, one.priority) for one in batch.requests} == {("128", 70)}


# ---- limits ------------------------------------------------------------------------------------------------------


def test_ten_thousand_links_are_read_and_more_are_left_out_and_said_so() -> None:
    text = "\n".join(f"https://example.org/{number}.mp3" for number in range(10_005))
    batch = read(text)
    assert len(batch.requests) == 10_000
    assert [(one.line, one.reason) for one in batch.unread] == [
        (10_001, "A list may queue 10,000: 5 more are left out.")]
    assert len(read(text, limit=3).requests) == 3


def test_what_cannot_be_read_is_told_line_by_line_within_reason() -> None:
    batch = read("title,artist\nX,Y\n" + ",nobody\n" * (MOST_UNREAD + 5))
    assert len(batch.requests) == 1 and len(batch.unread) == MOST_UNREAD + 1
    assert batch.unread[0].line == 3 and batch.unread[-1].reason == "and 5 more lines that cannot be read"


@pytest.mark.parametrize(("data", "code"), [
    (b"", "empty"), (b" \n\t\n", "empty"), (b"\xef\xbb\xbf", "empty"), (b"x" * (5 << 20), "too_large"),
    (b"<!DOCTYPE html><html>", "unsupported"), (b'{"a": 1}', "unsupported"),
    (b"ID3\x03\x00\x00\x00\x00\x00\x00" * 50, "unsupported"), (bytes(range(256)) * 20, "unsupported"),
])
def test_what_is_no_list_is_told_as_what_it_is(data: bytes, code: str) -> None:
    with pytest.raises(Failure) as failed:
        read(data)
    assert failed.value.code == code


def test_a_list_of_windows_is_read() -> None:
    assert told(read("title,artist\nDéjà vu,Beyoncé\n".encode("cp1252"))) == [("Beyoncé", "Déjà vu")]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)), st.sampled_from([None, "a.csv", "a.m3u", "a.txt"]))
@settings(max_examples=often(80), deadline=None)
def test_whatever_it_is_it_is_read_or_refused(data: bytes | str, name: str | None) -> None:
    try:
        batch = read(data, name=name)
    except Failure:
        return
    for request in batch.requests:
        assert sum(one is not None for one in (request.url, request.query, request.wanted)) == 1
        assert request.wanted is None or request.wanted.title


_TITLES, _ARTISTS = (st.text(letters, min_size=1, max_size=20) for letters in ("abcdeéß漢 '&,;\"", "xyz;,\" "))


@given(st.lists(st.tuples(_TITLES, _ARTISTS), min_size=1, max_size=20), st.sampled_from(",;\t"))
@settings(max_examples=often(40), deadline=None)
def test_what_a_proper_table_holds_comes_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["title", "artist"])
    writer.writerows(rows)
    batch = read(out.getvalue())
    expected = [" ".join(title.split()) for title, _ in rows]
    assert len(batch.requests) + len(batch.unread) == len([one for one in rows if "".join(one).strip()])
    assert {one.wanted.title for one in batch.requests if one.wanted} <= set(expected)
