"""Podcasts: feeds that the station follows for everybody, their episodes, and how far each person has heard them.

Ids follow from what they name (a feed's address, and in it an episode's guid), so that they stay the same also when a
feed is taken off and added again, or an entry goes and comes back.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.model.person import Person
from shared.model.podcast import DueFeed, Episode, EpisodeWhole, Feed, FeedEpisode, Podcast
from shared.records import folding
from shared.records.moments import shown
from shared.records.pages import Listed, Order, clamp, page_ids
from shared.records.settling import chunks
from shared.records.tables import episodes

MOST_PODCASTS = 1_000
MOST_EPISODES = 20_000  # of one podcast: a feed that names other entries at every look must not fill the disk
NEW_S = 30 * 86_400.0  # an episode is called new for so long, unless it was begun
WRONG_S = 14 * 86_400.0  # longer than any feed is left alone
STARTED_MS = 1_000  # a position before that is none


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What a look at a feed changed: ids of episodes."""

    new: list[str]
    changed: list[str]
    removed: list[str]


@dataclass(frozen=True, slots=True)
class Kept:
    """The file of an episode, for whoever makes room."""

    uid: str
    path: str
    size_bytes: int
    published_at: float
    finished: bool  # somebody heard it to its end
    under_way: bool  # somebody is in the middle of it, or likes it


@dataclass(frozen=True, slots=True)
class Wish:
    """An episode that is to be fetched."""

    uid: str
    title: str
    url: str
    size_bytes: int | None
    podcast_uid: str
    podcast_title: str
    user_id: int | None  # who added the podcast
    status: str
    download: str | None


_PODCAST = (
    "SELECT p.uid, p.url, p.title, p.author, p.description, p.link, p.image_url, p.keep, p.status, p.error, "
    "(SELECT count(*) FROM episodes e WHERE e.podcast_id = p.id), "
    "(SELECT count(*) FROM episodes e WHERE e.podcast_id = p.id AND e.published_at > ? AND NOT EXISTS ("
    "SELECT 1 FROM episode_listening l WHERE l.episode_id = e.id AND l.user_id = ?)), p.checked_at FROM podcasts p"
)
_EPISODE = (
    "SELECT e.uid, p.uid, p.title, e.title, e.description, e.published_at, e.duration_ms, e.size_bytes, e.status, "
    "e.error, coalesce(l.position_ms, 0), coalesce(l.finished, 0), e.season, e.number, e.explicit, e.url, e.mime_type, "
    "e.image_url, e.download_uid, e.path, e.format, e.bitrate_kbps, e.sample_rate_hz, e.channels, e.added_at, "
    "e.downloaded_at, l.favourite_at, coalesce(l.rating, 0), coalesce(l.play_count, 0), l.last_played_at, e.id "
    "FROM episodes e JOIN podcasts p ON p.id = e.podcast_id "
    "LEFT JOIN episode_listening l ON l.episode_id = e.id AND l.user_id = ?"
)
_WISH = (
    "SELECT e.uid, e.title, e.url, e.size_bytes, p.uid, p.title, p.user_id, e.status, e.download_uid "
    "FROM episodes e JOIN podcasts p ON p.id = e.podcast_id"
)
_DUE = "SELECT uid, user_id, url, title, keep, etag, modified, status, checked_at FROM podcasts"
_SAID = (
    "title", "description", "url", "mime_type", "size_bytes", "duration_ms", "published_at", "season", "number",
    "image_url", "explicit",
)  # fmt: skip
_FETCHED = ("mime_type", "size_bytes", "duration_ms")  # known better once the file is there


def podcast_uid(url: str) -> str:
    """The id of a feed, for ever the same for the same address. Pure."""
    return _uid("podcast", url)


def episode_uid(podcast: str, guid: str) -> str:
    """The id of an entry of a feed, likewise. Pure."""
    return _uid("episode", podcast, guid)


class Podcasts:
    """Feeds are everybody's; positions, stars and ratings are each person's own."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- feeds

    def add(self, user_id: int | None, url: str, *, title: str = "", keep: int = 0, now: float | None = None) -> str:
        """Follow a feed; it is due at once. Its id. Raises Conflict when it is followed already (`id` in the details)
        or when there are too many."""
        uid, at = podcast_uid(url), time.time() if now is None else now
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT uid FROM podcasts WHERE url = ? OR uid = ?", (url, uid)).fetchone()
            if row is not None:
                raise Conflict("This podcast is here already.", field="url", id=row[0])
            if cursor.execute("SELECT count(*) FROM podcasts").fetchone()[0] >= MOST_PODCASTS:
                raise Conflict(f"The station follows at most {MOST_PODCASTS} podcasts; remove one first.")
            name = title or url
            cursor.execute(
                "INSERT INTO podcasts (uid, user_id, url, title, sort_key, keep, created_at, next_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (uid, user_id, url, name, folding.sort_key(name), keep, at, at),
            )
        return uid

    def every(self, person: Person) -> list[Podcast]:
        """By name."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(f"{_PODCAST} ORDER BY p.sort_key, p.id", _since(person))
            return [_podcast(row) for row in rows]

    def get(self, person: Person, uid: str) -> Podcast:
        """Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_PODCAST} WHERE p.uid = ?", (*_since(person), uid)).fetchone()
        if row is None:
            raise _no_podcast()
        return _podcast(row)

    def image_url(self, uid: str) -> str:
        """Of a podcast, or of an episode (its own, else its podcast's); "": it names none. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(
                "SELECT image_url FROM podcasts WHERE uid = ? UNION ALL "
                "SELECT CASE WHEN e.image_url = '' THEN p.image_url ELSE e.image_url END FROM episodes e "
                "JOIN podcasts p ON p.id = e.podcast_id WHERE e.uid = ?",
                (uid, uid),
            ).fetchone()
        if row is None:
            raise _no_podcast()
        return str(row[0])

    def change(self, uid: str, *, keep: int) -> None:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute("UPDATE podcasts SET keep = ? WHERE uid = ?", (keep, uid))
            if not cursor.rowcount:
                raise _no_podcast()

    def remove(self, uid: str) -> list[str]:
        """Follow it no more; what people heard of it is forgotten. The downloads under way for it. Raises NotFound."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT id FROM podcasts WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                raise _no_podcast()
            running = cursor.execute(
                "SELECT download_uid FROM episodes WHERE podcast_id = ? AND status = 'downloading' "
                "AND download_uid IS NOT NULL", row
            ).fetchall()  # fmt: skip
            cursor.execute(
                "DELETE FROM bookmarks WHERE kind = 'episode' AND thing_uid IN ("
                "SELECT uid FROM episodes WHERE podcast_id = ?)", row
            )  # fmt: skip
            cursor.execute("DELETE FROM podcasts WHERE id = ?", row)
        return [one[0] for one in running]

    def due(self, now: float) -> list[DueFeed]:
        """Those whose time has come, the longest overdue first; also those that were put off by a clock that went
        wrong."""
        with self._database.read() as conn:
            return [_due(row) for row in driver_cursor(conn).execute(
                f"{_DUE} WHERE next_at <= ? OR next_at > ? ORDER BY next_at, id", (now, now + WRONG_S))]  # fmt: skip

    def one(self, uid: str) -> DueFeed:
        """One, due or not. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_DUE} WHERE uid = ?", (uid,)).fetchone()
        if row is None:
            raise _no_podcast()
        return _due(row)

    def next_at(self) -> float | None:
        """When the next one is due (Unix seconds); None when there is none."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT min(next_at) FROM podcasts").fetchone()
        return None if row[0] is None else float(row[0])

    def hurry(self, now: float, uids: Collection[str] | None = None, *, least_s: float = 60.0) -> None:
        """Look at all of them (or at these) next, but for what was looked at less than `least_s` ago."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            rested = "(checked_at IS NULL OR checked_at < ? OR checked_at > ?)"
            if uids is None:
                cursor.execute(f"UPDATE podcasts SET next_at = ? WHERE {rested}", (now, now - least_s, now))
            for uid in uids or ():
                cursor.execute(
                    f"UPDATE podcasts SET next_at = ? WHERE uid = ? AND {rested}", (now, uid, now - least_s, now))

    # ---- a look at a feed

    def looked(self, uid: str, *, now: float, next_at: float, error: str | None = None, etag: str | None = None,
               modified: str | None = None) -> None:  # fmt: skip
        """It was asked for: with an `error`, or with nothing new. One that is gone meanwhile is no matter."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "UPDATE podcasts SET checked_at = ?, next_at = ?, error = ?, status = CASE WHEN ? IS NULL THEN "
                "'completed' ELSE 'error' END, etag = coalesce(?, etag), modified = coalesce(?, modified) "
                "WHERE uid = ?",
                (now, next_at, error, error, etag, modified, uid),
            )

    def take_in(self, uid: str, feed: Feed, *, now: float, next_at: float, etag: str = "", modified: str = ""
                ) -> TakenIn:  # fmt: skip
        """Bring the podcast and its episodes to what its feed says now. One transaction. Raises NotFound.

        What is no longer in the feed goes only when it was withdrawn: when older entries are still there, and nobody
        fetched, began or marked it. Feeds that show their latest entries alone lose nothing.
        """
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT id, url FROM podcasts WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                raise _no_podcast()
            podcast_id, title = row[0], feed.title or row[1]
            cursor.execute(
                "UPDATE podcasts SET title = ?, sort_key = ?, author = ?, description = ?, link = ?, language = ?, "
                "image_url = ?, etag = ?, modified = ?, status = 'completed', error = NULL, checked_at = ?, "
                "next_at = ? WHERE id = ?",
                (title, folding.sort_key(title), feed.author, feed.description, feed.link, feed.language,
                 feed.image_url, etag, modified, now, next_at, podcast_id),
            )  # fmt: skip
            return _settle(cursor, podcast_id, uid, feed, now)

    # ---- episodes

    def page(self, person: Person, uid: str | None, *, limit: int, cursor: str | None = None
             ) -> tuple[list[Episode], str | None, int]:  # fmt: skip
        """Episodes of a podcast (None: of all), the newest first; the next cursor; how many there are. Raises NotFound
        for the podcast, BadInput for the cursor."""
        with self._database.read() as conn:
            rows = driver_cursor(conn)
            where: tuple[Any, ...] = ()
            count = "SELECT count(*) FROM episodes"
            values: tuple[Any, ...] = ()
            if uid is not None:
                row = rows.execute("SELECT id FROM podcasts WHERE uid = ?", (uid,)).fetchone()
                if row is None:
                    raise _no_podcast()
                where, values = (episodes.c.podcast_id == row[0],), (row[0],)
                count += " WHERE podcast_id = ?"
            listed = Listed("episodes", episodes.c.id, where, person.user_id, ("podcast", uid), 0)
            found, following = page_ids(
                conn, listed, sort=Order((episodes.c.published_at,)), name="published", descending=True,
                limit=clamp(limit), cursor=cursor, offset=None, seed=None,
            )  # fmt: skip
            total = rows.execute(count, values).fetchone()[0]
            return [one.shown for one in _in_order(conn, person.user_id, found)], following, total

    def whole(self, person: Person, uid: str) -> EpisodeWhole:
        """Raises NotFound."""
        found = self.wholes(person, [uid])
        if not found:
            raise _no_episode()
        return found[uid]

    def wholes(self, person: Person, uids: Sequence[str]) -> dict[str, EpisodeWhole]:
        """Those of `uids` that are episodes, by their ids."""
        found: dict[str, EpisodeWhole] = {}
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            for marks, part in chunks(dict.fromkeys(uids)):
                for row in cursor.execute(f"{_EPISODE} WHERE e.uid IN ({marks})", (person.user_id, *part)):
                    found[row[0]] = _whole(row)
        return found

    def newest(self, person: Person, *, limit: int) -> list[EpisodeWhole]:
        """The newest episodes of all podcasts."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_EPISODE} ORDER BY e.published_at DESC, e.id DESC LIMIT ?", (person.user_id, limit))
            return [_whole(row) for row in rows]

    def uids_of(self, uid: str, *, limit: int) -> list[str]:
        """The newest episodes of a podcast, and all whose files are here, the newest first."""
        with self._database.read() as conn:
            its = "podcast_id = (SELECT id FROM podcasts WHERE uid = ?1)"
            rows = driver_cursor(conn).execute(
                f"SELECT uid FROM episodes WHERE {its} AND (path IS NOT NULL OR id IN (SELECT id FROM episodes "
                f"WHERE {its} ORDER BY published_at DESC, id DESC LIMIT ?2)) ORDER BY published_at DESC, id DESC",
                (uid, limit))
            return [row[0] for row in rows]

    # ---- fetching them

    def wish(self, uid: str) -> Wish:
        """An episode as whoever fetches it needs it. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_WISH} WHERE e.uid = ?", (uid,)).fetchone()
        if row is None:
            raise _no_episode()
        return Wish(*row)

    def lacking(self, uid: str) -> list[Wish]:
        """Of a podcast's newest episodes (as many as it keeps) those that nobody has fetched or taken off."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_WISH} WHERE e.id IN (SELECT n.id FROM episodes n JOIN podcasts q ON q.id = n.podcast_id "
                "WHERE q.uid = ? ORDER BY n.published_at DESC, n.id DESC LIMIT (SELECT keep FROM podcasts WHERE "
                "uid = ?)) AND e.status = 'new' ORDER BY e.published_at DESC, e.id DESC", (uid, uid)
            )  # fmt: skip
            return [Wish(*row) for row in rows]

    def published_at(self, uid: str) -> float:
        """Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT published_at FROM episodes WHERE uid = ?", (uid,)).fetchone()
        if row is None:
            raise _no_episode()
        return float(row[0])

    def under_way(self) -> list[Wish]:
        """The episodes that are being fetched, by their rows."""
        with self._database.read() as conn:
            return [Wish(*row) for row in driver_cursor(conn).execute(f"{_WISH} WHERE e.status = 'downloading'")]

    def by_download(self, download: str) -> Wish | None:
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_WISH} WHERE e.download_uid = ?", (download,)).fetchone()
        return None if row is None else Wish(*row)

    def mark(self, uid: str, status: str, *, only: Iterable[str], error: str | None = None,
             download: str | None = None) -> bool:  # fmt: skip
        """Write its status, when it has one of `only` now; whether it had. `download` is kept when None."""
        allowed = list(only)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE episodes SET status = ?, error = ?, download_uid = coalesce(?, download_uid) WHERE uid = ? "
                f"AND status IN ({', '.join('?' * len(allowed))})",
                (status, error, download, uid, *allowed),
            )
            return bool(cursor.rowcount)

    def kept(self, uid: str, *, path: str, format: str, mime_type: str, duration_ms: int | None, size_bytes: int,
             bitrate_kbps: int | None, sample_rate_hz: int | None, channels: int | None, mtime_ns: int, sha256: str,
             download: str) -> None:  # fmt: skip
        """Its file is there. Raises NotFound when the episode is gone, or was taken off meanwhile."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE episodes SET status = 'completed', error = NULL, path = ?, format = ?, mime_type = ?, "
                "duration_ms = coalesce(?, duration_ms), size_bytes = ?, bitrate_kbps = ?, sample_rate_hz = ?, "
                "channels = ?, mtime_ns = ?, sha256 = ?, downloaded_at = ?, download_uid = ? "
                "WHERE uid = ? AND status IN ('downloading', 'completed')",
                (path, format, mime_type, duration_ms, size_bytes, bitrate_kbps, sample_rate_hz, channels, mtime_ns,
                 sha256, time.time(), download, uid),
            )  # fmt: skip
            if not cursor.rowcount:
                raise _no_episode()

    def let_go(self, uid: str, status: str) -> str | None:
        """Its file is to go: the path of it, None when it has none. `status`: deleted, skipped, or new. Raises
        NotFound."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT path FROM episodes WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                raise _no_episode()
            cursor.execute(
                "UPDATE episodes SET status = ?, error = NULL, path = NULL, format = NULL, mtime_ns = NULL, "
                "sha256 = NULL, downloaded_at = NULL, download_uid = NULL WHERE uid = ?", (status, uid)
            )  # fmt: skip
        return None if row[0] is None else str(row[0])

    def files(self) -> list[Kept]:
        """Every file that is kept, the oldest episode first."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT e.uid, e.path, coalesce(e.size_bytes, 0), e.published_at, "
                "coalesce(max(l.finished), 0), coalesce(max((l.finished = 0 AND l.position_ms >= ?) OR "
                "l.favourite_at IS NOT NULL), 0) FROM episodes e LEFT JOIN episode_listening l ON l.episode_id = e.id "
                "WHERE e.path IS NOT NULL GROUP BY e.id ORDER BY 4, e.id", (STARTED_MS,)
            )  # fmt: skip
            return [Kept(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5])) for row in rows]

    # ---- listening

    def set_position(self, person: Person, uid: str, position_ms: int, *, finished: bool | None = None) -> None:
        """How far a person is. Reaching the end counts as a play. `finished` None: as it was while nothing of it is
        heard again. Raises NotFound."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            episode_id = _episode_id(cursor, uid)
            now = time.time()
            cursor.execute(_TOUCH, (person.user_id, episode_id))
            before = cursor.execute(
                "SELECT finished FROM episode_listening WHERE user_id = ? AND episode_id = ?",
                (person.user_id, episode_id),
            ).fetchone()[0]
            over = bool(before) and position_ms < STARTED_MS if finished is None else finished
            cursor.execute(
                "UPDATE episode_listening SET position_ms = ?, finished = ?, play_count = play_count + ?, "
                "last_played_at = ? WHERE user_id = ? AND episode_id = ?",
                (position_ms, int(over), int(over and not before), now, person.user_id, episode_id),
            )

    def played(self, person: Person, uid: str, at: float) -> None:
        """It was heard once more, as an app says. Raises NotFound."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            episode_id = _episode_id(cursor, uid)
            cursor.execute(_TOUCH, (person.user_id, episode_id))
            cursor.execute(
                "UPDATE episode_listening SET play_count = play_count + 1, last_played_at = max(coalesce("
                "last_played_at, 0), ?) WHERE user_id = ? AND episode_id = ?",
                (at, person.user_id, episode_id),
            )

    def set_favourite(self, person: Person, uid: str, favourite: bool) -> None:
        """Raises NotFound."""
        self._set(person, uid, "favourite_at", time.time() if favourite else None)

    def set_rating(self, person: Person, uid: str, rating: int) -> None:
        """`rating`: 0 (none) to 5. Raises NotFound."""
        self._set(person, uid, "rating", min(max(rating, 0), 5))

    def _set(self, person: Person, uid: str, column: str, value: Any) -> None:
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            episode_id = _episode_id(cursor, uid)
            cursor.execute(_TOUCH, (person.user_id, episode_id))
            cursor.execute(
                f"UPDATE episode_listening SET {column} = ? WHERE user_id = ? AND episode_id = ?",
                (value, person.user_id, episode_id),
            )

    def positions(self, person: Person) -> dict[str, tuple[int, float]]:
        """Episodes a person is in the middle of: {id: (position in ms, when it was last heard)}."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT e.uid, l.position_ms, coalesce(l.last_played_at, 0) FROM episode_listening l "
                "JOIN episodes e ON e.id = l.episode_id WHERE l.user_id = ? AND l.position_ms >= ? "
                "AND l.finished = 0", (person.user_id, STARTED_MS)
            )  # fmt: skip
            return {row[0]: (row[1], row[2]) for row in rows}


_TOUCH = "INSERT OR IGNORE INTO episode_listening (user_id, episode_id) VALUES (?, ?)"


def _settle(cursor: Any, podcast_id: int, uid: str, feed: Feed, now: float) -> TakenIn:
    known: dict[str, Any] = {}
    for row in cursor.execute(
        f"SELECT uid, guid, path, {', '.join(_SAID)}, id, status FROM episodes WHERE podcast_id = ?", (podcast_id,)
    ):
        known[row[1]] = row
    new: list[str] = []
    changed: list[str] = []
    there: set[str] = set()
    room = MOST_EPISODES - len(known)
    for place, one in enumerate(feed.episodes):
        if one.guid in there:
            continue
        there.add(one.guid)
        row = known.get(one.guid)
        if row is None:
            if len(new) >= room:
                continue
            # What has no date is as old as its place says.
            said = _said(one, now - place if one.published_at is None else min(one.published_at, now + 86_400))
            made = episode_uid(uid, one.guid)
            cursor.execute(
                f"INSERT OR IGNORE INTO episodes (uid, podcast_id, guid, added_at, {', '.join(_SAID)}) "
                f"VALUES (?, ?, ?, ?, {', '.join('?' * len(_SAID))})",
                (made, podcast_id, one.guid, now, *said.values()),
            )
            new.append(made)
            continue
        before = dict(zip(_SAID, row[3 : 3 + len(_SAID)], strict=True))
        said = _said(one, before["published_at"] if one.published_at is None else min(one.published_at, now + 86_400))
        if row[2] is not None:
            said = {name: before[name] if name in _FETCHED else value for name, value in said.items()}
        if said != before:
            cursor.execute(
                f"UPDATE episodes SET {', '.join(f'{name} = ?' for name in said)} WHERE uid = ?",
                (*said.values(), row[0]),
            )
            changed.append(row[0])
    return TakenIn(new, changed, _withdrawn(cursor, known, there, feed))


def _withdrawn(cursor: Any, known: dict[str, Any], there: set[str], feed: Feed) -> list[str]:
    dates = [one.published_at for one in feed.episodes if one.published_at is not None]
    if not dates or feed.cut:
        return []
    oldest, gone = min(dates), []
    for guid, row in known.items():
        published, episode_id, status = row[3 + _SAID.index("published_at")], row[-2], row[-1]
        if guid in there or published < oldest or row[2] is not None or status == "downloading":
            continue
        touched = cursor.execute(
            "SELECT 1 FROM episode_listening WHERE episode_id = ? LIMIT 1", (episode_id,)
        ).fetchone()
        if touched is None:
            cursor.execute("DELETE FROM episodes WHERE id = ?", (episode_id,))
            gone.append(row[0])
    return gone


def _said(one: FeedEpisode, published_at: float) -> dict[str, Any]:
    return {
        "title": one.title, "description": one.description, "url": one.url, "mime_type": one.mime_type,
        "size_bytes": one.size_bytes, "duration_ms": one.duration_ms, "published_at": float(published_at),
        "season": one.season, "number": one.number, "image_url": one.image_url, "explicit": int(one.explicit),
    }  # fmt: skip


def _in_order(conn: Connection, user_id: int, ids: Sequence[int]) -> list[EpisodeWhole]:
    found: dict[int, EpisodeWhole] = {}
    cursor = driver_cursor(conn)
    for marks, part in chunks(ids):
        for row in cursor.execute(f"{_EPISODE} WHERE e.id IN ({marks})", (user_id, *part)):
            found[row[-1]] = _whole(row)
    return [found[one] for one in ids if one in found]


def _episode_id(cursor: Any, uid: str) -> int:
    row = cursor.execute("SELECT id FROM episodes WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        raise _no_episode()
    return int(row[0])


def _uid(*parts: str) -> str:
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return base64.b32encode(digest).decode("ascii").lower()


def _since(person: Person) -> tuple[float, int]:
    return time.time() - NEW_S, person.user_id


def _no_podcast() -> NotFound:
    return NotFound("There is no such podcast.")


def _no_episode() -> NotFound:
    return NotFound("There is no such episode.")


def _podcast(row: Any) -> Podcast:
    return Podcast(
        id=row[0], url=row[1], title=row[2], author=row[3], description=row[4], link=row[5], image=bool(row[6]),
        keep=row[7], status=row[8], error=row[9], episode_count=row[10], new_count=row[11],
        checked_at=None if row[12] is None else shown(row[12]),
    )  # fmt: skip


def _whole(row: Any) -> EpisodeWhole:
    return EpisodeWhole(
        shown=Episode(
            id=row[0], podcast_id=row[1], podcast_title=row[2], title=row[3], description=row[4],
            published_at=shown(row[5]), duration_ms=row[6], size_bytes=row[7], status=row[8], error=row[9],
            position_ms=row[10], finished=bool(row[11]), season=row[12], number=row[13], explicit=bool(row[14]),
        ),
        url=row[15], mime_type=row[16], image_url=row[17], download=row[18], path=row[19], format=row[20],
        bitrate_kbps=row[21], sample_rate_hz=row[22], channels=row[23], added_at=row[24], downloaded_at=row[25],
        favourite_at=row[26], rating=row[27], play_count=row[28], last_played_at=row[29],
    )  # fmt: skip


def _due(row: Any) -> DueFeed:
    return DueFeed(uid=row[0], user_id=row[1], url=row[2], title=row[3], keep=row[4], etag=row[5], modified=row[6],
                   status=row[7], checked_at=row[8])  # fmt: skip
