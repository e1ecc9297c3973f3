"""The same names for the same things, whoever told of them: titles, artist credits, dates, numbers, genres, ISRCs.

Pure. Two directions lead here: `wish` makes one description of what the catalogue, the person and the file's own tags
say; `plain` and `of_release` turn such a description, or what MusicBrainz knows, into tags that are always built alike:

- guests stand in the artist ("A feat. B"), not in the title;
- quotes, apostrophes, hyphens and dots are those of a keyboard;
- noise of video pages ("Official Video", "HD") goes; words that make another recording ("Live", "Remix") stay;
- genres are two or three of the listeners' own words, spelt one way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rapidfuzz.fuzz import ratio, token_sort_ratio

from shared.audio.fields import HIGHEST_NUMBER, clean, date_of, isrc_of, mbids_of
from shared.model.download import Wanted
from shared.model.track import Credit, Metadata
from shared.records.folding import fold

VARIOUS_ARTISTS = "89ad4ac3-39f7-470e-963a-56509c546377"
MOST_GENRES = 3
ALIKE = 80.0                    # two texts this similar (of 100) are meant to be the same

#: Who names things carefully: what they say is the wish. The others are a page's title or a person's words.
CATALOGUES = frozenset({"spotify", "deezer", "musicbrainz", "local"})

# ---- text --------------------------------------------------------------------------------------------------------

_KEYBOARD = str.maketrans({
    "‘": "'", "’": "'", "ʼ": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "‑": "-", "−": "-",
    "…": "...", "\u00a0": " ",
})


def text(value: str | None) -> str | None:
    """`value` as a tag holds it: one line, NFC, keyboard punctuation; None when nothing is left."""
    return (clean(value).translate(_KEYBOARD) or None) if isinstance(value, str) else None


def alike(one: str | None, other: str | None) -> float:
    """0-100: how similar two names are, accents, case, punctuation and the order of words set aside.

    Not a partial match: "hello" and "hello darkness my old friend" are different songs.
    """
    a, b = fold(one or ""), fold(other or "")
    if not a or not b:
        return 0.0
    if a.replace(" ", "") == b.replace(" ", ""):
        return 100.0
    return max(ratio(a, b), token_sort_ratio(a, b))


# ---- titles ------------------------------------------------------------------------------------------------------

#: Words that make another recording of the same song.
VERSION_WORDS = frozenset({
    "live", "remix", "rmx", "mix", "edit", "acoustic", "instrumental", "karaoke", "cover", "demo", "slowed", "reverb",
    "nightcore", "sped up", "spedup", "extended", "orchestral", "symphonic", "acappella", "a cappella", "unplugged",
    "reprise", "dub", "tribute", "8d", "bootleg", "mashup", "medley", "piano version", "session", "sessions",
    "rehearsal", "rework", "vip", "lullaby", "backing track", "parody", "alternate", "outtake", "commentary",
})
#: Words in brackets that change nothing: the same recording, or a page's noise.
_SAME_WORDS = (
    r"(?:\d{4}\s+)?(?:digital(?:ly)?\s+)?remaster(?:ed)?(?:\s+version)?(?:\s+\d{4})?"
    r"|original(?:\s+(?:mix|version|recording))?|(?:album|single|lp|standard|full|stereo|mono|explicit|clean)"
    r"(?:\s+version)?|\d{4}\s+(?:remaster(?:ed)?|mix|version)|explicit|bonus\s+track"
)
_NOISE = (
    r"(?:the\s+)?(?:official|original)?\s*(?:music|lyrics?|hd|hq|4k|full)?\s*"
    r"(?:video(?:\s?clip)?|audio|clip|visuali[sz]er|lyrics?|mv|m/v|track|stream)(?:\s+(?:hd|hq|4k|oficial|official|remastered))?"
    r"|with\s+lyrics?|lyrics?|(?:(?:hd|hq|4k|uhd|full|1080p|720p|2160p|60fps)\s*)+(?:remaster(?:ed)?|upgrade|version)?|high\s+quality|official|oficial|video\s*oficial|clip\s+officiel"
    r"|free\s+download|out\s+now|premiere|full\s+song|audio\s+only|color\s+coded.*|prod\.?\s+.*|explicit"
)
_NOISY_END = re.compile(r"\s*[-–—|]?\s*official\s+(?:(?:music|lyrics?|hd)\s+)?(?:video|audio|visuali[sz]er)\Z|"
                        r"\s*[-–—|]?\s*(?:music|lyrics?)\s+video\Z", re.IGNORECASE)
_SAME = re.compile(_SAME_WORDS, re.IGNORECASE)
_NOISY = re.compile(_NOISE, re.IGNORECASE)
_BRACKETS = re.compile(r"\s*[(\[【]([^()\[\]【】]*)[)\]】]")
_FEATURED = re.compile(r"(?:feat(?:uring)?|ft|f/|with|w/)\b\.?\s*(.+)", re.IGNORECASE)
_FEATURED_OPEN = re.compile(r"\s+(?:feat(?:uring)?|ft)\b\.?\s+(.+)\Z", re.IGNORECASE)
_DASH = re.compile(r"\s+[-–—|~]\s+")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Title:
    """A title taken apart."""

    base: str                       # without any of the others
    versions: frozenset[str]        # of VERSION_WORDS, in title or brackets
    featured: tuple[str, ...]
    shown: str                      # as a tag holds it: the base with its version, without guests
    bare: str                       # shown, without the noise of pages too


def versions_in(words: str) -> frozenset[str]:
    """Which of VERSION_WORDS stand in `words`."""
    folded = " ".join(_WORD.findall(fold(words)))
    padded = f" {folded} "
    return frozenset(one for one in VERSION_WORDS if f" {one} " in padded)


def title_of(value: str) -> Title:
    """Take a title apart: "Song (feat. B) [Live at X] - Remastered 2011" → Song, {live}, (B,) …"""
    whole = text(value) or ""
    featured: list[str] = []
    versions: set[str] = set()
    dropped: list[str] = []         # of the base, not of what is shown
    shown = bare = whole
    for found in _BRACKETS.finditer(whole):
        inner, said = found.group(1).strip(), found.group(0)
        guest = _FEATURED.fullmatch(inner)
        if guest and not versions_in(inner):
            featured += names_of(guest.group(1))
            shown, bare = shown.replace(said, "", 1), bare.replace(said, "", 1)
        elif _NOISY.fullmatch(inner) or not inner:
            bare = bare.replace(said, "", 1)
        elif made := versions_in(inner):
            if not _SAME.fullmatch(inner):
                versions |= made
        elif not _SAME.fullmatch(inner):
            continue                # a part of the name: "(I Can't Get No) Satisfaction"
        dropped.append(said)
    base = whole
    for said in dropped:
        base = base.replace(said, "", 1)
    base, bare = _without_end(base), _without_end(bare)
    parts = _DASH.split(base)
    while len(parts) > 1 and (_SAME.fullmatch(parts[-1].strip()) or versions_in(parts[-1])):
        last = parts.pop()
        if not _SAME.fullmatch(last.strip()):
            versions |= versions_in(last)
        base = base[: base.rindex(last)].rstrip().rstrip("-–—|~").rstrip()
    if guest := _FEATURED_OPEN.search(base):
        featured += names_of(guest.group(1))
        base = base[: guest.start()]
        shown, bare = shown.replace(guest.group(0), "", 1), bare.replace(guest.group(0), "", 1)
    squeeze = " ".join
    return Title(squeeze(base.split()) or whole, frozenset(versions), tuple(dict.fromkeys(featured)),
                 squeeze(shown.split()) or whole, squeeze(bare.split()) or whole)


def _without_end(title: str) -> str:
    """Without "Official Video" and the like at its end, unless nothing else is in it."""
    return _NOISY_END.sub("", title.rstrip()) or title


# ---- artists -----------------------------------------------------------------------------------------------------

_GUESTS = re.compile(r"\s+(?:feat(?:uring)?\.?|ft\.?)\s+|\s*\((?:feat(?:uring)?\.?|ft\.?)\s+([^)]*)\)", re.IGNORECASE)
_SEPARATE = re.compile(r"\s*(?:,|;|/|\s&\s|\s[x×+]\s|\sand\s|\swith\s|\svs\.?\s)\s*", re.IGNORECASE)
_CHANNEL = re.compile(r"\s*(?:-\s*topic|vevo|official(?:\s+channel)?|\(official\))\s*\Z", re.IGNORECASE)


def names_of(joined: str) -> list[str]:
    """ "B, C & D" as names. Only for guests: an artist's own "&" may be part of the name."""
    return [name for part in _SEPARATE.split(text(joined) or "") if (name := text(part))]


def main_and_guests(artist: str) -> tuple[str, tuple[str, ...]]:
    """ "A & B feat. C, D" → "A & B", (C, D)."""
    parts = _GUESTS.split(text(artist) or "", maxsplit=1)
    main = text(parts[0]) or ""
    guests = [one for part in parts[1:] if part for one in names_of(part)]
    return main, tuple(dict.fromkeys(guests))


def credit(artist: str | None, artists: Sequence[str], featured: Iterable[str] = ()) -> tuple[str, tuple[str, ...]]:
    """How the artist is shown, and each name by itself, the main one first.

    "A" with artists A, B and a guest C becomes "A & B feat. C"; a source's own joined form is kept when it holds the
    names already.
    """
    main, guests = main_and_guests(artist or "")
    listed = [name for one in artists if (name := text(one))]
    guests = tuple(dict.fromkeys([*guests, *(name for one in featured if (name := text(one)))]))
    guest_keys = {fold(one) for one in guests}
    mains = [one for one in listed if fold(one) not in guest_keys] or ([main] if main else [])
    if not mains:
        return "", ()
    whole = fold(main)
    if main and all(fold(one) in whole for one in mains):
        shown = main                # it names them all
    else:
        shown = mains[0] if len(mains) == 1 else ", ".join(mains[:-1]) + " & " + mains[-1]
    if not listed and fold(shown) != fold(mains[0]):
        mains = [shown]
    new = [one for one in guests if fold(one) not in {fold(main_name) for main_name in mains}]
    if new:
        shown += " feat. " + (new[0] if len(new) == 1 else ", ".join(new[:-1]) + " & " + new[-1])
    return shown, tuple(dict.fromkeys([*mains, *new]))


def without_channel(name: str) -> str:
    """A video channel's name as the artist's: "New Order - Topic", "NewOrderVEVO"."""
    return _CHANNEL.sub("", name).strip() or name


# ---- dates, numbers, genres --------------------------------------------------------------------------------------


def number(value: Any) -> int | None:
    try:
        found = int(value)
    except (TypeError, ValueError):
        return None
    return found if 1 <= found <= HIGHEST_NUMBER else None


def mbid(value: Any) -> str | None:
    found = mbids_of([value]) if isinstance(value, str) else []
    return found[0] if found else None


_NO_GENRE = re.compile(
    r"(?:\d+|\d{2,4}'?s|\d+ stars?|.*\b(?:seen live|favou?rites?|favou?rite|awesome|love|owned|wishlist|check out|"
    r"spotify|itunes|mp3|vinyl|cd|album|albums|best of|chart|playlist|female|male|vocalists?|singer|band|artist|"
    r"soundtrack from|billboard|grammy|rolling stone|nme|pitchfork|1001|top \d+|offizielle|million|release|"
    r"production music|fixme|special purpose|non-?music)\b.*)", re.IGNORECASE)
_PLACES = frozenset({
    "american", "british", "english", "uk", "usa", "us", "german", "french", "canadian", "australian", "irish",
    "scottish", "swedish", "norwegian", "danish", "finnish", "dutch", "belgian", "italian", "spanish", "japanese",
    "korean", "brazilian", "mexican", "icelandic", "england", "germany", "france", "japan", "sweden", "london",
    "europe", "european", "manchester", "deutsch", "français", "various artists", "other", "unknown", "misc",
    "miscellaneous", "music", "none", "default",
})
_SPELT = {
    "r&b": "R&B", "rnb": "R&B", "rhythm and blues": "R&B", "contemporary r&b": "Contemporary R&B", "edm": "EDM",
    "idm": "IDM", "ebm": "EBM", "mpb": "MPB", "hiphop": "Hip Hop", "hip-hop": "Hip Hop", "hip hop": "Hip Hop",
    "rap/hip hop": "Hip Hop", "hip-hop/rap": "Hip Hop", "drum & bass": "Drum and Bass", "drum n bass": "Drum and Bass",
    "drum and bass": "Drum and Bass", "dnb": "Drum and Bass", "d&b": "Drum and Bass", "rock & roll": "Rock and Roll",
    "rock n roll": "Rock and Roll", "rock and roll": "Rock and Roll", "synthpop": "Synth-Pop", "synth pop": "Synth-Pop",
    "synth-pop": "Synth-Pop", "electro pop": "Electropop", "post punk": "Post-Punk", "post rock": "Post-Rock",
    "trip-hop": "Trip Hop", "triphop": "Trip Hop", "alt rock": "Alternative Rock", "alternative": "Alternative",
    "electronica": "Electronic", "electro": "Electro", "uk garage": "UK Garage", "nwobhm": "NWOBHM", "j-pop": "J-Pop",
    "jpop": "J-Pop", "k-pop": "K-Pop", "kpop": "K-Pop", "lofi": "Lo-Fi", "lo-fi": "Lo-Fi", "aor": "AOR",
    "psychedelic": "Psychedelic", "dj mix": "DJ Mix", "ost": "Soundtrack", "film score": "Film Score",
}
_SMALL = frozenset({"and", "of", "the", "in", "n", "de", "no", "y", "e"})


def genre(word: str) -> str | None:
    """One tag or genre name as it is spelt here; None when it is none."""
    plain = (text(word) or "").strip(" .,#-").casefold()
    if not 2 <= len(plain) <= 40 or plain in _PLACES or _NO_GENRE.fullmatch(plain):
        return None
    if plain in _SPELT:
        return _SPELT[plain]
    spelt = []
    for at, one in enumerate(plain.split()):
        spelt.append(one if at and one in _SMALL else "-".join(part[:1].upper() + part[1:] for part in one.split("-")))
    return " ".join(spelt)


def genres(tags: Iterable[tuple[str, float]], most: int = MOST_GENRES) -> tuple[str, ...]:
    """The first few of (name, weight) that are genres, the heaviest first; spellings of one are added up.

    A tag with a small part of the first one's weight is one listener's opinion and left out.
    """
    sums: Counter[str] = Counter()
    for name, weight in tags:
        if weight > 0 and (spelt := genre(name)):
            sums[spelt] += weight       # type: ignore[assignment]
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return tuple(name for name, weight in ranked[:most] if weight >= ranked[0][1] * 0.2)


# ---- the wish: what the catalogue, the person and the file say, as one --------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What is meant, as far as it is known, and who said each part: "catalogue" | "file"."""

    wanted: Wanted
    said_by: Mapping[str, str] = field(default_factory=dict)
    file_fits: bool = True          # the file's tags speak of the same song, or say nothing

    @property
    def named(self) -> bool:
        return bool(self.wanted.title and self.wanted.artist)

    @property
    def trusted(self) -> bool:
        """Whether a catalogue named it: its names may stand as they are."""
        return self.wanted.source in CATALOGUES and self.named


_RECORDING = ("title", "artist", "artists", "isrc", "recording_mbid", "duration_ms", "explicit")
_ALBUM = ("album", "album_artist", "track_number", "track_total", "disc_number", "disc_total", "date", "release_mbid")


def wish(wanted: Wanted, in_file: Metadata) -> Wish:
    """One description of the recording.

    A catalogue names it and the file's tags fill the gaps; of a direct link the file's tags name it; otherwise the
    file's tags win where they agree with the words. Tags that speak of another song are not used at all.
    """
    asked, told = _tidy(wanted), _as_wanted(in_file)
    if not asked.title and not asked.artist:
        first, second = told, asked
    elif asked.source in CATALOGUES:
        first, second = asked, (told if _agree(asked, told) else Wanted())
    elif (asked.source == "direct" and told.title) or _agree(asked, told):
        first, second = told, asked
    else:
        first, second = asked, Wanted()
    merged: dict[str, Any] = {}
    said_by: dict[str, str] = {}
    other_album = bool(first.album and second.album and alike(first.album, second.album) < ALIKE)
    for row in fields(Wanted):
        mine, theirs = getattr(first, row.name), getattr(second, row.name)
        given, giver = (mine, first) if mine not in (None, (), "") else (theirs, second)
        if giver is second and row.name in _ALBUM and other_album:
            continue                # numbers and dates of another album
        if given not in (None, (), ""):
            merged[row.name] = given
            said_by[row.name] = "file" if giver is told else "catalogue"
    if said_by.get("artist") != said_by.get("artists") and merged.get("artist"):
        _, merged["artists"] = credit(merged["artist"], ())
        said_by["artists"] = said_by["artist"]
    merged.update(source=wanted.source, source_url=wanted.source_url, source_id=wanted.source_id,
                  fetch_url=wanted.fetch_url, cover_url=wanted.cover_url, lyrics=wanted.lyrics)
    return Wish(Wanted(**merged), said_by, told in (first, second) or not told.title)


def _tidy(wanted: Wanted) -> Wanted:
    """`wanted` with tidy names: "Artist - Title (Official Video)" of a page taken apart, guests in the artist."""
    title, artist, artists = text(wanted.title), text(wanted.artist), wanted.artists
    page = wanted.source not in CATALOGUES
    if page and artist:
        artist = without_channel(artist)
    if page and title and (pipe := re.match(r"(.+?)\s+[|｜]+\s", title)) and wanted.source != "words":
        title = pipe[1]                 # what stands behind a bar is the channel's
    if page and title and (parts := _DASH.split(title, maxsplit=1)) and len(parts) == 2:
        said, rest = parts[0].strip(), parts[1].strip()
        tail = title_of(title)
        suffix_only = bool(tail.versions) and alike(tail.base, said) >= ALIKE and artist is not None
        same = artist is not None and alike(said, artist) >= ALIKE
        loose = artist is None or wanted.source in ("youtube", "direct")
        if rest and (same or (loose and not suffix_only)):
            title, artist, artists = rest, said, ()
    apart = title_of(title or "")
    shown, each = credit(artist, artists, apart.featured)
    return replace(
        wanted, title=(apart.bare if page else apart.shown) or None, artist=shown or None, artists=each,
        album=text(wanted.album), album_artist=text(wanted.album_artist), isrc=isrc_of(wanted.isrc or ""),
        date=date_of(wanted.date or ""), genres=genres((name, 1.0) for name in wanted.genres),
        track_number=number(wanted.track_number), track_total=number(wanted.track_total),
        disc_number=number(wanted.disc_number), disc_total=number(wanted.disc_total),
        recording_mbid=mbid(wanted.recording_mbid), release_mbid=mbid(wanted.release_mbid),
    )


def _as_wanted(tags: Metadata) -> Wanted:
    names = tuple(one.name for one in tags.credits if one.role == "artist")
    return _tidy(Wanted(
        title=tags.title, artist=tags.artist, artists=names, album=tags.album, album_artist=tags.album_artist,
        isrc=tags.isrc, track_number=tags.track_number, track_total=tags.track_total, disc_number=tags.disc_number,
        disc_total=tags.disc_total, date=tags.date or (str(tags.year) if tags.year else None), genres=tags.genres,
        recording_mbid=tags.recording_mbid, release_mbid=tags.release_mbid, source="local",
    )) if tags.title else Wanted()


def _agree(one: Wanted, other: Wanted) -> bool:
    """Whether two descriptions can be of the same song. The versions count: a live one is another."""
    if not one.title or not other.title:
        return False
    a, b = title_of(one.title), title_of(other.title)
    artists = alike(one.artist, other.artist) if one.artist and other.artist else 100.0
    if one.artists and other.artists:
        artists = max(artists, alike(one.artists[0], other.artists[0]))
    return alike(a.base, b.base) >= ALIKE and a.versions == b.versions and artists >= 70


# ---- tags --------------------------------------------------------------------------------------------------------


def plain(wish: Wish, in_file: Metadata) -> Metadata:
    """Tags of what is wished alone, when no catalogue of record was asked or knew."""
    wanted = wish.wanted
    in_file = in_file if wish.file_fits else Metadata()
    names = wanted.artists or ((wanted.artist,) if wanted.artist else ())
    album_artist = wanted.album_artist or (names[0] if wanted.album and names else None)
    various = bool(album_artist and fold(album_artist) in ("various artists", "various", "va"))
    if various:
        album_artist = "Various Artists"
    same_file = wish.said_by.get("title") == "file"
    credits = [Credit(name) for name in names]
    if album_artist:
        credits.append(Credit(album_artist, "albumartist", VARIOUS_ARTISTS if various else None))
    return Metadata(
        title=wanted.title, artist=wanted.artist, album=wanted.album, album_artist=album_artist,
        credits=(*credits, *_others(in_file)), track_number=wanted.track_number, track_total=wanted.track_total,
        disc_number=wanted.disc_number, disc_total=wanted.disc_total, year=_year(wanted.date), date=wanted.date,
        original_date=in_file.original_date if same_file else None, genres=wanted.genres[:MOST_GENRES],
        compilation=various, isrc=wanted.isrc, recording_mbid=wanted.recording_mbid, release_mbid=wanted.release_mbid,
        release_group_mbid=in_file.release_group_mbid if same_file else None,
        bpm=in_file.bpm, replaygain=in_file.replaygain, comment=in_file.comment,
    )


def of_release(wish: Wish, in_file: Metadata, recording: Mapping[str, Any], release: Mapping[str, Any] | None,
               place: Mapping[str, Any] | None) -> Metadata:
    """Tags as MusicBrainz knows them; what it does not say comes from the wish.

    `recording` and `release` are musicbrainzngs' dicts; `place` is {"medium": …, "track": …} of the recording in the
    release. Without a release the album is the wish's own.
    """
    own = plain(wish, in_file)
    in_file = in_file if wish.file_fits else Metadata()
    track = place["track"] if place else {}
    names = track.get("artist-credit") or recording.get("artist-credit") or []
    artist, credits = _mb_credit(names, "artist")
    group = (release or {}).get("release-group") or {}
    isrcs = [one for one in map(isrc_of, recording.get("isrc-list", ())) if one]
    found = replace(
        own, title=text(track.get("title")) or text(recording.get("title")) or own.title, artist=artist or own.artist,
        isrc=own.isrc if own.isrc in isrcs or not isrcs else isrcs[0],
        recording_mbid=mbid(recording.get("id")) or own.recording_mbid,
        genres=genres([*_tags(group, 2.0), *_tags(recording, 1.5), *_tags(release or {}, 1.0)]) or own.genres,
    )
    own_album = [one for one in own.credits if one.role == "albumartist"]
    if release is None or place is None:
        return replace(found, credits=(*credits, *own_album, *_others(in_file)), release_mbid=None,
                       release_group_mbid=None)
    medium = place["medium"]
    album_artist, album_credits = _mb_credit(release.get("artist-credit", []), "albumartist")
    media = release.get("medium-list", [])
    date = date_of(release.get("date") or "")
    return replace(
        found, album=text(release.get("title")) or own.album, album_artist=album_artist or own.album_artist,
        credits=(*(credits or own.credits), *(album_credits or own_album), *_others(in_file)),
        track_number=number(track.get("position")) or own.track_number,
        track_total=number(medium.get("track-count")) or number(len(medium.get("track-list", ()))) or own.track_total,
        disc_number=number(medium.get("position")) or own.disc_number, disc_total=number(len(media)) or own.disc_total,
        disc_title=text(medium.get("title")), date=date or own.date, year=_year(date or own.date),
        original_date=date_of(group.get("first-release-date") or "") or own.original_date,
        compilation=any(one.mbid == VARIOUS_ARTISTS for one in album_credits),
        release_mbid=mbid(release.get("id")), release_group_mbid=mbid(group.get("id")),
    )


def _mb_credit(names: Iterable[Any], role: str) -> tuple[str | None, list[Credit]]:
    """An artist credit joined as MusicBrainz says, and each name with its ids."""
    joined, credits = "", []
    for one in names:
        if isinstance(one, str):
            joined += one
        elif isinstance(one, Mapping):
            artist = one.get("artist") or {}
            name = text(one.get("name")) or text(artist.get("name"))
            if name:
                joined += name
                credits.append(Credit(name, role, mbid(artist.get("id")), text(artist.get("sort-name"))))
    return text(joined), credits


def _tags(thing: Mapping[str, Any], weight: float) -> Iterable[tuple[str, float]]:
    for tag in thing.get("tag-list", ()):
        try:
            yield str(tag.get("name", "")), float(tag.get("count", 0)) * weight
        except (TypeError, ValueError):
            continue


def _others(tags: Metadata) -> tuple[Credit, ...]:
    """Composers and the like, which stay as the file has them."""
    return tuple(one for one in tags.credits if one.role not in ("artist", "albumartist"))


def _year(date: str | None) -> int | None:
    return int(date[:4]) if date else None
