"""What people think of the music and hear: stars, ratings, plays, and what is playing now.

Podcast episodes are annotated like tracks; an id is whatever it is of, as programs that know folders alone send it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from shared.library.now_playing import STATES
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records.listening import Heard
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.library.now_playing import NowPlaying
    from shared.records.listening import Listening
    from shared.subsonic.telling import Telling
    from shared.subsonic.unfolding import Unfold

MOST = 10_000           # things in one call
CLIENT_CHARACTERS = 200
END_MS = 15_000         # of an episode: who is so near to it has heard it
MEDIA = {"song": "track", "podcast": "episode"}
_FIRST_S = 315_532_800.0    # 1980: what is told of an earlier moment was told in other units, or by no clock
_AHEAD_S = 86_400.0


class Episodes(Protocol):
    """What of records.Podcasts is needed here. All raise NotFound."""

    def wholes(self, person: Person, uids: Any) -> Mapping[str, Any]: ...

    def set_favourite(self, person: Person, uid: str, favourite: bool) -> None: ...

    def set_rating(self, person: Person, uid: str, rating: int) -> None: ...

    def set_position(self, person: Person, uid: str, position_ms: int, *, finished: bool | None = None) -> None: ...

    def played(self, person: Person, uid: str, at: float) -> None: ...

    def positions(self, person: Person) -> Mapping[str, tuple[int, float]]: ...


class NoEpisodes:
    """A station without podcasts."""

    def wholes(self, person: Person, uids: Any) -> Mapping[str, Any]:
        return {}

    def positions(self, person: Person) -> Mapping[str, tuple[int, float]]:
        return {}

    def set_favourite(self, person: Person, uid: str, favourite: bool) -> None:
        raise NotFound("There is no such episode here.")

    def set_rating(self, person: Person, uid: str, rating: int) -> None:
        raise NotFound("There is no such episode here.")

    def set_position(self, person: Person, uid: str, position_ms: int, *, finished: bool | None = None) -> None:
        raise NotFound("There is no such episode here.")

    def played(self, person: Person, uid: str, at: float) -> None:
        raise NotFound("There is no such episode here.")


NO_EPISODES = NoEpisodes()


def calls(*, listening: Listening, now_playing: NowPlaying, telling: Telling, episodes: Episodes = NO_EPISODES,
          unfold: Unfold = lambda person, uid: uid) -> Calls:
    """unfold: the id of the album that a directory of the folder view stands for; any other id as it is."""
    calls = Calls("annotation")

    @calls.answers("star")
    def star(asked: Asked) -> None:
        """Make songs, albums, artists and episodes favourites."""
        favour(asked, True)

    @calls.answers("unstar")
    def unstar(asked: Asked) -> None:
        """They are favourites no more."""
        favour(asked, False)

    def favour(asked: Asked, on: bool) -> None:
        things: list[tuple[str | None, str]] = []
        any_ids = [unfold(asked.person, uid) for uid in asked.texts("id")]
        known = episodes.wholes(asked.person, any_ids) if any_ids else {}
        things += [(None, uid) for uid in any_ids if uid not in known]
        things += [("album", uid) for uid in asked.texts("albumId")]
        things += [("artist", uid) for uid in asked.texts("artistId")]
        if not things and not known:
            raise Refused(Refused.MISSING, "The parameter id, albumId or artistId is missing.")
        _bounded(things)
        listening.favour(asked.person, things, on)
        for uid in known:
            episodes.set_favourite(asked.person, uid, on)

    @calls.answers("setRating")
    def set_rating(asked: Asked) -> None:
        """Rate a song, an album, an artist or an episode with one to five stars; 0 takes them away."""
        uid = unfold(asked.person, asked.need("id"))
        asked.need("rating")
        rating = asked.numbers("rating")[0]
        if rating not in range(6):
            raise Refused(Refused.GENERIC, "A rating is 0 to 5.")
        if episodes.wholes(asked.person, [uid]):
            episodes.set_rating(asked.person, uid, rating)
        else:
            listening.rate_any(asked.person, uid, rating)

    @calls.answers("scrobble")
    def scrobble(asked: Asked) -> None:
        """Songs were heard, also long ago; or with submission=false: this one is playing now."""
        asked.need("id")
        uids, client = asked.texts("id"), asked.client[:CLIENT_CHARACTERS]
        _bounded(uids)
        if not asked.flag("submission", True):
            uid = uids[-1]
            kind = "episode" if episodes.wholes(asked.person, [uid]) else "track"
            now_playing.began(asked.person, client, uid, kind)
            return
        times: list[float | None] = [_moment(one) for one in asked.numbers("time")[:len(uids)]]
        times += [None] * (len(uids) - len(times))
        known = episodes.wholes(asked.person, uids)
        there, heard = 0, []
        for uid, at in zip(uids, times, strict=True):
            if now_playing.scrobbled(asked.person, client, uid, at, "episode" if uid in known else "track"):
                there += 1
            elif uid in known and known[uid].shown.finished:
                there += 1      # reaching its end was the play
            elif uid in known:
                episodes.played(asked.person, uid, time.time() if at is None else at)
                there += 1
            else:
                heard.append(Heard(uid, at))
        there += listening.plays(asked.person, heard, client)
        if not there:   # of many, those that have left the library do not keep the others from counting
            raise NotFound("There is no such song here.")

    @calls.answers("reportPlayback", extension="playbackReport")
    def report_playback(asked: Asked) -> None:
        """Where an app is in what it plays. Half of it, or four minutes, is a play, unless ignoreScrobble."""
        uid, media, state = asked.need("mediaId"), asked.need("mediaType"), asked.need("state")
        asked.need("positionMs")
        position_ms = asked.numbers("positionMs")[0]
        kind = MEDIA.get(media)
        if kind is None:
            raise Refused(Refused.GENERIC, f"A mediaType is {' or '.join(MEDIA)}, not {media[:40]!r}.")
        if state not in STATES or position_ms < 0:
            raise Refused(Refused.GENERIC, f"A state is {', '.join(STATES)}, and a position no less than 0.")
        quiet, rate = asked.flag("ignoreScrobble"), _rate(asked.text("playbackRate", "1"))
        if kind == "episode" and not quiet and state != "starting":     # from where is not said yet: it is asked for
            whole = episodes.wholes(asked.person, [uid]).get(uid)
            length_ms = whole and whole.shown.duration_ms
            episodes.set_position(asked.person, uid, position_ms,
                                  finished=True if length_ms and position_ms >= length_ms - END_MS else None)
        now_playing.report(asked.person, asked.client[:CLIENT_CHARACTERS], uid, kind, state, position_ms,
                           rate, quiet=quiet)

    @calls.answers("getNowPlaying")
    def get_now_playing(asked: Asked) -> dict[str, Any]:
        """What everybody's apps play now, as far as this person sees it."""
        playing = now_playing.playing(asked.person)
        songs = {one["id"]: one for one in telling.songs(asked.person, list({one.uid: None for one in playing}))}
        return {"nowPlaying": {"entry": [
            {
                **songs[one.uid], "username": one.person.username, "minutesAgo": now_playing.minutes_ago(one),
                "playerId": one.player_id, "playerName": one.client, "state": one.state,
                "positionMs": now_playing.position_of(one), "playbackRate": one.rate,
            } for one in playing if one.uid in songs
        ]}}

    return calls


def _bounded(things: Any) -> None:
    if len(things) > MOST:
        raise Refused(Refused.GENERIC, f"At most {MOST} in one call.")


def _moment(ms: int) -> float | None:
    """Unix seconds of a `time`; None, now, for one that cannot be."""
    at = ms / 1000
    now = time.time()
    return min(at, now) if _FIRST_S <= at <= now + _AHEAD_S else None


def _rate(given: str) -> float:
    try:
        rate = float(given)
    except ValueError:
        rate = math.nan
    if not math.isfinite(rate):
        raise Refused(Refused.GENERIC, f"The parameter playbackRate is a number, not {given[:40]!r}.")
    return rate
