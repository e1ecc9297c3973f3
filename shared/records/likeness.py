"""Which music goes with which, from tags and from what people do: for a track, an album or an artist.

    genres      shared ones, the rarer the more (an inverse document frequency, as for words in texts)
    credits     the same artists, whoever wrote, conducted or remixed it, the fewer tracks they have the more
    years       near each other
    together    played within the same half hour, favourites of the same people, in the same playlists; divided by how
                much a track is played at all, so that what everybody plays does not go with everything

Everything is looked up by index from what is asked for, so the size of the library matters little. The same question
has the same answer; what is equally alike is ordered by chance that stays the same for each question. Plays and
favourites of everybody count, private playlists those of their owner alone; a limited person (records.sights) gets only
what they see.
"""

from __future__ import annotations

import heapq
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import text

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records import folding
from shared.records.settling import chunks

Kind = Literal["track", "album", "artist"]

GENRES, CREDITS, YEARS, TOGETHER, COLLEAGUES = 0.45, 0.20, 0.15, 0.50, 0.50  # what each can weigh
AGAIN = 0.72  # for each track of the same artist that was chosen before
NEAR_YEARS = 8.0  # by so many years apart it is worth a third
SESSION_S = 1800.0  # plays within it go together
_MOST_ROWS = 15_000  # of genres, a question
_MOST_OWN = 60  # tracks of an album or artist that stand for it
_MOST_PLAYS, _MOST_LISTS, _MOST_ENTRIES = 120, 40, 400
_POOL_OF_ARTISTS = 2000  # tracks whose artists are looked at
_EQUAL = 1e-6  # scores that are no farther apart
_POOL = 400  # from which is chosen, and six times what is asked for
_ROLE_WEIGHTS = {"artist": 1.0, "albumartist": 0.8}  # others: half

_KINDS: tuple[tuple[Kind, str], ...] = (
    ("track", "SELECT id FROM tracks WHERE uid = ? AND trashed_at IS NULL"),
    ("album", "SELECT id FROM albums WHERE uid = ? AND track_count > 0"),
    ("artist", "SELECT id FROM artists WHERE uid = ? AND (track_count > 0 OR album_count > 0)"),
)


@dataclass(frozen=True, slots=True)
class Seed:
    """What is compared with. own: inner ids of (some of) its tracks; a track's is itself."""

    kind: Kind
    id: int  # inner
    uid: str
    own: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtistFacts:
    """What is known of an artist beside the music."""

    id: str  # public
    name: str
    mbid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumFacts:
    """Likewise of an album."""

    id: str  # public
    title: str
    artist: str
    mbid: str | None


@dataclass(slots=True)
class _Evidence:
    genres: dict[int, float] = field(default_factory=dict)  # how much each belongs to what is asked for, the most 1
    artists: dict[int, float] = field(default_factory=dict)
    year: int = 0
    itself: int | None = None  # the artist that is asked for


class Likeness:
    """Asks the library what goes with what. Some 10 to 30 ms a question at 100,000 tracks."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def seed(self, person: Person, uid: str, *, kinds: Sequence[Kind] = ("track", "album", "artist")) -> Seed:
        """The track, album or artist called `uid`. Raises NotFound when this person sees none."""
        with self._database.read(person) as conn:
            return _seed(driver_cursor(conn), uid, kinds)

    def similar(
        self, person: Person, seed: Seed, limit: int, *, sounds: Mapping[int, float] | None = None
    ) -> list[str]:
        """Public ids of tracks that go with `seed`, the best first, its artist's not all in a row.

        sounds: how much tracks (by inner id) sound like it, 0 to 1; then that is half of what counts. Of an artist
        or album the own tracks are among them, a track itself is not.
        """
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            scores = _with_sounds(_scores(cursor, person, seed, _evidence(cursor, seed)), sounds)
            if seed.kind == "track":
                scores.pop(seed.id, None)
            best = _best(scores, max(_POOL, 6 * limit), seed)
            return _in_turns(cursor, best, limit)

    def similar_artists(
        self, person: Person, seed: Seed, limit: int, *, sounds: Mapping[int, float] | None = None
    ) -> list[str]:
        """Public ids of artists whose music goes with that of an artist (or with a track or an album); sounds: as for
        `similar`."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            evidence = _evidence(cursor, seed)
            scores = _with_sounds(_scores(cursor, person, seed, evidence), sounds)
            best = _best(scores, _POOL_OF_ARTISTS, seed)
            own = {evidence.itself} if evidence.itself is not None else _first_artists(cursor, seed.own)
            found = _artists_of(cursor, best)
            for artist_id, shared in _colleagues(cursor, own).items():
                found[artist_id] += COLLEAGUES * shared / (shared + 2)
            ranked = _best({one: score for one, score in found.items() if one not in own}, limit, seed)
            shown = dict(_shown_artists(cursor, [artist_id for artist_id, _ in ranked]))
            return [shown[artist_id] for artist_id, _ in ranked if artist_id in shown]

    def top(self, person: Person, artist_uid: str, limit: int) -> list[str]:
        """Public ids of an artist's tracks: what is played most here first, then favourites and what is rated best,
        then by year. A title counts once. Raises NotFound."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            found = cursor.execute(_KINDS[2][1], (artist_uid,)).fetchone()
            if found is None:
                raise NotFound("There is no such artist in the library.")
            rows: list[tuple[str, str]] = []
            for role in ("artist", "albumartist"):
                rows = cursor.execute(
                    "SELECT t.uid, t.sort_key FROM credits c JOIN tracks t ON t.id = c.track_id "
                    "LEFT JOIN track_listening l ON l.track_id = t.id "
                    "WHERE c.artist_id = ? AND c.role = ? AND t.trashed_at IS NULL GROUP BY t.id "
                    "ORDER BY coalesce(sum(l.play_count), 0) DESC, count(l.favourite_at) DESC, "
                    "coalesce(sum(l.rating), 0) DESC, t.year_key = 0, t.year_key, t.album_sort_key, t.album_position, "
                    "t.id", (found[0], role),
                ).fetchall()  # fmt: skip
                if rows:
                    break
        once: dict[str, str] = {}
        for uid, title in rows:
            once.setdefault(title, uid)
        return list(once.values())[:limit]

    def artist_named(self, person: Person, name: str) -> str | None:
        """The public id of the artist called so."""
        with self._database.read(person) as conn:
            row = conn.execute(
                text("SELECT uid FROM artists WHERE folded = :name AND (track_count > 0 OR album_count > 0)"),
                {"name": folding.same(name) or name},
            ).first()
        return None if row is None else str(row[0])

    def artist_of(self, person: Person, uid: str) -> ArtistFacts | None:
        """The artist called `uid`, or the first one of the album or track. None: it has none. Raises NotFound."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            seed = _seed(cursor, uid)
            ids = {seed.id} if seed.kind == "artist" else _first_artists(cursor, seed.own[:1])
            if seed.kind == "album":
                row = cursor.execute(
                    "SELECT artist_id FROM album_credits WHERE album_id = ? ORDER BY position LIMIT 1", (seed.id,)
                ).fetchone()
                ids = {row[0]} if row else ids
            row = cursor.execute("SELECT uid, name, mbid FROM artists WHERE id = ?", (next(iter(ids), 0),)).fetchone()
        return None if row is None else ArtistFacts(id=row[0], name=row[1], mbid=row[2])

    def album_of(self, person: Person, uid: str) -> AlbumFacts | None:
        """The album called `uid`, or that of the track. None: the track is on none. Raises NotFound."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            seed = _seed(cursor, uid)
            if seed.kind == "artist":
                raise NotFound("There is no such album in the library.")
            album = seed.id if seed.kind == "album" else cursor.execute(
                "SELECT album_id FROM tracks WHERE id = ?", (seed.id,)).fetchone()[0]
            row = cursor.execute("SELECT uid, title, artist, mbid FROM albums WHERE id = ?", (album,)).fetchone()
        return None if row is None else AlbumFacts(id=row[0], title=row[1], artist=row[2], mbid=row[3])


# ---- what is asked for -------------------------------------------------------------------------------------------


def _seed(cursor: sqlite3.Cursor, uid: str, kinds: Sequence[Kind] = ("track", "album", "artist")) -> Seed:
    for kind, query in _KINDS:
        row = cursor.execute(query, (uid,)).fetchone() if kind in kinds else None
        if row is None:
            continue
        if kind == "track":
            return Seed(kind, row[0], uid, (row[0],))
        own = {
            "album": "SELECT id FROM tracks WHERE album_id = ? AND trashed_at IS NULL ORDER BY album_position, id",
            "artist": "SELECT DISTINCT c.track_id FROM credits c JOIN tracks t ON t.id = c.track_id "
            "WHERE c.artist_id = ? AND c.role IN ('artist', 'albumartist') AND t.trashed_at IS NULL "
            "ORDER BY c.track_id",
        }[kind]
        every = [one[0] for one in cursor.execute(own, (row[0],))]
        # Spread over all of them: the first of many are those of one time.
        step = max(1, -(-len(every) // _MOST_OWN)) if kind == "artist" else 1
        return Seed(kind, row[0], uid, tuple(every[::step]))
    raise NotFound(f"There is no such {' or '.join(kinds)} in the library.")


def _evidence(cursor: sqlite3.Cursor, seed: Seed) -> _Evidence:
    genres: Counter[int] = Counter()
    artists: Counter[int] = Counter()
    years: Counter[int] = Counter()
    for marks, part in chunks(seed.own[:_MOST_OWN]):
        genres.update(row[0] for row in cursor.execute(
            f"SELECT genre_id FROM track_genres WHERE track_id IN ({marks})", part))  # fmt: skip
        for artist_id, role in cursor.execute(
            f"SELECT artist_id, role FROM credits WHERE track_id IN ({marks})", part
        ):
            artists[artist_id] += _ROLE_WEIGHTS.get(role, 0.5)  # type: ignore[assignment]
        years.update(row[0] for row in cursor.execute(
            f"SELECT year_key FROM tracks WHERE id IN ({marks}) AND year_key > 0", part))  # fmt: skip
    found = _Evidence(_shares(genres), _shares(artists))
    if years:
        every = sorted(years.elements())
        found.year = every[len(every) // 2]
    if seed.kind == "artist":
        found.itself = seed.id
        found.artists[seed.id] = 1.0
    return found


def _shares(counts: Mapping[int, float]) -> dict[int, float]:
    most = max(counts.values(), default=1)
    return {one: count / most for one, count in counts.items()}


# ---- what goes with it -------------------------------------------------------------------------------------------


def _scores(cursor: sqlite3.Cursor, person: Person, seed: Seed, evidence: _Evidence) -> dict[int, float]:
    """How much tracks go with it; by inner id, trashed ones left out."""
    scores, years = _by_genre(cursor, evidence)
    for track_id, score in _by_credit(cursor, evidence).items():
        scores[track_id] = scores.get(track_id, 0.0) + CREDITS * score
    for track_id, score in _together(cursor, person, seed).items():
        scores[track_id] = scores.get(track_id, 0.0) + TOGETHER * score
    unknown = [one for one in scores if one not in years]
    for marks, part in chunks(unknown):
        years.update(cursor.execute(
            f"SELECT id, year_key FROM tracks WHERE trashed_at IS NULL AND id IN ({marks})", part))  # fmt: skip
    wanted = evidence.year
    worth = {year: YEARS * math.exp(-abs(year - wanted) / NEAR_YEARS) if year and wanted else 0.0
             for year in set(years.values())}  # fmt: skip
    return {one: score + worth[years[one]] for one, score in scores.items() if one in years}


def _with_sounds(scores: dict[int, float], sounds: Mapping[int, float] | None) -> dict[int, float]:
    """What is alike by tags alone is not thrown out: some of it may not have been listened to yet."""
    if not sounds:
        return scores
    every = scores.keys() | sounds.keys()
    return {one: 0.5 * scores.get(one, 0.0) + 0.5 * sounds.get(one, 0.0) for one in every}


def _by_genre(cursor: sqlite3.Cursor, evidence: _Evidence) -> tuple[dict[int, float], dict[int, int]]:
    """({track: score}, {track: year}). Of genres that are nearly everywhere the years around are looked through."""
    if not evidence.genres:
        return {}, {}
    every = cursor.execute("SELECT count(*) FROM tracks WHERE trashed_at IS NULL").fetchone()[0]
    marks = ", ".join("?" * len(evidence.genres))
    counts = dict(cursor.execute(
        f"SELECT id, track_count FROM genres WHERE id IN ({marks})", list(evidence.genres)))  # fmt: skip
    weights = {
        genre: evidence.genres[genre] * math.log(1 + every / max(1, count)) for genre, count in counts.items()
    }
    whole = sum(weights.values()) or 1.0
    scores: dict[int, float] = {}
    years: dict[int, int] = {}
    left = _MOST_ROWS
    for genre in sorted(weights, key=lambda one: (-weights[one], one)):
        query = ("SELECT g.track_id, t.year_key FROM track_genres g JOIN tracks t ON t.id = g.track_id "
                 "WHERE g.genre_id = ? AND t.trashed_at IS NULL")  # fmt: skip
        given: list[int] = [genre]
        if counts[genre] > left:
            if evidence.year:
                query += " AND t.year_key BETWEEN ? AND ?"
                given += [evidence.year - 3, evidence.year + 3]
            query += " LIMIT ?"
            given.append(max(left, 2000))
        weight = GENRES * weights[genre] / whole
        rows = cursor.execute(query, given).fetchall()
        years.update(rows)
        left -= len(rows)
        if scores:
            for track_id, _ in rows:
                scores[track_id] = scores.get(track_id, 0.0) + weight
        else:
            scores = dict.fromkeys(years, weight)
    return scores, years


def _by_credit(cursor: sqlite3.Cursor, evidence: _Evidence) -> dict[int, float]:
    scores: dict[int, float] = {}
    strongest = sorted(evidence.artists, key=lambda one: (-evidence.artists[one], one))[:20]
    for artist_id in strongest:
        rows = cursor.execute(
            "SELECT track_id, role FROM credits WHERE artist_id = ? LIMIT ?", (artist_id, 4000)
        ).fetchall()
        rarity = 1 / (1 + math.log10(max(1, len(rows))) / 4)
        for track_id, role in rows:
            score = evidence.artists[artist_id] * rarity * _ROLE_WEIGHTS.get(role, 0.5)
            if score > scores.get(track_id, 0.0):
                scores[track_id] = score
    return scores


def _together(cursor: sqlite3.Cursor, person: Person, seed: Seed) -> dict[int, float]:
    """0 to 1: how much tracks are played, loved and listed with it, more than by their popularity alone."""
    own = set(seed.own)
    # What a limited person does not see makes no list longer and leaves nobody out.
    seen = " AND track_id IN (SELECT id FROM tracks)" if person.limited else ""
    met: dict[int, float] = defaultdict(float)
    for marks, part in chunks(seed.own[:_MOST_OWN]):
        plays = cursor.execute(
            f"SELECT user_id, played_at FROM plays WHERE track_id IN ({marks}) ORDER BY played_at DESC LIMIT ?",
            [*part, _MOST_PLAYS],
        ).fetchall()
        for user_id, played_at in plays:
            nearest: dict[int, float] = {}
            for track_id, other_at in cursor.execute(
                f"SELECT track_id, played_at FROM plays WHERE user_id = ? AND played_at BETWEEN ? AND ?{seen} LIMIT ?",
                (user_id, played_at - SESSION_S, played_at + SESSION_S, _MOST_ENTRIES),
            ):
                if track_id not in own:
                    worth = math.exp(-abs(other_at - played_at) / (SESSION_S / 2))
                    nearest[track_id] = max(worth, nearest.get(track_id, 0.0))
            for track_id, worth in nearest.items():
                met[track_id] += worth
        lovers = [row[0] for row in cursor.execute(
            f"SELECT DISTINCT user_id FROM track_listening WHERE track_id IN ({marks}) AND favourite_at IS NOT NULL "
            "ORDER BY user_id LIMIT ?", [*part, _MOST_LISTS])]  # fmt: skip
        for user_id in lovers:
            _share_out(met, own, cursor.execute(
                f"SELECT track_id FROM track_listening WHERE user_id = ? AND favourite_at IS NOT NULL{seen} "
                "ORDER BY favourite_at DESC LIMIT ?", (user_id, _MOST_ENTRIES)))  # fmt: skip
        lists = [row[0] for row in cursor.execute(
            "SELECT DISTINCT e.playlist_id FROM playlist_entries e JOIN playlists p ON p.id = e.playlist_id "
            f"WHERE e.track_id IN ({marks}) AND (p.visibility <> 'private' OR p.user_id = ?) "
            "ORDER BY e.playlist_id DESC LIMIT ?", [*part, person.user_id, _MOST_LISTS])]  # fmt: skip
        for playlist_id in lists:
            _share_out(met, own, cursor.execute(
                f"SELECT track_id FROM playlist_entries WHERE playlist_id = ?{seen} ORDER BY position LIMIT ?",
                (playlist_id, _MOST_ENTRIES)))  # fmt: skip
    if not met:
        return {}
    popular: dict[int, int] = {}
    for marks, part in chunks(met):
        popular.update(cursor.execute(
            "SELECT track_id, sum(play_count) FROM track_listening "
            f"WHERE track_id IN ({marks}) GROUP BY track_id", part))  # fmt: skip
    worth_of = {one: worth / math.sqrt(1 + popular.get(one, 0)) for one, worth in met.items()}
    return {one: worth / (worth + 0.5) for one, worth in worth_of.items()}


def _share_out(met: dict[int, float], own: set[int], rows: Iterable[tuple[int]]) -> None:
    """What stands in a list together: the longer the list, the less it says."""
    others = {row[0] for row in rows} - own
    for track_id in others:
        met[track_id] += 1 / math.log2(3 + len(others))


# ---- choosing ----------------------------------------------------------------------------------------------------


def _best(scores: Mapping[int, float], most: int, seed: Seed) -> list[tuple[int, float]]:
    """The best first; what is equal by a throw of dice that this question always has."""
    found = list(scores.items())
    if 0 < most < len(found):
        least = sorted(scores.values(), reverse=True)[most - 1] - _EQUAL
        found = [one for one in found if one[1] >= least]
    throw = seed.id * 40_503
    found.sort(key=lambda one: (-int(one[1] / _EQUAL), (one[0] * 2_654_435_761 ^ throw) & 0xFFFFFFFF))
    return found[:most]


def _in_turns(cursor: sqlite3.Cursor, best: Sequence[tuple[int, float]], limit: int) -> list[str]:
    """Public ids of the best, each artist's next one counting less than the one before."""
    first: dict[int, int] = {}
    uids: dict[int, str] = {}
    for marks, part in chunks(one for one, _ in best):
        first.update(cursor.execute(
            "SELECT track_id, artist_id FROM credits WHERE role = 'artist' "
            f"AND track_id IN ({marks}) ORDER BY position DESC", part))  # fmt: skip
        uids.update(cursor.execute(
            f"SELECT id, uid FROM tracks WHERE trashed_at IS NULL AND id IN ({marks})", part))  # fmt: skip
    chosen: list[str] = []
    times: Counter[int] = Counter()
    waiting = [(-score, place, track_id, 0) for place, (track_id, score) in enumerate(best) if track_id in uids]
    heapq.heapify(waiting)
    scores = dict(best)
    while waiting and len(chosen) < limit:
        _, place, track_id, counted = heapq.heappop(waiting)
        artist_id = first.get(track_id, -track_id)
        if counted < times[artist_id]:
            counted = times[artist_id]
            heapq.heappush(waiting, (-scores[track_id] * AGAIN**counted, place, track_id, counted))
            continue
        times[artist_id] += 1
        chosen.append(uids[track_id])
    return chosen


def _first_artists(cursor: sqlite3.Cursor, track_ids: Sequence[int]) -> set[int]:
    found: dict[int, int] = {}
    for marks, part in chunks(track_ids):
        found.update(cursor.execute(
            "SELECT track_id, artist_id FROM credits WHERE role = 'artist' "
            f"AND track_id IN ({marks}) ORDER BY position DESC", part))  # fmt: skip
    return set(found.values())


def _artists_of(cursor: sqlite3.Cursor, best: Sequence[tuple[int, float]]) -> defaultdict[int, float]:
    """How much artists go with it: their five best tracks, on the average, a single one counting half."""
    theirs: defaultdict[int, list[float]] = defaultdict(list)
    scores = dict(best)
    for marks, part in chunks(scores):
        for track_id, artist_id in cursor.execute(
            f"SELECT DISTINCT track_id, artist_id FROM credits WHERE role IN ('artist', 'albumartist') "
            f"AND track_id IN ({marks})", part,
        ):  # fmt: skip
            theirs[artist_id].append(scores[track_id])
    found: defaultdict[int, float] = defaultdict(float)
    for artist_id, its in theirs.items():
        most = heapq.nlargest(5, its)
        found[artist_id] = sum(most) / len(most) * (1 - 0.5 ** len(most))
    return found


def _colleagues(cursor: sqlite3.Cursor, artist_ids: Iterable[int]) -> Counter[int]:
    """Who shares tracks with these artists, and how many."""
    found: Counter[int] = Counter()
    for artist_id in sorted(artist_ids):
        found.update(dict(cursor.execute(
            "SELECT b.artist_id, count(DISTINCT b.track_id) FROM credits a JOIN credits b ON b.track_id = a.track_id "
            "WHERE a.artist_id = ? AND b.artist_id <> a.artist_id AND b.role = 'artist' GROUP BY b.artist_id "
            "LIMIT 1000", (artist_id,)).fetchall()))  # fmt: skip
    return found


def _shown_artists(cursor: sqlite3.Cursor, ids: Sequence[int]) -> Iterable[tuple[int, str]]:
    for marks, part in chunks(ids):
        yield from cursor.execute(
            f"SELECT id, uid FROM artists WHERE (track_count > 0 OR album_count > 0) AND id IN ({marks})", part
        )
