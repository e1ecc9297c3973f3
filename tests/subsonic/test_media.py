"""Sound and pictures at /rest, with real audio: bit for bit, at the bit rate and from where they were asked for."""

from __future__ import annotations

import io
import math
import struct
import wave
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from flask import Flask
from PIL import Image

from shared.model.errors import NotFound
from shared.routes.sending import Sending
from shared.subsonic import media
from shared.subsonic.door import door

CLIENT = {"name": "a test", "platform": "test", "maxTranscodingAudioBitrate": 96_000,
          "directPlayProfiles": [{"containers": ["mp3"], "audioCodecs": ["mp3"], "protocols": ["http"]}],
          "transcodingProfiles": [{"container": "ogg", "audioCodec": "opus", "protocol": "http"}]}


@pytest.fixture(scope="module")
def house(house):
    """With a song that is low for three seconds and high for three more, and one with a picture beside it."""
    folder = house.music / "Two Tones"
    folder.mkdir()
    with wave.open(str(folder / "Two Tones.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        tones = (math.sin(2 * math.pi * (300 if at < 3 * 44100 else 1200) * at / 44100) for at in range(6 * 44100))
        file.writeframes(b"".join(struct.pack("<hh", value, value) for value in (int(one * 12000) for one in tones)))
    house.rescan()
    return house


@pytest.fixture(scope="module")
def tones(house):
    return house.track("Two Tones")


def path_of(house, uid):
    file = house.station.tracks.file_of(uid)
    return Path(file.root, file.path)


def content_of(house, uid):
    return path_of(house, uid).read_bytes()


def heard(data):
    """(seconds, the tone at the beginning in Hz, sample rate, channels) of an encoded file."""
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        pieces = [frame.to_ndarray() for frame in file.decode(stream)]
        rate, planar = stream.rate, stream.format.is_planar
        channels = stream.codec_context.layout.nb_channels
    samples = np.concatenate([one[0] if planar else one.reshape(-1, channels)[:, 0] for one in pieces], axis=-1)
    first = samples[rate // 10:rate // 10 + rate // 2].astype(float)
    tone = np.fft.rfftfreq(len(first), 1 / rate)[np.argmax(np.abs(np.fft.rfft(first * np.hanning(len(first)))))]
    return len(samples) / rate, tone, rate, channels


def samples(data):
    """All that is decoded of an encoded file."""
    with av.open(io.BytesIO(data)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(file.streams.audio[0])], axis=-1)


# ---- the file -------------------------------------------------------------------------------------------------------


def test_the_file_comes_bit_for_bit_with_its_ranges(house, tones):
    content = content_of(house, tones)
    for given in ({}, {"format": "raw"}, {"maxBitRate": 0}, {"maxBitRate": 5000}, {"format": "wav"},
                  {"format": "raw", "maxBitRate": 64, "timeOffset": 3}, {"size": "640x480", "converted": "true"}):
        answer = house.raw("stream", id=tones, **given)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/wav"), given
        assert answer.data == content
    part = house.raw("stream", id=tones, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.data) == (206, content[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(content)}"
    assert part.headers["Access-Control-Allow-Origin"] == "*"
    head = house.raw("stream", id=tones, method="HEAD")
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(len(content)), b"")
    beyond = house.raw("stream", id=tones, headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    same = house.raw("stream", id=tones, headers={"If-None-Match": part.headers["ETag"]})
    assert same.status_code == 304
    assert house.raw("stream", id=tones, method="POST").data == content
    assert house.raw("stream", id=tones, view=True, f=None).data == content


def test_what_is_not_there_is_told_in_the_protocol_s_way(house, tones):
    for call in ("stream", "download", "getCoverArt"):
        assert house.refused(call, id="nothing") == 70
        assert house.refused(call) == 10
    assert house.refused("stream", id=tones, maxBitRate="much") == 0
    assert house.refused("stream", id=tones, timeOffset=3600) == 0
    assert house.raw("stream", id=tones, who=None).get_json()["subsonic-response"]["error"]["code"] == 10


def test_a_stream_is_no_play_and_is_over_when_it_was_sent(house, tones):
    house.raw("stream", id=tones)
    house.raw("stream", id=tones, format="opus", maxBitRate=48)
    assert len(house.station.open_streams) == 0
    assert house.station.tracks.get(house.person(), tones).play_count == 0


# ---- transcodes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "kind", "kbps"), [
    ({"maxBitRate": 64}, "audio/mpeg", 64), ({"format": "mp3", "maxBitRate": 200}, "audio/mpeg", 192),
    ({"format": "opus", "maxBitRate": 64}, "audio/ogg", None), ({"format": "ogg"}, "audio/ogg", None),
    ({"format": "aac", "maxBitRate": 96}, "audio/aac", None),
])
def test_a_transcode_has_the_length_and_the_bit_rate_that_were_asked_for(house, tones, given, kind, kbps):
    answer = house.raw("stream", id=tones, **given)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    seconds, tone, _, channels = heard(answer.data)
    assert 5.9 < seconds < 6.2 and abs(tone - 300) < 10 and channels == 2
    if kbps is not None:    # all frames of one size
        assert abs(len(answer.data) * 8 / 1000 / seconds - kbps) < 0.02 * kbps
    else:
        assert len(answer.data) < 3 * 6000 * given.get("maxBitRate", 192) / 8


def test_an_offset_begins_there(house, tones):
    for given in ({"format": "mp3"}, {"format": "opus", "maxBitRate": 96}, {"maxBitRate": 128}, {}):
        seconds, tone, *_ = heard(house.raw("stream", id=tones, timeOffset=4, **given).data)
        assert 1.9 < seconds < 2.2 and abs(tone - 1200) < 10, given


def test_a_finished_transcode_has_ranges(house, tones):
    whole = house.raw("stream", id=tones, format="mp3", maxBitRate=112).data
    again = house.raw("stream", id=tones, format="mp3", maxBitRate=112)
    assert (again.data, again.headers["Accept-Ranges"]) == (whole, "bytes")
    part = house.raw("stream", id=tones, format="mp3", maxBitRate=120, headers={"Range": "bytes=500-599"})
    assert (part.status_code, part.data) == (206, whole[500:600])     # 120 is 112: one transcode for both


def test_a_length_that_is_estimated_is_kept_to(house, tones):
    """The real client stops at the promised length, so all of it has to be there, and the music within it."""
    wish = {"id": tones, "format": "mp3", "maxBitRate": 160, "estimateContentLength": "true"}
    head = house.raw("stream", method="HEAD", **wish)
    first = house.raw("stream", **wish)
    assert first.headers["Content-Length"] == head.headers["Content-Length"] == str(len(first.data)) == str(7000 * 20)
    finished = house.raw("stream", **wish)
    assert first.data.startswith(finished.data) and len(finished.data) > 6000 * 20
    whole, music = samples(first.data), samples(finished.data)      # an error at its end would be raised
    assert np.array_equal(whole[:, :music.shape[1]], music)
    assert 0.8 * 44100 < whole.shape[1] - music.shape[1] <= 44100 and not whole[:, music.shape[1] + 1152:].any()
    assert "Content-Length" not in house.raw("stream", id=tones, format="opus", maxBitRate=80,
                                             estimateContentLength="true").headers


def test_a_transcode_that_was_decided_comes_as_it_was_decided(house, tones):
    ask = {"mediaId": tones, "mediaType": "song"}
    told = house.ask("getTranscodeDecision", method="POST", body=CLIENT, **ask)["transcodeDecision"]
    assert (told["canDirectPlay"], told["canTranscode"], told["transcodeReason"]) == (
        False, True, ["ContainerNotSupported"])
    assert told["sourceStream"]["audioBitrate"] == 1411_000
    answer = house.raw("getTranscodeStream", transcodeParams=told["transcodeParams"], offset=4, **ask)
    assert answer.headers["Content-Type"] == "audio/ogg"
    seconds, tone, rate, channels = heard(answer.data)
    assert (rate, channels) == (told["transcodeStream"]["audioSamplerate"], told["transcodeStream"]["audioChannels"])
    assert 1.9 < seconds < 2.2 and abs(tone - 1200) < 10
    raw = house.raw("getTranscodeStream", transcodeParams="raw", **ask)
    assert raw.data == content_of(house, tones)


@pytest.mark.parametrize(("given", "code"), [
    ({"mediaId": "nothing"}, 70), ({"mediaType": "film"}, 0), ({"mediaType": "podcast"}, 70), ({"mediaId": ""}, 10),
    ({"body": [1]}, 0), ({"body": {"directPlayProfiles": "all"}}, 0), ({"body": {"name": "x" * 70_000}}, 0),
])
def test_a_decision_needs_what_it_decides_on(house, tones, given, code):
    assert house.refused("getTranscodeDecision", **{"mediaId": tones, "mediaType": "song", "method": "POST",
                                                    "body": CLIENT, **given}) == code


def test_a_decision_is_posted(house, tones):
    assert house.refused("getTranscodeDecision", mediaId=tones, mediaType="song") == 10
    assert house.refused("getTranscodeDecision", mediaId=tones, mediaType="song", method="POST") == 10
    assert house.refused("getTranscodeStream", mediaId=tones, mediaType="song", transcodeParams="opus.129") == 0
    told = house.ask("getTranscodeDecision", mediaId=tones, mediaType="song", method="POST", body={"more": "later"})
    assert told["transcodeDecision"]["canDirectPlay"] is False and told["transcodeDecision"]["errorReason"]


# ---- downloads ------------------------------------------------------------------------------------------------------


def test_a_download_is_the_file_with_a_name(house):
    uid = house.track("Señorita")
    answer = house.raw("download", id=uid)
    assert answer.data == content_of(house, uid)
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"Bj_rk - Se_orita.flac\"; filename*=UTF-8''Bj%C3%B6rk%20-%20Se%C3%B1orita.flac")
    part = house.raw("download", id=uid, headers={"Range": "bytes=0-9"})
    assert part.status_code == 206 and "Content-Disposition" in part.headers


def unzipped(answer):
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    assert all(one.compress_type == zipfile.ZIP_STORED for one in archive.infolist() if "missing" not in one.filename)
    return {one: archive.read(one) for one in archive.namelist()}


def test_an_album_a_playlist_and_an_artist_come_as_archives(house):
    found = unzipped(house.raw("download", id=house.album("Two Sides")))
    assert sorted(found) == [f"The Pair - Two Sides/{disc}-0{number} Side {disc}.{number}.mp3"
                             for disc in (1, 2) for number in (1, 2)]
    uid = house.track("Side 2.1")
    assert found["The Pair - Two Sides/2-01 Side 2.1.mp3"] == content_of(house, uid)

    playlist = house.station.playlists.make(house.person(), "Mine/../own", [uid, house.track("Run"), uid])
    try:
        listed = unzipped(house.raw("download", id=playlist.id))
        assert list(listed) == ["Mine_.._own/001 The Pair - Side 2.1.mp3", "Mine_.._own/002 Mover 2 - Run.opus",
                                "Mine_.._own/003 The Pair - Side 2.1.mp3"]
        assert house.refused("download", id=playlist.id, who="child") == 70     # it is private
    finally:
        house.station.playlists.delete(house.person(), playlist.id)

    assert len(unzipped(house.raw("download", id=house.artist("Björk")))) == 3
    head = house.raw("download", id=house.album("Two Sides"), method="HEAD")
    assert (head.status_code, head.data) == (200, b"") and ".zip" in head.headers["Content-Disposition"]


def test_what_an_archive_cannot_have_is_named_in_it(house):
    file = path_of(house, house.track("Rest"))
    away = file.rename(file.with_suffix(".away"))
    try:
        found = unzipped(house.raw("download", id=house.album("Moving")))
    finally:
        away.rename(file)
    said = next(content for name, content in found.items() if name.endswith("missing.txt")).decode()
    assert len(found) == 3 and "03 Rest.m4a" in said and str(house.music) not in said
    assert len(house.station.open_streams) == 0


# ---- pictures -------------------------------------------------------------------------------------------------------


def test_a_cover_comes_for_all_that_has_one_also_behind_invented_prefixes(house):
    song = house.track("Señorita")
    playlist = house.station.playlists.make(house.person(), "With a picture", [house.track("Run"), song])
    for id in (house.album("Début"), song, house.artist("Björk"), playlist.id, f"al-{house.album('Début')}",
               f"mf-{song}", f"ar-{house.artist('Björk')}", f"pl-{playlist.id}"):
        answer = house.raw("getCoverArt", id=id, size=100)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg"), id
        picture = Image.open(io.BytesIO(answer.data))
        assert (picture.size, picture.format) == ((96, 96), "JPEG")
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("private, max-age=3600", "Accept")
    webp = house.raw("getCoverArt", id=song, size=100, headers={"Accept": "image/avif,image/webp,*/*"})
    assert (webp.headers["Content-Type"], Image.open(io.BytesIO(webp.data)).format) == ("image/webp", "WEBP")
    assert webp.headers["ETag"] != answer.headers["ETag"]
    again = house.raw("getCoverArt", id=song, size=100, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert house.refused("getCoverArt", id=playlist.id, who="child") == 70
    house.station.playlists.edit(house.person(), playlist.id, visibility="shared")
    assert house.raw("getCoverArt", id=playlist.id, who="child").status_code == 200
    house.station.playlists.delete(house.person(), playlist.id)


@pytest.mark.parametrize(("size", "pixels"), [(None, 300), (1, 64), (0, 64), (-5, 64), (64, 64), (5000, 300)])
def test_the_size_of_a_cover_is_bounded(house, size, pixels):
    answer = house.raw("getCoverArt", id=house.album("Début"), **({} if size is None else {"size": size}))
    assert Image.open(io.BytesIO(answer.data)).size == (pixels, pixels)


def test_no_picture_is_error_70_so_that_a_program_shows_its_own(house):
    assert house.refused("getCoverArt", id=house.album("Two Sides")) == 70
    assert house.refused("getCoverArt", id="al-") == 70
    assert house.refused("getCoverArt", id=house.album("Début"), size="big") == 0


def test_a_limited_person_gets_nothing_of_what_they_do_not_see(house):
    station, owner = house.station, house.person()
    kid = house.person("child")
    mixed = station.playlists.make(owner, "Mixed", [house.track("Run"), house.track("Señorita")], "shared")
    station.accounts.change_user(owner, kid.id, limited=True, folders=[(str(house.music), "Various")])
    try:
        song, album = house.track("Señorita"), house.album("Début")
        for call, given in [("stream", {}), ("stream", {"format": "mp3"}), ("download", {}), ("getCoverArt", {}),
                            ("getLyricsBySongId", {})]:
            assert house.refused(call, id=song, who="child", **given) == 70, call
        for call in ("download", "getCoverArt"):
            for id in (album, house.artist("Björk")):
                assert house.refused(call, id=id, who="child") == 70
        assert house.refused("getTranscodeDecision", mediaId=song, mediaType="song", method="POST", body=CLIENT,
                             who="child") == 70
        assert house.refused("getTranscodeStream", mediaId=song, mediaType="song", transcodeParams="raw",
                             who="child") == 70
        assert house.ask("getLyrics", artist="The Pair", title="Side 1.1", who="child")["lyrics"]["value"] == ""
        assert list(unzipped(house.raw("download", id=mixed.id, who="child"))) == ["Mixed/001 Mover 2 - Run.opus"]
        assert house.refused("getCoverArt", id=mixed.id, who="child") == 70
        assert house.raw("stream", id=house.track("Run"), who="child").status_code == 200
    finally:
        station.accounts.change_user(owner, kid.id, limited=False)
        station.playlists.delete(owner, mixed.id)


# ---- episodes -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def podcast(house, tones):
    """A door with an episode `ep1` that lies in the file of the song with two tones."""
    station, path = house.station, path_of(house, tones)
    size_bytes = path.stat().st_size

    def sound_of(uid):
        if uid != "ep1":
            raise NotFound("There is no such episode.")
        return SimpleNamespace(path=path, mime_type="audio/x-wav", duration_ms=6000, format="wav", bitrate_kbps=1411,
                               size_bytes=size_bytes, title="One: of many")

    def cover(uid, size, person, form):
        if uid != "ep1":
            raise NotFound("There is no such picture.")
        return station.covers.get(house.album("Début"), size, form=form)

    holding: list[str] = []

    @contextmanager
    def held(uid):
        holding.append(uid)
        yield
        holding.remove(uid)

    app = Flask("podcast")
    app.register_blueprint(door(app_passwords=station.app_passwords, rooms=[media.calls(
        tracks=station.tracks, albums=station.albums, playlists=station.playlists, covers=station.covers,
        episodes=SimpleNamespace(sound_of=sound_of), podcast_cover=cover, held=held,
        sending=Sending(playing=station.playing, transcodes=station.transcodes, events=station.events,
                        streams=station.open_streams),
    )]))

    def ask(call, method="GET", body=None, headers=None, buffered=True, **given):
        return app.test_client().open(f"/rest/{call}", method=method, json=body, headers=headers, buffered=buffered,
                                      query_string={"apiKey": house.keys["child"], "c": "t", "f": "json", **given})

    return SimpleNamespace(ask=ask, path=path, holding=holding)


def test_an_episode_is_sent_as_a_track_is(podcast):
    content = podcast.path.read_bytes()
    whole = podcast.ask("stream", id="ep1")
    assert (whole.data, whole.headers["Content-Type"]) == (content, "audio/x-wav")
    part = podcast.ask("stream", id="ep1", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.data) == (206, content[5:10])
    seconds, tone, *_ = heard(podcast.ask("stream", id="ep1", format="opus", maxBitRate=64, timeOffset=4).data)
    assert 1.9 < seconds < 2.2 and abs(tone - 1200) < 10
    saved = podcast.ask("download", id="ep1")
    assert saved.data == content and 'filename="One_ of many.wav"' in saved.headers["Content-Disposition"]
    assert podcast.ask("stream", id="ep2").get_json()["subsonic-response"]["error"]["code"] == 70
    assert podcast.ask("getCoverArt", id="ep1").headers["Content-Type"] == "image/jpeg"
    ask = {"mediaId": "ep1", "mediaType": "podcast"}
    told = podcast.ask("getTranscodeDecision", method="POST", body=CLIENT, **ask).get_json()["subsonic-response"]
    params = told["transcodeDecision"]["transcodeParams"]
    assert heard(podcast.ask("getTranscodeStream", transcodeParams=params, **ask).data)[0] == pytest.approx(6, abs=0.2)


def test_an_episode_is_kept_as_long_as_it_is_heard(podcast):
    for given in ({}, {"format": "mp3", "maxBitRate": 56}, {"format": "mp3", "maxBitRate": 56}):
        answer = podcast.ask("stream", id="ep1", buffered=False, **given)
        assert podcast.holding == ["ep1"]
        assert next(answer.iter_encoded())
        answer.close()
        assert podcast.holding == []
    podcast.ask("stream", id="ep1", method="HEAD")
    assert podcast.holding == []


def test_an_episode_whose_file_was_removed_is_not_there(podcast):
    away = podcast.path.rename(podcast.path.with_suffix(".gone"))
    try:
        for given in ({}, {"format": "mp3"}):
            told = podcast.ask("stream", id="ep1", **given).get_json()["subsonic-response"]
            assert told["error"]["code"] == 70
    finally:
        away.rename(podcast.path)

