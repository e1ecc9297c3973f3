"""Sound and pictures: the file or a transcode of it, whole albums in one archive, covers, and what suits a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import msgspec
from flask import Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from shared.library.covers import CoverFile
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.source import TrackFile
from shared.model.track import Filters, Track
from shared.model.units import Kbps, Milliseconds
from shared.routes.covers import LARGEST, SMALLEST
from shared.routes.operation import learn
from shared.routes.respond import file_of
from shared.routes.sending import Conversion, Sending
from shared.subsonic import archive, transcoding
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls
from shared.subsonic.pictures import form_of
from shared.subsonic.transcoding import ClientInfo, Facts

if TYPE_CHECKING:
    from shared.library.covers import Covers
    from shared.model.podcast import EpisodeSound
    from shared.records.albums import Albums
    from shared.records.playlists import Playlists
    from shared.records.tracks import Tracks

# What programs put before an id to have a picture of it, out of the habits of other servers.
_INVENTED = re.compile(r"(?:al|ar|pl|mf|tr|pd|ep|ra|sh)-(?=.)")
COVER_CACHE = "private, max-age=3600"
BODY_LIMIT_BYTES = 64 * 1024        # of what a program tells of itself
LONGEST_START_S = 10**6
NO_END_MS: Milliseconds = 10**9     # of an episode whose length nobody told
# What a file of a format is usually called.
_SUFFIXES = {"vorbis": "ogg", "aac": "m4a", "alac": "m4a", "wavpack": "wv"}


class Episodes(Protocol):
    """What of the podcasts is needed here."""

    def sound_of(self, uid: str) -> EpisodeSound:
        """The file of an episode that was fetched. Raises NotFound."""
        ...


class NoEpisodes:
    """Where there are no podcasts."""

    def sound_of(self, uid: str) -> EpisodeSound:
        raise NotFound("There is no such song here.")


@dataclass(frozen=True, slots=True)
class Sound:
    """A track or an episode, by its public id; one of the two is there."""

    uid: str
    track: TrackFile | None = None
    episode: EpisodeSound | None = None


# Of a public id, about so many pixels wide, as webp or jpg. Raises NotFound.
Cover = Callable[[str, int, Person, str], CoverFile]


def calls(*, tracks: Tracks, albums: Albums, playlists: Playlists, covers: Covers, sending: Sending,
          episodes: Episodes | None = None, podcast_cover: Cover | None = None,
          held: Callable[[str], AbstractContextManager[object]] = nullcontext, zips_at_once: int = 2) -> Calls:
    """podcast_cover: pictures of podcasts and their episodes. held: what keeps an episode's file while it is heard."""
    calls = Calls("media")
    learn(ClientInfo)
    podcasts = episodes or NoEpisodes()
    archives = archive.Archives(sending=sending, at_once=zips_at_once)

    def found(person: Person, uid: str) -> Sound:
        """Raises NotFound."""
        try:
            return Sound(uid, tracks.file_of(uid, person=person))
        except NotFound:
            return Sound(uid, episode=podcasts.sound_of(uid))

    def facts_of(person: Person, sound: Sound) -> Facts:
        if sound.track is not None:
            track = tracks.get(person, sound.uid)
            kbps = track.bitrate_kbps or _average(sound.track.size_bytes, track.duration_ms)
            return Facts(format=track.format, suffix=_suffix(sound.track.path), duration_ms=track.duration_ms,
                         bitrate_kbps=kbps, sample_rate_hz=track.sample_rate_hz, bit_depth=track.bit_depth,
                         channels=track.channels)
        episode = sound.episode
        assert episode is not None
        kbps = episode.bitrate_kbps or _average(episode.size_bytes, episode.duration_ms or 0)
        return Facts(format=episode.format, suffix=_suffix(str(episode.path)), duration_ms=episode.duration_ms or 0,
                     bitrate_kbps=kbps)

    def sent(person: Person, sound: Sound, conversion: Conversion | None, *, redirects: bool = True) -> Response:
        if sound.track is not None:
            return sending.track(person, sound.track, conversion, redirects=redirects)
        episode = sound.episode
        assert episode is not None
        return sending.file(person, sound.uid, episode.path, episode.mime_type, episode.duration_ms or NO_END_MS,
                            conversion, held(sound.uid))

    # ---- sound

    @calls.answers("stream")
    def stream(asked: Asked) -> Response:
        """The sound of a track or an episode: the file, or what was asked for instead.

        The file bit for bit with ranges, unless `maxBitRate` (kbit/s, 0 is none) is below its own, `format` is another
        that is made here (mp3, opus or ogg, aac), or `timeOffset` (s) begins later; `format=raw` is always the file.
        Other formats are taken for "as it is, or mp3". A transcode has ranges once it is finished. A length is
        estimated (`estimateContentLength`) for mp3 alone: there it comes true, with silence at the end; a wrong one
        breaks players. `size` and `converted` are for films. Nothing of this counts as a play.
        """
        uid = asked.need("id")
        most_kbps = asked.number("maxBitRate", 0)
        start_ms = asked.number("timeOffset", 0, most=LONGEST_START_S) * 1000
        format = asked.text("format").lower()
        sound = found(asked.person, uid)
        conversion = None
        if format != transcoding.RAW and (most_kbps or format or start_ms):
            conversion = transcoding.conversion(
                facts_of(asked.person, sound), format=format, most_kbps=most_kbps, start_ms=start_ms,
                estimate=asked.flag("estimateContentLength"),
            )
        return sent(asked.person, sound, conversion)

    @calls.answers("download")
    def download(asked: Asked) -> Response:
        """The file of a track or an episode as it is, with a name; an album, an artist or a playlist as one ZIP.

        The archive is not compressed and is made while it is sent.
        """
        uid = asked.need("id")
        try:
            sound = found(asked.person, uid)
        except NotFound:
            title, entries = collected(asked.person, uid)
            return named(archives.answer(asked.person, uid, title, entries), f"{title}.zip")
        response = sent(asked.person, sound, None, redirects=False)
        if sound.track is not None:
            track = tracks.get(asked.person, uid)
            return named(response, f"{track.artist} - {track.title}.{_suffix(sound.track.path)}")
        assert sound.episode is not None
        return named(response, f"{sound.episode.title}{sound.episode.path.suffix}")

    def collected(person: Person, uid: str) -> tuple[str, list[archive.Entry]]:
        """(name, files) of an album, an artist or a playlist. Raises NotFound, Refused when it is too much."""
        try:
            album = albums.get(person, uid)
        except NotFound:
            pass
        else:
            several = album.disc_count > 1
            return f"{album.artist} - {album.title}", entries(person, [
                (_numbered(one, several), one) for one in bounded(album.tracks)])
        try:
            if playlists.length(person, uid) > archive.MOST_TRACKS:
                raise too_many()
            playlist = playlists.get(person, uid)
        except NotFound:
            pass
        else:
            return playlist.name, entries(person, [
                (f"{number:03} {one.artist} - {one.title}", one) for number, one in enumerate(playlist.tracks, 1)])
        listed = by_artist(person, uid)
        return (next((ref.name for one in listed for ref in one.artists if ref.id == uid), listed[0].artist),
                entries(person, [(f"{one.album or ''} - {_numbered(one, True)}", one) for one in listed]))

    def by_artist(person: Person, uid: str) -> list[Track]:
        listed: list[Track] = []
        cursor = None
        while True:
            page = tracks.list(person, filters=Filters(artist_id=uid), sort="album", limit=500, cursor=cursor)
            listed += page.items
            cursor = page.next_cursor
            if cursor is None or not page.items or len(bounded(listed)) > archive.MOST_TRACKS:
                break
        if not listed:
            raise NotFound("There is nothing of that id to download here.")
        return listed

    def entries(person: Person, listed: Sequence[tuple[str, Track]]) -> list[archive.Entry]:
        def entry(name: str, track: Track) -> archive.Entry:
            suffix = _SUFFIXES.get(track.format, track.format)
            return f"{name}.{suffix}", lambda: tracks.file_of(track.id, person=person)

        return [entry(name, track) for name, track in listed]

    def bounded(listed: Sequence[Track]) -> Sequence[Track]:
        if len(listed) > archive.MOST_TRACKS:
            raise too_many()
        return listed

    # ---- pictures

    @calls.answers("getCoverArt")
    def get_cover_art(asked: Asked) -> Response:
        """The picture of an album, a track, an artist, a playlist, a podcast or an episode.

        `size` in pixels is brought to 64-1200 and the nearest size there is; without it the largest. Prefixes that
        programs invent (`al-`, `ar-`, `pl-`, `mf-` …) are passed over. It is a JPEG, or WebP for who accepts that.
        Where there is no picture the answer is error 70: programs show one of their own, which they could not if a
        placeholder came.
        """
        uid = _INVENTED.sub("", asked.need("id"), count=1)
        size = asked.number("size", LARGEST, least=SMALLEST, most=LARGEST)
        for last_try in (False, True):
            cover = picture(uid, size, asked.person, form_of(request))
            try:
                answer = file_of(cover.path, cover.mime_type, request, etag=cover.etag, cache=COVER_CACHE)
                answer.headers["Vary"] = "Accept"
                return answer
            except NotFound:    # swept from the cache between the two lines
                if last_try:
                    raise
        raise AssertionError

    def picture(uid: str, size: int, person: Person, form: str) -> CoverFile:
        try:
            return covers.get(uid, size, person=person, form=form)
        except NotFound:
            try:
                if podcast_cover is not None:
                    return podcast_cover(uid, size, person, form)
            except NotFound:
                pass
            raise NotFound("There is no such picture here.") from None

    # ---- the transcoding extension

    @calls.answers("getTranscodeDecision", extension="transcoding")
    def get_transcode_decision(asked: Asked) -> dict[str, Any]:
        """Whether a program can play a file itself, and else what is made for it.

        What it can comes as JSON in the body (ClientInfo). Limitations that are not `required` are kept to where that
        costs nothing; what is not known of a file breaks none.
        """
        sound = medium(asked)
        return {"transcodeDecision": transcoding.decide(facts_of(asked.person, sound), _client_info())}

    @calls.answers("getTranscodeStream", extension="transcoding")
    def get_transcode_stream(asked: Asked) -> Response:
        """The sound that getTranscodeDecision has decided on, from `offset` (s) on."""
        start_ms = asked.number("offset", 0, most=LONGEST_START_S) * 1000
        conversion = transcoding.told_before(asked.need("transcodeParams"), start_ms)
        return sent(asked.person, medium(asked), conversion)

    def medium(asked: Asked) -> Sound:
        """What mediaId and mediaType name. Raises Refused, NotFound."""
        uid, kind = asked.need("mediaId"), asked.need("mediaType")
        if kind == "song":
            return Sound(uid, tracks.file_of(uid, person=asked.person))
        if kind == "podcast":
            return Sound(uid, episode=podcasts.sound_of(uid))
        raise Refused(Refused.GENERIC, "The mediaType is song or podcast.")

    return calls


def named(response: Response, name: str) -> Response:
    """Have a program that saves it call it so (RFC 6266, 8187)."""
    name = archive.clean(name)
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    if response.status_code in (200, 206):
        response.headers["Content-Disposition"] = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}")
    return response


def too_many() -> Refused:
    return Refused(Refused.GENERIC, f"That is more than {archive.MOST_TRACKS} tracks; download it in parts.")


def _client_info() -> ClientInfo:
    """The request's body. Raises Refused, HTTPException."""
    if request.method != "POST":
        raise Refused(Refused.MISSING, "POST it: what the program can play (ClientInfo) comes as JSON in the body.")
    request.max_content_length = BODY_LIMIT_BYTES
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except HTTPException:
        raise Refused(Refused.GENERIC, "The request's body ended before its announced length.") from None
    if not body:
        raise Refused(Refused.MISSING, "What the program can play (ClientInfo) is missing: JSON in the body.")
    try:
        return msgspec.json.decode(body, type=ClientInfo)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise Refused(Refused.GENERIC, f"The body is not ClientInfo as JSON: {problem}.") from None


def _numbered(track: Track, discs: bool) -> str:
    number = "" if track.track_number is None else f"{track.track_number:02} "
    return f"{track.disc_number or 1}-{number}{track.title}" if discs else f"{number}{track.title}"


def _suffix(path: str) -> str:
    return PurePath(path).suffix.lstrip(".").lower()


def _average(size_bytes: int, duration_ms: Milliseconds) -> Kbps | None:
    return size_bytes * 8 // duration_ms if duration_ms else None
