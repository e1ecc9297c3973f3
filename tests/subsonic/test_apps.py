"""The first hour of eight programs with a running station: their calls, parameters, logins and habits, over HTTP.

What each of them asks, and what it could not read, is taken from its own source, or from what servers wrote down of it
where that is closed; the docstring of each hour says where. Nothing of these programs is here.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree.ElementTree import Element, fromstring

import pytest
from PIL import Image

from tests.running import RunningStation, start_station
from tests.subsonic.house import make_music

XML = "{http://subsonic.org/restapi}"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXACT_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
# What programs with strict decoders make numbers, truths and moments of, wherever in an answer it stands.
WHOLE = words("""albumCount bitDepth bitRate bookmarkPosition bpm channelCount code count currentIndex discNumber
    duration lastModified maxBitRate minutesAgo offset playCount playerId position samplingRate size songCount start
    track userRating visitCount year""")
TRUTHS = words("""isCompilation isDir isVideo openSubsonic playing public scanning synced valid adminRole
    commentRole coverArtRole downloadRole jukeboxRole playlistRole podcastRole scrobblingEnabled settingsRole shareRole
    streamRole uploadRole videoConversionRole""")
MOMENTS = words("changed created expires lastScan lastVisited licenseExpires played publishDate starred")
REALS = words("averageRating gain trackGain trackPeak albumGain albumPeak playbackRate")
# Never one thing alone.
LISTS = words("""albumArtists allowedUser bookmark channel child contributors discTitles episode genre index
    internetRadioStation isrc line musicFolder openSubsonicExtensions releaseTypes roles share shortcut similarArtist
    structuredLyrics versions""")


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    base = tmp_path_factory.mktemp("apps")
    running = start_station(base / "home", [make_music(base / "music")], environ={
        "SOUNDSIBLE_HTTPS": "false", "SOUNDSIBLE_MDNS": "false", "SOUNDSIBLE_SONIC_ANALYSIS": "off"})
    try:
        running.wait_for_scan()
        yield running
    finally:
        running.stop()


class Answer:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.data = answer.status, answer.headers, answer.read()
        if self.headers.get("Content-Encoding") == "gzip":
            self.data = gzip.decompress(self.data)

    @property
    def kind(self) -> str:
        return str(self.headers.get_content_type())


class App:
    """A program with an app password of its own and one connection that it keeps.

    login: "token" (md5 with a salt), "enc" or "plain" (the password itself), "key" (the password alone)
    salt: one that is kept, as most do; None: a new one with each call
    view: whether `.view` stands behind each call
    how: "GET", "form" (everything in the body), "post" (a POST with everything in the address), "both" (a form, and in
         the address who asks)
    """

    def __init__(self, station: RunningStation, c: str, v: str, *, f: str | None = "json", login: str = "token",
                 salt: str | None = "c19b2d", view: bool = True, how: str = "GET",
                 headers: Mapping[str, str] | None = None) -> None:
        status, made = station.call("POST", "/api/app-passwords", {"name": c})
        assert status == 201, made
        self.secret, self.username = str(made["app_password"]), str(made["username"])
        self.c, self.v, self.f, self.login, self.salt, self.view, self.how = c, v, f, login, salt, view, how
        self.headers = dict(headers or {})
        self.http = http.client.HTTPConnection("127.0.0.1", urlsplit(station.url).port, timeout=60)

    def who(self) -> dict[str, str]:
        if self.login == "key":
            return {"apiKey": self.secret}
        if self.login == "token":
            salt = self.salt or secrets.token_hex(8)
            return {"u": self.username, "t": hashlib.md5((self.secret + salt).encode()).hexdigest(), "s": salt}
        return {"u": self.username, "p": f"enc:{self.secret.encode().hex()}" if self.login == "enc" else self.secret}

    def send(self, call: str, given: Mapping[str, Any] | None = None, *, method: str = "GET", body: bytes | None = None,
             headers: Mapping[str, str] | None = None, who: Mapping[str, str] | None = None,
             f: str | None = "") -> Answer:
        """Everything in the address. `f` "": as the program has it."""
        known = {**(self.who() if who is None else who), "v": self.v, "c": self.c}
        if (f := self.f if f == "" else f) is not None:
            known["f"] = f
        self.http.request(method, f"/rest/{call}{'.view' if self.view else ''}?{written({**known, **(given or {})})}",
                          body=body, headers={**self.headers, **(headers or {})})
        return Answer(self.http.getresponse())

    def answer(self, call: str, given: Mapping[str, Any], how: str | None = None) -> Answer:
        how = how or self.how
        form_is = {"Content-Type": "application/x-www-form-urlencoded"}
        if how == "both":
            return self.send(call, method="POST", body=written(given).encode(), headers=form_is)
        if how != "form":
            return self.send(call, given, method="POST" if how == "post" else "GET")
        form = {"c": self.c, "v": self.v, **({} if self.f is None else {"f": self.f}), **self.who(), **given}
        self.http.request("POST", f"/rest/{call}{'.view' if self.view else ''}", body=written(form).encode(),
                          headers={**self.headers, **form_is})
        return Answer(self.http.getresponse())

    def ask(self, call: str, how: str | None = None, **given: Any) -> Any:
        """What went well: a dict (JSON) or an Element (XML), with every field of a kind that can be read."""
        answer = self.answer(call, given, how)
        assert answer.status == 200, (call, answer.status, answer.data[:300])
        return self.read(answer, call)

    def read(self, answer: Answer, call: str = "") -> Any:
        if self.f == "json":
            assert answer.kind == "application/json"
            told = json.loads(answer.data)["subsonic-response"]
            assert told["status"] == "ok" and told["version"] == "1.16.1", (call, told)
            readable(told, call)
            return told
        assert answer.kind == "text/xml"
        root = fromstring(answer.data)
        assert root.tag == f"{XML}subsonic-response" and root.get("status") == "ok", (call, answer.data[:300])
        readable_xml(root, call)
        return root

    def refused(self, call: str, who: Mapping[str, str] | None = None, **given: Any) -> dict[str, Any]:
        answer = self.send(call, given, who=who, f="json")
        told = dict(json.loads(answer.data)["subsonic-response"])
        assert (answer.status, told["status"]) == (200, "failed")
        return told

    def picture(self, id: str, **given: Any) -> tuple[int, int]:
        """The size of a picture that can be opened."""
        answer = self.answer("getCoverArt", {"id": id, **given})
        assert answer.kind.startswith("image/"), answer.data[:300]
        size: tuple[int, int] = Image.open(io.BytesIO(answer.data)).size
        return size

    def close(self) -> None:
        self.http.close()


def written(given: Mapping[str, Any]) -> str:
    pairs = [(name, one) for name, value in given.items()
             for one in (value if isinstance(value, (list, tuple)) else [value])]
    return urlencode([(name, str(one).lower() if isinstance(one, bool) else one) for name, one in pairs],
                     quote_via=quote)


def readable(thing: Any, where: str) -> None:
    """Decoders with types: no null, lists are lists, numbers numbers, truths truths, moments RFC 3339, and no name is
    empty."""
    if isinstance(thing, list):
        for one in thing:
            readable(one, where)
    if not isinstance(thing, dict):
        return
    for name, value in thing.items():
        here = f"{where}.{name}"
        assert value is not None, here
        if isinstance(value, (dict, list)):
            assert isinstance(value, list) or name not in LISTS, (here, value)
            readable(value, here)
        elif name in WHOLE:
            assert type(value) is int, (here, value)
        elif name in TRUTHS:
            assert type(value) is bool, (here, value)
        elif name in REALS:
            assert type(value) in (int, float), (here, value)
        elif name in MOMENTS:
            assert DATE.fullmatch(value), (here, value)
        elif name in ("id", "name", "title", "parent", "albumId", "artistId", "coverArt"):
            assert type(value) in (str, int) and value != "", (here, value)


def readable_xml(root: Element, where: str) -> None:
    for one in root.iter():
        for name, value in one.attrib.items():
            here = (where, one.tag, name, value)
            if name in WHOLE:
                assert re.fullmatch(r"-?\d+", value), here
            elif name in TRUTHS:
                assert value in ("true", "false"), here
            elif name in REALS:
                assert float(value) == float(value), here
            elif name in MOMENTS:
                assert DATE.fullmatch(value), here
            elif name in ("id", "name", "title", "parent", "albumId", "artistId", "coverArt"):
                assert value, here


def every(root: Element, name: str) -> list[Element]:
    return list(root.iter(XML + name))


def named(elements: list[Element], name: str) -> Element:
    return next(one for one in elements if name in (one.get("name"), one.get("title")))


def one_of(things: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(one for one in things if name in (one.get("name"), one.get("title")))


def plays(app: App, id: str) -> int:
    """As another program would ask."""
    told = json.loads(app.send("getSong", {"id": id}, f="json").data)["subsonic-response"]
    return int(told["song"]["playCount"])


# ---- Symfonium ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["key", "token", "enc"])
def test_symfonium(station: RunningStation, login: str) -> None:
    """It keeps a copy of everything: `search3` with the literal "" in pages of 500, never `getArtists`; then
    bookmarks, genres, playlists and radio, each of which must be in its answer even when there is nothing. After the
    login it asks `ping` once more as test/test, to see what server that is. It sends `v=1.13.0` and `f=json` with
    everything, also with `stream`, and logs in with a token, with an API key, or ("legacy") with the password
    hexadecimal.

    https://github.com/InstaZDLL/waveflow-server/blob/cf00a16e8d0ca78bafa9a7e2d45f9a67ad746941/docs/subsonic-compatibility.md
    https://github.com/Chevron7Locked/kima-hub/issues/126 (what its decoder missed)
    https://github.com/ampache/ampache/issues/4235 (stream with an API key)
    https://github.com/epoupon/lms/issues/635 (`p=enc%3A…`)
    https://github.com/navidrome/navidrome/issues/3719 (pictures without a size)
    https://github.com/nc-music/oc-music/issues/1131 (a page must not hold what another held)
    """
    app = App(station, "Symfonium", "1.13.0", login=login, headers={"User-Agent": "Symfonium/15.0.1 (Linux)"})
    server = app.ask("ping")
    assert (server["type"], server["openSubsonic"]) == ("soundsible", True) and server["serverVersion"]
    stranger = app.refused("ping", who={"u": "test", "p": "test"})
    assert stranger["error"]["code"] == 40 and stranger["openSubsonic"] is True
    assert stranger["type"] == "soundsible" and stranger["serverVersion"] == server["serverVersion"]
    assert app.ask("ping")      # and nobody is locked out by that
    extensions = {one["name"] for one in app.ask("getOpenSubsonicExtensions")["openSubsonicExtensions"]}
    assert {"apiKeyAuthentication", "songLyrics", "transcodeOffset"} <= extensions

    synced: dict[str, dict[str, dict[str, Any]]] = {}
    for kind in ("artist", "album", "song"):
        found: dict[str, dict[str, Any]] = {}
        for offset in range(0, 5000, 500):
            counts = {f"{one}Count": 500 if one == kind else 0 for one in ("artist", "album", "song")}
            page = app.ask("search3", query='""', **counts, **{f"{kind}Offset": offset})["searchResult3"]
            assert not [one for one in ("artist", "album", "song") if one != kind and page.get(one)]
            assert not found.keys() & {one["id"] for one in page[kind]}
            found |= {one["id"]: one for one in page[kind]}
            if len(page[kind]) < 500:
                break
        synced[kind] = found
    assert (len(synced["song"]), len(synced["album"])) == (10, 3)
    for song in synced["song"].values():    # what it joins them by
        assert song["albumId"] in synced["album"] and song["artistId"] in synced["artist"]
        assert song["albumArtists"] and song["artists"] and song["suffix"] and song["contentType"].startswith("audio/")
        assert song["duration"] == 4 and song["size"] > 0 and song["path"]
    assert sum(one["songCount"] for one in synced["album"].values()) == 10

    for call, container, inside in (("getBookmarks", "bookmarks", "bookmark"), ("getGenres", "genres", "genre"),
                                    ("getPlaylists", "playlists", "playlist"),
                                    ("getInternetRadioStations", "internetRadioStations", "internetRadioStation"),
                                    ("getStarred2", "starred2", "song")):
        assert isinstance(app.ask(call)[container][inside], list), call
    assert all(one["value"] and one["songCount"] and one["albumCount"]
               for one in app.ask("getGenres")["genres"]["genre"])

    song = one_of(list(synced["song"].values()), "Side 1.1")
    assert app.ask("getAlbumInfo2", id=song["albumId"])["albumInfo"]["notes"] == ""
    assert app.ask("getArtistInfo2", id=song["artistId"])["artistInfo2"]["similarArtist"] is not None
    lyrics = app.ask("getLyricsBySongId", id=song["id"])["lyricsList"]["structuredLyrics"]
    assert lyrics[0]["synced"] is True and lyrics[0]["line"][0] == {"start": 1000, "value": "one & only"}
    debut = one_of(list(synced["album"].values()), "Début")
    assert app.picture(debut["coverArt"]) == (300, 300)

    before = plays(app, song["id"])
    app.ask("scrobble", id=song["id"], submission=False)
    sound = app.send("stream", {"id": song["id"]})
    assert (sound.status, sound.kind, len(sound.data)) == (200, "audio/mpeg", song["size"])
    part = app.send("stream", {"id": song["id"]}, headers={"Range": "bytes=100-"})
    assert (part.status, part.data) == (206, sound.data[100:])
    ago = {"key": 240, "token": 360, "enc": 480}[login]     # seconds; plays of its own
    app.ask("scrobble", id=song["id"], submission=True, time=int(time.time() - ago) * 1000)
    assert plays(app, song["id"]) == before + 1
    app.ask("createBookmark", id=song["id"], position=2000, comment="")
    assert app.ask("getBookmarks")["bookmarks"]["bookmark"][0]["entry"]["id"] == song["id"]
    app.ask("deleteBookmark", id=song["id"])
    app.ask("star", albumId=debut["id"])
    assert [one["id"] for one in app.ask("getStarred2")["starred2"]["album"]] == [debut["id"]]
    app.ask("unstar", albumId=debut["id"])
    app.close()


# ---- DSub --------------------------------------------------------------------------------------------------------


def test_dsub(station: RunningStation) -> None:
    """XML alone, each call a POST with an empty body and everything in the address (a form from ten parameters on),
    `v=1.2.0`; the password hexadecimal until it has seen a server's version, a token from then on. It browses folders:
    indexes, directories, `getAlbumList`; stars albums and folders by `id`, asks a playlist's cover as pl-…, streams
    with `maxBitRate=0` and ranges, and looks up by Lucene's syntax what was heard offline.

    https://github.com/daneren2005/Subsonic (service/RESTMusicService.java, util/Util.java, service/parser/)
    https://github.com/ampache/ampache/issues/1203 (its requests), https://github.com/navidrome/navidrome/issues/2112
    https://github.com/redshodan/unsonic/issues/93 (after being offline)
    """
    app = App(station, "DSub", "1.2.0", f=None, login="enc", how="post",
              headers={"User-Agent": "DSub", "Accept-Encoding": "gzip"})
    assert app.ask("ping").get("version") == "1.16.1"
    app.login, app.salt = "token", "dvmd5ah8u7q06d5ts834eh3o6u"
    assert every(app.ask("getLicense"), "license")[0].get("valid") == "true"
    user = every(app.ask("getUser", username=app.username), "user")[0]
    assert user.get("username") == app.username and [one.text for one in user] == ["1"]
    root = named(every(app.ask("getMusicFolders"), "musicFolder"), "music").get("id")

    indexes = app.ask("getIndexes", musicFolderId=root)
    assert int(every(indexes, "indexes")[0].get("lastModified", "")) > 0
    folder = named(every(indexes, "artist"), "Björk")
    directory = app.ask("getMusicDirectory", id=folder.get("id"))
    album = named(every(directory, "child"), "Début")
    assert (album.get("isDir"), album.get("parent")) == ("true", folder.get("id"))
    inside = app.ask("getMusicDirectory", id=album.get("id"))
    songs = every(inside, "child")
    assert [one.get("title") for one in songs] == ["Señorita", "Für Elise", "Hoppípolla"]
    assert {one.get("parent") for one in songs} == {album.get("id")}
    for name in ("suffix", "contentType", "duration", "size", "path", "album", "artist", "albumId", "artistId"):
        assert all(one.get(name) for one in songs), name
    assert not every(inside, "contributors") and not every(inside, "artists")
    both = app.ask("getMusicDirectory", id=f"{folder.get('id')};{album.get('id')}")     # two of one name
    assert every(both, "directory")[0].get("id") == folder.get("id")

    for kind in ("newest", "random", "frequent", "highest", "recent", "starred", "alphabeticalByName"):
        assert len(every(app.ask("getAlbumList", type=kind, size=20, offset=0), "album")) <= 3
    listed = named(every(app.ask("getAlbumList", type="alphabeticalByName", size=20, offset=0), "album"), "Two Sides")
    assert listed.get("isDir") == "true"
    assert not every(app.ask("getAlbumList", type="newest", size=20, offset=20), "album")
    years = every(app.ask("getAlbumList", type="byYear", size=20, offset=0, fromYear=1990, toYear=2000), "album")
    assert [one.get("title") for one in years] == ["Début"]
    app.ask("star", id=album.get("id"))         # a folder: the album that lies in it
    app.ask("star", id=[listed.get("id"), songs[0].get("id")])
    starred = app.ask("getStarred")
    assert {one.get("title") for one in every(starred, "album")} == {"Début", "Two Sides"}
    assert [one.get("title") for one in every(starred, "song")] == ["Señorita"]
    app.ask("unstar", id=[album.get("id"), listed.get("id"), songs[0].get("id")])
    assert not every(app.ask("getStarred"), "album")
    app.ask("setRating", id=songs[0].get("id"), rating=4)
    app.ask("setRating", id=songs[0].get("id"), rating=0)

    everything = [one.get("id") for one in every(app.ask("getRandomSongs", size=20), "song")]
    assert len(everything) == 10
    app.ask("createPlaylist", "both", name="On the way", songId=everything)     # eleven parameters
    playlist = named(every(app.ask("getPlaylists"), "playlist"), "On the way").get("id", "")
    assert [one.get("id") for one in every(app.ask("getPlaylist", id=playlist), "entry")] == everything
    assert app.picture(f"pl-{playlist}")
    app.ask("updatePlaylist", playlistId=playlist, songIndexToRemove=[0, 2])
    app.ask("updatePlaylist", playlistId=playlist, name="Here", comment="", public=False)
    kept = every(app.ask("getPlaylist", id=playlist), "entry")
    assert [one.get("id") for one in kept] == [everything[1], *everything[3:]]
    app.ask("deletePlaylist", id=playlist)

    found = app.ask("search2", query="Björk", artistCount=10, albumCount=20, songCount=25)
    assert len(every(found, "song")) == 3 and [one.get("name") for one in every(found, "artist")] == ["Björk"]
    cover = app.send("getCoverArt", {"id": songs[0].get("coverArt")}, method="POST")
    assert cover.kind == "image/jpeg" and Image.open(io.BytesIO(cover.data)).size == (300, 300)
    assert app.send("getCoverArt", {"id": "nothing"}, method="POST").kind == "text/xml"
    assert app.send("getAvatar", {"username": app.username}, method="POST").kind.startswith("image/")
    info = app.ask("getArtistInfo", id=folder.get("id"), includeNotPresent="true")
    assert every(info, "lastFmUrl")[0].text and every(info, "largeImageUrl")[0].text

    wanted = {"id": songs[1].get("id"), "maxBitRate": 0}
    sound = app.send("stream", wanted, method="POST")
    assert (sound.status, sound.kind, len(sound.data)) == (200, "audio/flac", int(songs[1].get("size", "")))
    rest = app.send("stream", wanted, method="POST", headers={"Range": "bytes=1000-"})
    assert (rest.status, rest.data) == (206, sound.data[1000:])
    smaller = app.send("stream", {**wanted, "maxBitRate": 64}, method="POST")
    assert smaller.kind == "audio/mpeg" and len(smaller.data) < len(sound.data)
    queue = [str(one.get("id")) for one in songs]
    app.ask("savePlayQueue", id=queue, current=queue[1], position=1500)
    saved = every(app.ask("getPlayQueue"), "playQueue")[0]
    assert (saved.get("current"), saved.get("position"), saved.get("changedBy")) == (queue[1], "1500", "DSub")
    time.strptime(saved.get("changed", "")[:19], "%Y-%m-%dT%H:%M:%S")
    app.ask("createBookmark", id=queue[0], position=900, comment="")
    assert every(app.ask("getBookmarks"), "bookmark")[0].get("position") == "900"
    app.ask("deleteBookmark", id=queue[0])

    before = plays(app, queue[2])
    app.ask("scrobble", id=queue[2], submission=False)
    app.ask("scrobble", id=queue[2], submission=True)
    looked_up = every(app.ask("search2", query='artist:"Björk" AND title:"Hoppípolla"', artistCount=0, albumCount=0,
                              songCount=1), "song")
    assert [one.get("id") for one in looked_up] == [queue[2]]
    app.ask("scrobble", id=queue[2], submission=True, time=int(time.time() * 1000) - 7_200_000)
    assert plays(app, queue[2]) == before + 2

    assert [one.text for one in every(app.ask("getGenres"), "genre")] == ["Electronic", "Pop", "Rock"]
    assert len(every(app.ask("getSongsByGenre", genre="Rock", count=20, offset=0), "song")) == 4
    assert every(app.ask("getLyrics", artist="The Pair", title="Side 1.1"), "lyrics")[0].text == "one & only\ntwo"
    for call, given in (("getSimilarSongs", {"id": folder.get("id"), "count": 20}),
                        ("getTopSongs", {"artist": "Björk", "size": 20}), ("getPodcasts", {"includeEpisodes": "false"}),
                        ("getInternetRadioStations", {}), ("getShares", {})):
        app.ask(call, **given)
    assert b'status="failed"' in app.send("getVideos", method="POST").data
    app.close()


# ---- Amperfy -----------------------------------------------------------------------------------------------------


def test_amperfy(station: RunningStation) -> None:
    """XML and GET with `.view` and `v=1.13.0`, a new salt with each call. It asks for all albums by name in pages of
    500, and one page more than that; then an artist, and each of its albums; all three kinds of a search on their own;
    folders from a music folder on. A moment without thousandths of a second is none to it, and a song without its
    albumId is in no album.

    https://github.com/BLeeEZ/amperfy (AmperfyKit/Api/Subsonic/: SubsonicServerApi, SubsonicLibrarySyncer, Ss*Parser)
    https://github.com/zzstoatzz/plyr.fm/pull/1648 (songs find their album by albumId alone)
    """
    app = App(station, "Amperfy", "1.13.0", f=None, salt=None, headers={"User-Agent": "Amperfy/2.0 CFNetwork/1568"})
    assert app.ask("ping").get("version") == "1.16.1"
    app.ask("ping")
    assert {one.text for one in every(app.ask("getGenres"), "genre")} == {"Electronic", "Pop", "Rock"}
    artists = every(app.ask("getArtists"), "artist")
    pages = [every(app.ask("getAlbumList2", type="alphabeticalByName", size=500, offset=offset), "album")
             for offset in (0, 500)]
    assert [one.get("name") for one in pages[0]] == ["Début", "Moving", "Two Sides"] and not pages[1]
    assert sum(int(one.get("albumCount", "")) for one in artists) >= 3
    app.ask("getPlaylists")
    app.ask("getPodcasts", includeEpisodes="false")

    bjork = named(artists, "Björk").get("id")
    whole = app.ask("getArtist", id=bjork)
    for album in every(whole, "album"):
        assert album.get("artistId") == bjork and EXACT_DATE.fullmatch(album.get("created", ""))
        songs = every(app.ask("getAlbum", id=album.get("id")), "song")
        assert len(songs) == 3
        for song in songs:
            assert song.get("isDir") == "false" and song.get("albumId") == album.get("id")
            assert EXACT_DATE.fullmatch(song.get("created", "")) and song.get("artistId") and song.get("contentType")
            assert song.get("coverArt") == album.get("coverArt")
    song = songs[0]
    contributors = every(app.ask("getSong", id=song.get("id")), "contributors")
    assert [(one.get("role"), one[0].get("name")) for one in contributors] == [("composer", "Nellee Hooper")]
    for kind in ("newest", "recent"):
        app.ask("getAlbumList2", type=kind, size=20, offset=0)
    assert len(every(app.ask("getRandomSongs", size=100), "song")) == 10
    for kind, name in (("artist", "name"), ("album", "name"), ("song", "title")):
        counts = {f"{one}Count": 40 if one == kind else 0 for one in ("artist", "album", "song")}
        found = app.ask("search3", query="Début" if kind == "album" else "Björk", artistOffset=0, albumOffset=0,
                        songOffset=0, **counts)
        results = every(found, kind)
        assert results and all(one.get(name) for one in results)

    app.ask("star", id=song.get("id"))
    app.ask("star", albumId=album.get("id"))
    app.ask("star", artistId=bjork)
    starred = app.ask("getStarred2")[0]
    assert {one.tag.removeprefix(XML) for one in starred} == {"artist", "album", "song"}
    assert all(EXACT_DATE.fullmatch(one.get("starred", "")) for one in starred)
    for name, value in (("id", song.get("id")), ("albumId", album.get("id")), ("artistId", bjork)):
        app.ask("unstar", **{name: value})
    assert not len(app.ask("getStarred2")[0])
    app.ask("setRating", id=song.get("id"), rating=5)
    app.ask("setRating", id=song.get("id"), rating=0)

    folder = every(app.ask("getMusicFolders"), "musicFolder")[0].get("id")
    top = named(every(app.ask("getIndexes", musicFolderId=folder), "artist"), "Various").get("id")
    inner = every(app.ask("getMusicDirectory", id=top), "child")[0]
    assert inner.get("isDir") == "true"
    assert {one.get("title") for one in every(app.ask("getMusicDirectory", id=inner.get("id")), "child")} == {
        "Walk", "Run", "Rest"}

    playlist = every(app.ask("createPlaylist", name="By train"), "playlist")[0].get("id")
    app.ask("updatePlaylist", playlistId=playlist, name="By train", songIdToAdd=[one.get("id") for one in songs])
    app.ask("updatePlaylist", playlistId=playlist, name="By train", songIndexToRemove=[2, 1, 0],
            songIdToAdd=[one.get("id") for one in reversed(songs)])     # another order
    entries = every(app.ask("getPlaylist", id=playlist), "entry")
    assert [one.get("id") for one in entries] == [one.get("id") for one in reversed(songs)]
    app.ask("deletePlaylist", id=playlist)

    sides = every(app.ask("search3", query="Side 1.1", artistCount=0, albumCount=0, songCount=40), "song")
    line = every(app.ask("getLyricsBySongId", id=named(sides, "Side 1.1").get("id")), "line")[0]
    assert (line.get("start"), line.text) == ("1000", "one & only")
    raw = app.send("stream", {"id": song.get("id"), "format": "raw"})
    assert raw.kind == "audio/flac" and app.send("download", {"id": song.get("id")}).data == raw.data
    probe = app.send("stream", {"id": song.get("id"), "format": "raw"}, headers={"Range": "bytes=0-1"})
    assert (probe.status, probe.data, probe.headers["Content-Range"]) == (
        206, raw.data[:2], f"bytes 0-1/{len(raw.data)}")
    assert app.send("stream", {"id": song.get("id"), "format": "mp3", "maxBitRate": 96}).kind == "audio/mpeg"
    assert app.picture(str(song.get("coverArt"))) == (300, 300)
    before = plays(app, str(song.get("id")))
    app.ask("scrobble", id=song.get("id"), submission=False)
    app.ask("scrobble", id=song.get("id"), date=int(time.time()) - 9000, submission=True)   # offline, in seconds
    assert plays(app, str(song.get("id"))) == before + 1
    gone = fromstring(app.send("getAlbum", {"id": "gone"}).data)[0]
    assert gone.tag == f"{XML}error" and gone.get("code") == "70"       # it marks the album as gone, and says nothing
    app.close()


# ---- Feishin -----------------------------------------------------------------------------------------------------


def test_feishin(station: RunningStation) -> None:
    """JSON with `v=1.13.0`. It logs in by `getUser`, reads what the server can do, and from then on sends everything
    as a form, because this server says it may. To learn how many songs there are it asks for one at 0, 5,000, 10,000 …
    and pages back; folders whose id is a number are music folders to it. Its pictures and streams are plain addresses
    with the credentials in them; a playlist's picture has the moment of its change behind its id.

    https://github.com/jeffvli/feishin (src/renderer/api/subsonic/, src/shared/api/subsonic/subsonic-normalize.ts)
    """
    app = App(station, "Feishin", "1.13.0", salt="kXw0Vd2qLr7s")
    user = app.ask("getUser", username=app.username)["user"]
    assert user["adminRole"] is True and user["username"] == app.username and user["folder"] == [1]
    assert app.ask("ping")["serverVersion"] and app.ask("ping")["openSubsonic"] is True
    can = {one["name"]: one["versions"] for one in app.ask("getOpenSubsonicExtensions")["openSubsonicExtensions"]}
    assert can["formPost"] == [1] and can["indexBasedQueue"] == [1] and can["songLyrics"] == [1, 2]
    assert can["playbackReport"] and can["transcoding"]
    app.how = "form"

    folders = app.ask("getMusicFolders")["musicFolders"]["musicFolder"]
    library = str(folders[0]["id"])
    for kind in ("random", "recent", "newest", "frequent"):
        albums = app.ask("getAlbumList2", type=kind, size=20, offset=0, musicFolderId=library)["albumList2"]["album"]
        assert isinstance(albums, list)
    assert len(app.ask("getAlbumList2", type="alphabeticalByName", size=500, offset=0)["albumList2"]["album"]) == 3
    assert app.ask("getAlbumList2", type="alphabeticalByName", size=500, offset=500)["albumList2"]["album"] == []
    years = [one.get("year") for one in app.ask("getAlbumList2", type="byYear", fromYear=2026, toYear=0, size=100,
                                                offset=0)["albumList2"]["album"]]
    assert [one for one in years if one] == [2001, 1993]
    nothing = {"albumCount": 0, "albumOffset": 0, "artistCount": 0, "artistOffset": 0, "query": ""}
    assert len(app.ask("search3", songCount=1, songOffset=0, **nothing)["searchResult3"]["song"]) == 1
    assert app.ask("search3", songCount=1, songOffset=5000, **nothing)["searchResult3"]["song"] == []
    songs = app.ask("search3", songCount=500, songOffset=0, **nothing)["searchResult3"]["song"]
    assert len(songs) == 10
    for song in songs:
        assert song["contentType"].startswith("audio/") and song["albumArtists"] and song["id"] and song["path"]
        assert song["isDir"] is False and song["isVideo"] is False and song["type"] == "music" and song["created"]
    artists = [one for index in app.ask("getArtists", musicFolderId=library)["artists"]["index"]
               for one in index["artist"]]
    assert all(one["roles"] for one in artists)
    bjork = one_of(artists, "Björk")
    assert app.ask("getArtistInfo2", id=bjork["id"])["artistInfo2"]["largeImageUrl"].startswith("http")
    assert app.ask("getArtistInfo", id=bjork["id"])["artistInfo"]["similarArtist"] is not None
    debut = app.ask("getArtist", id=bjork["id"])["artist"]["album"][0]
    whole = app.ask("getAlbum", id=debut["id"])["album"]
    assert len(whole["song"]) == whole["songCount"] == 3
    assert whole["releaseDate"] == {"year": 1993, "month": 7, "day": 5}
    assert whole["genres"] == [{"name": "Electronic"}, {"name": "Pop"}] and whole["artists"][0]["id"] == bjork["id"]
    sides = app.ask("getAlbum", id=one_of(songs, "Side 1.1")["albumId"])["album"]
    assert sides["discTitles"] == [{"disc": 1, "title": "Half 1"}, {"disc": 2, "title": "Half 2"}]
    app.ask("getAlbumInfo2", id=debut["id"])
    app.ask("getTopSongs", artist="Björk", count=5)
    song = whole["song"][0]
    assert song["id"] not in [one["id"] for one in app.ask("getSimilarSongs", id=song["id"], count=25)[
        "similarSongs"]["song"]]
    app.ask("getSimilarSongs2", id=bjork["id"], count=25)
    genres = app.ask("getGenres")["genres"]["genre"]
    for one in genres:
        assert len(app.ask("getSongsByGenre", genre=one["value"], count=1, offset=0, musicFolderId=library)[
            "songsByGenre"]["song"]) == 1
    assert app.ask("getSongsByGenre", genre="Rock", count=1, offset=5000)["songsByGenre"]["song"] == []

    index = app.ask("getIndexes", musicFolderId=library)["indexes"]["index"]
    folder = next(one for each in index for one in each["artist"] if one["name"] == "The Two Sides")
    assert not folder["id"].isdigit()
    children = app.ask("getMusicDirectory", id=folder["id"])["directory"]
    assert children["parent"] == library and [one["title"] for one in children["child"]] == ["CD1", "CD2"]

    app.ask("star", id=[song["id"]])
    app.ask("star", albumId=[debut["id"]])
    app.ask("star", artistId=[bjork["id"]])
    starred = app.ask("getStarred", musicFolderId=library)["starred"]
    assert [len(starred[kind]) for kind in ("artist", "album", "song")] == [1, 1, 1]
    for one in ({"id": [song["id"]]}, {"albumId": [debut["id"]]}, {"artistId": [bjork["id"]]}):
        app.ask("unstar", **one)
    app.ask("setRating", id=song["id"], rating=3)
    assert app.ask("getSong", id=song["id"])["song"]["userRating"] == 3
    app.ask("setRating", id=song["id"], rating=0)

    made = app.ask("createPlaylist", name="Evening")["playlist"]
    app.ask("updatePlaylist", playlistId=made["id"], songIdToAdd=[one["id"] for one in whole["song"]])
    entries = app.ask("getPlaylist", id=made["id"])["playlist"]["entry"]
    app.ask("updatePlaylist", playlistId=made["id"], songIndexToRemove=[str(one) for one in range(len(entries))][::-1])
    app.ask("updatePlaylist", playlistId=made["id"], songIdToAdd=[one["id"] for one in reversed(whole["song"])])
    app.ask("updatePlaylist", playlistId=made["id"], comment="late", name="Evening", public=False)
    shown = one_of(app.ask("getPlaylists")["playlists"]["playlist"], "Evening")
    assert (shown["owner"], shown["comment"], shown["songCount"], shown["public"]) == (app.username, "late", 3, False)
    assert [one["id"] for one in app.ask("getPlaylist", id=made["id"])["playlist"]["entry"]] == [
        one["id"] for one in reversed(whole["song"])]
    changed = {"id": shown["coverArt"], "_": shown["changed"], "size": 300}
    assert app.send("getCoverArt", changed, f=None).kind.startswith("image/")
    app.ask("deletePlaylist", id=made["id"])

    before = plays(app, song["id"])
    app.ask("scrobble", id=song["id"], submission=False)
    app.ask("reportPlayback", mediaId=song["id"], mediaType="song", positionMs=0, state="starting", ignoreScrobble=True)
    sound = app.send("stream", {"id": song["id"]}, f=None)
    assert (sound.status, sound.kind) == (200, "audio/flac")
    assert sound.headers["Access-Control-Allow-Origin"] == "*" and sound.headers["Accept-Ranges"] == "bytes"
    assert app.send("stream", {"id": song["id"], "format": "mp3", "maxBitRate": 128}, f=None).kind == "audio/mpeg"
    assert app.send("download", {"id": song["id"]}, f=None).data == sound.data
    decision = json.loads(app.send(
        "getTranscodeDecision", {"mediaId": song["id"], "mediaType": "song"}, method="POST",
        headers={"Content-Type": "application/json"}, body=json.dumps({
            "name": "Feishin", "platform": "Linux", "directPlayProfiles": [
                {"containers": ["flac"], "audioCodecs": ["flac"], "protocols": ["http"]}]}).encode()).data)
    assert decision["subsonic-response"]["transcodeDecision"]["canDirectPlay"] is True
    app.ask("reportPlayback", mediaId=song["id"], mediaType="song", positionMs=3000, state="stopped",
            ignoreScrobble=True)
    app.ask("scrobble", id=song["id"], submission=True)
    assert plays(app, song["id"]) == before + 1
    lyrics = app.ask("getLyricsBySongId", id=one_of(songs, "Side 1.1")["id"], enhanced=True)["lyricsList"]
    assert lyrics["structuredLyrics"][0]["lang"] and lyrics["structuredLyrics"][0]["line"][1]["start"] == 2000
    queue = [one["id"] for one in whole["song"]]
    app.ask("savePlayQueueByIndex", id=[*queue, queue[0]], currentIndex=3, position=1200)
    saved = app.ask("getPlayQueueByIndex")["playQueueByIndex"]
    assert (saved["currentIndex"], saved["position"], saved["changedBy"]) == (3, 1200, "Feishin")
    assert [one["id"] for one in saved["entry"]] == [*queue, queue[0]]
    assert app.ask("getPlayQueue")["playQueue"]["current"] == queue[0]
    app.ask("createInternetRadioStation", name="One", streamUrl="http://radio.example/one", homepageUrl="")
    radio = one_of(app.ask("getInternetRadioStations")["internetRadioStations"]["internetRadioStation"], "One")
    app.ask("updateInternetRadioStation", id=radio["id"], name="Two", streamUrl=radio["streamUrl"])
    app.ask("deleteInternetRadioStation", id=radio["id"])
    app.close()


# ---- Supersonic --------------------------------------------------------------------------------------------------


def test_supersonic(station: RunningStation) -> None:
    """XML asked for by name, `v=1.8.0`, no `.view`; one salt a session. Go's decoder: a number, a truth or a moment
    that is none fails the whole answer. It pages albums with `size`, but by year and by genre with `limit`; long
    playlists go as forms; a new playlist's description comes as `description`; a search that finds little is asked
    again for the other kinds. Pictures are decoded whatever their kind.

    https://github.com/dweymouth/supersonic (backend/mediaprovider/subsonic/)
    https://github.com/supersonic-app/go-subsonic (subsonic/client.go, models.go, playlist.go, retrieval.go)
    """
    app = App(station, "supersonic", "1.8.0", f="xml", salt="aB3dE6gH9j", view=False)
    assert app.ask("ping").get("openSubsonic") == "true"
    extensions = {one.get("name"): [int(version.text or "") for version in one]
                  for one in every(app.ask("getOpenSubsonicExtensions"), "openSubsonicExtensions")}
    assert extensions["songLyrics"] == [1, 2] and extensions["formPost"] == [1]
    library = every(app.ask("getMusicFolders"), "musicFolder")[0].get("id")
    for sort in ("newest", "recent", "frequent", "alphabeticalByName", "alphabeticalByArtist", "random"):
        albums = every(app.ask("getAlbumList2", type=sort, size=20, offset=0, musicFolderId=library), "album")
        assert len(albums) <= 3 and all(one.get("created") for one in albums)
    by_year = [every(app.ask("getAlbumList2", type="byYear", fromYear=0, toYear=3000, offset=offset, limit=1), "album")
               for offset in (0, 1, 2)]
    assert [[one.get("name") for one in page] for page in by_year] == [["Début"], ["Two Sides"], []]
    down = every(app.ask("getAlbumList2", type="byYear", fromYear=3000, toYear=0, offset=0, limit=20), "album")
    assert [one.get("name") for one in down] == ["Two Sides", "Début"]
    genre = every(app.ask("getGenres"), "genre")[2]
    assert (genre.text, genre.get("albumCount")) == ("Rock", "1")
    found = every(app.ask("getAlbumList2", type="byGenre", genre="Rock", offset=0, limit=20), "album")
    assert [one.get("name") for one in found] == ["Two Sides"]
    artists = every(app.ask("getArtists"), "artist")
    assert named(artists, "Björk").get("coverArt")
    offsets = {"artistOffset": 0, "albumOffset": 0, "songOffset": 0}
    assert not every(app.ask("search3", query="Señorita", artistCount=0, albumCount=50, songCount=0, **offsets), "song")
    again = app.ask("search3", query="Señorita", artistCount=3, albumCount=0, songCount=3, **offsets)
    song = named(every(again, "song"), "Señorita")
    artist = every(app.ask("getArtist", id=song.get("artistId")), "artist")[0]
    info = every(app.ask("getArtistInfo2", id=artist.get("id")), "artistInfo2")[0]
    told = {one.tag.removeprefix(XML): one.text for one in info}
    assert told["lastFmUrl"] and (told["largeImageUrl"] or "").startswith(station.url)
    picture = http.client.HTTPConnection("127.0.0.1", urlsplit(station.url).port, timeout=60)
    picture.request("GET", urlsplit(told["largeImageUrl"] or "").path)      # as it is, without a login
    assert Image.open(io.BytesIO(picture.getresponse().read())).size[0] >= 300
    picture.close()
    app.ask("getTopSongs", artist="Björk", count=20)
    app.ask("getSimilarSongs2", id=artist.get("id"), count=100)
    album = every(app.ask("getAlbum", id=song.get("albumId")), "album")[0]
    songs = [one for one in album if one.tag == f"{XML}song"]
    assert len(songs) == 3 and every(songs[0], "artists")[0].get("name") == "Björk"
    assert every(songs[0], "replayGain")[0].get("trackGain") == "-6.5"
    notes = every(app.ask("getAlbumInfo", id=album.get("id")), "albumInfo")[0]
    assert [one.tag.removeprefix(XML) for one in notes][:3] == ["notes", "musicBrainzId", "lastFmUrl"]
    assert app.picture(str(album.get("coverArt")), size=300) == (300, 300)
    assert app.send("getCoverArt", {"id": "nothing"}).kind == "text/xml"
    for given, kind in (({}, "audio/flac"), ({"format": "raw"}, "audio/flac"),
                        ({"format": "opus", "maxBitRate": 96}, "audio/ogg")):
        assert app.send("stream", {"id": song.get("id"), **given}).kind == kind
    assert len(app.send("download", {"id": song.get("id")}).data) == int(song.get("size", ""))
    ids = [str(one.get("id")) for one in songs]
    before = plays(app, ids[1])
    app.ask("scrobble", id=ids[1], time=int(time.time() * 1000), submission="false")
    app.ask("scrobble", id=ids[1], time=int(time.time() * 1000), submission="true")
    assert plays(app, ids[1]) == before + 1
    app.ask("star", id=ids[:2], albumId=[album.get("id")], artistId=[artist.get("id")])
    assert len(every(app.ask("getStarred2", musicFolderId=library), "starred2")[0]) == 4
    app.ask("unstar", id=ids[:2], albumId=[album.get("id")], artistId=[artist.get("id")])
    for one in ids:
        app.ask("setRating", id=one, rating=5)
        app.ask("setRating", id=one, rating=0)
    playlist = every(app.ask("createPlaylist", name="Desk"), "playlist")[0].get("id")
    app.ask("updatePlaylist", playlistId=playlist, description="while working", public="true")
    app.ask("updatePlaylist", "form", playlistId=playlist, songIdToAdd=ids)
    app.ask("createPlaylist", "form", playlistId=playlist, songId=ids[::-1])
    shown = every(app.ask("getPlaylist", id=playlist), "playlist")[0]
    assert (shown.get("comment"), shown.get("public"), [one.get("id") for one in every(shown, "entry")]) == (
        "while working", "true", ids[::-1])
    app.ask("updatePlaylist", playlistId=playlist, name="Desk", comment="", public="false")
    assert named(every(app.ask("getPlaylists"), "playlist"), "Desk").get("comment") == ""
    app.ask("deletePlaylist", id=playlist)
    app.ask("savePlayQueue", id=ids, current=ids[2], position=2000)
    queue = every(app.ask("getPlayQueue"), "playQueue")[0]
    assert (queue.get("current"), queue.get("position"), len(every(queue, "entry"))) == (ids[2], "2000", 3)
    sides = every(app.ask("search3", query="Side 1.1", artistCount=0, albumCount=0, songCount=50, **offsets), "song")
    lines = every(app.ask("getLyricsBySongId", id=sides[0].get("id")), "line")
    assert [(one.get("start"), one.text) for one in lines] == [("1000", "one & only"), ("2000", "two")]
    share = every(app.ask("createShare", id=song.get("id")), "share")[0]
    assert share.get("url", "").startswith("http") and share.get("visitCount") == "0"
    app.ask("deleteShare", id=share.get("id"))
    app.ask("getInternetRadioStations")
    assert len(every(app.ask("getRandomSongs", size=100, genre="Rock"), "song")) == 4
    assert every(app.ask("startScan"), "scanStatus")[0].get("scanning") in ("true", "false")
    app.close()


# ---- Tempus ------------------------------------------------------------------------------------------------------

# What its models make of a field: kotlin's Int, Long, Boolean, String; Gson throws at anything else.
CHILD = {"id": str, "parent": str, "isDir": bool, "title": str, "album": str, "artist": str, "track": int, "year": int,
         "genre": str, "coverArt": str, "size": int, "contentType": str, "suffix": str, "duration": int, "bitRate": int,
         "samplingRate": int, "bitDepth": int, "path": str, "isVideo": bool, "userRating": int, "playCount": int,
         "discNumber": int, "created": str, "starred": str, "albumId": str, "artistId": str, "type": str,
         "bookmarkPosition": int, "replayGain": dict}
ALBUM = {"id": str, "name": str, "artist": str, "artistId": str, "coverArt": str, "songCount": int, "duration": int,
         "playCount": int, "created": str, "starred": str, "year": int, "genre": str, "played": str, "userRating": int,
         "genres": list, "artists": list, "displayArtist": str, "releaseTypes": list, "sortName": str,
         "originalReleaseDate": dict, "releaseDate": dict, "isCompilation": bool, "discTitles": list,
         "musicBrainzId": str}
ARTIST = {"id": str, "name": str, "coverArt": str, "albumCount": int, "starred": str}


def fits(things: list[dict[str, Any]], model: dict[str, type]) -> list[dict[str, Any]]:
    for one in things:
        assert one["id"] and [name for name, kind in model.items() if name in one and type(one[name]) is not kind] == []
        for name in ("created", "starred", "played"):   # its SimpleDateFormat reads these, and null of all else
            assert name not in one or EXACT_DATE.fullmatch(one[name])
    return things


@pytest.mark.parametrize("login", ["token", "enc"])
def test_tempus(station: RunningStation, login: str) -> None:
    """JSON by GET, without `.view`, `v=1.15.0`; a token with a UUID for its salt, or with "low security" the password
    hexadecimal. Its home page asks a dozen lists at once and then one artist after the other; decades begin at the
    oldest album by year and end at the newest. It adds to playlists with `public` beside, and takes out with
    public=true. A stream without limits is `maxBitRate=0&format=raw`, and `timeOffset` when it seeks in a transcode.

    https://github.com/eddyizm/tempus (subsonic/, subsonic/models/, repository/, util/MusicUtil.java)
    https://github.com/eddyizm/tempus/issues/892 (it ended with an answer without an envelope), /371, /971
    """
    app = App(station, "Tempus", "1.15.0", login=login, salt="2f7c1e0a-93c5-4d6b-8f6e-1f6f0d1d7c55", view=False,
              headers={"User-Agent": "okhttp/5.1.0"})
    assert app.ask("ping")["openSubsonic"] is True
    assert isinstance(app.ask("getOpenSubsonicExtensions")["openSubsonicExtensions"], list)
    for kind, given in (("newest", {}), ("recent", {}), ("frequent", {}),
                        ("byYear", {"fromYear": 2026, "toYear": 2026})):
        fits(app.ask("getAlbumList2", type=kind, size=20, offset=0, **given)["albumList2"]["album"], ALBUM)
    first, last = (app.ask("getAlbumList2", type="byYear", size=1, offset=0, fromYear=begin, toYear=end)["albumList2"][
        "album"][0]["year"] for begin, end in ((1900, 2026), (2026, 1900)))
    assert (first, last) == (1993, 2001)
    assert len(fits(app.ask("getRandomSongs", size=100)["randomSongs"]["song"], CHILD)) == 10
    assert app.ask("getStarred2")["starred2"] == {"artist": [], "album": [], "song": []}
    artists = fits([one for index in app.ask("getArtists")["artists"]["index"] for one in index["artist"]], ARTIST)
    for one in artists:
        fits(app.ask("getArtist", id=one["id"])["artist"]["album"], ALBUM)
    assert app.ask("getPlaylists")["playlists"]["playlist"] == []
    assert app.ask("getInternetRadioStations")["internetRadioStations"]["internetRadioStation"] == []
    assert app.ask("getNewestPodcasts", count=20)["newestPodcasts"]["episode"] == []
    assert app.ask("getShares")["shares"]["share"] == []

    bjork = one_of(artists, "Björk")
    about = app.ask("getArtistInfo2", id=bjork["id"])["artistInfo2"]
    assert about["biography"] == "" and about["lastFmUrl"] and isinstance(about["similarArtist"], list)
    fits(app.ask("getTopSongs", artist="Björk", count=20)["topSongs"]["song"], CHILD)
    debut = app.ask("getArtist", id=bjork["id"])["artist"]["album"][0]
    assert not [one for one in debut["releaseTypes"] if not one]
    songs = fits(app.ask("getAlbum", id=debut["id"])["album"]["song"], CHILD)
    assert app.ask("getAlbumInfo2", id=debut["id"])["albumInfo"]["notes"] == ""
    fits(app.ask("getSimilarSongs2", id=bjork["id"], count=20)["similarSongs2"]["song"], CHILD)
    song = app.ask("getSong", id=songs[0]["id"])["song"]
    assert song["replayGain"] == {"trackGain": -6.5, "trackPeak": 0.9}
    fits(app.ask("getSimilarSongs", id=song["id"], count=19)["similarSongs"]["song"], CHILD)
    pages = [app.ask("getSongsByGenre", genre="Rock", count=100, offset=100 * page)["songsByGenre"]["song"]
             for page in (0, 1)]
    assert [len(page) for page in pages] == [4, 0]
    found = app.ask("search3", query="Björk", songCount=20, albumCount=20, artistCount=20)["searchResult3"]
    assert fits(found["song"], CHILD) and fits(found["album"], ALBUM) and fits(found["artist"], ARTIST)
    assert app.picture(song["coverArt"], size=600) == (300, 300)

    raw = app.send("stream", {"maxBitRate": 0, "format": "raw", "id": song["id"]}, f=None)
    assert (raw.status, raw.kind, len(raw.data)) == (200, "audio/flac", song["size"])
    opus = app.send("stream", {"maxBitRate": 96, "format": "opus", "timeOffset": 2, "id": song["id"]}, f=None)
    assert (opus.status, opus.kind) == (200, "audio/ogg")
    assert app.send("download", {"id": song["id"]}, f=None).data == raw.data
    heard = pages[0][2 if login == "token" else 3]["id"]
    app.ask("scrobble", id=heard, submission=False)
    app.ask("scrobble", id=heard, submission=True)
    assert plays(app, heard) == 1
    app.ask("star", id=song["id"])
    assert fits(app.ask("getStarred2")["starred2"]["song"], CHILD)[0]["starred"]
    app.ask("unstar", id=song["id"])
    app.ask("setRating", id=song["id"], rating=5)
    app.ask("setRating", id=song["id"], rating=0)

    playlist = app.ask("createPlaylist", name="Kitchen", songId=[one["id"] for one in songs])["playlist"]["id"]
    app.ask("updatePlaylist", playlistId=playlist, public=False, songIdToAdd=[songs[0]["id"]])
    app.ask("updatePlaylist", playlistId=playlist, public=True, songIndexToRemove=[0])
    shown = app.ask("getPlaylist", id=playlist)["playlist"]
    assert shown["public"] is False and [one["id"] for one in shown["entry"]] == [
        songs[1]["id"], songs[2]["id"], songs[0]["id"]]
    app.ask("deletePlaylist", id=playlist)
    assert app.refused("getPlaylist", id=playlist)["error"]["code"] == 70      # then it forgets its copy
    lyrics = app.ask("getLyricsBySongId", id=one_of(pages[0], "Side 1.1")["id"])["lyricsList"]["structuredLyrics"]
    assert lyrics[0]["line"][1] == {"start": 2000, "value": "two"}
    assert app.ask("getLyrics", artist="The Pair", title="Side 1.1")["lyrics"]["value"] == "one & only\ntwo"
    app.ask("savePlayQueue", id=[one["id"] for one in songs], current=songs[1]["id"], position=4)
    assert app.ask("getPlayQueue")["playQueue"]["current"] == songs[1]["id"]
    for call in ("startScan", "getScanStatus"):
        assert {"scanning", "count"} <= app.ask(call)["scanStatus"].keys()
    odd = app.send("getSomethingNew", {}, f="json")      # an envelope whatever it asks
    assert json.loads(odd.data)["subsonic-response"]["error"]["code"] == 0
    app.close()


# ---- Substreamer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["token", "enc"])
def test_substreamer(station: RunningStation, login: str) -> None:
    """JSON with `.view`, `c=substreamer8`, `v=1.15.0`, through the library `subsonic-api`; "legacy authentication" is
    the password hexadecimal. It tries whether an empty `search3` lists anything (ten albums), then reads all albums and
    all songs through it, in pages until one is empty; else all albums by name. It sorts by `ignoredArticles`, streams
    with a format always (`raw` or a preset of some server's, with the length estimated when it downloads), and takes
    the first of the shares for the one that it made.

    https://github.com/ghenry22/substreamer (src/services/subsonicService.ts, SERVERS.md)
    https://github.com/ghenry22/substreamer/issues/204 (how it reads a library)
    """
    app = App(station, "substreamer8", "1.15.0", login=login, salt="5d1f0c9a7be04c19", headers={
        "Content-Type": "application/json"})
    assert app.ask("ping")["serverVersion"]
    extensions = app.ask("getOpenSubsonicExtensions")["openSubsonicExtensions"]
    assert all(one["name"] and one["versions"] for one in extensions)
    user = app.ask("getUser", username=app.username)["user"]
    assert (user["adminRole"], user["shareRole"]) == (True, True)
    assert len(app.ask("search3", query="", albumCount=10, songCount=0, artistCount=0)["searchResult3"]["album"]) == 3
    read: dict[str, list[dict[str, Any]]] = {"album": [], "song": []}
    for kind, other in (("album", "song"), ("song", "album")):
        while True:
            page = app.ask("search3", query="", artistCount=0, **{
                f"{kind}Count": 10_000, f"{kind}Offset": len(read[kind]), f"{other}Count": 0})["searchResult3"][kind]
            if not page:
                break
            read[kind] += page
    assert len({one["id"] for one in read["song"]}) == len(read["song"]) == 10
    assert {one["albumId"] for one in read["song"]} == {one["id"] for one in read["album"]}
    names = [one["name"] for one in app.ask("getAlbumList2", type="alphabeticalByName", size=500, offset=0)[
        "albumList2"]["album"]]
    assert names == ["Début", "Moving", "Two Sides"]
    artists = app.ask("getArtists")["artists"]
    assert artists["ignoredArticles"].split() == ["The", "A", "An"]
    bjork = one_of([one for index in artists["index"] for one in index["artist"]], "Björk")
    for kind in ("newest", "recent", "frequent", "random"):
        app.ask("getAlbumList2", type=kind, size=20)
    debut = app.ask("getArtist", id=bjork["id"])["artist"]["album"][0]
    songs = app.ask("getAlbum", id=debut["id"])["album"]["song"]
    app.ask("getArtistInfo2", id=bjork["id"])
    app.ask("getAlbumInfo2", id=debut["id"])
    app.ask("getTopSongs", artist="Björk", count=20)
    app.ask("getSimilarSongs", id=songs[0]["id"], count=20)
    app.ask("getSimilarSongs2", id=bjork["id"], count=20)
    found = app.ask("search3", query="side", albumCount=20, artistCount=20, songCount=20)["searchResult3"]
    assert len(found["song"]) == 4 and [one["name"] for one in found["album"]] == ["Two Sides"]
    lyrics = app.ask("getLyricsBySongId", id=one_of(found["song"], "Side 1.1")["id"])["lyricsList"]["structuredLyrics"]
    assert isinstance(lyrics, list) and lyrics[0]["offset"] == 0
    assert app.ask("getLyricsBySongId", id=songs[0]["id"])["lyricsList"]["structuredLyrics"] == []
    assert app.ask("getLyrics", artist="Björk", title=songs[0]["title"])["lyrics"].get("value", "") == ""
    assert app.picture(debut["coverArt"], size=150)[0] >= 150

    raw = app.send("stream", {"id": songs[0]["id"], "format": "raw"}, f=None)
    assert (raw.kind, len(raw.data)) == ("audio/flac", songs[0]["size"])
    kept = app.send("stream", {"id": songs[0]["id"], "estimateContentLength": "true", "format": "mp3",
                               "maxBitRate": 128}, f=None)
    assert kept.kind == "audio/mpeg" and int(kept.headers["Content-Length"]) == len(kept.data)
    for preset, kinds in (("flac", {"audio/flac"}), ("opus_rg", {"audio/mpeg", "audio/flac", "audio/ogg"}),
                          ("opus", {"audio/ogg"}), ("aac", {"audio/aac", "audio/mp4"})):
        wish = {"id": songs[0]["id"], "format": preset, **({} if preset == "flac" else {"maxBitRate": 128})}
        assert app.send("stream", wish, f=None).kind in kinds, preset

    made = app.ask("createPlaylist", name=f"Run {login}", songId=[one["id"] for one in songs])["playlist"]
    app.ask("createPlaylist", playlistId=made["id"], name=f"Run {login}", songId=[one["id"] for one in songs[::-1]])
    app.ask("updatePlaylist", playlistId=made["id"], songIdToAdd=[songs[0]["id"]])
    app.ask("updatePlaylist", playlistId=made["id"], songIndexToRemove=[0])
    app.ask("updatePlaylist", playlistId=made["id"], comment="fast", public=True)
    whole = app.ask("getPlaylist", id=made["id"])["playlist"]
    assert (whole["comment"], whole["public"], [one["id"] for one in whole["entry"]]) == (
        "fast", True, [songs[1]["id"], songs[0]["id"], songs[0]["id"]])
    app.ask("deletePlaylist", id=made["id"])
    app.ask("scrobble", id=songs[1]["id"], submission=False)
    app.ask("scrobble", id=songs[1]["id"], time=int(time.time() * 1000), submission=True)
    for name, value in (("id", songs[1]["id"]), ("albumId", debut["id"]), ("artistId", bjork["id"])):
        app.ask("star", **{name: value})
        app.ask("unstar", **{name: value})
    app.ask("setRating", id=songs[1]["id"], rating=2)
    app.ask("setRating", id=songs[1]["id"], rating=0)
    shared = [app.ask("createShare", id=one, description="for you", expires=int(time.time() * 1000) + 3_600_000)[
        "shares"]["share"] for one in (debut["id"], [one["id"] for one in songs])]
    assert [len(one) for one in shared] == [1, 1] and all(one[0]["url"] and one[0]["entry"] for one in shared)
    for one in app.ask("getShares")["shares"]["share"]:
        app.ask("updateShare", id=one["id"], description="for all")
        app.ask("deleteShare", id=one["id"])
    assert app.ask("getStarred2")["starred2"]["song"] == []
    assert app.ask("startScan", fullScan=True)["scanStatus"]["scanning"] in (True, False)
    assert app.ask("getScanStatus")["scanStatus"]["folderCount"] == 1
    app.close()


# ---- play:Sub ----------------------------------------------------------------------------------------------------


def test_play_sub(station: RunningStation) -> None:
    """Closed, and little is written down of it: JSON with `.view`, `v=1.9.0`, a token, the device behind its name; a
    HEAD of the stream before the stream itself, both with `format=raw` and the length estimated; pictures of artists
    as the server has them; the jukebox. The lists it shows are those of that version of the protocol, by folders and
    by tags.

    https://github.com/navidrome/navidrome/issues/1837 (its requests)
    https://github.com/nc-music/oc-music/issues/964 (pictures of artists)
    https://github.com/airsonic/airsonic/pull/477 (jukebox)
    """
    app = App(station, "playSub_iPhone12", "1.9.0", salt="8C9F2B61", headers={
        "User-Agent": "playSub/3343 CFNetwork/1335.0.3 Darwin/21.6.0"})
    app.ask("ping")
    assert app.ask("getLicense")["license"]["valid"] is True
    folder = app.ask("getMusicFolders")["musicFolders"]["musicFolder"][0]
    indexes = app.ask("getIndexes", musicFolderId=folder["id"])["indexes"]
    assert app.ask("getIndexes", musicFolderId=folder["id"], ifModifiedSince=indexes["lastModified"])["indexes"][
        "index"] == []
    top = next(one for index in indexes["index"] for one in index["artist"] if one["name"] == "Björk")
    below = app.ask("getMusicDirectory", id=top["id"])["directory"]["child"]
    inside = app.ask("getMusicDirectory", id=below[0]["id"])["directory"]["child"]
    assert [one["isDir"] for one in (below[0], inside[0])] == [True, False]
    for kind in ("newest", "recent", "frequent", "highest", "random", "alphabeticalByName", "alphabeticalByArtist"):
        for call, container in (("getAlbumList", "albumList"), ("getAlbumList2", "albumList2")):
            assert isinstance(app.ask(call, type=kind, size=50, offset=0)[container]["album"], list)
    artists = [one for index in app.ask("getArtists")["artists"]["index"] for one in index["artist"]]
    bjork = one_of(artists, "Björk")
    assert app.picture(bjork["coverArt"], size=320) == (300, 300)
    app.ask("getArtist", id=bjork["id"])
    song = inside[0]
    wish = {"id": song["id"], "format": "raw", "estimateContentLength": "true"}
    head = app.send("stream", wish, method="HEAD")
    assert (head.status, head.kind, head.data) == (200, "audio/flac", b"")
    assert (head.headers["Content-Length"], head.headers["Accept-Ranges"]) == (str(song["size"]), "bytes")
    sound = app.send("stream", wish, headers={"Range": "bytes=0-"})
    assert (sound.status, len(sound.data)) == (206, song["size"])
    smaller = app.send("stream", {"id": song["id"], "maxBitRate": 96, "estimateContentLength": "true"})
    assert (smaller.kind, smaller.headers["Content-Length"]) == ("audio/mpeg", str(len(smaller.data)))
    for call, container in (("search2", "searchResult2"), ("search3", "searchResult3")):
        told = app.ask(call, query="Elise", artistCount=20, albumCount=20, songCount=50)[container]
        assert [one["title"] for one in told["song"]] == ["Für Elise"]
    app.ask("star", id=song["id"])
    assert [one["id"] for one in app.ask("getStarred")["starred"]["song"]] == [song["id"]]
    app.ask("unstar", id=song["id"])
    playlist = app.ask("createPlaylist", name="Pocket", songId=[song["id"]])["playlist"]["id"]
    app.ask("updatePlaylist", playlistId=playlist, songIdToAdd=song["id"])
    assert len(app.ask("getPlaylist", id=playlist)["playlist"]["entry"]) == 2
    app.ask("deletePlaylist", id=playlist)
    app.ask("jukeboxControl", action="set", id=[song["id"]])
    assert app.ask("jukeboxControl", action="get")["jukeboxPlaylist"]["entry"][0]["id"] == song["id"]
    assert app.ask("jukeboxControl", action="status")["jukeboxStatus"]["currentIndex"] == 0
    app.ask("scrobble", id=song["id"], time=int(time.time() * 1000), submission=True)
    app.close()
