"""Podcasts: channels that the station follows, their episodes, and having them fetched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.model.errors import Conflict
from shared.model.person import Person
from shared.model.podcast import EpisodeWhole, Podcast
from shared.records.moments import shown
from shared.subsonic.answer import Pieces
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.library.covers import CoverFile
    from shared.library.outside_covers import OutsideCovers
    from shared.podcasts.podcasts import Podcasts

# Episodes in one answer, since clients ask for no pages: of one channel; of all of them, and of each of these at least.
MOST, LEAST_OF_EACH = 5_000, 20
NEWEST = 20
_SUFFIXES = {"vorbis": "ogg", "aac": "m4a", "alac": "m4a"}


def calls(*, podcasts: Podcasts) -> Calls:
    calls = Calls("podcasts")
    records = podcasts.records

    def channel(person: Person, one: Podcast, episodes: int) -> dict[str, Any]:
        """episodes: so many of the newest, beside those that are fetched; 0: none."""
        told: dict[str, Any] = {
            "id": one.id, "url": one.url, "title": one.title, "description": one.description, "status": one.status,
            "originalImageUrl": "", "errorMessage": one.error,
        }
        if one.image:
            told |= {"coverArt": one.id, "originalImageUrl": records.image_url(one.id)}
        if episodes:
            told["episode"] = Pieces(partial(entries, person, one.image), records.uids_of(one.id, limit=episodes))
        return told

    def entries(person: Person, picture: bool, uids: Sequence[str]) -> list[dict[str, Any]]:
        wholes = records.wholes(person, uids)
        return [episode_of(wholes[uid], picture) for uid in uids if uid in wholes]

    @calls.answers("getPodcasts")
    def get_podcasts(asked: Asked) -> dict[str, Any]:
        """All podcasts that the station follows, with their newest episodes, or one with all."""
        uid = asked.text("id")
        found = [records.get(asked.person, uid)] if uid else records.every(asked.person)
        episodes = max(MOST // max(1, len(found)), LEAST_OF_EACH) if asked.flag("includeEpisodes", True) else 0
        return {"podcasts": {"channel": [channel(asked.person, one, episodes) for one in found]}}

    @calls.answers("getNewestPodcasts")
    def get_newest_podcasts(asked: Asked) -> dict[str, Any]:
        """The episodes that came last, of all podcasts."""
        count = asked.number("count", NEWEST, most=500)
        found = records.newest(asked.person, limit=count)
        return {"newestPodcasts": {"episode": [episode_of(one, True) for one in found]}}

    @calls.answers("getPodcastEpisode", extension="getPodcastEpisode")
    def get_podcast_episode(asked: Asked) -> dict[str, Any]:
        """One episode."""
        return {"podcastEpisode": episode_of(records.whole(asked.person, asked.need("id")), True)}

    @calls.answers("refreshPodcasts", allows="adds")
    def refresh_podcasts(asked: Asked) -> None:
        """Look for new episodes, soon."""
        podcasts.refresh()

    @calls.answers("createPodcastChannel", allows="adds")
    def create_podcast_channel(asked: Asked) -> None:
        """Follow a podcast by the address of its feed; it is read at once."""
        try:
            podcasts.add(asked.person, asked.need("url"))
        except Conflict as conflict:
            if "id" not in conflict.details:    # one that is there is as it should be
                raise

    @calls.answers("deletePodcastChannel", allows="adds")
    def delete_podcast_channel(asked: Asked) -> None:
        """Follow a podcast no more."""
        podcasts.remove(asked.need("id"))

    @calls.answers("downloadPodcastEpisode", allows="adds")
    def download_podcast_episode(asked: Asked) -> None:
        """Have an episode fetched by the station."""
        podcasts.download(asked.person, asked.need("id"))

    @calls.answers("deletePodcastEpisode", allows="adds")
    def delete_podcast_episode(asked: Asked) -> None:
        """Remove what was fetched of an episode, or stop fetching it."""
        podcasts.episodes.drop(asked.need("id"))

    return calls


def episodes_by_id(podcasts: Podcasts, person: Person, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For Telling: those of `uids` that are episodes, as entries."""
    return {uid: episode_of(one, True) for uid, one in podcasts.records.wholes(person, uids).items()}


def cover(podcasts: Podcasts, pictures: OutsideCovers, uid: str, size: int, person: Person, form: str) -> CoverFile:
    """The picture of a podcast or an episode, about `size` pixels wide. Raises NotFound, Overloaded."""
    return pictures.get(podcasts.image_url(uid), size, form=form)


def episode_of(one: EpisodeWhole, picture: bool) -> dict[str, Any]:
    """PodcastEpisode. `streamId` is there when the episode is: what lies at its source alone is not played by apps
    whose player knows files only."""
    episode = one.shown
    fetched = one.path is not None
    suffix = (one.path or one.url.partition("?")[0]).rpartition(".")[2].lower()
    if not suffix.isalnum() or len(suffix) > 5:
        suffix = _SUFFIXES.get(one.format or "mp3", one.format or "mp3")
    told: dict[str, Any] = {
        "id": episode.id, "parent": episode.podcast_id, "channelId": episode.podcast_id, "isDir": False,
        "title": episode.title, "album": episode.podcast_title, "artist": episode.podcast_title,
        "displayArtist": episode.podcast_title, "description": episode.description, "status": episode.status,
        "publishDate": episode.published_at, "created": shown(one.added_at), "isVideo": False, "type": "podcast",
        "mediaType": "song", "genre": "Podcast", "genres": [{"name": "Podcast"}], "size": episode.size_bytes or 0,
        "contentType": one.mime_type if one.mime_type.startswith("audio/") else "audio/mpeg", "suffix": suffix,
        "duration": ((episode.duration_ms or 0) + 500) // 1000, "playCount": one.play_count,
        "year": int(episode.published_at[:4]), "path": f"{episode.podcast_id}/{episode.id}.{suffix}",
        "bitRate": one.bitrate_kbps, "samplingRate": one.sample_rate_hz, "channelCount": one.channels,
        "explicitStatus": "explicit" if episode.explicit else "",
    }
    if fetched:
        told["streamId"] = episode.id
    if picture:
        told["coverArt"] = episode.podcast_id
    if episode.number is not None:
        told["track"] = episode.number
    if episode.season is not None:
        told["discNumber"] = episode.season
    if episode.position_ms >= 1000 and not episode.finished:
        told["bookmarkPosition"] = episode.position_ms // 1000
    if one.favourite_at is not None:
        told["starred"] = shown(one.favourite_at)
    if one.last_played_at is not None:
        told["played"] = shown(one.last_played_at)
    if one.rating:
        told["userRating"] = one.rating
    return {name: value for name, value in told.items() if value is not None}
