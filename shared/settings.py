"""Every setting of the station in one table; the only reader of the environment and of config.json.

Where a value comes from, the last one winning: the default → config.json → .env in the config folder → the
environment → the command line. A value that is not allowed stops the start and says so. Secrets stand sealed in
config.json ({"sealed": …}, see shared/vault.py); `save` writes one setting there.
"""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from shared import durable
from shared.model.errors import BadSetting
from shared.model.units import GIB, Bytes

PREFIX = "SOUNDSIBLE_"
SECRET = "***"  # nosec B105  # what is shown in its place

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


# ---- how a text becomes a value; each parser's docstring is the "allowed" part of an error ------------------------


def _text(value: str) -> str:
    """a text"""
    return value.strip()


def _flag(value: str) -> bool:
    """true or false"""
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _size(value: str) -> int:
    """a number of bytes, or with K, M, G or T behind it (5G)"""
    word = value.strip().lower().removesuffix("b").removesuffix("i")
    unit = word[-1:] if word[-1:] in ("k", "m", "g", "t") else ""
    amount = float(word.removesuffix(unit)) * _SIZES[unit]
    if not 0 <= amount < 2**63:
        raise ValueError
    return int(amount)


def _path(value: str) -> Path:
    """a folder"""
    if not value.strip():
        raise ValueError
    return Path(value).expanduser()


def _file(value: str) -> Path:
    """a file"""
    return _path(value)


def _paths(value: str) -> tuple[Path, ...]:
    """folders, separated like PATH"""
    return tuple(Path(one).expanduser() for one in value.split(os.pathsep) if one.strip())


def _names(value: str) -> tuple[str, ...]:
    """names, separated by commas"""
    return tuple(one.strip().lower() for one in value.split(",") if one.strip())


def _networks(value: str) -> tuple[str, ...]:
    """addresses or networks (10.0.0.0/24), separated by commas"""
    given = _names(value)
    for one in given:
        ipaddress.ip_network(one, strict=False)
    return given


def _header(value: str) -> str:
    """the name of a header"""
    word = value.strip()
    if word and not re.fullmatch(r"[A-Za-z0-9-]{1,80}", word):
        raise ValueError
    return word


def _addresses(value: str) -> tuple[str, ...]:
    """addresses, separated by spaces"""
    if not all("://" in one for one in value.split()):
        raise ValueError
    return tuple(value.split())


def _url(value: str) -> str:
    """an address that begins with http:// or https://"""
    word = value.strip().rstrip("/")
    if word and not re.fullmatch(r"https?://[^\s/?#]+(?:/[^\s?#]*)?", word):
        raise ValueError
    return word


def _compression(value: str) -> str:
    """nothing, mp3 or opus with kbit/s (mp3:320, opus:128)"""
    word = value.strip().lower()
    if word and not re.fullmatch(r"(?:mp3:(?:64|96|128|160|192|256|320)|opus:(?:48|64|96|128|160|192|256))", word):
        raise ValueError
    return word


def _time(value: str) -> str:
    """a time of day, HH:MM"""
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", value.strip()):
        raise ValueError
    return value.strip()


def _window(value: str) -> str:
    """two times of day, HH:MM-HH:MM"""
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", value.strip()):
        raise ValueError
    return value.strip()


def _owner(value: str) -> tuple[str, str] | None:
    """name:password, the password ten characters or more"""
    if not value:
        return None
    name, colon, password = value.partition(":")
    if not (name.strip() and colon and len(password) >= 10):
        raise ValueError
    return name.strip(), password


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value.strip())
        if not lowest <= number <= highest:
            raise ValueError
        return number

    parse.__doc__ = f"a whole number from {lowest} to {highest}"
    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError
        return word

    parse.__doc__ = "one of " + ", ".join(words)
    return parse


def setting(default: Any, help: str, *, parse: Callable[[str], Any] = _text, unit: str | None = None,
            secret: bool = False) -> Any:
    """One row of the table: its default, a sentence, how its text is read, its unit."""
    return field(default=default, metadata={"help": help, "parse": parse, "unit": unit, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, as values. Made by `load`; tests make their own."""

    home: Path | None = setting(None, "One folder that holds config, data and cache; else the system's usual places.",
                                parse=_path)
    music: tuple[Path, ...] = setting((), "Music folders, added to those remembered.", parse=_paths)
    host: str = setting("0.0.0.0",     # nosec B104  # devices at home shall reach it; docs/security.md
                        "Address to listen on; 0.0.0.0 is every network of this machine.")
    port: int = setting(5005, "Port to listen on.", parse=_whole(0, 65535))
    server: str = setting("auto", "Which server answers.", parse=_one_of("auto", "gunicorn", "eventlet", "werkzeug"))
    owner: tuple[str, str] | None = setting(None, "name:password of the owner, made on the first start only.",
                                            parse=_owner, secret=True)
    allowed_hosts: tuple[str, ...] = setting((), "Further host names under which the station may be asked.",
                                             parse=_names)
    # finding the station, and trusting it
    name: str = setting("", "What the station is called on other devices; else this machine's name.")
    public_url: str = setting("", "The address under which it is reached from outside, through a reverse proxy or with "
                              "a certificate of your own (https://music.example.org).", parse=_url)
    mdns: bool = setting(True, "Announce the station on the home network (soundsible.local).", parse=_flag)
    https: bool = setting(True, "Answer HTTPS too, on the same port, with a certificate of the station's own authority "
                          "or your own.", parse=_flag)
    certificate: Path | None = setting(None, "A certificate of your own for HTTPS: a PEM file with its whole chain.",
                                       parse=_file)
    certificate_key: Path | None = setting(None, "Its private key, a PEM file.", parse=_file)
    trusted_proxies: tuple[str, ...] = setting((), "Addresses or networks of reverse proxies that say truly who asks "
                                               "(127.0.0.1,10.0.0.0/24).", parse=_networks)
    pairing_minutes: int = setting(10, "How long a sync token can be used.", unit="min", parse=_whole(1, 1440))
    invitation_days: int = setting(7, "How long an invitation can be accepted.", unit="days", parse=_whole(1, 90))
    login_header: str = setting("", "A header in which a trusted proxy names who is logged in (Remote-User, "
                                "Tailscale-User-Login).", parse=_header)
    oidc_issuer: str = setting("", "An OpenID Connect provider that people log in with (https://id.example.org).",
                               parse=_url)
    oidc_client_id: str = setting("", "The client id that the provider gave this station.")
    oidc_client_secret: str = setting("", "Its secret.", secret=True)
    oidc_username_claim: str = setting("preferred_username", "Which of the provider's claims is the user name.")
    new_people: str = setting("off", "What becomes of somebody unknown whom proxy or provider name: refused, or given "
                              "an account of this role.", parse=_one_of("off", "adult", "child", "guest"))
    requests_per_second: int = setting(600, "Requests a second that one client may make.", unit="1/s",
                                       parse=_whole(10, 100_000))
    connections_per_client: int = setting(450, "Connections that one client may hold open.", parse=_whole(8, 10_000))
    subsonic: bool = setting(True, "Answer apps that speak the OpenSubsonic API, at /rest.", parse=_flag)
    shares: bool = setting(True, "People may share music by a link that needs no login.", parse=_flag)
    podcast_hours: int = setting(6, "How often podcasts are looked at for new episodes.", unit="h",
                                 parse=_whole(1, 168))
    podcast_bytes: int = setting(20 * GIB, "How much room episodes of podcasts may take; the oldest that were heard to "
                                 "their end go first.", unit="bytes",
                                 parse=_size)
    sonic_analysis: str = setting("night", "When the station listens to tracks, to find those that sound alike.",
                                  parse=_one_of("off", "night", "always"))
    lastfm_api_key: str = setting("", "The key of a Last.fm API account, with which people connect Last.fm here.")
    lastfm_api_secret: str = setting("", "Its secret.", secret=True)
    lastfm_url: str = setting("https://ws.audioscrobbler.com/2.0/", "Where Last.fm answers.", parse=_url)
    listenbrainz_url: str = setting("https://api.listenbrainz.org", "Where ListenBrainz answers.", parse=_url)
    audit_days: int = setting(365, "How long the audit log is kept.", unit="days", parse=_whole(1, 3650))
    log_level: str = setting("info", "How much is logged.", parse=_one_of("debug", "info", "warning", "error"))
    threads: int = setting(400, "Threads that answer; each open WebSocket and each paused player holds one.",
                           parse=_whole(16, 2000))
    session_days: int = setting(90, "A login that is not used this long ends.", unit="days", parse=_whole(1, 3650))
    scan_workers: int = setting(min(8, os.cpu_count() or 2), "Processes that read tags during a scan.",
                                parse=_whole(1, 64))
    scan_on_start: bool = setting(True, "Look through the music folders at every start.", parse=_flag)
    watch: bool = setting(True, "Keep up with changes in the music folders as they happen.", parse=_flag)
    watch_poll_s: int = setting(300, "How often folders on a network are looked through.", unit="s",
                                parse=_whole(10, 86_400))
    manifest: bool = setting(True, "Keep library.json beside the database and take up edits made to it.", parse=_flag)
    transcodes_at_once: int = setting(max(1, os.cpu_count() or 2), "Conversions running at the same time.",
                                      parse=_whole(1, 64))
    transcode_cache_bytes: Bytes = setting(4 * GIB, "Finished conversions kept; the least recently used leave first.",
                                           unit="bytes", parse=_size)
    cover_cache_bytes: Bytes = setting(1 * GIB, "Rendered covers kept; the least recently used leave first.",
                                       unit="bytes", parse=_size)
    worker_memory_bytes: Bytes = setting(1 * GIB, "Most memory one worker process may ask for.", unit="bytes",
                                         parse=_size)
    # three places
    track_cache_bytes: Bytes = setting(10 * GIB, "Tracks from the cloud kept on this machine; the least recently "
                                       "played leave first.", unit="bytes", parse=_size)
    cloud_redirect: bool = setting(False, "Send players to the bucket's own signed address instead of streaming "
                                   "through the station.", parse=_flag)
    cloud_url_minutes: int = setting(60, "How long a signed address can be used.", unit="min",
                                     parse=_whole(1, 7 * 1440))
    cloud_provider: str = setting("", "The storage that new copies go to; else the first that was added.")
    cloud_copy: str = setting("off", "What is copied to the cloud by itself.",
                              parse=_one_of("off", "downloads", "all"))
    cloud_compress: str = setting("", "What copies in the cloud are made smaller to; nothing keeps them bit for bit.",
                                  parse=_compression)
    upload_workers: int = setting(4, "Files, or parts of large ones, uploaded at the same time.", parse=_whole(1, 32))
    backup_to: str = setting("", "Where backups go by themselves: a folder, or the name of a storage.")
    backup_every: str = setting("off", "How often a backup is made by itself.", parse=_one_of("off", "daily", "weekly"))
    backup_keep: int = setting(7, "Backups kept there; older ones are removed.", parse=_whole(1, 1000))
    upkeep_at: str = setting("03:30", "When the nightly self-check and backup begin (local time).", parse=_time)
    self_check: bool = setting(True, "Check the database and the cached tracks every night.", parse=_flag)
    trash_days: int = setting(30, "What `tool cleanup --empty-trash` leaves in the trash: what is younger than this.",
                              unit="days", parse=_whole(0, 3650))
    # acquiring
    allow_private_hosts: tuple[str, ...] = setting((), "Hosts on private or loopback addresses that downloads, feeds "
                                                   "and webhooks may reach (127.0.0.1:8099,nas.local).", parse=_names)
    download_workers: int = setting(4, "Downloads worked on at the same time.", parse=_whole(1, 32))
    download_providers: tuple[str, ...] = setting(("soulseek", "youtube", "direct"),
                                                  "Who may fetch music, in the order of trust.", parse=_names)
    download_catalogues: tuple[str, ...] = setting(("spotify", "deezer", "musicbrainz", "local"),
                                                   "Who is asked what music there is, in the order of trust.",
                                                   parse=_names)
    download_quality: str = setting("lossless", "Which candidates are preferred when a download does not say.",
                                    parse=_one_of("lossless", "320", "192", "128", "smallest"))
    download_format: str = setting("keep", "What finished downloads are converted to.",
                                   parse=_one_of("keep", "mp3", "opus", "aac", "flac"))
    download_bitrate_kbps: int = setting(320, "Bitrate of that conversion, where it is a lossy one.", unit="kbit/s",
                                         parse=_whole(32, 320))
    download_level: str = setting("tags", "Loudness: measure it and write ReplayGain tags, change the audio itself, "
                                  "or neither.", parse=_one_of("tags", "audio", "off"))
    download_level_lufs: int = setting(-14, "Loudness that levelled audio gets.", unit="LUFS", parse=_whole(-31, -5))
    download_trim: bool = setting(False, "Cut silence off at both ends.", parse=_flag)
    download_template: str = setting("{album_artist}/{album}/{track:02} {title}",
                                     "Folders and name of a downloaded file, below the first music folder.")
    download_min_free_bytes: Bytes = setting(GIB // 2, "Less free disk space than this pauses downloads.",
                                             unit="bytes", parse=_size)
    download_max_bytes: Bytes = setting(2 * GIB, "No single download is larger than this.", unit="bytes", parse=_size)
    download_max_minutes: int = setting(60, "No single fetch takes longer than this.", unit="min",
                                        parse=_whole(1, 24 * 60))
    download_share_percent: int = setting(33, "Share of the measured bandwidth that downloads use while somebody "
                                          "listens.", unit="%", parse=_whole(1, 100))
    download_night: str = setting("01:00-06:00", "The nightly window of downloads that wait for the night "
                                  "(local time).", parse=_window)
    download_batch_limit: int = setting(10_000, "Most tracks that one link, playlist or list may queue.",
                                        parse=_whole(1, 100_000))
    download_cookies: Path | None = setting(None, "A cookies.txt for sites that want a login (Netscape format).",
                                            parse=_file)
    webhook_urls: tuple[str, ...] = setting((), "Told when a download finishes or fails: Apprise addresses "
                                            "(discord://…, gotify://…, ntfy://…, json://…), separated by spaces.",
                                            parse=_addresses, secret=True)
    slskd_url: str = setting("", "The Soulseek daemon slskd (http://nas.local:5030).", parse=_url)
    slskd_api_key: str = setting("", "Its API key.", secret=True)
    slskd_downloads: Path | None = setting(None, "Where this machine sees slskd's download folder, when slskd names "
                                           "it otherwise (in a container, on another machine).", parse=_path)
    musicbrainz_url: str = setting("https://musicbrainz.org", "Where MusicBrainz answers.", parse=_url)
    coverart_url: str = setting("https://coverartarchive.org", "Where the Cover Art Archive answers.", parse=_url)
    deezer_url: str = setting("https://api.deezer.com", "Where Deezer's public API answers.", parse=_url)
    spotify_url: str = setting("https://api.spotify.com", "Where Spotify's Web API answers.", parse=_url)
    spotify_client_id: str = setting("", "The client id of a Spotify application of yours.")
    spotify_client_secret: str = setting("", "Its secret.", secret=True)
    lrclib_url: str = setting("https://lrclib.net", "Where LRCLIB answers.", parse=_url)
    acoustid_url: str = setting("https://api.acoustid.org", "Where AcoustID answers.", parse=_url)
    acoustid_key: str = setting("", "An AcoustID application key; with fpcalc installed it settles doubts.",
                                secret=True)
    contact: str = setting("", "An address for the services that want to know who asks (MusicBrainz).")
    demo: bool = setting(False, "Make a few tracks of its own to listen to.", parse=_flag)

    # ---- where things lie ------------------------------------------------------------------------------------------

    @property
    def config_dir(self) -> Path:
        return self._folder("config")

    @property
    def data_dir(self) -> Path:
        return self._folder("data")

    @property
    def cache_dir(self) -> Path:
        return self._folder("cache")

    @property
    def config_path(self) -> Path:
        return self.config_dir / "config.json"

    @property
    def database_path(self) -> Path:
        return self.data_dir / "library.db"

    def _folder(self, kind: str) -> Path:
        if self.home is not None:
            return self.home / kind
        return _platform_folder(kind)

    def for_child(self) -> dict[str, str]:
        """The environment of a process that shall see these settings, wherever they came from. Without the secrets:
        those that config.json holds it opens itself."""
        shown = {PREFIX + row.name.upper(): _as_text(value, _between(row.metadata["parse"])) for row in rows()
                 if not row.metadata["secret"] and (value := plain(getattr(self, row.name))) not in (None, "", [])}
        usual = {name: os.environ[name] for name in _HOMES if name in os.environ}
        environment = {**child_environment(), **usual, **shown}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)    # it runs what this process runs
        return environment

    def table(self) -> list[dict[str, Any]]:
        """All settings for people: name, env, value (secrets hidden), default, unit, help."""
        return [{
            "name": row.name,
            "env": PREFIX + row.name.upper(),
            "value": SECRET if row.metadata["secret"] and getattr(self, row.name) else plain(getattr(self, row.name)),
            "default": plain(row.default),
            "unit": row.metadata["unit"],
            "help": row.metadata["help"],
        } for row in rows()]


def rows() -> tuple[Field[Any], ...]:
    """The table itself, one dataclass field a setting."""
    return tuple(row for row in fields(Settings) if row.default is not MISSING)


def load(*, environ: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None) -> Settings:
    """Read every source and return the settings.

    `given` is what the command line said, as texts by setting name. Raises BadSetting with the setting's name, the
    value and what is allowed.
    """
    environ = os.environ if environ is None else environ
    known = {row.name: row for row in rows()}
    given = dict(given or {})
    texts: dict[str, tuple[str, str]] = {}      # name → (text, where it stands)

    bare = at_home(environ=environ, given=given)
    sealed: dict[str, str] = {}
    for name, value in _config_file(bare.config_path).items():
        if name not in known:
            continue    # rows of other rooms (storage providers …) live in the same file
        where = f"{name} in {bare.config_path}"
        if isinstance(value, dict):
            if not known[name].metadata["secret"] or not isinstance(value.get("sealed"), str):
                raise BadSetting(f"The setting {name} ({where}) is no text; only a secret can be sealed. "
                                 f"Set it again: {_SET} {name}")
            sealed[name] = value["sealed"]
        texts[name] = ("" if name in sealed else _as_text(value, _between(known[name].metadata["parse"])), where)
    for source, where in ((_env_file(bare.config_dir / ".env"), str(bare.config_dir / ".env")), (environ, "")):
        for name in known:
            value = source.get(PREFIX + name.upper())
            if value is not None and value != "":
                texts[name] = (value, f"{PREFIX}{name.upper()}" + (f" in {where}" if where else ""))
    for name, value in given.items():
        texts[name] = (value, f"--{name.replace('_', '-')}")
    for name, closed in sealed.items():
        if texts[name][1] == f"{name} in {bare.config_path}":     # nothing that wins over it
            texts[name] = (_opened(bare.config_dir, name, closed), texts[name][1])

    values: dict[str, Any] = {}
    for name, (text, where) in texts.items():
        parse = known[name].metadata["parse"]
        try:
            values[name] = parse(text)
        except (ValueError, KeyError, OverflowError):
            shown = SECRET if known[name].metadata["secret"] else repr(text)
            raise BadSetting(f"The setting {name} ({where}) is {shown}; allowed is {parse.__doc__}.") from None
    values["home"] = bare.home
    if isinstance(values.get("music"), tuple):
        values["music"] = tuple(path.absolute() for path in values["music"])
    return Settings(**values)


def at_home(*, environ: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None) -> Settings:
    """The defaults, at the home that the environment or the command line names: no file is read."""
    environ = os.environ if environ is None else environ
    home_text = (given or {}).get("home") or environ.get(PREFIX + "HOME")
    return Settings(home=Path(home_text).expanduser().absolute() if home_text else None)


def save(bare: Settings, name: str, text: str | None) -> Any:
    """Write one setting into config.json (None: take it out), atomically, readable by this user alone.

    A secret is sealed. What else stands in the file stays. Returns the value as it will be read. Raises BadSetting
    when the value is not allowed or the file cannot be read, OSError when it cannot be written.
    """
    row = next(row for row in rows() if row.name == name)
    parse = row.metadata["parse"]
    path = bare.config_path.resolve()
    content = _config_file(path)
    value: Any = None
    if text is None:
        content.pop(name, None)
    else:
        try:
            value = parse(text)
        except (ValueError, KeyError, OverflowError):
            shown = "this value" if row.metadata["secret"] else repr(text)
            raise BadSetting(f"{name} cannot be {shown}; allowed is {parse.__doc__}.") from None
        if row.metadata["secret"]:
            from shared.vault import Vault

            content[name] = {"sealed": Vault(bare.config_dir).seal(text.strip())}
        elif isinstance(value, bool):
            content[name] = value
        elif isinstance(value, tuple):
            content[name] = [str(one.absolute()) if isinstance(one, Path) else one for one in value]
        else:
            content[name] = str(value.absolute()) if isinstance(value, Path) else text.strip()
    _write(path, content)
    return value


def section(bare: Settings, name: str) -> Any:
    """What stands in config.json under `name` that is no setting (rows of other rooms); None: nothing."""
    return _config_file(bare.config_path).get(name)


def save_section(bare: Settings, name: str, value: Any) -> None:
    """Write it there (None: take it out), as `save` does. Raises BadSetting, OSError."""
    path = bare.config_path.resolve()
    content = _config_file(path)
    if value is None:
        content.pop(name, None)
    else:
        content[name] = value
    _write(path, content)


def sealed_anew(bare: Settings, anew: Callable[[str], str], *, dry_run: bool = False) -> int:
    """Put `anew(text)` in the place of every sealed text in config.json, of all rooms, at once; how many there are.

    Raises BadSetting, OSError.
    """
    path = bare.config_path.resolve()
    content = _config_file(path)
    count = 0

    def walk(thing: Any) -> Any:
        nonlocal count
        if isinstance(thing, dict):
            if isinstance(thing.get("sealed"), str):
                count += 1
                return {**thing, "sealed": anew(thing["sealed"])}
            return {name: walk(one) for name, one in thing.items()}
        return [walk(one) for one in thing] if isinstance(thing, list) else thing

    made = walk(content)
    if made != content and not dry_run:
        _write(path, made)
    return count


def _write(path: Path, content: dict[str, Any]) -> None:
    """All of config.json, atomically, readable by this user alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.write(path, json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n")


_SET = "python3 run.py tool settings set"


def _opened(folder: Path, name: str, sealed: str) -> str:
    """A sealed setting's text. cryptography is imported only for whoever has one."""
    from shared.vault import SealedElsewhere, Vault

    try:
        return Vault(folder).open(sealed)
    except SealedElsewhere as error:
        raise SealedElsewhere(f"The secret setting {name} cannot be opened. {error.message} "
                              f"That is: {_SET} {name} (or {_SET.removesuffix('set')}unset {name} to do without)."
                              ) from None


def in_environment(name: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether an environment variable wins over what config.json says."""
    return bool((os.environ if environ is None else environ).get(PREFIX + name.upper()))


def child_environment() -> dict[str, str]:
    """All that a process made for one job needs of this one's environment: no secrets, no proxies."""
    kept = ("PATH", "SYSTEMROOT", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            **{name: os.environ[name] for name in kept if name in os.environ}}


# Where a system keeps people's folders, and temporary ones.
_HOMES = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME",
          "TMPDIR", "TEMP", "TMP")


def _between(parse: Callable[[str], Any]) -> str:
    """What stands between the parts of a list, as its parser reads it."""
    return os.pathsep if parse is _paths else " " if parse is _addresses else ","


def usable(name: str, value: Any) -> bool:
    """Whether `value` may stand in config.json as the setting `name`; what is no setting is other rooms' own."""
    row = next((row for row in rows() if row.name == name), None)
    if row is None:
        return True
    if isinstance(value, dict):
        return bool(row.metadata["secret"]) and isinstance(value.get("sealed"), str)
    try:
        row.metadata["parse"](_as_text(value, _between(row.metadata["parse"])))
    except (ValueError, KeyError, OverflowError):
        return False
    return True


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: most often a slip of the pen."""
    known = {PREFIX + row.name.upper() for row in rows()}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _config_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}   # a home that cannot be made is told of when it is to be made
    except (OSError, ValueError) as error:
        raise BadSetting(
            f"{path} cannot be read as JSON ({error}). Mend it, or move it away to start afresh."
        ) from error
    if not isinstance(content, dict):
        raise BadSetting(f"{path} must hold a JSON object. Mend it, or move it away to start afresh.")
    return content


def _env_file(path: Path) -> dict[str, str]:
    try:
        if not path.is_file():
            return {}
    except OSError as error:
        raise BadSetting(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    from dotenv import dotenv_values  # only who has such a file pays for the import

    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}


def _as_text(value: Any, between: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return between.join(str(one) for one in value)
    return str(value)


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _platform_folder(kind: str) -> Path:
    """The system's usual place. On Linux the XDG folders, which contracts name."""
    if platform.system() in ("Windows", "Darwin"):
        import platformdirs

        return Path({
            "config": platformdirs.user_config_dir,
            "data": platformdirs.user_data_dir,
            "cache": platformdirs.user_cache_dir,
        }[kind]("soundsible", appauthor=False))
    variable, usual = {
        "config": ("XDG_CONFIG_HOME", ".config"),
        "data": ("XDG_DATA_HOME", ".local/share"),
        "cache": ("XDG_CACHE_HOME", ".cache"),
    }[kind]
    base = os.environ.get(variable)
    return (Path(base) if base and os.path.isabs(base) else Path.home() / usual) / "soundsible"
