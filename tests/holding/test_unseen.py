"""What lies outside of a limited person's folders is not there: not by its id, not in any list, not by what is said.

Every operation is asked with the ids of what is not seen and must answer as for ids that never were.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.model.download import Request, Status
from shared.model.scan import Batch, Found, NewFile, Picture
from shared.model.track import AudioFacts, Credit, Lyrics, Metadata, Reading
from shared.records.visible import Folders
from shared.security.accounts import OPERATOR
from tests.holding.test_other_peoples_things import kind_of
from tests.holding.whole import PASSWORD, Whole, whole

SECRET = "Zzhidden"     # in every word of what is not seen
NEVER = "neverwas"
QUIET = ("/api/acquire/cover", "/api/acquire/preview", "/api/acquire/resolve", "/api/acquire/search",
         "/api/downloads/manager/events")   # lead outside, or do not end


@dataclass
class Half:
    """A station of which an adult with all rights sees one of two folders."""

    made: Whole
    token: str
    unseen: dict[str, list[str]]    # kind → ids
    seen: dict[str, list[str]]

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        given = {} if body is None else {"json": body}
        return self.made.ask(method, path, token=token or self.token, **given)


def _file(folder: str, word: str, number: int) -> NewFile:
    artist = f"{word} Singer" if number < 3 else "Both Bands"
    album = f"{word} Album" if number < 3 else "Shared Album"
    return NewFile(
        Found(f"{folder}/{number} {word}.flac", 30_000_000, 1_700_000_000_000_000_000, "1", f"{folder}{number}"),
        Reading(
            Metadata(title=f"{word} Song {number}", artist=artist, album=album, album_artist=artist,
                     credits=(Credit(artist), Credit(artist, "albumartist")), track_number=number,
                     genres=(f"{word} Genre",), year=1999),
            AudioFacts("flac", "audio/flac", 200_000, 900, 44_100, 16, 2),
            (Lyrics(f"{word} words", False),),
        ),
    )


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Half:
    made = whole(tmp_path_factory.mktemp("half"))
    station = made.station
    root = station.scans.add_root("/music")
    station.scans.apply(Batch(
        root.id,
        new=[_file("Kids", "Bunny", number) for number in (1, 2, 3)]
        + [_file("Kids2", SECRET, number) for number in (1, 2, 3, 4)],
        pictures=[Picture("Kids2", "Kids2/cover.jpg", 1000, 1_700_000_000_000_000_000)],
    ))
    station.accounts.make_user(OPERATOR, "eva", PASSWORD, "adult")
    token = station.accounts.login("eva", PASSWORD).token
    eva = station.accounts.who(token)

    def ids(table: str, word: str) -> list[str]:
        from sqlalchemy import text

        column = "name" if table == "artists" else "title"
        with station.database.read() as conn:
            return list(conn.execute(text(f"SELECT uid FROM {table} WHERE {column} LIKE '{word}%'")).scalars())

    unseen = {kind: ids(kind, SECRET) for kind in ("tracks", "albums", "artists")}
    seen = {kind: ids(kind, "Bunny") for kind in ("tracks", "albums", "artists")}
    trashed = unseen["tracks"][-1]
    with station.database.transaction() as conn:
        from sqlalchemy import text

        conn.execute(text("UPDATE users SET limited = 1 WHERE username = 'eva'"))
    owner = station.accounts.who(made.tokens["owner", "own"])
    # She has touched all of it while she still saw it, and it came through her.
    for uid in unseen["tracks"]:
        station.listening.favourite(eva, uid, True)
        station.listening.play(eva, uid)
        station.origins.put(uid, provider="direct", url=f"https://a.example/{SECRET}", review="doubtful")
    for uid in unseen["albums"]:
        station.listening.favourite_album(eva, uid, True)
        station.listening.rate_album(eva, uid, 5)
    station.shares.make(eva, [(kind, uid) for kind in ("track", "album", "artist") for uid in unseen[f"{kind}s"]])
    station.bookmarks.set(eva, unseen["tracks"][0], 1)
    station.now_playing.began(owner, "an app", unseen["tracks"][0])
    station.listening.save_queue(eva, [*unseen["tracks"], *seen["tracks"]], 1, 0)
    both = [*unseen["tracks"], *seen["tracks"], *unseen["tracks"]]
    playlists = {name: station.playlists.make(person, name, both, visibility).id for name, person, visibility in (
        ("Mixed", owner, "collaborative"), ("Read", owner, "shared"), ("Own", eva, "private"))}
    seen["playlists"] = list(playlists.values())
    for uid in unseen["tracks"][:2]:
        download, _ = station.download_records.submit(eva.user_id, Request(query=f"words {uid[-1]}"))
        records = station.download_records
        for status in (Status.PENDING, Status.QUEUED, Status.DOWNLOADING, Status.PROCESSING):
            records.move(download, (status, None))
        records.move(download, (Status.COMPLETED, "Already in your library: nothing was added."), track_uid=uid,
                     note="Already in your library: nothing was added.", duplicate_of=uid)
    station.tracks.trash(trashed, trashed_from=f"Kids2/4 {SECRET}.flac", path=f".trash/{trashed}/4 {SECRET}.flac")
    Folders(database=station.database).set(eva.user_id, [(root.id, "Kids")])
    unseen["trash"] = [trashed]
    token = station.accounts.login("eva", PASSWORD).token
    assert station.accounts.who(token).limited
    return Half(made, token, unseen, seen)


def every_unseen(half: Half) -> list[str]:
    return [uid for them in half.unseen.values() for uid in them]


def leaks(half: Half, answer: Any, but: str = "") -> list[str]:
    """What an answer tells of what is not seen, beside the id that was asked with."""
    told = answer.data.decode("utf-8", "replace") + str(answer.headers)
    return [word for word in (SECRET, "Kids2", *every_unseen(half)) if word in told and word != but]


def test_she_sees_her_half(half: Half) -> None:
    """Else all that follows would pass with nothing seen at all."""
    tracks = half.ask("GET", "/api/library/tracks").json
    assert {one["id"] for one in tracks["items"]} == set(half.seen["tracks"]) and tracks["total"] == 3
    shared = half.ask("GET", "/api/library/albums?sort=title").json["items"]
    assert [(one["title"], one["track_count"], one["duration_ms"]) for one in shared] == [
        ("Bunny Album", 2, 400_000), ("Shared Album", 1, 200_000)]
    both = next(one for one in half.ask("GET", "/api/library/artists").json["items"] if one["name"] == "Both Bands")
    assert (both["track_count"], both["album_count"]) == (1, 1)
    assert half.ask("GET", "/api/health").json["library"]["tracks"] == 3
    owner = half.made.tokens["owner", "own"]
    assert half.ask("GET", "/api/library/tracks", token=owner).json["total"] == 6
    assert SECRET in half.ask("GET", "/api/library/search?q=zzhid", token=owner).data.decode()


QUESTIONS = [
    "", "?q=zzhidden", "?q=zz", "?q=zzhiden", "?q=singer", "?q=song 4", "?genre=Zzhidden Genre", "?year=1999",
    "?favourite=true", "?place=missing", "?sort=-plays", "?sort=-added", "?limit=1", "?since=0", "?since=1",
    "?of=tracks", "?of=albums", "?of=artists", "?source=local&id={}", "?ids={}", "?album_id={}", "?artist_id={}",
    "?from=2000-01-01", "?format=csv",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_list_tells_of_what_is_not_seen(half: Half, question: str) -> None:
    asked = [question.format(uid) for uid in every_unseen(half)] if "{}" in question else [question]
    for one in half.made.operations:
        if one.method == "GET" and "<" not in one.path and one.path not in QUIET:
            for query in asked:
                answer = half.ask("GET", one.path + query)
                assert answer.status_code < 500, (one.path, query, answer.data)
                assert not leaks(half, answer), (one.path, query)


def test_every_reading_of_an_unseen_id_is_of_nothing(half: Half) -> None:
    tried = 0
    for one in half.made.operations:
        if one.method != "GET" or "<" not in one.path or kind_of(one.path) != "":
            continue
        never = half.ask("GET", re.sub(r"<[^>]+>", NEVER, one.path))
        for uid in every_unseen(half):
            answer = half.ask("GET", re.sub(r"<[^>]+>", uid, one.path))
            assert answer.status_code == never.status_code, (one.path, answer.data)
            assert never.status_code in (400, 403, 404), one.path
            assert json.loads(answer.data) == json.loads(never.data.replace(NEVER.encode(), uid.encode())), one.path
            assert not leaks(half, answer, uid)
            tried += 1
    assert tried > 50
    for one in half.made.operations:    # of hers, and of everybody's
        for id in [*half.seen["playlists"], *half.seen["tracks"], *half.seen["albums"], *half.seen["artists"],
                   *(one["id"] for one in half.ask("GET", "/api/downloads").json["items"])]:
            if one.method == "GET" and "<" in one.path:
                assert not leaks(half, half.ask("GET", re.sub(r"<[^>]+>", id, one.path))), one.path


def rows(half: Half) -> list[Any]:
    from sqlalchemy import text

    with half.made.station.database.read() as conn:
        return [conn.execute(text(f"SELECT * FROM {table}")).all() for table in (
            "tracks", "albums", "files", "origins", "track_listening", "album_listening", "artist_listening", "plays",
            "playlist_entries", "pins", "errands", "downloads", "lyrics")]


BODIES: dict[str, Any] = {
    "/api/library/ratings/<id>": {"rating": 3}, "/api/library/tracks/<id>": {"title": "Taken", "write_tags": False},
}


def test_every_deed_on_an_unseen_id_is_on_nothing(half: Half) -> None:
    before, tried = rows(half), 0
    for one in half.made.operations:
        if one.method == "GET" or "<" not in one.path or kind_of(one.path) != "":
            continue
        path = one.path.replace("<kind>", "track")
        body = BODIES.get(one.path, {}) if one.method in ("PATCH", "PUT", "POST") else {}
        never = half.ask(one.method, re.sub(r"<[^>]+>", NEVER, path), body)
        assert never.status_code in (400, 403, 404, 410), (one.method, path, never.data)
        for uid in every_unseen(half):
            answer = half.ask(one.method, re.sub(r"<[^>]+>", uid, path), body)
            assert answer.status_code == never.status_code, (one.method, path, answer.data)
            assert json.loads(answer.data) == json.loads(never.data.replace(NEVER.encode(), uid.encode())), path
            tried += 1
    assert tried > 100
    for uid in every_unseen(half):
        for method, path, body in (
            ("POST", "/api/library/plays", {"track_id": "{}"}),
            ("POST", "/api/library/playlists", {"name": "New", "track_ids": ["{}"]}),
            ("PATCH", f"/api/library/playlists/{half.seen['playlists'][0]}", {"track_ids": ["{}"]}),
            ("POST", f"/api/library/playlists/{half.seen['playlists'][0]}/tracks", {"track_ids": ["{}"]}),
            ("POST", "/api/shares", {"entries": [{"kind": "track", "id": "{}"}]}),
            ("POST", "/api/downloads", {"track": "{}"}),
            ("POST", "/api/downloads/album", {"source": "local", "album_id": "{}"}),
            ("POST", "/api/storage/errands", {"kind": "upload", "track_ids": ["{}"]}),
        ):  # fmt: skip
            never, answer = (half.ask(method, path, json.loads(json.dumps(body).replace("{}", id)))
                             for id in (NEVER, uid))
            assert answer.status_code == never.status_code and answer.status_code in (403, 404), (path, answer.data)
            assert json.loads(answer.data) == json.loads(never.data.replace(NEVER.encode(), uid.encode())), path
    assert rows(half) == before


def rest(half: Half, key: str, call: str, **given: Any) -> Any:
    return half.made.ask("POST", f"/rest/{call}", content_type="application/x-www-form-urlencoded", data=urlencode(
        [("f", "json"), ("c", "x"), ("apiKey", key), *((name, one) for name, value in given.items() for one in (
            value if isinstance(value, list) else [value]))]))


# What is asked beside the id, so that it is the id alone that is wrong.
BESIDE: dict[str, dict[str, Any]] = {
    "setRating": {"rating": 3}, "createBookmark": {"position": 1}, "getTranscodeStream": {"transcodeParams": "opus-96"},
    "reportPlayback": {"mediaType": "song", "positionMs": 1, "state": "playing"}, "savePlayQueue": {"current": "{}"},
    "savePlayQueueByIndex": {"currentIndex": 0}, "createPlaylist": {"name": "New"}, "jukeboxControl": {"action": "set"},
    "updateInternetRadioStation": {"name": "x", "streamUrl": "http://a.example/"}, "getTopSongs": {"count": 5},
    "search": {"any": "song"}, "search2": {"query": "song"}, "search3": {"query": "song"},
    "getAlbumList": {"type": "newest"}, "getAlbumList2": {"type": "newest"}, "getSongsByGenre": {"genre": "x"},
}
# Every name of the protocol for an id.
NAMES = ("id", "albumId", "artistId", "songId", "songIdToAdd", "playlistId", "mediaId", "startSongId", "endSongId",
         "musicFolderId", "current")
# Change the station itself or somebody's account, and know no ids of music; or ask to see feeds. A bookmark that
# somebody put is theirs to take away; chance has tests/subsonic/test_sights.py.
NOT_ASKED = {"deleteBookmark", "getRandomSongs", "changePassword", "createUser", "updateUser", "deleteUser",
             "startScan", "refreshPodcasts", "createPodcastChannel"}


def test_no_call_of_an_app_tells_an_unseen_id_from_one_that_never_was(half: Half) -> None:
    """Also not those that keep what they are given without looking, and say it when they are asked again."""
    eva = half.made.station.accounts.who(half.token)
    key = half.made.station.app_passwords.create(eva, "x").secret
    mine = half.made.station.playlists.make(eva, "Mine", []).id
    before, tried = rows(half), 0
    for call in sorted(one.name for one in half.made.calls):
        if call in NOT_ASKED:
            continue
        for unseen in every_unseen(half):
            answers = []
            for uid in (NEVER, unseen):
                given = {name: uid for name in NAMES if name not in ("playlistId", "current", "musicFolderId")}
                given |= {name: uid if value == "{}" else value for name, value in BESIDE.get(call, {}).items()}
                if call == "updatePlaylist":
                    given = {"playlistId": mine, "songIdToAdd": uid}
                answer = rest(half, key, call, **given)
                assert not leaks(half, answer, uid), call
                answers.append((answer.status_code, re.sub(
                    rb'"(id|created|changed|lastVisited)":"[^"]*"', b"", answer.data.replace(uid.encode(), b"?"))))
                tried += 1
            assert answers[0] == answers[1], (call, unseen)
    for call, given in (("getPlayQueue", {}), ("getPlayQueueByIndex", {}), ("getBookmarks", {}), ("getStarred2", {}),
                        ("jukeboxControl", {"action": "get"}), ("getNowPlaying", {}), ("getShares", {}),
                        ("getPlaylists", {}), ("getAlbumList2", {"type": "highest"}), ("getGenres", {}),
                        ("getTopSongs", {"artist": f"{SECRET} Singer"}), ("getIndexes", {}), ("getMusicFolders", {}),
                        ("getLyrics", {"artist": f"{SECRET} Singer", "title": f"{SECRET} Song 1"}),
                        ("search3", {"query": ""}), ("search3", {"query": "zzhid"}), ("getScanStatus", {})):
        answer = rest(half, key, call, **given)
        assert json.loads(answer.data)["subsonic-response"]["status"] == "ok" or call == "jukeboxControl", call
        assert not leaks(half, answer), call
    half.made.station.playlists.delete(eva, mine)
    assert rows(half) == before and tried > 1000


def test_what_others_put_into_a_playlist_outlives_who_does_not_see_it(half: Half) -> None:
    mixed = half.seen["playlists"][0]
    owner = half.made.tokens["owner", "own"]

    def held() -> list[str]:
        return [one["id"] for one in half.ask("GET", f"/api/library/playlists/{mixed}", token=owner).json["tracks"]]

    before = held()
    a, b, c = half.seen["tracks"]
    hidden = [uid for uid in before if uid not in (a, b, c)]
    assert len(hidden) == 6     # the one in the trash is shown to nobody
    told = half.ask("PATCH", f"/api/library/playlists/{mixed}", {"track_ids": [c, a]}).json
    assert told["track_count"] == 2
    after = held()
    assert [uid for uid in after if uid in hidden] == hidden
    assert after[:3] == before[:3] and after[3:5] == [c, a] and after[5:] == before[6:]
    assert half.ask("POST", f"/api/library/playlists/{mixed}/tracks", {"track_ids": [b]}).json["track_count"] == 3
    assert [uid for uid in held() if uid in hidden] == hidden and held()[-1] == b
    assert half.ask("PATCH", f"/api/library/playlists/{mixed}", {"track_ids": []}).json["track_count"] == 0
    assert held() == hidden


def test_a_change_of_folders_has_players_load_everything_anew(half: Half) -> None:
    tags = half.ask("GET", "/api/library/tracks").headers["ETag"]
    revision = half.ask("GET", "/api/library/tracks").json["revision"]
    assert half.ask("GET", f"/api/library/changes?since={revision}").status_code == 200
    folders = Folders(database=half.made.station.database)
    person = half.made.station.accounts.who(half.token)
    folders.set(person.user_id, [])
    answer = half.ask("GET", "/api/library/tracks")
    assert answer.json["total"] == 0 and answer.headers["ETag"] != tags
    assert half.ask("GET", f"/api/library/changes?since={revision}").status_code == 410
    again = half.made.ask("GET", "/api/library/tracks", token=half.token, headers={"If-None-Match": tags})
    assert again.status_code == 200
    folders.set(person.user_id, folders.of(person.user_id) or [(half_root(half), "Kids")])
    assert half.ask("GET", "/api/library/tracks").json["total"] == 3


def half_root(half: Half) -> int:
    return int(half.made.station.scans.roots()[0].id)
