"""A whole station in this process with real small music, asked at /rest as programs ask it.

    house = House(folder)                       # one a module is enough: house fixture of conftest
    house.ask("getAlbum", id=house.album("Début"))["album"]
    house.refused("getAlbum", id="x") == 70

Nothing is started but what a call needs: craft workers begin when they are asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests import here
from tests.builders import make_audio, make_picture
from tests.holding.whole import Whole, whole

CLIENT = "a test"
ALBUMS = ("Début", "Two Sides", "Moving")


class House:
    """`keys` has an app password for each role ("owner" "adult" "child" "guest") with the scope own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.music = folder / "music"
        self.whole: Whole = whole(folder / "home", https=False, download_providers=(), download_catalogues=(),
                                  **settings)
        self.app, self.station = self.whole.app, self.whole.station
        make_music(self.music)
        self.station.scans.add_root(str(self.music))
        self.rescan()
        self.keys: dict[str, str] = {}
        for role in ("owner", "adult", "child", "guest"):
            self.keys[role] = self.key_of(role)

    def close(self) -> None:
        self.station.workers.stop()
        self.station.database.close()

    def rescan(self) -> None:
        here.rescan(self.station)

    def key_of(self, username: str, scope: str = "own", name: str = "test") -> str:
        """A new app password of a person."""
        made = self.station.app_passwords.create(self.person(username), name, scope=scope)
        return str(made.secret)

    def person(self, username: str = "owner") -> Any:
        """The person as a session of theirs is."""
        return self.station.accounts.who(self.whole.tokens[username, "own"], "127.0.0.1")

    # ---- asking

    def raw(self, call: str, *, who: str | None = "owner", f: str | None = "json", method: str = "GET",
            body: Any = None, headers: dict[str, str] | None = None, view: bool = False, login: str = "apiKey",
            address: str = "127.0.0.1", client: str = CLIENT, **given: Any) -> Any:
        """The answer as it came (buffered). `given`: lists are repeated; POST sends them as a form, or beside `body`
        (JSON) in the query."""
        fields: list[tuple[str, Any]] = [("c", client), ("v", "1.16.1")]
        if f is not None:
            fields.append(("f", f))
        if who is not None:
            fields += [("apiKey", self.keys[who])] if login == "apiKey" else [("u", who), ("p", self.keys[who])]
        for name, value in given.items():
            fields += [(name, one) for one in (value if isinstance(value, (list, tuple)) else [value])]
        fields = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in fields]
        path = f"/rest/{call}{'.view' if view else ''}"
        asking = self.app.test_client(use_cookies=False)
        options: dict[str, Any] = {"method": method, "headers": headers or {}, "buffered": True,
                                   "environ_overrides": {"REMOTE_ADDR": address}}
        if method == "POST" and body is None:
            return asking.open(path, data=urlencode(fields), content_type="application/x-www-form-urlencoded",
                               **options)
        if body is not None:
            options["json"] = body
        return asking.open(f"{path}?{urlencode(fields)}", **options)

    def told(self, call: str, **given: Any) -> dict[str, Any]:
        """The JSON envelope, whatever it says."""
        answer = self.raw(call, **given)
        assert answer.status_code == 200, (call, answer.status_code, answer.data[:300])
        return dict(answer.get_json()["subsonic-response"])

    def ask(self, call: str, **given: Any) -> dict[str, Any]:
        """What a call that goes well answers."""
        told = self.told(call, **given)
        assert told["status"] == "ok", (call, given, told)
        return told

    def refused(self, call: str, **given: Any) -> int:
        """The number of the error of a call that does not."""
        told = self.told(call, **given)
        assert told["status"] == "failed", (call, given, told)
        return int(told["error"]["code"])

    # ---- what there is

    def track(self, title: str) -> str:
        return str(self._uid("SELECT uid FROM tracks WHERE title = ?", title))

    def album(self, title: str) -> str:
        return str(self._uid("SELECT uid FROM albums WHERE title = ? AND track_count > 0", title))

    def artist(self, name: str) -> str:
        return str(self._uid("SELECT uid FROM artists WHERE name = ?", name))

    def _uid(self, query: str, word: str) -> Any:
        from shared.database import driver_cursor

        with self.station.database.read() as conn:
            row = driver_cursor(conn).execute(query, (word,)).fetchone()
        assert row is not None, word
        return row[0]


def make_music(folder: Path) -> Path:
    """Début by Björk (3 flac, cover, 1993), Two Sides by The Pair (2 discs of 2 mp3, one with synced lyrics, 2001),
    Moving by various artists (ogg, opus, m4a; a compilation without a year)."""
    red = make_picture(300, (150, 60, 50))
    for number, title in enumerate(["Señorita", "Für Elise", "Hoppípolla"], start=1):
        make_audio(folder / "Björk" / "Début", f"{number:02} {title}.flac", seconds=4, tone_hz=220 + 55 * number,
                   picture=red, tags={
                       "title": title, "artist": "Björk", "album": "Début", "album_artist": "Björk",
                       "track_number": number, "disc_number": 1, "date": "1993-07-05", "genre": ["Electronic", "Pop"],
                       "isrc": f"GBAAA93000{number:02}", "composer": "Nellee Hooper",
                       "replaygain": {"track_gain_db": -6.5, "track_peak": 0.9}})
    for disc in (1, 2):
        for number in (1, 2):
            words = {"synced_lyrics": [(1000, "one & only"), (2000, "two")]} if disc == number == 1 else {}
            make_audio(folder / "The Two Sides" / f"CD{disc}", f"{number:02}.mp3", seconds=4,
                       tone_hz=300 + 40 * number, tags={
                           "title": f"Side {disc}.{number}", "artist": "The Pair", "album": "Two Sides",
                           "album_artist": "The Pair", "track_number": number, "disc_number": disc,
                           "disc_title": f"Half {disc}", "date": "2001-05-04", "genre": ["Rock"], **words})
    for number, name in enumerate(["Walk.ogg", "Run.opus", "Rest.m4a"], start=1):
        make_audio(folder / "Various" / "Moving", name, seconds=4, tone_hz=500 + 30 * number, tags={
            "title": name.split(".")[0], "artist": f"Mover {number}", "album": "Moving", "compilation": True,
            "album_artist": "Various Artists", "track_number": number})
    return folder
