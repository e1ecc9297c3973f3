"""`doctor`: look for what is wrong, one line a check, each with what to do. It changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setup_tool.cli import PROGRAM, Context, command, shared_options
from setup_tool.findings import Check
from shared.model.errors import SoundsibleError, StorageOffline

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.station import Station

MIB = 1024 * 1024
LITTLE_ROOM, NO_ROOM = 1024 * MIB, 64 * MIB
FILES_WANTED = 1024     # open at once: a socket and a file each player
PROJECT = Path(__file__).resolve().parent.parent


@command("doctor\ndoctor --write\ndoctor --json")
@click.option("--write", is_flag=True, help="Try storages by writing, reading and removing a small object, too.")
@click.option("--self-check", is_flag=True, help="Only read the whole database and a sample of the cache, as is done "
              "every night.")
@shared_options
def run(write: bool, self_check: bool, *, context: Context) -> None:
    """Look for what is wrong with the station and its surroundings, and say what to do.

    It changes nothing. The exit code is 1 when something keeps the station from working: for monitoring.
    """
    from setup_tool import show

    if self_check:
        check_self(context)
        return
    done: list[Check] = []
    console = show.out()
    for check in examine(context, write=write):
        done.append(check)
        if not context.json:
            said = show.text(check.message, show.QUIET if check.state == "note" else "")
            line = show.facts([(f"{check.name:<8}", said)])
            if check.remedy:
                line.add_row("", show.text(f"→ {check.remedy}", show.ACCENT))
            grid = show.facts([])
            grid.add_row(show.mark(check.state), line)
            console.print(grid)
    failed = sum(check.state == "fail" for check in done)
    warned = sum(check.state == "warn" for check in done)
    if context.json:
        show.document({"ok": not failed, "checks": done})
    else:
        console.print()
        if failed:
            told = f"{show.count(failed, 'thing')} {'keeps' if failed == 1 else 'keep'} the station from working."
        else:
            told = f"The station works; look at {show.count(warned, 'remark')} above." if warned else "All is well."
        console.print(show.text(told, show.BAD if failed else show.STRONG))
    if failed:
        raise click.exceptions.Exit(1)


def check_self(context: Context) -> None:
    """The nightly self-check, now."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.model.work import Stopped

    with rooms(context.load_settings()) as station:
        report = None
        with working("Checking", context) as work, suppress(Stopped):
            report = Workshop(station).self_check.run(work)
    if report is None:
        raise click.Abort
    if context.json:
        show.document(report)
    else:
        console = show.out()
        for one in report.problems:
            console.print(show.mark("fail"), show.text(one.message))
            console.print(show.text(f"  → {one.remedy}", show.ACCENT))
        if report.cache.get("wrong"):
            console.print(show.mark("warn"), show.text(
                f"{show.count(report.cache['wrong'], 'cached track')} were not what they should be and were removed."))
        if report.ok:
            console.print(show.mark("ok"), show.text("The database and its search index are whole."))
    if not report.ok:
        raise click.exceptions.Exit(1)


def examine(context: Context, *, write: bool = False) -> Iterator[Check]:
    """All checks, in the order in which one builds on the other."""
    from setup_tool import doctor_certificates, doctor_places

    yield from guarded("program", program)
    try:
        settings = context.load_settings()
    except SoundsibleError as error:
        yield Check(name="settings", state="fail", message=error.message,
                    remedy=f"Correct it where it is set, or: {PROGRAM} settings unset NAME")
        return
    yield Check(name="settings", state="ok", message="All settings have allowed values.")
    yield from guarded("folders", lambda: folders(settings))
    yield from guarded("keys", lambda: doctor_places.keys(settings))
    yield from guarded("port", lambda: port(settings))
    yield from guarded("address", lambda: address(settings))
    yield from guarded("certificates", doctor_places.certificates)
    yield from guarded("https", lambda: doctor_certificates.https(settings))
    yield from guarded("limits", limits)
    yield from guarded("library", lambda: library(settings, write=write))


def guarded(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What `look` finds; when it breaks down, that is a finding too and the next check still runs."""
    try:
        yield from look()
    except SoundsibleError as error:
        yield Check(name=name, state="fail", message=error.message,
                    remedy=f"Do what it says, then ask again: {PROGRAM} doctor")
    except Exception as error:  # the edge of one check
        yield Check(name=name, state="fail", message=f"This could not be looked at: {type(error).__name__}: {error}",
                    remedy="Start it once with python3 run.py, which sets it up again. If this stays, it is a defect.")


# ---- the checks --------------------------------------------------------------------------------------------------


def program() -> Iterator[Check]:
    from importlib import metadata

    from shared import __version__
    from shared.records.health import engine

    wrong, fitting = [], 0
    for name, wanted in pinned((PROJECT / "requirements.txt").read_text("utf-8")):
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if found == wanted:
            fitting += 1
        else:
            wrong.append(f"{name} is {found}, not {wanted}")
    python = ".".join(map(str, sys.version_info[:3]))
    if wrong:
        yield Check(name="program", state="fail" if any("missing" in one for one in wrong) else "warn",
                    message=f"Soundsible {__version__}, Python {python}; {'; '.join(wrong[:5])}.",
                    remedy="Start it once with python3 run.py: it installs what belongs to this version.")
    else:
        yield Check(name="program", state="ok",
                    message=f"Soundsible {__version__}, Python {python}, SQLite {engine()}, {fitting} "
                            "packages as pinned.")


def pinned(requirements: str) -> list[tuple[str, str]]:
    """(name, version) of every line that counts on this system."""
    found = []
    for line in requirements.splitlines():
        match = re.match(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;]+)\s*(?:;\s*(.*))?$", line.strip())
        if match and not (match[3] and "win32" in match[3] and sys.platform == "win32"):
            found.append((match[1], match[2]))
    return found


def folders(settings: Settings) -> Iterator[Check]:
    for name, folder in (("config", settings.config_dir), ("data", settings.data_dir), ("cache", settings.cache_dir)):
        yield look_at_folder(name, folder, private=name != "cache")
    for path in (settings.config_path, settings.config_dir / ".env", settings.database_path):
        with suppress(OSError):
            if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                yield Check(name="secrets", state="warn", message=f"Others on this machine can read {path}.",
                            remedy=f"chmod 600 '{path}'")


def look_at_folder(name: str, folder: Path, *, private: bool) -> Check:
    above = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    if not os.access(above, os.W_OK | os.X_OK):
        return Check(name=name, state="fail", message=f"{above} cannot be written.",
                     remedy="Give this user the right to write there, or another home with --home DIR.")
    if not folder.exists():
        return Check(name=name, state="note", message=f"{folder} is made at the first start.")
    if not folder.is_dir():
        return Check(name=name, state="fail", message=f"{folder} is not a folder.", remedy="Move that file away.")
    free = shutil.disk_usage(folder).free
    from setup_tool.show import size

    if free < LITTLE_ROOM:
        return Check(name=name, state="fail" if free < NO_ROOM else "warn",
                     message=f"{folder} has only {size(free)} of room left.",
                     remedy="Make room on that disk, or lower SOUNDSIBLE_TRANSCODE_CACHE_BYTES and its like.")
    mode = folder.stat().st_mode
    if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(name=name, state="warn", message=f"Others on this machine can look into {folder}.",
                     remedy=f"chmod 700 '{folder}'")
    return Check(name=name, state="ok", message=f"{folder}, {size(free)} free.")


def port(settings: Settings) -> Iterator[Check]:
    from setup_tool.rooms import as_running, running
    from shared import __version__
    from shared.discovery.interfaces import addresses, answering

    settings = as_running(settings)
    answered = running(settings)
    if answered is not None:
        if answered["version"] != __version__:
            yield Check(name="port", state="warn",
                        message=f"A station of version {answered['version']} runs at port {settings.port}.",
                        remedy=f"Start it again: this is version {__version__}.")
            return
        ips = [one.ip for one in addresses()]
        reached = [ip for ip in ips if ip in answering(ips, settings.port)]
        yield Check(name="port", state="ok", message=f"The station runs and answers at {', '.join(reached)}.")
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        if os.name == "posix":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            yield Check(name="port", state="fail",
                        message=f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}.",
                        remedy=f"End the program that uses it, or start with --port {settings.port + 1}.")
            return
    yield Check(name="port", state="ok", message=f"Port {settings.port} is free; the station does not run.")


def address(settings: Settings) -> Iterator[Check]:
    """Where other devices find the station."""
    from setup_tool.rooms import as_running
    from shared.discovery.interfaces import addresses, url_of

    settings = as_running(settings)
    if settings.host not in ("0.0.0.0", "::", ""):  # nosec B104  # compares
        near = settings.host in ("localhost", "::1") or settings.host.startswith("127.")
        yield Check(name="address", state="ok", message=(
            f"Only this machine reaches it: {url_of(settings.host, settings.port)}." if near
            else f"It listens at {url_of(settings.host, settings.port)} alone."))
        return
    both = settings.host != "0.0.0.0"   # nosec B104  # compares; that one is IPv4 alone
    found = [one for one in addresses() if one.kind != "this_machine" and (both or ":" not in one.ip)]
    if found:
        shown = ", ".join(url_of(one.ip, settings.port) for one in found[:3])
        yield Check(name="address", state="ok", message=f"Other devices find it at {shown}.")
    else:
        yield Check(name="address", state="note", message="This machine has no address that other devices could reach.",
                    remedy="Connect it to a network; until then only this machine plays.")


def limits() -> Iterator[Check]:
    try:
        import resource
    except ImportError:     # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES_WANTED:
        yield Check(name="limits", state="warn", message=f"Only {hard} files may be open at once.",
                    remedy=f"Raise it to {FILES_WANTED} or more (ulimit -n, or LimitNOFILE= in the systemd unit).")


def library(settings: Settings, *, write: bool) -> Iterator[Check]:
    from setup_tool import doctor_places
    from setup_tool.rooms import rooms
    from setup_tool.show import count
    from shared.records.health import complaints, schema

    if not settings.database_path.exists():
        yield Check(name="library", state="note", message="There is no library yet; the first start makes one.")
        for path in settings.music:
            if not path.is_dir():
                yield Check(name="music", state="fail", message=f"There is no music folder {path}.",
                            remedy="Check SOUNDSIBLE_MUSIC, or plug in and mount the disk it is on.")
        return
    with rooms(settings) as station:
        broken = complaints(station.database)
        if broken:
            yield Check(name="library", state="fail", message=f"The database is damaged: {'; '.join(broken[:3])}.",
                        remedy=f"Stop the station and bring back the last backup: {PROGRAM} restore --list")
        else:
            stats = station.tracks.stats()
            version, holds = schema(station.database), count(stats.tracks, "track")
            yield Check(name="library", state="ok", message=f"The database is whole, schema {version}, {holds}.")
        if not station.accounts.owned():
            yield Check(name="owner", state="warn", message="Nobody owns this station yet.",
                        remedy=f"Start it and open the set-up link, or: {PROGRAM} users add NAME --role owner")
        yield from guarded("music", lambda: music(station, settings))
        yield from guarded("clock", lambda: doctor_places.clock(station))
        yield from guarded("storage", lambda: doctor_places.storages(station, write=write))
        yield from guarded("tracks", lambda: doctor_places.cache(station))
        yield from guarded("upkeep", lambda: doctor_places.upkeep(station))
        yield from guarded("services", lambda: doctor_places.services(station))


def look_at_music(path: str, shown: str, holds: str) -> Check:
    """A music folder that answers; to be called with a deadline."""
    from setup_tool.show import size
    from shared.storage.mounts import Mounts

    kind = Mounts().kind(os.path.realpath(path))
    on = {"fixed": "", "removable": ", on a disk that can be unplugged"}.get(kind, ", on a network or foreign disk")
    if not os.access(path, os.W_OK):
        return Check(name="music", state="note",
                     message=f"{shown}, {holds}{on}; read-only: edits and trash stay in the library.")
    free = shutil.disk_usage(path).free
    if free < NO_ROOM:
        return Check(name="music", state="warn", message=f"{shown}, {holds}{on}: only {size(free)} of room left.",
                     remedy="Make room there; until then nothing can be downloaded, and no tags be written.")
    return Check(name="music", state="ok", message=f"{shown}, {holds}{on}.")


def music(station: Station, settings: Settings) -> Iterator[Check]:
    from setup_tool.show import count
    from setup_tool.status import STATE_WORDS
    from shared.model.filepath import to_path

    roots = station.scans.roots()
    if not roots:
        yield Check(name="music", state="warn", message="There is no music folder yet.",
                    remedy=f"{PROGRAM} scan ~/Music, or start with --music DIR")
    counts = station.scans.track_counts()
    for root in roots:
        path = to_path(root.path)
        state = station.access.probe(path)
        holds = count(counts.get(root.id, 0), "track")
        if state != "online":
            yield Check(name="music", state="warn", message=f"{root.path}: {STATE_WORDS[state]}; {holds} kept.",
                        remedy="Plug in or mount it; or take it out of the library in the player.")
        else:
            try:
                yield station.access.call(path, partial(look_at_music, path, root.path, holds))
            except (OSError, StorageOffline) as error:
                yield Check(name="music", state="warn", message=f"{root.path} went silent: {error}; {holds} kept.",
                            remedy="Look at its disk or network.")
    report = station.scans.last()
    if report is not None and report.state == "failed":
        yield Check(name="scan", state="warn", message=f"The last scan failed: {report.message or 'see the log'}.",
                    remedy=f"{PROGRAM} scan")
    elif report is None and roots:
        yield Check(name="scan", state="note", message="The music folders were never looked through.",
                    remedy=f"{PROGRAM} scan")
    if report is not None and report.bad:
        yield Check(name="scan", state="note", message=f"{count(len(report.bad), 'file')} cannot be read.",
                    remedy=f"{PROGRAM} status lists them with their reasons")
