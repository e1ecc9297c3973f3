"""Lists that people have: M3U, CSV of other services and plain text → what is asked for, and what could not be read.

Understood: extended M3U and M3U8; CSV, TSV and the text files of iTunes, as Spotify (Exportify), Apple Music, Deezer,
TuneMyMusic, Soundiiz and Shazam export them, by the names of their columns in several languages; lines of links or of
"Artist - Title". In UTF-8, UTF-16 or what Windows wrote.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from odst.matching import fold, read_path
from odst.search import foreign_scheme, is_link, whole_link
from shared.model.download import USUAL_PRIORITY, Failure, Options, Request, Wanted
from shared.model.units import MIB, Bytes, Milliseconds

LIMIT_BYTES: Bytes = 4 * MIB
MOST = 10_000
MOST_UNREAD = 1_000         # told one by one; the rest is counted
LONGEST_LINE = 2_000
SHOWN = 200                 # characters of a line that could not be read
HEADER_WITHIN = 6           # lines: some exports begin with a title

# What a column may be called, folded and without spaces, in the languages that these exports come in.
_COLUMNS: dict[str, str] = {
    "title": """track tracks trackname tracktitle song songname songtitle title name titel titelname lied
        liedtitel titre titredelachanson nomdutitre chanson morceau nomdumorceau titulo titulodelacancion
        cancion nombre nombredelacancion nombredelapista pista titolo titolodelbrano brano nomebrano canzone
        nome nomedamusica titulodamusica musica faixa nomedafaixa tytul tytulutworu utwor nazwautworu nummer
        nummernaam latnamn kappale skladba название трек песня композиция названиетрека названиепесни назва
        пісня 曲名 曲 タイトル 歌曲 歌名 标题 標題 곡명 제목 노래""",
    "artist": """artist artists artistname artistnames trackartist trackartists performer performers band
        interpret interpreten kunstler kunstlername kuenstler interprete interpretes artiste artistes
        nomdelartiste artista artistas artisti nombredelartista nomeartista nomedoartista nomedosartistas
        wykonawca wykonawcy artiest artiesten artistnamn esittaja umelec исполнитель исполнители артист
        виконавець アーティスト アーティスト名 艺术家 藝人 歌手 演唱者 아티스트 가수""",
    "album": """album albumname albumtitle release albumtitel nomdelalbum titredelalbum nombredelalbum
        titulodelalbum nomedoalbum titolodellalbum nomealbum nazwaalbumu albumnaam альбом названиеальбома
        アルバム アルバム名 专辑 專輯 앨범""",
    "album_artist": """albumartist albumartists albumartistname albumartistnames albuminterpret albumkunstler
        artistedelalbum artistadelalbum artistadoalbum artistadellalbum""",
    "isrc": "isrc isrcs trackisrc isrccode",
    "duration": """duration durationms durations durationsec durationseconds trackduration trackdurationms
        trackdurations length lengthms time totaltime tracklength dauer lange laenge spieldauer duree duracion
        durata duracao speelduur czastrwania длительность продолжительность 時間 时长 시간""",
    "track_number": "tracknumber trackno tracknr trackposition titelnummer numerodepiste numerodepista numerodafaixa",
    "disc_number": "disc discnumber discno discnr disk disknumber cdnumber",
    "date": """date year releasedate releaseyear albumreleasedate jahr erscheinungsdatum veroffentlichungsdatum
        annee datedesortie ano fechadelanzamiento anno datadiuscita datadelancamento rok год""",
    "url": """url link uri trackuri trackurl tracklink trackhref songurl songlink spotifyuri spotifyurl
        spotifylink spotifytrackuri permalink youtubeurl deezerurl externalurl sourceurl""",
    "spotify_id": "spotifyid spotifytrackid trackid",
    "artist_uris": "artisturi artisturis",
    "explicit": "explicit",
    "both": "trackdescription artistandtitle artisttitle",
}
_FIELD = {fold(name).replace(" ", ""): column for column, names in _COLUMNS.items() for name in names.split()}
_DELIMITERS = (",", ";", "\t", "|")
_BULLET = re.compile(r"^(?:[-*•–—·]|\d{1,4}[.)])\s+")
_RULE = re.compile(r"[-–—_=*~.\s]+")
_DASH = re.compile(r"\s+[-–—−]\s+")
_URL = re.compile(r"https?://[^\s<>\"]+|spotify:(?:track|album|playlist|artist):[0-9A-Za-z]+", re.IGNORECASE)
_AUDIO = re.compile(r"\.(?:mp3|flac|ogg|oga|opus|m4a|mp4|m4b|aac|wav|aiff?|wma|wv|ape|alac|mka|webm)$", re.IGNORECASE)
_SPOTIFY_ID = re.compile(r"(?:spotify:track:)?([0-9A-Za-z]{22})")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
          (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    line: int               # 1 is the first
    text: str               # its beginning
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    requests: list[Request] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    name: str | None = None     # of the list, where it says so


def read(data: bytes | str, *, name: str | None = None, options: Options | None = None,
         priority: int = USUAL_PRIORITY, limit: int = MOST) -> Batch:
    """What `data` asks for, line by line. `name` is the file's, a hint only.

    Raises Failure: too_large, unsupported (no text, a web page, a stream's own playlist), empty.
    """
    if len(data) > LIMIT_BYTES:
        raise Failure("too_large", f"A list may have {LIMIT_BYTES // MIB} MB; this one is larger.")
    text = data.lstrip("\ufeff") if isinstance(data, str) else _decoded(data)
    if not text.strip():
        raise Failure("empty", "This list is empty.")
    if len(_CONTROL.findall(text[:4096])) > len(text[:4096]) // 50:
        raise Failure("unsupported", "This is no list of music: it is not text.")
    if re.match(r"\s*<(?:!doctype html|html|\?xml)", text, re.IGNORECASE) or re.match(r'\s*[{\[]\s*["{\[]', text):
        raise Failure("unsupported", "This is no list that can be read. M3U, CSV and plain lines of links or "
                      "'Artist - Title' can.")
    ending = (name or "").lower().rpartition(".")[2]
    list_name: str | None = None
    if ending in ("m3u", "m3u8") or text.lstrip().startswith("#EXTM3U") or "\n#EXTINF:" in text:
        if "#EXT-X-" in text:
            raise Failure("unsupported", "This is the playlist of one stream (HLS), no list of music. Give its link.")
        list_name = next((one[10:].strip()[:SHOWN] for one in text.splitlines() if one.startswith("#PLAYLIST:")), None)
        found = _m3u(text)
    else:
        rows = _table(text, sure=ending in ("csv", "tsv"))
        found = _lines(text) if rows is None else rows
    return _gathered(found, options or Options(), priority, limit, list_name)


_Found = tuple[int, str, Request | str]     # line, its text, what it asks for or why it cannot be read


def _gathered(found: Iterable[_Found], options: Options, priority: int, limit: int, name: str | None) -> Batch:
    requests: list[Request] = []
    unread: list[Unread] = []
    over = missed = at = 0
    for line, text, what in found:
        if isinstance(what, str):
            missed += 1
            if missed <= MOST_UNREAD:
                unread.append(Unread(line=line, text=_shown(text), reason=what))
        elif len(requests) < limit:
            requests.append(replace(what, options=options, priority=priority))
        else:
            over, at = over + 1, at or line
    if missed > MOST_UNREAD:
        unread.append(Unread(line=0, text="", reason=f"and {missed - MOST_UNREAD:,} more lines that cannot be read"))
    if over:
        unread.append(Unread(line=at, text="", reason=f"A list may queue {limit:,}: {over:,} more are left out."))
    return Batch(requests=requests, unread=unread, name=name)


# ---- M3U ----------------------------------------------------------------------------------------------------------


def _m3u(text: str) -> Iterator[_Found]:
    said = Wanted()
    for number, line in _numbered(text):
        tag, _, value = line.partition(":")
        if tag.upper() == "#EXTINF":
            seconds, _, title = value.partition(",")
            named = _titled(title)
            said = replace(said, title=named.title, artist=named.artist or said.artist,
                           duration_ms=_ms(next(iter(seconds.split()), ""), "duration"))
        elif tag.upper() == "#EXTART":
            said = replace(said, artist=_text(value))
        elif tag.upper() == "#EXTALB":
            said = replace(said, album=_text(value))
        elif not line.startswith("#"):
            yield number, line, _of_entry(line, said)
            said = Wanted()


def _of_entry(line: str, said: Wanted) -> Request | str:
    """An entry with what stood above it. A link is fetched itself; a file of another machine is looked for."""
    if is_link(line):
        return Request(url=whole_link(line))
    if not said.title:
        said = replace(said, **{name: value for name, value in _told_by(line).items() if getattr(said, name) is None})
    return _asked(said)


def _told_by(path: str) -> dict[str, Any]:
    """What a path says of the recording in it."""
    if path.lower().startswith("file:"):
        path = unquote(urlsplit(path).path)
    name = read_path("/".join(step for step in re.split(r"[\\/]", path) if step not in (".", "..")))
    return {"title": _text(name.title), "artist": _text(name.artist), "album": _text(name.album),
            "track_number": name.track_number}


# ---- tables -------------------------------------------------------------------------------------------------------


def _table(text: str, *, sure: bool) -> Iterator[_Found] | None:
    """The rows of a table, or None when this is none. `sure`: its file's name says that it is one."""
    head = [line for line in text.splitlines()[:40] if line.strip()][:HEADER_WITHIN]
    best: tuple[int, str, int] = (0, ",", 0)
    for delimiter in _DELIMITERS:
        for at, line in enumerate(head):
            columns = [column for column in map(_column, _cells(line, delimiter)) if column]
            useful = len(set(columns)) if {"title", "url", "both", "spotify_id"} & set(columns) else 0
            if useful > best[0]:
                best = (useful, delimiter, at)
    useful, delimiter, at = best
    if useful >= 2 or (useful == 1 and sure):
        return _rows(text, delimiter, head[at])
    if not sure:
        return None
    delimiter = max(_DELIMITERS, key=lambda one: sum(len(_cells(line, one)) > 1 for line in head))
    if all(len(_cells(line, delimiter)) < 2 for line in head):
        return None                             # lines, whatever the file is called
    return _rows(text, delimiter, None)         # no header: artist, title, album


def _rows(text: str, delimiter: str, header: str | None) -> Iterator[_Found]:
    columns: list[str | None] = ["artist", "title", "album"]
    if header is not None:
        columns = _columns(_cells(header, delimiter))
    waiting = header is not None
    for number, cells in _records(text, delimiter):
        line = delimiter.join(cells)
        if waiting:
            waiting = [cell.strip() for cell in cells] != [cell.strip() for cell in _cells(header or "", delimiter)]
            continue
        if not any(cell.strip() for cell in cells):
            continue
        row = {column: value for column, cell in zip(columns, cells, strict=False)
               if column and (value := _text(cell))}
        yield number, line, _of_row(row)


def _columns(header: list[str]) -> list[str | None]:
    """What each column holds; the first of several that hold the same counts."""
    found: list[str | None] = []
    for cell in header:
        column = _column(cell)
        if column == "title" and "title" in found:      # "Track" beside "Title" is its number
            column = "track_number" if fold(cell) in ("track", "nummer") else None
        elif column == "duration":
            column = _unit(cell)
        found.append(column if column and column not in found else None)
    if "title" in found and fold(header[found.index("title")]) in ("track", "nummer"):
        others = [at for at, cell in enumerate(header) if _column(cell) == "title" and found[at] != "title"]
        if others:
            found[found.index("title")], found[others[0]] = "track_number", "title"
    return found


def _column(cell: str) -> str | None:
    return _FIELD.get(fold(cell).replace(" ", "")) if len(cell) < 60 else None


def _unit(cell: str) -> str:
    folded = fold(cell)
    return "duration_ms" if re.search(r"\bms\b|millis", folded) else "duration"


def _of_row(row: dict[str, str]) -> Request | str:
    link = row.get("url")
    if link and not is_link(link):
        link = None
    if not link and (id := _SPOTIFY_ID.fullmatch(row.get("spotify_id", ""))):
        link = f"https://open.spotify.com/track/{id[1]}"
    wanted = _titled(row["both"]) if row.get("both") else Wanted(title=row.get("title"))
    artist = row.get("artist", wanted.artist)
    if artist:
        artist = artist.replace("\\,", ",")
        wanted = replace(wanted, artist=re.sub(r"\s*;\s*", ", ", artist), artists=_artists(artist, row))
    if not wanted.title:
        return Request(url=link) if link else "It names no title and no link."
    if link and not (wanted.artist or row.get("isrc")):
        return Request(url=link)
    spotify = _SPOTIFY_ID.fullmatch(link) if link else None
    source_url = f"https://open.spotify.com/track/{spotify[1]}" if spotify else link
    return _asked(replace(
        wanted, album=row.get("album"), album_artist=row.get("album_artist"), isrc=_isrc(row.get("isrc")),
        duration_ms=_ms(row.get("duration_ms"), "duration_ms") or _ms(row.get("duration"), "duration"),
        track_number=_number(row.get("track_number"), 9999), disc_number=_number(row.get("disc_number"), 999),
        date=_date(row.get("date")), explicit={"true": True, "false": False}.get(row.get("explicit", "").lower()),
        source_url=source_url))


def _artists(shown: str, row: dict[str, str]) -> tuple[str, ...]:
    """Each artist, where it is certain what a comma means."""
    if ";" in shown:
        return tuple(one.strip() for one in shown.split(";") if one.strip())
    uris = [one for one in row.get("artist_uris", "").split(",") if one.strip()]
    names = [one.strip() for one in shown.split(",") if one.strip()]
    return tuple(names) if uris and len(uris) == len(names) else ()


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their line. A quote that is never closed does not swallow what follows."""
    rows, whole = [], True
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    try:
        for row in reader:
            rows.append((reader.line_num, row))
            if any(cell.count("\n") > 3 for cell in row):
                whole = False
                break
    except csv.Error:
        whole = False
    if whole:
        yield from rows
    else:
        for number, line in _numbered(text):
            yield number, _cells(line, delimiter)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter != "\t"), [])
    except csv.Error:
        return line.split(delimiter)


# ---- lines --------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[_Found]:
    for number, line in _numbered(text):
        if line.startswith(("#", "//", ";")) or _RULE.fullmatch(line):
            continue
        links = _URL.findall(line)
        if links:
            for link in links:
                yield number, line, Request(url=link.rstrip(",;)]}>'"))
        elif is_link(line):
            yield number, line, Request(url=whole_link(line))
        elif scheme := foreign_scheme(line):
            yield number, line, f"Links that begin with {scheme}: are not followed."
        elif _AUDIO.search(line) and ("/" in line or "\\" in line):
            yield number, line, _asked(Wanted(**_told_by(line)))
        elif len(line) > LONGEST_LINE // 4:
            yield number, line, "It is too long for a title."
        else:
            words = _DASH.sub(" - ", _BULLET.sub("", line))
            yield number, line, Request(query=words) if fold(words) else "There is nothing in it to look for."


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        if clean := _CONTROL.sub("", line).strip():
            yield number, clean[:LONGEST_LINE]


# ---- words and figures --------------------------------------------------------------------------------------------


def _asked(wanted: Wanted) -> Request | str:
    """`wanted` as a request: by words where nothing more than a title is known."""
    if not wanted.title or not fold(wanted.title):
        return "It names no title."
    if wanted.artist is None and wanted.isrc is None:
        return Request(query=" ".join(filter(None, (wanted.title, wanted.album))))
    return Request(wanted=wanted)


def _titled(words: str) -> Wanted:
    """"Artist - Title"."""
    clean = _text(words)
    if clean is None:
        return Wanted()
    artist, dash, title = _DASH.sub(" - ", clean).partition(" - ")
    return Wanted(title=title.strip(), artist=artist.strip()) if dash and artist and title else Wanted(title=clean)


def _text(value: str | None) -> str | None:
    return " ".join(_CONTROL.sub(" ", value).split())[:500] or None if value else None


def _isrc(value: str | None) -> str | None:
    clean = re.sub(r"[^0-9A-Za-z]", "", value or "").upper()
    return clean if re.fullmatch(r"[A-Z]{2}[0-9A-Z]{3}[0-9]{7}", clean) else None


def _ms(value: str | None, unit: str) -> Milliseconds | None:
    """Of "3:45", "1:02:03", "225", "225.5", "225000": seconds, unless the column or the size says milliseconds."""
    if not value:
        return None
    if re.fullmatch(r"\d{1,3}(?::[0-5]?\d){1,2}(?:[.,]\d+)?", value):
        seconds = 0.0
        for piece in value.replace(",", ".").split(":"):
            seconds = seconds * 60 + float(piece)
        return round(seconds * 1000) or None
    if not re.fullmatch(r"\d{1,9}(?:[.,]\d+)?", value):
        return None
    amount = float(value.replace(",", "."))
    ms = round(amount) if unit == "duration_ms" or amount >= 20_000 else round(amount * 1000)
    return ms if 0 < ms < 10**9 else None


def _number(value: str | None, most: int) -> int | None:
    found = re.match(r"0*([1-9]\d{0,3})\b", value or "")
    return int(found[1]) if found and int(found[1]) <= most else None


def _date(value: str | None) -> str | None:
    found = re.match(r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?(?!\d)", value or "")
    return found[0] if found else None


def _decoded(data: bytes) -> str:
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return data.decode(marked, "replace")
    even, odd = data[:4000:2].count(0), data[1:4000:2].count(0)     # zeros on one side: UTF-16 that does not say so
    wide = "utf-16-le" if odd > 4 * even else "utf-16-be" if even > 4 * odd else None
    for encoding in (wide, "utf-8"):
        with contextlib.suppress(UnicodeDecodeError):
            if encoding:
                return data.decode(encoding)
    return data.decode("cp1252", "replace")


def _shown(text: str) -> str:
    return _CONTROL.sub("", text)[:SHOWN]
