"""Which sound a program gets: the file as it is, or which transcode. Pure: facts and wishes in, a choice out.

Bit rates are kbit/s here, and bit/s where the protocol's transcoding extension has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.model.track import LOSSLESS
from shared.model.units import Bytes, Hertz, Kbps, Milliseconds
from shared.routes.sending import Conversion
from shared.subsonic.asking import Refused

# The bit rates there are: programs that ask for 130 and 128 share one transcode.
STEPS: tuple[Kbps, ...] = (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
LEAST: dict[str, Kbps] = {"opus": 16, "mp3": 32, "aac": 32}     # of what each format is made in
BEST: dict[str, Kbps] = {"opus": 192, "mp3": 320, "aac": 256}   # where no limit is given: more is not heard
DEFAULT_FORMAT = "mp3"      # what every program plays, where only a bit rate is asked for
RAW = "raw"

# What programs call the formats that are made here, and which files are that already.
_CALLED = {"mp3": "mp3", "mpeg": "mp3", "opus": "opus", "ogg": "opus", "oga": "opus",
           "aac": "aac", "adts": "aac", "m4a": "aac", "mp4": "aac"}
_IS_ALREADY = {"ogg": {"opus", "vorbis"}, "oga": {"opus", "vorbis"}}

_CONTAINERS = {"mp3": "mp3", "flac": "flac", "vorbis": "ogg", "opus": "ogg", "aac": "mp4", "alac": "mp4", "wav": "wav",
               "aiff": "aiff", "wavpack": "wv", "ape": "ape", "wma": "asf"}
_CONTAINER_OF_SUFFIX = {"ogg": "ogg", "oga": "ogg", "opus": "ogg", "aac": "aac", "m4a": "mp4", "m4b": "mp4",
                        "mp4": "mp4"}
_CODECS = {"wav": "pcm", "aiff": "pcm"}
_MADE_IN = {"mp3": "mp3", "opus": "ogg", "aac": "aac"}      # format → the container it is made in

# Names of one and the same. A program that says aac for a container means files with AAC in them.
_SAME_CONTAINERS = (
    {"mp3", "mpeg", "mpga", "mp2"}, {"ogg", "oga", "opus"}, {"mp4", "m4a", "m4b", "m4p", "mov", "aac", "adts"},
    {"aiff", "aif", "aifc"}, {"asf", "wma"}, {"wav", "wave"}, {"wv", "wavpack"}, {"ape", "mac"},
)
_SAME_CODECS = (
    {"mp3", "mpeg"}, {"aac", "adts", "mp4a"}, {"wma", "wmav1", "wmav2", "wma1", "wma2"}, {"wavpack", "wv"},
    {"ape", "monkeysaudio", "mac"}, {"vorbis", "ogg"},
    {"pcm", "lpcm", "wav", "aiff", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_s16be", "pcm_s24be", "pcm_f32le"},
)
_ANY = ("", "*")
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_PARAMS = re.compile(r"(opus|mp3|aac)\.(\d{2,3})", re.ASCII)
# An MP3's end, beyond what its length promises: the encoder's own frames, and lengths that are not told to the dot.
_MP3_MARGIN_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a file's sound."""

    format: str                     # one of model.track.FORMATS
    suffix: str = ""                # of its name: flac, m4a
    duration_ms: Milliseconds = 0
    bitrate_kbps: Kbps | None = None
    sample_rate_hz: Hertz | None = None
    bit_depth: int | None = None
    channels: int | None = None

    @property
    def container(self) -> str:
        return _CONTAINER_OF_SUFFIX.get(self.suffix) or _CONTAINERS.get(self.format, self.suffix or self.format)

    @property
    def codec(self) -> str:
        return _CODECS.get(self.format, self.format)


# ---- stream -----------------------------------------------------------------------------------------------------


def conversion(facts: Facts, *, format: str, most_kbps: Kbps, start_ms: Milliseconds = 0,
               estimate: bool = False) -> Conversion | None:
    """What `stream` asks for; None: the file as it is.

    format      as the program says; what this station does not make is what the file may be, or else mp3
    most_kbps   0: no limit
    estimate    tell the length before it is known, where it can be told closely: an mp3's frames are all of one size
    """
    format = format.lower()
    if format == RAW:
        return None
    target = _CALLED.get(format)
    fits = not most_kbps or facts.bitrate_kbps is None or facts.bitrate_kbps <= most_kbps
    is_it = target is None or facts.format in _IS_ALREADY.get(format, {target})
    if fits and is_it and not start_ms:
        return None
    if target is None:      # of its own kind where that can be made and is not to become smaller
        target = facts.format if facts.format in BEST and fits else DEFAULT_FORMAT
    kbps = rate(target, most_kbps or BEST[target], facts)
    length = mp3_length(facts, kbps, start_ms) if estimate and target == "mp3" else None
    return Conversion(target, kbps, start_ms, length)


def rate(format: str, most_kbps: Kbps, facts: Facts) -> Kbps:
    """The step below `most_kbps`, and not above what a lossy file has itself."""
    if facts.format not in LOSSLESS and facts.bitrate_kbps:
        most_kbps = min(most_kbps, max(facts.bitrate_kbps, LEAST[format]))
    return max((one for one in STEPS if LEAST[format] <= one <= most_kbps), default=LEAST[format])


def mp3_length(facts: Facts, kbps: Kbps, start_ms: Milliseconds) -> Bytes | None:
    """Nearly how long an mp3 of `kbps` will be, rather too long; None where it cannot be told."""
    plain = (facts.channels or 0) >= 2 or (facts.channels == 1 and kbps <= 160)
    if not plain or (facts.sample_rate_hz or 0) < 32000 or kbps < 32 or facts.duration_ms <= start_ms:
        return None
    return (facts.duration_ms - start_ms + _MP3_MARGIN_MS) * kbps // 8


# ---- decisions: what a program says of itself ---------------------------------------------------------------------


class Limitation(msgspec.Struct):
    name: str = ""          # audioChannels audioBitrate audioProfile audioSamplerate audioBitdepth
    comparison: str = ""    # Equals NotEquals LessThanEqual GreaterThanEqual
    values: list[str | int | float] = []
    required: bool = False


class CodecProfile(msgspec.Struct):
    type: str = ""
    name: str = ""
    limitations: list[Limitation] = []


class DirectPlayProfile(msgspec.Struct, rename="camel"):
    containers: list[str] = []
    audio_codecs: list[str] = []
    protocols: list[str] = []
    max_audio_channels: int = 0


class TranscodingProfile(msgspec.Struct, rename="camel"):
    container: str = ""
    audio_codec: str = ""
    protocol: str = ""
    max_audio_channels: int = 0


class ClientInfo(msgspec.Struct, rename="camel"):
    """What a program can play. Bit rates in bit/s; 0: no limit."""

    name: str = ""
    platform: str = ""
    max_audio_bitrate: int = 0
    max_transcoding_audio_bitrate: int = 0
    direct_play_profiles: list[DirectPlayProfile] = []
    transcoding_profiles: list[TranscodingProfile] = []
    codec_profiles: list[CodecProfile] = []


def decide(facts: Facts, client: ClientInfo) -> dict[str, Any]:
    """The content of transcodeDecision."""
    source = _details(facts.container, facts.codec, channels=facts.channels, kbps=facts.bitrate_kbps,
                      rate=facts.sample_rate_hz, depth=facts.bit_depth)
    reasons: list[str] = []
    for profile in client.direct_play_profiles:
        reason = _against(profile, source, client)
        if reason == "":
            reasons = []
            break
        reasons.append(reason)
    direct = bool(client.direct_play_profiles) and not reasons
    made = next((made for one in client.transcoding_profiles if (made := _made(one, facts, client)) is not None), None)
    decision: dict[str, Any] = {
        "canDirectPlay": direct, "canTranscode": made is not None, "transcodeReason": reasons, "errorReason": "",
        "sourceStream": source,
    }
    if made is not None:
        format, kbps, target = made
        decision |= {"transcodeParams": f"{format}.{kbps}", "transcodeStream": target}
    elif direct:
        decision["transcodeParams"] = RAW
    else:
        decision["errorReason"] = "This station makes mp3, opus in ogg, and aac (ADTS), over http; none of them suits."
    return decision


def told_before(params: str, start_ms: Milliseconds) -> Conversion | None:
    """What a decision's transcodeParams say. Raises Refused."""
    if params == RAW:
        return None
    found = _PARAMS.fullmatch(params)
    if found is None or int(found[2]) not in STEPS or int(found[2]) < LEAST[found[1]]:
        raise Refused(Refused.GENERIC, "These transcodeParams are not from this station: ask getTranscodeDecision.")
    return Conversion(found[1], int(found[2]), start_ms)


def _details(container: str, codec: str, *, channels: int | None, kbps: Kbps | None, rate: Hertz | None,
             depth: int | None = None) -> dict[str, Any]:
    """StreamDetails, without what is not known."""
    told = {"protocol": "http", "container": container, "codec": codec, "audioChannels": channels,
            "audioBitrate": None if kbps is None else kbps * 1000, "audioProfile": "", "audioSamplerate": rate,
            "audioBitdepth": depth}
    return {name: value for name, value in told.items() if value is not None}


def _against(profile: DirectPlayProfile, source: dict[str, Any], client: ClientInfo) -> str:
    """What speaks against playing the file itself; "": nothing."""
    if profile.protocols and not _among("http", profile.protocols):
        return "ProtocolNotSupported"
    if profile.containers and not _among(source["container"], profile.containers, _SAME_CONTAINERS):
        return "ContainerNotSupported"
    if profile.audio_codecs and not _among(source["codec"], profile.audio_codecs, _SAME_CODECS):
        return "AudioCodecNotSupported"
    if 0 < profile.max_audio_channels < source.get("audioChannels", 0):
        return "AudioChannelsNotSupported"
    if 0 < client.max_audio_bitrate < source.get("audioBitrate", 0):
        return "AudioBitrateNotSupported"
    return _limited(source, client)


def _made(profile: TranscodingProfile, facts: Facts, client: ClientInfo) -> tuple[str, Kbps, dict[str, Any]] | None:
    """(format, bit rate, StreamDetails) of what suits this profile; None: nothing that is made here."""
    if profile.protocol.lower() not in (*_ANY, "http"):
        return None
    format = _target(profile.container.lower(), profile.audio_codec.lower())
    if format is None:
        return None
    channels = min(2, facts.channels or 2)
    if 0 < profile.max_audio_channels < channels:
        return None
    most = [BEST[format], *(limit // 1000 for limit in (client.max_audio_bitrate, client.max_transcoding_audio_bitrate)
                            if limit > 0)]
    for limit in _limitations(format, client):
        if limit.name == "audioBitrate" and limit.comparison in ("LessThanEqual", "Equals"):
            numbers = [int(number) // 1000 for number in _numbers(limit.values)]
            most += numbers[:1] if limit.comparison == "LessThanEqual" else [max(numbers)] if numbers else []
    if min(most) < LEAST[format]:
        return None
    kbps = rate(format, min(most), facts)
    if channels == 1 and format != "opus":
        kbps = min(kbps, 192)       # as much as one channel takes
    target = _details(_MADE_IN[format], format, channels=channels, kbps=kbps,
                      rate=48000 if format == "opus" else rate_for(facts.sample_rate_hz or 0))
    return None if _limited(target, client) else (format, kbps, target)


def _target(container: str, codec: str) -> str | None:
    """Which format is meant, if it is one that is made here."""
    for format, home in _MADE_IN.items():
        if codec in _ANY:
            if container in (home, format):
                return format
        elif _among(format, [codec], _SAME_CODECS) and container in (*_ANY, home, format, "adts" if home == "aac" else
                                                                    "oga" if home == "ogg" else "mpeg"):
            return format
    return None


def rate_for(source: Hertz) -> Hertz:
    """The rate that mp3 and aac are made at; as audio.convert has it, which cannot be imported here."""
    if source in _RATES:
        return source
    for one in (48000, 44100):
        if source and source % one == 0:
            return one
    return 44100 if source > 32000 or not source else min(one for one in _RATES if one >= source)


def _limitations(codec: str, client: ClientInfo) -> list[Limitation]:
    return [limit for profile in client.codec_profiles
            if profile.type.lower() in ("", "audiocodec") and _among(codec, [profile.name], _SAME_CODECS)
            for limit in profile.limitations]


def _limited(stream: dict[str, Any], client: ClientInfo) -> str:
    """Which limitation that is required a stream breaks; "": none. What is not known breaks none."""
    for limit in _limitations(stream["codec"], client):
        if limit.required and not _holds(stream.get(limit.name), limit):
            return f"{limit.name[:1].upper()}{limit.name[1:40]}NotSupported"
    return ""


def _holds(actual: Any, limit: Limitation) -> bool:
    if actual is None or actual == "" or not limit.values:
        return True
    if isinstance(actual, str):
        among = actual.lower() in [str(value).lower() for value in limit.values]
        return among if limit.comparison == "Equals" else not among if limit.comparison == "NotEquals" else True
    numbers = _numbers(limit.values)
    if not numbers:
        return True
    match limit.comparison:
        case "Equals":
            return actual in numbers
        case "NotEquals":
            return actual not in numbers
        case "LessThanEqual":
            return bool(actual <= numbers[0])
        case "GreaterThanEqual":
            return bool(actual >= numbers[0])
    return True


def _numbers(values: Iterable[str | int | float]) -> list[float]:
    found = []
    for value in values:
        try:
            number = float(value)
        except ValueError:
            continue
        if abs(number) < 1e12:      # neither infinite nor no number
            found.append(number)
    return found


def _among(name: str, names: Sequence[str], same: Sequence[set[str]] = ()) -> bool:
    """Whether `name`, or another name of the same, is one of `names`."""
    lower = {one.strip().lower() for one in names}
    if name in lower or "*" in lower:
        return True
    return any(name in group and group & lower for group in same)
