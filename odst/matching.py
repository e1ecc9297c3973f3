"""Which of many candidates is the recording that is wanted.

Everything here is pure: words and figures in, a score with its parts and a sentence for people out. What counts:

- An equal ISRC says most, but artist and duration are verified all the same: catalogues confuse ISRCs.
- A title alone says nothing ("hello" is in "hello darkness my old friend"): a candidate that names the artist nowhere
  is rejected. Main artist and the others are weighed apart.
- Words that the request does not have (live, remix, cover, karaoke, sped up …) make another recording of it, and so do
  words that only the request has.
- Time: 100·e^(-0.1·Δs), and beyond 14 s it is another recording.
- Lossless before lossy when quality asks for it; who is known to be official, or has a free place, before the rest.

The criteria (ISRC first but verified, artists apart, penalised words, the time score and its limit, explicit as a small
malus) are the ones that have proved themselves in the field's open-source downloaders, spotDL's matching above all; the
code, the normal forms, the weights and the limits are this project's own. RapidFuzz compares texts, by normalised InDel
distance: its `token_set_ratio` is avoided on purpose, it calls every part of a text equal to the whole.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rapidfuzz.fuzz import ratio, token_sort_ratio

from shared.model.download import Candidate, Options, Wanted
from shared.model.track import LOSSLESS

#: How much each part weighs; a score is their weighted mean. A part that the request says nothing about is left out;
#: one that only the candidate says nothing about counts as NEUTRAL and is not shown.
WEIGHTS: Mapping[str, float] = {
    "isrc": 12, "artist": 20, "other_artists": 6, "title": 25, "version": 12, "duration": 20, "album": 6, "explicit": 2,
    "quality": 12, "source": 6,
}
NEUTRAL = 60.0

TOO_FAR_S = 14.0            # more seconds apart: another recording
SAME_S = 3.0                # at most so many apart: the same one
_SAME_TITLE = 80.0          # less alike: another title
_SAME_NAME = 80.0           # less alike: another artist
_SAME_ALBUM = 85.0
_ENOUGH = 50.0              # a lower score is no candidate

_MOST = 400                 # characters of a text that take part

# ---- normal form -------------------------------------------------------------------------------------------------

_LETTERS = {"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t",
            "ß": "ss", "ƒ": "f", "&": " and ", "+": " and "}
_APOSTROPHES = frozenset("'’‘ʼ´`′")


class _Folding(dict[int, str]):
    """For str.translate: what one character becomes; fills itself as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in _LETTERS:
            folded = _LETTERS[character]
        elif character in _APOSTROPHES or 0x300 <= code <= 0x36F or category == "Cf":
            folded = ""
        else:
            folded = character if category[0] in "LNM" else " "
        if len(self) < 20_000:
            self[code] = folded
        return folded


_FOLDING = _Folding()
_INITIALS = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.){2,}(?:[^\W\d_](?![^\W_]))?")
_STYLED = re.compile(r"(?<=[^\W\d_])\$|\$(?=[^\W\d_])|(?<=[^\W\d_])!(?=[^\W\d_])")


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """`text` without accents, case, width and punctuation, words apart by one space; A$AP and P!nk as they are said.

    A text of symbols only ("!!!") stays itself.
    """
    text = text[:_MOST]
    if "$" in text or "!" in text:
        text = _STYLED.sub(lambda found: "s" if found[0] == "$" else "i", text)
    if text.count(".") > 1:
        text = _INITIALS.sub(lambda found: found[0].replace(".", "") + " ", text)   # T.N.T.
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    apart = text.casefold().translate(_FOLDING)
    words = (apart if apart.isascii() else unicodedata.normalize("NFC", apart)).split()
    if not words:
        return "".join(text.encode("utf-8", "ignore").decode().split()).casefold()
    if "n" in words[1:-1]:
        words = ["and" if word == "n" and 0 < place < len(words) - 1 else word for place, word in enumerate(words)]
    return " ".join(words)


# ---- words that make another recording of it ---------------------------------------------------------------------

#: kind → (what to call it, whether it is certainly another recording, the folded words that tell)
_KINDS: Mapping[str, tuple[str, bool, tuple[str, ...]]] = {
    "live": ("a live recording", True, (
        "live", "unplugged", "concert", "en vivo", "ao vivo", "en directo", "dal vivo", "en concert", "im konzert",
        "session", "sessions", "tiny desk", "kexp", "glastonbury", "coachella", "lollapalooza", "live performance")),
    "remix": ("a remix", True, (
        "remix", "remixed", "remixes", "rmx", "rework", "reworked", "bootleg", "flip", "mashup", "mash up", "megamix",
        "club mix", "extended mix", "dub mix", "dance mix", "house mix", "vip mix", "dub version", "club version",
        "phonk", "hardstyle", "techno version", "drill version")),
    "cover": ("a cover", True, ("cover", "covers", "covered", "cover version", "sings", "tribute cover")),
    "karaoke": ("a karaoke version", True, (
        "karaoke", "backing track", "sing along", "singalong", "minus one", "no vocals", "without vocals",
        "originally performed by", "originally by", "in the style of", "made famous by", "made popular by",
        "as made famous", "instrumental karaoke")),
    "instrumental": ("an instrumental", True, ("instrumental", "instrumentals", "off vocal", "instrumental version")),
    "a cappella": ("an a cappella", True, (
        "acapella", "acappella", "a cappella", "a capella", "vocals only", "isolated vocals", "vocal only")),
    "sped up": ("a sped-up version", True, (
        "sped up", "spedup", "speed up", "speed song", "nightcore", "night core", "fast version")),
    "slowed": ("a slowed version", True, ("slowed", "slowed down", "daycore", "slow version", "slowed and reverb")),
    "reverb": ("a version with reverb", True, ("reverb", "reverbed", "in another room", "from another room")),
    "8d": ("an 8D version", True, ("8d", "9d", "16d", "8d audio", "3d audio")),
    "acoustic": ("an acoustic version", True, (
        "acoustic", "acustico", "akustik", "stripped", "piano version", "unplugged version", "acoustic version")),
    "demo": ("a demo or another take", True, (
        "demo", "demos", "rehearsal", "outtake", "outtakes", "rough mix", "alternate take", "alternate version",
        "alternative version", "early version", "early take")),
    "tribute": ("a tribute", True, (
        "tribute", "tributes", "lullaby", "lullabies", "lullaby version", "music box", "string quartet", "8 bit",
        "8bit", "chiptune", "panpipes", "cover band")),
    "new recording": ("a new recording of it", True, (
        "taylors version", "re recorded", "rerecorded", "re recording", "rerecording", "new recording")),
    "something else": ("something about it, not the recording itself", True, (
        "reaction", "reacts", "reacting", "tutorial", "lesson", "how to play", "chords", "drumless", "interview",
        "behind the scenes", "making of", "full album", "full ep", "full concert", "playlist", "1 hour", "2 hours",
        "10 hours", "one hour", "looped", "teaser", "trailer", "snippet", "preview", "parody", "medley", "bass boosted",
        "ringtone", "type beat", "dj set", "misheard", "guitar backing")),
    "edit": ("a shortened or lengthened version", False, (
        "edit", "radio edit", "radio version", "radio mix", "single edit", "short version", "extended",
        "extended version", "long version", "12 inch", "video edit")),
    "version": ("another version", False, ()),
}
_IN_ARTISTS = frozenset({"karaoke", "tribute", "sped up", "slowed", "8d", "instrumental", "cover"})


def _by_first_word() -> dict[str, list[tuple[list[str], str]]]:
    found: dict[str, list[tuple[list[str], str]]] = {}
    for kind, (_, _, phrases) in _KINDS.items():
        for phrase in phrases:
            found.setdefault(phrase.split()[0], []).append((phrase.split(), kind))
    for rows in found.values():
        rows.sort(key=lambda row: -len(row[0]))
    return found


_TELLING = _by_first_word()

# An album's title says "live" only in these ways: Live Through This is none.
_LIVE_ALBUM = re.compile(r"^live (?!through|and|your|my|it|a|for|free|like|wire|love|to|or|again|by|life|fast|forever)"
                         r"|\blive (?:at|in|from|on|tour|sessions?|album|recordings?|\d)|\blive$|unplugged"
                         r"|in concert\b|en vivo|ao vivo|\bmtv live|bbc (?:radio )?sessions")
_OTHER_ALBUM = {"karaoke": ("karaoke", "made famous by", "in the style of", "originally performed by",
                            "backing tracks"),
                "tribute": ("tribute to", "tribute", "lullaby renditions", "string quartet", "lullaby"),
                "remix": ("remixes", "remixed", "the remix", "remix album", "remix ep"),
                "instrumental": ("instrumentals", "instrumental version", "instrumental"),
                "sped up": ("nightcore", "sped up"), "slowed": ("slowed",), "demo": ("demos", "outtakes"),
                "cover": ("covers",), "acoustic": ("acoustic sessions", "acoustic version")}


def _kinds(words: list[str]) -> Counter[str]:
    """How often each kind is told of in folded words; the longest phrase first, no word twice."""
    found: Counter[str] = Counter()
    place, end = 0, len(words)
    while place < end:
        rows = _TELLING.get(words[place])
        step = 1
        if rows:
            for phrase, kind in rows:
                if len(phrase) == 1 or words[place:place + len(phrase)] == phrase:
                    found[kind] += 1
                    step = len(phrase)
                    break
        place += step
    return found


def _album_kinds(folded: str) -> frozenset[str]:
    kinds = {"live"} if _LIVE_ALBUM.search(folded) else set()
    padded = f" {folded} "
    kinds.update(kind for kind, phrases in _OTHER_ALBUM.items() if any(f" {phrase} " in padded for phrase in phrases))
    return frozenset(kinds)


# ---- titles ------------------------------------------------------------------------------------------------------

def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TRAILING = _set("official officiel oficial video videoclip audio lyrics lyric hd hq uhd 4k mv visualizer visualiser "
                 "remaster remastered 1080p 720p explicit")
_ALWAYS_NOISE = _TRAILING | _set("clean uncensored remasterizado mono stereo deluxe edition expanded bonus vevo flac "
                                 "mp3 320 320kbps version mix")
_NOISE = _ALWAYS_NOISE | _set("""
    offizielles clip letra paroles legendado 8k 480p m v pv visual censored dirty remasterise remastering anniversary
    track album single original music musicvideo topic full song new free download premiere out now high quality res
    color coded subtitles subtitulado sub subs eng promo alac opus m4a wav web cd vinyl rip lp ep 16bit 24bit 16 24 44
    48 96 192 44khz 48khz 96khz 192khz 256 v0 digital the in on with and hires hi lossless upload reupload upgrade hdr
    performance special international super collectors limited disc screen from youtube tv a por de la le der""")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_BRACKETS = str.maketrans({**dict.fromkeys("([{（［【《〈「『〔", "("), **dict.fromkeys(")]}）］】》〉」』〕", ")"),
                           **dict.fromkeys("‐‑‒–—―−－", "-"), "｜": "|", "\x00": " ", "_": " "})
_APART = re.compile(r"\s+[-~|•·/:]+\s+|\s*\|\s*|\s+//\s+|\s*;\s+|:\s+")
_FEATURED = re.compile(r"(?:^| )(?:feat|ft|featuring|featured|vs|presents|pres) (.+)$")
_FEATURED_MARK = re.compile(r"^(?:feat|ft|featuring|with|w|avec|con|mit|prod by|prod|and) (.+)$")
_FROM_MARK = re.compile(r"^(?:from|theme from|music from|taken from|bonus|aus|de la pelicula|soundtrack|ost) ")
_NAMES = re.compile(r"\s*(?:,|;|\s/\s|&|\+|×|•|\||\bx\b|\band\b|\bund\b|\by\b|\bet\b|\bfeat\b\.?|\bft\b\.?|"
                    r"\bfeaturing\b|\bwith\b|\bvs\b\.?|\bpresents\b)\s*", re.IGNORECASE)
_TRACK_NUMBER = re.compile(
    r"^\s*(?:(?:\d[-.])?(?:0\d|[1-3]\d|[a-h]\d|[1-4]\d\d)\s+(?![-._)\s])"
    r"|[(\[]?(?:(?:cd|disc|disk)?\s*\d{1,2}\s*[-.x]\s*(?=\d))?(?:\d{1,3}|[a-h]\d)[)\]]?"
    r"\s*[-._)]+\s*)(?=\S)",
    re.IGNORECASE)
_NUMERALS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9",
             "x": "10", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
_COUNTED = _set("part pt pts parts no nr number vol volume chapter op opus act movement mvt book teil parte "
                "phase")
_UPLOADER = re.compile(r"\s*-\s*topic\s*$|\s*-?\s*vevo\s*$|\s*[-|]?\s*\(?official(?:\s+(?:artist\s+)?channel)?\)?\s*$",
                       re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Title:
    """A title as it is read. All texts folded."""

    parts: tuple[str, ...]          # between dashes, without notes, featured names and noise
    asides: tuple[str, ...]         # brackets that may belong to the title: (I Can't Get No)
    notes: tuple[str, ...]          # brackets and ends that tell a version: live at wembley
    featured: tuple[str, ...]
    kinds: Counter[str]             # of version words, anywhere in it
    note_kinds: frozenset[str]      # of those, the ones in notes
    explicit: bool | None
    whole: str                      # everything, folded


def _pieces(text: str) -> tuple[str, list[str]]:
    """(what stands outside of brackets, the brackets' contents); unclosed and nested ones are borne."""
    if "(" not in text:
        return text.replace(")", " "), []
    outside: list[str] = []
    inside: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif piece:
            (inside if depth else outside).append(piece)
    return " ".join(outside), inside


def _is_noise(words: list[str]) -> bool:
    """Whether words say nothing about which recording it is: (Official Video), (2011 Remastered Version)."""
    return (all(word in _NOISE or _YEAR.match(word) for word in words)
            and (len(words) == 1 or any(word in _ALWAYS_NOISE or _YEAR.match(word) for word in words)))


def _note_kind(words: list[str]) -> str | None:
    """What a bracket or an end that ends so tells, when no telling word is in it."""
    if words[-1] in ("mix", "dub"):
        return "remix"
    return "version" if words[-1] in ("version", "take", "rendition", "versao", "vip") else None


def _counted(words: list[str]) -> list[str]:
    """Part II, Pt. 2 and Part Two are one."""
    out = list(words)
    for place, word in enumerate(words):
        if word in _COUNTED:
            out[place] = "part" if word in ("pt", "parte", "teil", "pts", "parts") else "no" if word in (
                "nr", "number") else word
            if place + 1 < len(words):
                out[place + 1] = _NUMERALS.get(words[place + 1], words[place + 1].lstrip("0") or "0")
    return out


@lru_cache(maxsize=4096)
def _read(text: str) -> _Title:
    """A title, or a video's or a file's name, taken apart. Never raises."""
    outside, inside = _pieces(text[:_MOST].translate(_BRACKETS))
    parts: list[str] = []
    asides: list[str] = []
    notes: list[str] = []
    featured: list[str] = []
    note_kinds: set[str] = set()
    explicit: bool | None = None

    def note(words: list[str]) -> bool:
        kinds = set(_kinds(words))
        if not kinds and (kind := _note_kind(words)):
            kinds = {kind}
        if kinds:
            notes.append(" ".join(words))
            note_kinds.update(kinds)
        return bool(kinds)

    for piece in inside:
        words = fold(piece).split()
        if not words:
            continue
        if "explicit" in words or "uncensored" in words:
            explicit = True
        elif "clean" in words or "censored" in words:
            explicit = False
        joined = " ".join(words)
        if found := _FEATURED_MARK.match(joined):
            featured.append(found[1])
        elif _is_noise(words) or _FROM_MARK.match(joined):
            continue
        elif not note(words):
            asides.append(" ".join(_counted(words)))

    dashed = [fold(piece) for piece in _APART.split(outside) if piece and piece.strip()]
    dashed = [piece for piece in dashed if piece]
    for place, piece in enumerate(dashed):
        if found := _FEATURED.search(piece):
            featured.append(found[1])
            piece = piece[:found.start()].strip()
            if not piece:
                continue
        words = piece.split()
        if place and (_is_noise(words) or (len(words) <= 3 and words[0] in ("remastered", "remaster"))):
            continue
        if place and (place > 1 or len(dashed) == 2) and _ends_as_note(words) and note(words):
            continue
        while len(words) > 1 and (words[-1] in _TRAILING or (_YEAR.match(words[-1]) and words[-2] in _TRAILING)):
            words = words[:-1]
        parts.append(" ".join(_counted(words)))
    if not parts and asides:
        parts, asides = [asides[0]], asides[1:]
    if not parts:
        parts = [dashed[0] if dashed else fold(text)]
    whole = " ".join([*dashed, *(fold(piece) for piece in inside)])
    return _Title(parts=tuple(parts[:8]), asides=tuple(asides[:4]), notes=tuple(notes[:4]),
                  featured=tuple(featured[:4]), kinds=_kinds(whole.split()), note_kinds=frozenset(note_kinds),
                  explicit=explicit, whole=whole)


def _ends_as_note(words: list[str]) -> bool:
    """Whether a part behind a dash is a note ("Live at Wembley", "Radio Edit"), not a title ("Live Forever")."""
    kinds = _kinds(words)
    if not kinds:
        return _note_kind(words) is not None
    rows = _TELLING.get(words[0], ())
    opens = any(words[:len(phrase)] == phrase for phrase, _ in rows)
    follows = len(words) > 1 and words[1] in ("at", "in", "from", "on", "version", "session", "sessions", "mix", "edit",
                                              "cover", "by", "performance", "audio", "and", "acoustic")
    last = words[-1] in _TELLING or words[-1] in ("version", "mix", "edit", "remix")
    return (opens and (len(words) == 1 or follows or _YEAR.match(words[-1]) is not None)) or last or len(kinds) > 1


# ---- names -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Name:
    words: str              # folded, without a leading "the"
    tight: str              # without spaces: acdc, taylorswift


@lru_cache(maxsize=4096)
def _name(text: str) -> _Name:
    words = fold(text)
    if words.startswith("the ") and len(words) > 4:
        words = words[4:]
    return _Name(words, words.replace(" ", ""))


@lru_cache(maxsize=4096)
def _names(text: str) -> tuple[_Name, ...]:
    """A credit ("A feat. B & C") as one name and as each of its names; uploaders' suffixes removed."""
    bare = _UPLOADER.sub("", text[:_MOST]) or text[:_MOST]
    found = [_name(bare)]
    for piece in _NAMES.split(bare):
        if piece and piece.strip() and (name := _name(piece)) not in found and name.tight:
            found.append(name)
    return tuple(found[:12])


def _within(name: _Name, text: str) -> bool:
    """Whether folded `text` has `name` as whole words."""
    return bool(name.words) and f" {name.words} " in f" {text} "


def _surname(name: _Name) -> _Name | None:
    """By which those with three names or more go alone: Ludwig van Beethoven."""
    words = name.words.split()
    return _name(words[-1]) if 3 <= len(words) <= 4 and "and" not in words and len(words[-1]) >= 4 else None


def _alike(a: _Name, b: _Name) -> float:
    """0-100; below _SAME_NAME they are two."""
    if not a.tight or not b.tight:
        return 0.0
    if a.tight == b.tight:
        return 100.0
    if len(a.tight) <= 4 or len(b.tight) <= 4:
        near = 0.0
    else:
        near = max(ratio(a.tight, b.tight), token_sort_ratio(a.words, b.words))
    if near < _SAME_NAME:
        # "The Jimi Hendrix Experience" is Jimi Hendrix; "Prince Royce" may well not be Prince.
        if " " in a.words and _within(a, b.words):
            return 88.0
        return 62.0 if len(a.tight) > 3 and _within(a, b.words) and len(b.words.split()) <= 3 else 0.0
    return near


# ---- what is wanted, read once -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ask:
    main: tuple[tuple[_Name, float], ...]   # spellings of the main artist, each with what it counts at most
    others: tuple[_Name, ...]
    guests: tuple[_Name, ...]               # those of them that are credited by themselves
    shown: str                              # the main artist, for sentences
    title: _Title | None
    titles: tuple[str, ...]                 # folded forms of the title, the fullest first
    note_words: frozenset[str]              # names in its notes: whose remix, which concert
    album: str
    kinds: frozenset[str]                   # versions that were asked for, by its notes or its album
    isrc: str
    figures: tuple[str, ...]                # with which title or artist begin: 99 Luftballons, 50 Cent


_NOTE_WORDS = _set("the at in on from by of and version mix edit remix live a de la en feat")


def _forms(title: _Title) -> tuple[str, ...]:
    core = " ".join(title.parts)
    forms = [core]
    if title.asides:
        forms.insert(0, f"{core} {' '.join(title.asides)}")
        forms.append(f"{' '.join(title.asides)} {core}")
        forms.extend(aside for aside in title.asides if not aside.isascii() or not core.isascii())
    return tuple(dict.fromkeys(form for form in forms if form))


def _isrc(text: str | None) -> str:
    return "".join(filter(str.isalnum, text[:20])).upper() if text else ""


_NOBODY = frozenset({"", "various artists", "various", "va", "unknown artist", "unknown", "diverse"})


@lru_cache(maxsize=512)
def _ask(wanted: Wanted) -> _Ask:
    title = _read(wanted.title) if wanted.title and wanted.title.strip() else None
    credits = [name for name in wanted.artists if name and fold(name) not in _NOBODY]
    told = [name for name in (wanted.artist, *credits[:1], wanted.album_artist) if name and fold(name) not in _NOBODY]
    shown = told[0] if told else ""
    main: list[tuple[_Name, float]] = []
    others: list[_Name] = []
    if credits:
        main.append((_name(credits[0]), 100.0))
        if len(credits) == 1 and len(split := _names(credits[0])) > 1:
            main.append((split[1], 92.0))
            others.extend(split[2:])
        others.extend(_name(name) for name in credits[1:])
    elif shown.strip():
        split = _names(shown)
        main.append((split[0], 100.0))
        if len(split) > 1:
            main.append((split[1], 96.0))
            others.extend(split[2:])
    if title:
        for names in title.featured:
            others.extend(_names(names)[1:] or _names(names))
    known = {name.tight for name, _ in main}
    others = [name for name in dict.fromkeys(others) if name.tight and name.tight not in known]
    album = _album(wanted.album)
    kinds = set(title.note_kinds) if title else set()
    if wanted.album:
        kinds |= set(_kinds(fold(wanted.album).split())) & ({"live", "acoustic"} | _album_kinds(fold(wanted.album)))
        kinds |= _album_kinds(fold(wanted.album))
    if "unplugged" in album or (title and "unplugged" in title.whole):
        kinds |= {"live", "acoustic"}
    starts = [*(_forms(title)[:1] if title else ()), *(name.words for name, _ in main[:1])]
    figures = tuple(text.split()[0] for text in starts if text[:1].isdigit())
    note_words = frozenset(word for note in (title.notes if title else ()) for word in note.split()
                           if word not in _NOTE_WORDS and word not in _NOISE and not _kinds([word]))
    return _Ask(
        main=tuple((name, most) for name, most in main if name.tight), others=tuple(others),
        guests=tuple(name for name in map(_name, credits[1:]) if name.tight), shown=shown.strip(), title=title,
        titles=_forms(title) if title else (), note_words=note_words, album=album, kinds=frozenset(kinds),
        isrc=_isrc(wanted.isrc), figures=figures)


@lru_cache(maxsize=4096)
def _album(text: str | None) -> str:
    """An album's title in normal form, without (Deluxe Edition), [FLAC], years; "" when there is none."""
    if not text or not text.strip():
        return ""
    title = _read(text)
    return " ".join(dict.fromkeys([*title.parts, *title.asides, *title.notes]))


# ---- parts -------------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"\d+")


def _title_alike(wanted: str, offered: str) -> float:
    """0-100 for two folded titles; figures must agree (Pt. 1 is not Pt. 2)."""
    if wanted == offered:
        return 100.0
    a, b = wanted.replace(" ", ""), offered.replace(" ", "")
    if a == b:
        return 99.0
    if not a or not b or min(len(a), len(b)) <= 3:
        return 0.0
    near = ratio(wanted, offered)
    if near < 60:
        return near
    near = max(near, token_sort_ratio(wanted, offered) - 2)
    figures, theirs = _DIGITS.findall(wanted), _DIGITS.findall(offered)
    if figures != theirs:
        near *= 0.6 if figures and theirs else 0.85
    if len(a) <= 6 and near < 88:
        near *= 0.8
    return near


@dataclass(frozen=True, slots=True)
class _Heard:
    title: float
    artist: float
    left_over: int          # words of the candidate's title that nothing accounts for


def _without(text: str, name: str) -> str:
    return " ".join(f" {text} ".replace(f" {name} ", " ", 1).split())


def _hear(ask: _Ask, title: _Title, uploader: tuple[_Name, ...], around: str, album: str) -> _Heard:
    """Read the candidate's title in each way that makes sense, and keep the best one.

    around  folded text besides the title that may name the artist: album, folders
    """
    credited = max((min(most, _alike(name, other)) for name, most in ask.main for other in uploader), default=0.0)
    if credited < 70 and any(_alike(guest, other) >= 90 for guest in ask.guests for other in uploader):
        credited = 70.0                                               # on the channel of one who sings along
    elsewhere = 0.0
    if credited < 90 and ask.main:
        asides = (*title.featured, *title.asides, *title.notes)
        if any(_within(name, aside) for name, _ in ask.main for aside in asides):
            elsewhere = 86.0
        elif any(_within(name, around) for name, _ in ask.main):
            elsewhere = 88.0 if len(ask.main[0][0].tight) > 3 else 80.0
        elif surname := _surname(ask.main[0][0]):                     # Beethoven - Symphony No. 5
            elsewhere = 70.0 if _within(surname, f"{title.whole} {around}") else 0.0
    backing = max(credited, elsewhere)
    parts = title.parts
    best, best_rank = _Heard(0.0, backing, 0), -1.0

    def consider(text: str, artist: float, others: Iterable[str]) -> None:
        nonlocal best, best_rank
        if not text:
            return
        near = max(_title_alike(form, text) for form in ask.titles)
        if title.asides:
            near = max(near, max(_title_alike(form, f"{text} {' '.join(title.asides)}") for form in ask.titles),
                       max(_title_alike(form, f"{' '.join(title.asides)} {text}") for form in ask.titles))
            for aside in title.asides:
                if not aside.isascii():
                    near = max(near, max(_title_alike(form, aside) for form in ask.titles))
        left = 0
        for other in others:
            if not (any(_within(name, other) or _alike(name, _Name(other, other.replace(" ", ""))) >= _SAME_NAME
                        for name in (*[name for name, _ in ask.main], *ask.others, *uploader))
                    or other == album or other == ask.album or other.isdigit()):
                left += len(other.split())
        rank = near + 0.8 * artist - min(20, 4 * left)
        if rank > best_rank:
            best, best_rank = _Heard(near, artist, left), rank

    whole = " ".join(parts)
    consider(whole, backing, ())
    for name, most in ask.main:                                       # "Adele Hello", in whatever order
        if _within(name, whole) and name.words != whole:
            consider(_trimmed(_without(whole, name.words)), min(most, 97.0), ())
            rest = _without(whole, name.words)
            for other in ask.others:
                rest = _without(rest, other.words)
            consider(_trimmed(rest), min(most, 97.0), ())
    if len(parts) > 1:
        for place, part in enumerate(parts):
            rest_parts = parts[:place] + parts[place + 1:]
            artist = backing
            for name, most in ask.main:
                for rest_part in rest_parts:
                    near = _alike(name, _name(rest_part))
                    if near < _SAME_NAME and _within(name, rest_part):
                        near = 95.0
                    artist = max(artist, min(most, near))
            consider(part, artist, rest_parts)
            if place + 1 < len(parts):                                # a title with a dash in it
                consider(" ".join(parts[place:]), artist, parts[:place])
    return best


def _trimmed(text: str) -> str:
    words = text.split()
    while words and words[0] in ("by", "and", "feat"):
        words = words[1:]
    while words and words[-1] in ("by", "and", "feat"):
        words = words[:-1]
    return " ".join(words)


def _hear_words(ask: _Ask, title: _Title, uploader: tuple[_Name, ...], around: str) -> _Heard:
    """The same when no artist is known: some words of a person's, which may name title and artist in any order."""
    asked = ask.titles[0].split()
    have = Counter(f"{title.whole} {' '.join(name.words for name in uploader[:1])} {around}".split())
    missing = sum((Counter(asked) - have).values())
    near = max((_title_alike(form, part) for form in ask.titles for part in (*title.parts, " ".join(title.parts))),
               default=0.0)
    names = {word for name in uploader for word in name.words.split()}
    left = [word for part in title.parts for word in part.split()
            if word not in asked and word not in names and word not in _NOISE and not _YEAR.match(word)]
    told = 100.0 * (len(asked) - missing) / len(asked) - 8.0 * len(left)
    if missing and len(asked) <= 3:
        told = min(told, 79.0)
    return _Heard(max(near, told, 0.0), 100.0, 0)


#: What a kilobit of a codec is worth in those of MP3.
_WORTH = {"opus": 1.6, "aac": 1.25, "vorbis": 1.3, "wma": 0.95, "mp3": 1.0}


def quality_worth(format: str | None, bitrate_kbps: int | None) -> float | None:
    """How good a file sounds, in kbit/s of MP3; 1411 for lossless; None when nothing is known."""
    if format in LOSSLESS:
        return 1411.0
    if bitrate_kbps is None or bitrate_kbps <= 0:
        return None
    return min(1000.0, bitrate_kbps * _WORTH.get(format or "mp3", 1.0))


def _quality(quality: str, candidate: Candidate) -> float:
    bitrate = candidate.bitrate_kbps
    if bitrate is None and candidate.size_bytes and candidate.duration_ms and candidate.duration_ms > 1000:
        bitrate = int(candidate.size_bytes * 8 / candidate.duration_ms)
    worth = quality_worth(candidate.format, bitrate)
    if worth is None:
        if candidate.provider != "youtube":
            return 45.0
        worth = quality_worth("opus", 130) or 0.0                     # what it has of nearly everything
    if quality == "lossless":
        if worth > 1400:
            depth = candidate.extra.get("bit_depth")
            return 100.0 if not isinstance(depth, int) or depth >= 16 else 80.0
        return max(5.0, min(72.0, 72.0 * worth / 320))
    if quality == "smallest":
        return 25.0 if worth > 1400 else 60.0 if worth < 64 else max(40.0, min(100.0, 100.0 - (worth - 128) * 0.2))
    target = float(quality) if quality.isdigit() else 320.0
    if worth > 1400:
        return 92.0                                                   # becomes what was asked for
    if worth < target * 0.75:                                         # VBR V0 is 245 and stands for 320
        return max(5.0, 90.0 * worth / target)
    return 100.0 if worth <= target * 1.3 else 95.0


def _number(value: Any, least: float = 0.0, most: float = 1e12) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return min(most, max(least, float(value)))


def _source(candidate: Candidate) -> float:
    """How much its source is to be trusted, or how soon it will serve."""
    extra = candidate.extra
    if "queue_length" in extra or "free_slot" in extra or "upload_kbps" in extra:
        queue = _number(extra.get("queue_length")) or 0.0
        speed = _number(extra.get("upload_kbps")) or 0.0
        waits = 100.0 if extra.get("free_slot") else 70.0 * math.exp(-queue / 25)
        return 0.7 * waits + 0.3 * min(100.0, speed / 80)             # 8 Mbit/s is plenty
    known = extra.get("official") or extra.get("topic") or extra.get("kind") == "songs"
    if known or candidate.provider in ("library", "direct"):
        return 100.0
    uploader = candidate.artist.strip().casefold()
    if uploader.endswith("- topic") or uploader.endswith("vevo"):
        return 100.0
    if extra.get("verified"):
        return 90.0
    views = _number(extra.get("views") or extra.get("view_count"))
    return 60.0 + (min(25.0, 3.0 * math.log10(views + 1)) if views else 0.0)


# ---- the score ---------------------------------------------------------------------------------------------------


def _apart(wanted: Wanted, candidate: Candidate) -> float | None:
    if not wanted.duration_ms or not candidate.duration_ms:
        return None
    return abs(wanted.duration_ms - candidate.duration_ms) / 1000


def score(wanted: Wanted, candidate: Candidate, options: Options) -> Candidate:
    """`candidate` with its score (0-100), the parts it comes from, and why it is rejected when it is.

    A `certain` candidate (the person's own link) gets its score and is never rejected. Some 60 µs.
    """
    ask = _ask(wanted)
    parts: dict[str, float] = {}
    unknown: list[str] = []
    rejected: list[str] = []

    title = _read(_told(candidate, "name") or _told(candidate, "whole_title") or candidate.title)
    path = candidate.extra.get("path")
    if ask.figures and isinstance(path, str) and not all(figure in title.whole.split() for figure in ask.figures):
        title = _read(_ENDING.sub("", re.split(r"[\\/]", path)[-1]))     # that was no track number: 99 Luftballons
    by = _told(candidate, "uploader")
    uploader = (*(_names(candidate.artist) if candidate.artist.strip() else ()), *(_names(by) if by else ()))
    album = _album(candidate.album)
    around = f"{album} {fold(path[-_MOST:])}" if isinstance(path, str) and path else album

    same_isrc = False
    if ask.isrc:
        theirs = _isrc(candidate.isrc)
        if theirs:
            same_isrc = theirs == ask.isrc
            parts["isrc"] = 100.0 if same_isrc else 40.0
        else:
            unknown.append("isrc")

    # how long
    apart = _apart(wanted, candidate)
    if apart is not None:
        parts["duration"] = 100.0 * math.exp(-0.1 * apart)
        if apart > TOO_FAR_S:
            how = "longer" if (candidate.duration_ms or 0) > (wanted.duration_ms or 0) else "shorter"
            rejected.append(f"It is {_clock(apart)} {how} than the recording that is wanted.")
    elif wanted.duration_ms:
        unknown.append("duration")

    # which album
    same_album = False
    if ask.album:
        if album:
            near = max(ratio(ask.album, album), token_sort_ratio(ask.album, album))
            parts["album"] = near if near >= 60 else near * 0.5
            same_album = near >= _SAME_ALBUM
        else:
            unknown.append("album")

    # whose, and what
    if ask.title is not None:
        heard = _hear(ask, title, uploader, around, album) if ask.main else _hear_words(ask, title, uploader, around)
        near = heard.title - min(20, 4 * heard.left_over)
        parts["title"] = max(0.0, min(100.0, near))
        if ask.main:
            if heard.artist >= 60 or not _nameless(candidate, title, uploader):
                parts["artist"] = min(100.0, heard.artist)
            else:
                unknown.append("artist")
            if parts.get("artist", 60.0) < 60:
                rejected.insert(0, f"It is by somebody else: nothing in it names {_short(ask.shown)}.")
        if heard.title < _SAME_TITLE and not same_isrc:
            rejected.insert(0, f"It is another title: {_short(candidate.title)}.")
        _weigh_version(ask, title, candidate, album, same_isrc or same_album, apart, parts, rejected, same_isrc)
    elif ask.main:
        artist = max((min(most, _alike(name, other)) for name, most in ask.main for other in uploader), default=0.0)
        if any(_within(name, f"{title.whole} {around}") for name, _ in ask.main):
            artist = max(artist, 90.0)
        parts["artist"] = artist

    if ask.main:
        if ask.others:
            text = f"{title.whole} {' '.join(name.words for name in uploader)} {around}"
            found = [max([100.0 if _within(other, text) else 0.0, *(_alike(other, name) for name in uploader)])
                     for other in ask.others]
            parts["other_artists"] = 30.0 + 0.7 * sum(found) / len(found)
        elif title.featured:                                          # with somebody the request knows nothing of
            known = any(_within(name, featured) for name, _ in ask.main for featured in title.featured)
            parts["other_artists"] = 100.0 if known else 40.0

    explicit = candidate.explicit if candidate.explicit is not None else title.explicit
    if wanted.explicit is not None:
        if explicit is None:
            unknown.append("explicit")
        else:
            parts["explicit"] = 100.0 if explicit == wanted.explicit else 20.0

    parts["quality"] = _quality(options.quality, candidate)
    parts["source"] = _source(candidate)

    weight = sum(WEIGHTS[name] for name in (*parts, *unknown))
    total = (sum(WEIGHTS[name] * value for name, value in parts.items())
             + sum(WEIGHTS[name] * NEUTRAL for name in unknown)) / weight
    # No better than its weakest main part allows: a perfect length does not make up for another title.
    weakest = min(parts.get("artist", NEUTRAL if "artist" in unknown else 100.0), parts.get("title", 100.0),
                  parts.get("version", 100.0))
    total = max(0.0, min(100.0, total, 40.0 + 0.6 * weakest))
    if total < _ENOUGH and not rejected:
        rejected.append("Too little of it agrees with what is wanted.")
    return replace(candidate, score=round(total, 2), parts={name: round(value, 1) for name, value in parts.items()},
                   rejected=rejected[0] if rejected and not candidate.certain else None)


def _weigh_version(ask: _Ask, title: _Title, candidate: Candidate, album: str, excused: bool, apart: float | None,
                   parts: dict[str, float], rejected: list[str], same_isrc: bool) -> None:
    """The words that make another recording of it, those too many and those too few."""
    assert ask.title is not None
    theirs = Counter(title.kinds)
    for kind in title.note_kinds:
        theirs[kind] = max(theirs[kind], 1 if kind not in ask.title.kinds else theirs[kind])
    core = ask.title.kinds - Counter(ask.title.note_kinds)            # "live" of Live Forever
    told_by_names = set(_kinds(" ".join(name.words for name, _ in ask.main).split()))
    extra = {kind for kind, count in theirs.items()
             if count > core[kind] + (kind in told_by_names) and kind not in ask.kinds}
    if by := f"{candidate.artist} {_told(candidate, 'uploader')}".strip():
        extra |= (set(_kinds(fold(by).split())) & _IN_ARTISTS) - told_by_names - ask.kinds
    if album and not excused:
        extra |= _album_kinds(album) - ask.kinds
    if {"acoustic", "live"} & ask.kinds:                              # unplugged is both
        extra -= {"acoustic", "live"} if "unplugged" in title.whole else set()
    missing = {kind for kind in ask.title.note_kinds if theirs[kind] <= core[kind]}
    if album:
        missing -= _album_kinds(album)

    malus = 0.0
    for kind in sorted(extra, key=list(_KINDS).index):
        called, another, _ = _KINDS[kind]
        if another and excused and kind in ("live", "acoustic", "demo", "remix", "instrumental"):
            malus += 10                                               # the same album, or the same ISRC, says otherwise
        elif another:
            malus += 80
            if not same_isrc:
                rejected.append(f"It is {called}, and that was not asked for.")
        else:
            malus += 30
    for kind in sorted(missing, key=list(_KINDS).index):
        called, another, _ = _KINDS[kind]
        malus += 60 if another and not excused else 20
        if another and not excused and (apart is None or apart > 2):
            rejected.append(f"It is not {called}, and that was asked for.")
    if ask.note_words and not missing:                                # whose remix, which concert
        have = set(f"{title.whole} {album} {fold(candidate.artist)}".split())
        lacking = 1 - len(ask.note_words & have) / len(ask.note_words)
        malus += 50 * lacking
        named = {word for note in title.notes for word in note.split()
                 if word not in _NOTE_WORDS and word not in _NOISE and not _kinds([word])}
        if lacking == 1 and named and "remix" in ask.title.note_kinds and not same_isrc:
            rejected.append("It is another remix.")
    parts["version"] = max(0.0, 100.0 - malus)


def _told(candidate: Candidate, name: str) -> str:
    """A text that its provider told besides; "" when it did not."""
    value = candidate.extra.get(name)
    return value if isinstance(value, str) and value.strip() else ""


def _nameless(candidate: Candidate, title: _Title, uploader: tuple[_Name, ...]) -> bool:
    """One of the first songs of YouTube Music's own catalogue, whose lists tell titles only: nobody else is named."""
    place = candidate.extra.get("place")
    return (candidate.extra.get("kind") == "songs" and isinstance(place, int) and place < 3 and not uploader
            and len(title.parts) == 1)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 36_000 else f"{whole // 3600} h"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:79] + "…"


def rank(wanted: Wanted, candidates: Iterable[Candidate], options: Options) -> list[Candidate]:
    """All of them scored, best first, the rejected ones last; the same order whatever order they come in."""
    scored = [score(wanted, candidate, options) for candidate in candidates]
    return sorted(scored, key=lambda it: (it.rejected is not None, not it.certain, -it.score, it.key, repr(it)))


# ---- keys and sameness -------------------------------------------------------------------------------------------


def _identity(title: str | None) -> tuple[str, frozenset[str], frozenset[str]]:
    """(title without notes, kinds of its version, names in its notes)."""
    if not title or not title.strip():
        return "", frozenset(), frozenset()
    read = _read(title)
    words = frozenset(word for note in read.notes for word in note.split()
                      if word not in _NOTE_WORDS and word not in _NOISE and not _kinds([word]))
    return " ".join([*read.parts, *read.asides]), read.note_kinds, words


def wanted_key(wanted: Wanted) -> str:
    """What a wanted recording is known by, for "not this": its ISRC, or folded artist and title, or its link."""
    if isrc := _isrc(wanted.isrc):
        return f"isrc:{isrc}"
    if wanted.title and wanted.title.strip():
        title, kinds, whose = _identity(wanted.title)
        artist = (wanted.artists[0] if wanted.artists else wanted.artist) or wanted.album_artist or ""
        version = " ".join([*sorted(kinds), *sorted(whose)])
        names = _names(artist) if artist.strip() else ()
        return f"{names[:2][-1].words if names else ''}\x1f{title}" + (f"\x1f{version}" if version else "")
    return f"url:{wanted.source_url or wanted.fetch_url or wanted.source + ':' + (wanted.source_id or '')}"


def same_recording(a: Wanted | Candidate, b: Wanted | Candidate) -> bool:
    """Whether two are one recording: by ISRC, by recording MBID, or by artist, title, version and ±3 s.

    With nothing but words and no duration on one side it is not known, and the answer is no.
    """
    if _isrc(a.isrc) and _isrc(a.isrc) == _isrc(b.isrc):
        return True
    mbid = getattr(a, "recording_mbid", None)
    if mbid and mbid == getattr(b, "recording_mbid", None):
        return True
    if not (a.title and b.title and a.artist and b.artist and a.duration_ms and b.duration_ms):
        return False
    if abs(a.duration_ms - b.duration_ms) > SAME_S * 1000:
        return False
    mine, theirs = _identity(a.title), _identity(b.title)
    if not mine[0] or mine[1] != theirs[1] or _DIGITS.findall(mine[0]) != _DIGITS.findall(theirs[0]):
        return False
    if mine[0].replace(" ", "") != theirs[0].replace(" ", "") and _title_alike(mine[0], theirs[0]) < 94:
        return False
    ours, others = _names(a.artist), _names(b.artist)
    return max([_alike(ours[0], others[0]), *(_alike(name, others[0]) for name in ours[1:2]),
                *(_alike(ours[0], name) for name in others[1:2])]) >= 90


def search_words(wanted: Wanted) -> tuple[str, ...]:
    """What to ask a search that wants every word to occur: at most three texts, the most exact one first.

    Main artist and title without notes and featured names. Whose remix, and that it is live, only in the first; with
    accents, where there are any, before those without: such a search does not fold.
    """
    ask = _ask(wanted)
    if ask.title is None:
        return ()
    artist = ask.main[-1][0].words if ask.main else ""
    core = " ".join(ask.title.parts)
    note = " ".join([*sorted(ask.note_words), *sorted(ask.title.note_kinds & {"live", "remix", "acoustic", "demo"})])
    plain = f"{artist} {core}".strip()
    written = f"{ask.shown} {wanted.title}"[:_MOST]
    spelled = {} if written.isascii() else {
        fold(word): word.casefold() for word in re.findall(r"[^\W_]+", unicodedata.normalize("NFC", written))}
    accented = " ".join(spelled.get(word, word) for word in plain.split())
    return tuple(dict.fromkeys(text for text in (f"{accented} {note}".strip(), accented, plain) if text))


# ---- file names --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileName:
    """What a shared file's path tells; anything may be missing but `title` and `stem`."""

    title: str
    stem: str                   # the file's name without its ending and track number
    artist: str | None = None
    album: str | None = None
    track_number: int | None = None


_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_DISC = re.compile(r"^(?:cd|disc|disk|side|lp|vol(?:ume)?)[\s._-]*[0-9a-d]{1,2}\b.*$", re.IGNORECASE)
_SHELF = re.compile(r"^(?:@@\w+|music|musik|my music|mp3s?|flacs?|lossless|albums?|artists?|soulseek|downloads?|"
                    r"shared?|complete|audio|media|library|data|home|users?|[a-z]:|various|_.*|[a-z0-9#])$",
                    re.IGNORECASE)
_ALBUM_NOTES = re.compile(r"\s*[\[({][^\])}]*(?:flac|mp3|\b320\b|kbps|\bv0\b|web|vinyl|\bcd\b|lossless|24.?bit|"
                          r"16.?bit|khz|\b(?:19|20)\d\d\b)[^\])}]*[\])}]\s*", re.IGNORECASE)
_LEADING_YEAR = re.compile(r"^[\[(]?(?:19|20)\d\d(?:[-.]\d\d){0,2}[\])]?[\s._-]+(?=\S)")


def _plain_album(text: str) -> str:
    text = text[:160]                                                 # a hostile name must not cost time
    return _LEADING_YEAR.sub("", _ALBUM_NOTES.sub(" ", text)).strip(" -_.") or text.strip()


def read_path(path: str) -> FileName:
    """What "@@x\\Music\\Artist\\Album (1995) [FLAC]\\Artist - Album - 03 - Title.flac" says. Never raises."""
    steps = [step.strip() for step in re.split(r"[\\/]+", path[-1000:]) if step.strip()]
    name = steps.pop() if steps else ""
    stem = _ENDING.sub("", name) or name
    if " " not in stem and ("_" in stem or stem.count(".") > 2):
        stem = stem.replace("_", " ").replace(".", " ").strip() or stem
    folders = [step for step in steps if not _DISC.match(step)]
    artist = album = None
    if folders and not _SHELF.match(folders[-1]):
        album = folders[-1]
        if " - " in album:
            left, right = album.split(" - ", 1)
            if _YEAR.match(left.strip(" ()[]")):
                album = right
            else:
                artist, album = left.strip(), right
        album = _plain_album(album)
        if artist is None and len(folders) > 1 and not _SHELF.match(folders[-2]):
            artist = _plain_album(folders[-2])
    number: int | None = None
    if found := _TRACK_NUMBER.match(stem):
        digits = _DIGITS.findall(found[0])
        number = int(digits[-1][-2:]) or None if digits else None
        stem = stem[found.end():].strip() or stem
    apart = " - " if " - " in stem else "-" if " " not in stem and stem.count("-") in (1, 2) else " - "
    pieces = [piece.strip() for piece in stem.split(apart) if piece.strip()] or [stem]
    kept: list[str] = []
    for piece in pieces:
        if piece.isdigit() and len(piece) <= 3 and len(pieces) > 1:
            number = number or int(piece) or None
        else:
            kept.append(piece)
    kept = kept or pieces
    while len(kept) > 1 and (_is_noise(words := fold(kept[-1]).split()) or _ends_as_note(words or ["x"])):
        kept[-2:] = [f"{kept[-2]} - {kept[-1]}"] if len(kept) > 2 or not _first_is(kept[0], artist) else kept[-2:]
        if len(kept) == 2 and _first_is(kept[0], artist):
            break
    if len(kept) == 2:
        artist = kept[0]
    elif len(kept) > 2:
        artist, album = kept[0], album or kept[1]
    return FileName(title=kept[-1], stem=stem, artist=artist or None, album=album or None, track_number=number)


def _first_is(piece: str, artist: str | None) -> bool:
    return artist is not None and _alike(_name(piece), _name(artist)) >= _SAME_NAME
