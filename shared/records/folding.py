"""Text as people type it: folding for search, keys for sorting and sameness, words for the search index.

`fold` forgives accents, case, width and punctuation. `same` only forgives what no two different names differ in
(case, width, kinds of quotes and dashes, spaces): accents stay, because Mo and Mø are two artists.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from functools import lru_cache

# Letters that Unicode does not take apart, and the fold people type instead.
_LETTERS = {
    "ø": "o",
    "ł": "l",
    "æ": "ae",
    "œ": "oe",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ı": "i",
    "ħ": "h",
    "ŧ": "t",
    "ŋ": "n",
    "ĸ": "k",
    "ſ": "s",
    "ɨ": "i",
    "ʉ": "u",
    "ƒ": "f",
    "ß": "ss",
    "ј": "j",
}
_APOSTROPHES = "'’‘ʼ´`′"
_KANA_MARKS = "\u3099\u309a"


def _is_accent(code: int) -> bool:
    """Marks that may go without making another word: not the vowel signs of Indic or Thai, not kana's dakuten."""
    return (
        0x300 <= code <= 0x36F
        or 0x483 <= code <= 0x489
        or 0x591 <= code <= 0x5C7
        or 0x610 <= code <= 0x61A
        or 0x64B <= code <= 0x65F
        or code == 0x670
        or 0x6D6 <= code <= 0x6ED
        or 0x1AB0 <= code <= 0x1AFF
        or 0x1DC0 <= code <= 0x1DFF
        or 0x20D0 <= code <= 0x20FF
        or 0xFE00 <= code <= 0xFE2F
    )


class _Folding(dict[int, str]):
    """For str.translate: what one character becomes; fills itself as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in _LETTERS:
            folded = _LETTERS[character]
        elif character in _APOSTROPHES or (_is_accent(code) and unicodedata.category(character) in ("Mn", "Me", "Cf")):
            folded = ""
        elif unicodedata.category(character)[0] in "LNM":
            folded = character
        elif unicodedata.category(character) == "Cf":  # joiners, direction marks
            folded = ""
        else:
            folded = " "
        if len(self) < 20_000:  # the ASCII and the scripts in use; not all of Unicode
            self[code] = folded
        return folded


_FOLDING = _Folding()
_ASCII = {code: ("" if chr(code) in _APOSTROPHES else chr(code) if chr(code).isalnum() else " ") for code in range(128)}
_MOST = 1024  # characters of one text that take part in search and sorting


def fold(text: str) -> str:
    """`text` without accents, case, width and punctuation, words apart by one space.

    A text of symbols only ("!!!", "÷") stays itself, so that it has a name at all.
    """
    text = text[:_MOST]
    words = _words(text)
    if words:
        return " ".join(words)
    return "".join(text.encode("utf-8", "ignore").decode().casefold().split())


def _words(text: str) -> list[str]:
    if text.isascii():
        return text.lower().translate(_ASCII).split()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", apart.translate(_FOLDING)).split()


_SAME = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "´": "'",
        "`": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "‐": "-",
        "‑": "-",
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "...",
        "\x1f": " ",
        "\x00": " ",
    }
)


@lru_cache(maxsize=8192)  # an album's tracks ask for its names one after the other
def same(text: str) -> str:
    """Equal for two spellings of one name: case, width, quotes, dashes and spaces do not count."""
    if text.isascii():
        return " ".join(text.lower().replace("`", "'").split())
    return " ".join(
        unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_SAME).split()
    )


_ARTICLE = re.compile(r"\s*(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")


def sort_key(text: str) -> str:
    """For names of artists and albums: without a leading English article, numbers by their value."""
    article = _ARTICLE.match(text)
    key = fold(text[article.end() :] if article else text)
    if any(map(str.isdigit, key)):
        key = _DIGITS.sub(lambda found: found.group().zfill(6), key)
    return key


def letter(first: str) -> str:
    """The heading in a jump bar for names whose sort key starts with `first`."""
    if not first or not first.isalpha():
        return "#"
    code = ord(first)
    if 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000:
        return "漢"
    if 0xAC00 <= code <= 0xD7A3:
        return "한"
    return first.upper()


_LONG_RUNS = ((0x3400, 0xA000), (0xAC00, 0xD7A4), (0xF900, 0xFB00), (0x20000, 0x30000))


def after_letter(first: str) -> str:
    """The smallest text that sorts behind all that `letter` puts under the heading of `first` in one run."""
    if not first:
        return "\x01"
    code = ord(first)
    if letter(first) in "漢한":
        for begin, end in _LONG_RUNS:
            if begin <= code < end:
                return chr(end)
    if code in (0xD7FF, 0x10FFFF):  # surrogates are no text; nothing sorts behind the last
        return "\ue000" if code == 0xD7FF else "\U0010ffff" * 2
    return chr(code + 1)


# ---- words for the index -----------------------------------------------------------------------------------------

# Scripts written without spaces are indexed as pairs of characters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_JOINT = re.compile(r"\w[^\w\s'’]+\w|[$@]\w|\w\$")  # AC/DC, R.E.M., Ke$ha
_LOOKS_LIKE = str.maketrans({"!": "i", "$": "s", "@": "a"})
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_LONGEST = 40


def _symbols(text: str) -> str:
    """A text of symbols as one token that FTS5's ascii tokenizer keeps whole (ASCII moved to private use)."""
    return "".join(chr(0xE000 + ord(one)) if ord(one) < 128 else one for one in text)[:_LONGEST]


def _pieces(folded: str) -> list[str]:
    """A folded text cut into tokens; runs of unspaced scripts become pairs, with the last character alone."""
    if folded.isascii():
        return folded.split()
    tokens = []
    for word in folded.split():
        if not _IS_UNSPACED.search(word):
            tokens.append(word)
            continue
        for run in _RUN.findall(word):
            if _IS_UNSPACED.match(run):
                tokens.extend(run[i : i + 2] for i in range(len(run)))
            else:
                tokens.append(run)
    return tokens


def _wordless(folded: str) -> bool:
    """Whether a folded text has no word in it: it is the symbols themselves."""
    first = folded[:1]
    return not (first.isalnum() and first not in _APOSTROPHES) and not _words(folded)


def index_words(text: str, folded: str | None = None) -> list[str]:
    """The tokens under which `text` can be found: its words, and other spellings (AC/DC: acdc; Süd: sued)."""
    if folded is None:
        folded = fold(text)
    if folded and _wordless(folded):
        return [_symbols(folded)]
    tokens = _pieces(folded)
    if not text.isascii():  # where there is no such key people type ue for ü
        plain = unicodedata.normalize("NFC", text[:_MOST]).lower()
        if (spelt := plain.translate(_SPELT_OUT)) != plain:
            tokens.extend(set(_pieces(fold(spelt))) - set(tokens))
    if _JOINT.search(text):
        for word in text[:_MOST].split():
            if _JOINT.search(word):
                joined = fold(word).replace(" ", "")
                looks = fold(word.rstrip("!?.,").translate(_LOOKS_LIKE)).replace(" ", "")
                tokens.extend({one for one in (joined, looks) if one} - set(tokens))
    if max(map(len, tokens), default=0) > _LONGEST:
        tokens = [token[:_LONGEST] for token in tokens]
    return tokens


MOST_WORDS = 12  # of a question


def query_words(text: str) -> list[tuple[str, bool]]:
    """The tokens of a question, each with whether it may be the beginning of a longer word."""
    folded = fold(text[:_MOST])
    if not folded:
        return []
    if _wordless(folded):
        return [(_symbols(folded), True)]
    asked: dict[str, bool] = {}
    for word in folded.split():
        for run in _RUN.findall(word):
            if _IS_UNSPACED.match(run):
                if len(run) == 1:
                    asked[run] = True
                for i in range(len(run) - 1):
                    asked.setdefault(run[i : i + 2], False)
            else:
                asked[run[:_LONGEST]] = True
    return list(asked.items())[:MOST_WORDS]


def in_vocabulary(word: str) -> bool:
    """Whether `word` takes part in finding by parts and with typos."""
    return (
        3 <= len(word) <= 32
        and not word.isdecimal()
        and not _IS_UNSPACED.search(word)
        and not "\ue000" <= word[0] <= "\uf8ff"
    )


def tails(word: str) -> list[str]:
    """The endings of `word` (three letters or more, not the word itself): a part of it begins one of them."""
    return [word[i:] for i in range(1, min(len(word) - 2, 24))]


def slips(word: str) -> set[int]:
    """Numbers that `word` shares with most words one slip away: of itself, and of itself without each letter."""
    if len(word) < 4:
        return {zlib.crc32(word.encode())}
    return {zlib.crc32((word[:i] + word[i + 1 :]).encode()) for i in range(len(word))} | {zlib.crc32(word.encode())}


_FIRST_SOUNDS = str.maketrans("cqzv", "kksf")
_SOUNDS = str.maketrans(
    {
        "c": "k",
        "q": "k",
        "z": "s",
        "v": "f",
        "w": "f",
        "j": "y",
        "x": "k",
        "d": "t",
        "b": "p",
        "g": "k",
        "a": None,
        "e": None,
        "i": None,
        "o": None,
        "u": None,
        "y": None,
        "h": None,
    }
)


def sound(word: str) -> str:
    """A rough phonetic key: metalika and metallica share theirs."""
    key = word[:1].translate(_FIRST_SOUNDS) + word[1:].replace("ph", "f").translate(_SOUNDS)
    out: list[str] = []
    for one in key:
        if not out or out[-1] != one:
            out.append(one)
    return "".join(out)
