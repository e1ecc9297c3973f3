"""Which sound a program gets: the file where it may be the file, and else what suits best."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio import convert
from shared.library.transcodes import SUFFIXES
from shared.routes.sending import Conversion
from shared.subsonic import transcoding
from shared.subsonic.asking import Refused
from shared.subsonic.transcoding import ClientInfo, Facts, conversion, decide

FLAC = Facts(format="flac", suffix="flac", duration_ms=200_000, bitrate_kbps=900, sample_rate_hz=44100, bit_depth=16,
             channels=2)
MP3 = Facts(format="mp3", suffix="mp3", duration_ms=200_000, bitrate_kbps=192, sample_rate_hz=44100, channels=2)
VORBIS = Facts(format="vorbis", suffix="ogg", duration_ms=200_000, bitrate_kbps=160, sample_rate_hz=44100, channels=2)
M4A = Facts(format="aac", suffix="m4a", duration_ms=200_000, bitrate_kbps=256, sample_rate_hz=48000, channels=2)
ALAC = Facts(format="alac", suffix="m4a", duration_ms=200_000, bitrate_kbps=800, sample_rate_hz=44100, channels=2)


@pytest.mark.parametrize(("facts", "format", "most", "start", "wanted"), [
    (FLAC, "", 0, 0, None),                                 # as it is
    (FLAC, "raw", 64, 9000, None),                          # raw is raw
    (FLAC, "", 1000, 0, None),                              # above the file's own
    (MP3, "", 192, 0, None),
    (FLAC, "", 320, 0, Conversion("mp3", 320)),             # below: what everybody plays
    (FLAC, "", 130, 0, Conversion("mp3", 128)),             # the step below
    (FLAC, "opus", 96, 0, Conversion("opus", 96)),
    (FLAC, "opus", 0, 0, Conversion("opus", 192)),          # 0 is no limit: as good as is heard
    (FLAC, "mp3", 0, 0, Conversion("mp3", 320)),
    (FLAC, "aac", 5000, 0, Conversion("aac", 320)),
    (FLAC, "ogg", 128, 0, Conversion("opus", 128)),
    (FLAC, "flac", 0, 0, None),
    (FLAC, "flv", 0, 0, None),                              # nobody makes that: as it is
    (FLAC, "flv", 64, 0, Conversion("mp3", 64)),
    (MP3, "mp3", 320, 0, None),                             # it is that already
    (MP3, "mp3", 128, 0, Conversion("mp3", 128)),
    (MP3, "opus", 320, 0, Conversion("opus", 192)),         # never more than it has
    (MP3, "", 0, 3000, Conversion("mp3", 192, 3000)),
    (VORBIS, "ogg", 0, 0, None),
    (VORBIS, "", 0, 3000, Conversion("mp3", 160, 3000)),
    (M4A, "m4a", 0, 0, None),
    (ALAC, "m4a", 0, 0, Conversion("aac", 256)),            # m4a is taken for AAC, which is more widely played
    (FLAC, "", 1, 0, Conversion("mp3", 32)),                # the least there is
])
def test_what_stream_asks_for(facts, format, most, start, wanted):
    assert conversion(facts, format=format, most_kbps=most, start_ms=start) == wanted


def test_a_length_is_told_for_mp3_alone_and_where_it_will_be_right():
    def length(facts, **given):
        return conversion(facts, estimate=True, **{"format": "mp3", "most_kbps": 128, **given}).length

    assert length(FLAC) == 201_000 * 16
    assert length(FLAC, start_ms=100_000) == 101_000 * 16
    assert length(FLAC, format="opus") is None and length(FLAC, format="aac") is None
    assert length(Facts(format="flac", duration_ms=200_000, sample_rate_hz=22050, channels=2)) is None
    assert length(Facts(format="flac", duration_ms=0, sample_rate_hz=44100, channels=2, bitrate_kbps=900)) is None


@given(st.sampled_from(["mp3", "opus", "aac", "ogg", "m4a", "", "wav"]), st.integers(0, 10**6),
       st.none() | st.integers(1, 5000), st.sampled_from(["mp3", "flac", "opus", "vorbis", "aac", "wma"]))
def test_whatever_is_asked_can_be_made(format, most, own, kind):
    made = conversion(Facts(format=kind, duration_ms=1000, bitrate_kbps=own), format=format, most_kbps=most,
                      start_ms=1)
    assert made.format in SUFFIXES and made.bitrate_kbps in transcoding.STEPS
    least, highest = convert.TARGETS[made.format][4:]
    assert least <= made.bitrate_kbps <= highest


@given(st.integers(0, 400_000))
def test_the_rate_is_the_one_that_will_be_made(rate):
    assert transcoding.rate_for(rate) == convert.rate_for(rate)


# ---- decisions ------------------------------------------------------------------------------------------------------


def client(**given):
    return msgspec.convert({"name": "a test", "platform": "test", **given}, ClientInfo)


def plays(container, codec, protocols=("http",), **more):
    return {"containers": [container] if container else [], "audioCodecs": [codec] if codec else [],
            "protocols": list(protocols), **more}


def takes(container, codec, protocol="http", **more):
    return {"container": container, "audioCodec": codec, "protocol": protocol, **more}


def limit(name, comparison, *values, required=True):
    return {"name": name, "comparison": comparison, "values": list(values), "required": required}


def test_a_program_that_plays_the_file_plays_the_file():
    for facts, profile in [(FLAC, plays("flac", "flac")), (FLAC, plays("", "", ())), (VORBIS, plays("oga", "vorbis")),
                           (M4A, plays("mp4", "aac")), (M4A, plays("m4a", "AAC")), (M4A, plays("aac", "aac"))]:
        told = decide(facts, client(directPlayProfiles=[plays("wav", "pcm"), profile]))
        assert (told["canDirectPlay"], told["canTranscode"], told["transcodeReason"]) == (True, False, [])
        assert told["transcodeParams"] == "raw"
    assert told["sourceStream"] == {
        "protocol": "http", "container": "mp4", "codec": "aac", "audioChannels": 2, "audioBitrate": 256_000,
        "audioProfile": "", "audioSamplerate": 48000}


def test_each_profile_says_why_not():
    told = decide(FLAC, client(maxAudioBitrate=320_000, directPlayProfiles=[
        plays("mp3", "mp3"), plays("flac", "alac"), plays("flac", "flac", ["hls"]),
        plays("flac", "flac", maxAudioChannels=1), plays("flac", "flac")], transcodingProfiles=[takes("mp3", "mp3")]))
    assert not told["canDirectPlay"]
    assert told["transcodeReason"] == ["ContainerNotSupported", "AudioCodecNotSupported", "ProtocolNotSupported",
                                       "AudioChannelsNotSupported", "AudioBitrateNotSupported"]


def test_the_first_profile_that_can_be_made_is_made():
    told = decide(FLAC, client(maxTranscodingAudioBitrate=256_000, directPlayProfiles=[plays("mp3", "mp3")],
                               transcodingProfiles=[takes("flac", "flac"), takes("mp4", "aac"),
                                                    takes("ogg", "opus", "hls"), takes("ogg", "opus"),
                                                    takes("mp3", "mp3")]))
    assert (told["canTranscode"], told["errorReason"], told["transcodeParams"]) == (True, "", "opus.192")
    assert told["transcodeStream"] == {
        "protocol": "http", "container": "ogg", "codec": "opus", "audioChannels": 2, "audioBitrate": 192_000,
        "audioProfile": "", "audioSamplerate": 48000}


@pytest.mark.parametrize(("container", "codec", "wanted"), [
    ("opus", "opus", "opus.192"), ("oga", "opus", "opus.192"), ("aac", "aac", "aac.256"), ("adts", "aac", "aac.256"),
    ("mp3", "mp3", "mp3.320"), ("mp3", "", "mp3.320"), ("*", "mp3", "mp3.320"), ("webm", "opus", None),
    ("mp4", "aac", None), ("ogg", "vorbis", None), ("wav", "pcm", None), ("mp3", "opus", None),
])
def test_the_containers_that_are_made_here(container, codec, wanted):
    told = decide(FLAC, client(transcodingProfiles=[takes(container, codec)]))
    assert told.get("transcodeParams") == wanted
    assert bool(told["errorReason"]) == (wanted is None)


def test_the_lowest_limit_of_the_bit_rate_counts_and_a_lossy_file_is_not_blown_up():
    def params(facts, **given):
        return decide(facts, client(transcodingProfiles=[takes("mp3", "mp3")], **given)).get("transcodeParams")

    mp3 = {"type": "AudioCodec", "name": "mp3"}
    assert params(FLAC, maxAudioBitrate=200_000, maxTranscodingAudioBitrate=300_000) == "mp3.192"
    assert params(FLAC, codecProfiles=[mp3 | {"limitations": [limit("audioBitrate", "LessThanEqual", "128000")]}]
                  ) == "mp3.128"
    assert params(VORBIS) == "mp3.160"
    assert params(FLAC, maxTranscodingAudioBitrate=8000) is None


def test_limitations_of_a_codec_count_when_they_are_required():
    def direct(*limits, facts=FLAC):
        profile = {"type": "AudioCodec", "name": "flac", "limitations": list(limits)}
        return decide(facts, client(directPlayProfiles=[plays("flac", "flac")], codecProfiles=[profile]))

    assert direct(limit("audioSamplerate", "LessThanEqual", "48000"))["canDirectPlay"]
    told = direct(limit("audioSamplerate", "LessThanEqual", "32000"))
    assert (told["canDirectPlay"], told["transcodeReason"]) == (False, ["AudioSamplerateNotSupported"])
    assert direct(limit("audioSamplerate", "LessThanEqual", "32000", required=False))["canDirectPlay"]
    assert direct(limit("audioChannels", "Equals", "1", "2"))["canDirectPlay"]
    assert not direct(limit("audioChannels", "NotEquals", "2"))["canDirectPlay"]
    assert not direct(limit("audioBitdepth", "GreaterThanEqual", 24))["canDirectPlay"]
    assert direct(limit("audioProfile", "Equals", "LC"))["canDirectPlay"]       # not known: breaks none
    assert direct(limit("audioBitdepth", "LessThanEqual", "many"))["canDirectPlay"]
    assert direct(limit("audioSamplerate", "LessThanEqual", "32000"), facts=FLAC)["canTranscode"] is False


def test_a_limitation_that_the_transcode_would_break_leads_to_the_next_profile():
    opus = {"type": "AudioCodec", "name": "opus", "limitations": [limit("audioSamplerate", "LessThanEqual", "44100")]}
    told = decide(FLAC, client(transcodingProfiles=[takes("ogg", "opus"), takes("aac", "aac")], codecProfiles=[opus]))
    assert told["transcodeStream"]["codec"] == "aac" and told["transcodeStream"]["audioSamplerate"] == 44100
    mono = decide(FLAC, client(transcodingProfiles=[takes("mp3", "mp3", maxAudioChannels=1)]))
    assert mono["canTranscode"] is False


def test_what_was_decided_is_understood_and_nothing_else():
    assert transcoding.told_before("opus.128", 5000) == Conversion("opus", 128, 5000)
    assert transcoding.told_before("raw", 5000) is None
    for other in ("", "opus", "opus.129", "opus.999", "mp3.16", "flac.128", "opus.128.1", "opus.128\n", "../x"):
        with pytest.raises(Refused):
            transcoding.told_before(other, 0)


WORD = st.sampled_from(["", "*", "http", "hls", "mp3", "flac", "aac", "opus", "ogg", "mp4", "Equals", "NotEquals",
                        "LessThanEqual", "GreaterThanEqual", "audioBitrate", "audioChannels", "AudioCodec", "x", "nan",
                        "inf", "-1", "0"])
NUMBER = st.integers(-10, 10**9)
LIMIT = st.fixed_dictionaries({"name": WORD, "comparison": WORD, "values": st.lists(WORD | NUMBER, max_size=3),
                               "required": st.booleans()})
WHATEVER = st.fixed_dictionaries({
    "maxAudioBitrate": NUMBER, "maxTranscodingAudioBitrate": NUMBER,
    "directPlayProfiles": st.lists(st.fixed_dictionaries({
        "containers": st.lists(WORD, max_size=3), "audioCodecs": st.lists(WORD, max_size=3),
        "protocols": st.lists(WORD, max_size=2), "maxAudioChannels": NUMBER}), max_size=3),
    "transcodingProfiles": st.lists(st.fixed_dictionaries({
        "container": WORD, "audioCodec": WORD, "protocol": WORD, "maxAudioChannels": NUMBER}), max_size=3),
    "codecProfiles": st.lists(st.fixed_dictionaries({
        "type": WORD, "name": WORD, "limitations": st.lists(LIMIT, max_size=3)}), max_size=3),
})


@given(WHATEVER, st.sampled_from([FLAC, MP3, VORBIS, M4A, Facts(format="wma"), Facts(format="ape", suffix="ape")]))
def test_whatever_a_program_says_the_decision_can_be_kept(said, facts):
    told = decide(facts, client(**said))
    if told["canDirectPlay"] or told["canTranscode"]:
        made = transcoding.told_before(told["transcodeParams"], 0)
        assert (made is not None) == told["canTranscode"]
        if made is not None:
            assert made.bitrate_kbps * 1000 == told["transcodeStream"]["audioBitrate"]
    else:
        assert told["errorReason"] and "transcodeParams" not in told
    if not told["canDirectPlay"]:
        assert len(told["transcodeReason"]) == len(said["directPlayProfiles"])
