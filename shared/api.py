"""The station's front: `create_app` makes the WSGI application, `main` runs it on port 5005.

Run as `python -m shared.api [--music DIR]… [--home DIR] [--host H] [--port N] [--demo]`.
"""

from __future__ import annotations

import logging
import mmap
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from shared.model.download import Download
    from shared.model.person import Person
    from shared.settings import Settings
    from shared.station import Station

SNAPSHOT_ACTIVE = 500   # downloads under way, told to who connects
RECENT_S = 600.0        # downloads that are over are told to who connects for so long

USAGE = """\
usage: python3 run.py [--music DIR]... [--home DIR] [--host H] [--port N] [--demo]

  --music DIR   a folder with music; may be given several times, is remembered
  --home DIR    one folder for settings, data and cache (default: the system's usual places)
  --host H      address to listen on (default 0.0.0.0: every network of this machine)
  --port N      port to listen on (default 5005)
  --demo        no music at hand? Play a few tracks that Soundsible makes itself
  --version     which version this is

Every other setting is an environment variable: python3 run.py tool settings lists them.
"""


def create_app(settings: Settings) -> Flask:
    """The whole station as one Flask application.

    `app.extensions["station"]` is the Station, built and not started: the server calls its start() and stop().
    `app.extensions["operations"]` are all of the API.
    """
    from flask import Flask

    from shared import limits
    from shared.feed import Feed
    from shared.routes.register import register
    from shared.sockets import Sockets
    from shared.station import Station

    station = Station(settings)
    app = Flask("soundsible", static_folder=None, template_folder=None)
    app.extensions["station"] = station
    feed = Feed(
        events=station.events, accounts=station.accounts, scanning=station.scanning, changes=station.changes,
        downloads=lambda person: _downloads_now(station, person), errands=station.errands.under_way,
    )
    station.doors.append(("feed", feed.stop))
    operations = app.extensions["operations"] = register(app, station, feed=feed)
    sockets = Sockets(events=station.events, accounts=station.accounts, feed=feed, settings=settings,
                      names=station.finding.names)
    sockets.init_app(app)
    station.doors.append(("sockets", sockets.stop))
    limits.install(app, operations, requests_per_second=settings.requests_per_second)
    return app


def _downloads_now(station: Station, person: Person) -> list[Download]:
    """What is under way, the nearest to its end first, and what was over in the last minutes: a player that was away
    for a moment misses no end."""
    records = station.download_records
    return [*records.active(person, limit=SNAPSHOT_ACTIVE), *records.recent(person, since=time.time() - RECENT_S)]


def main(arguments: list[str] | None = None) -> int:
    """Run the station until it is told to stop; the process's exit code."""
    given, music, trouble = _read(sys.argv[1:] if arguments is None else arguments)
    if trouble is not None:
        wanted_help = trouble == ""
        (sys.stdout if wanted_help else sys.stderr).write(f"{trouble}\n\n{USAGE}".lstrip())
        return 0 if wanted_help else 2
    if given.pop("version", None):
        from shared import __version__

        sys.stdout.write(f"Soundsible {__version__}\n")
        return 0

    from shared import confine, logs, server, settings, terminal
    from shared.model.errors import SoundsibleError
    from shared.serving.tls import TlsFiles
    from shared.upkeep import switch

    confine.keep_to_oneself()       # before there is a secret to keep
    if music:
        remembered = os.environ.get("SOUNDSIBLE_MUSIC", "")
        given["music"] = os.pathsep.join([*([remembered] if remembered else []), *music])
    try:
        if switch.settle(settings.at_home(given=given).data_dir):   # settings come with it
            sys.stderr.write("A restore that was cut off is finished.\n")
        loaded = settings.load(given=given)
    except SoundsibleError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    logs.configure(loaded.log_level.upper())
    for name in settings.unknown(os.environ):
        logging.getLogger(__name__).warning("%s is no setting; python3 run.py tool settings lists them", name)

    front = terminal.Front()

    stations: list[Station] = []

    def create() -> Flask:
        app = create_app(loaded)
        stations[:] = [app.extensions["station"]]
        front.watch(stations[0])
        return app

    told = mmap.mmap(-1, 1)     # shared with processes that take the place of one that died: people are told once

    def ready(listening: list[tuple[str, int]]) -> None:
        stations[0].answers_at(listening)
        if not told[0]:
            told[0] = 1
            front.ready(listening)

    def tls() -> TlsFiles | None:
        files = stations[0].certificates.files()
        return None if files is None else TlsFiles(*files)

    return server.serve(
        create=create, settings=loaded, on_ready=ready, tls=tls if loaded.https else None,
        proxies=loaded.trusted_proxies, proxy_headers=[loaded.login_header],
        connections_per_client=loaded.connections_per_client,
    )


def _read(arguments: list[str]) -> tuple[dict[str, str], list[str], str | None]:
    """The command line as (settings, music folders, trouble); trouble "" asks for the usage alone."""
    given: dict[str, str] = {}
    music: list[str] = []
    rest = list(arguments)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        if word in ("--help", "-h"):
            return {}, [], ""
        if word == "--version":
            given["version"] = "yes"
        elif word == "--demo":
            given["demo"] = "true"
        elif word in ("--music", "--home", "--host", "--port"):
            if not equals:
                if not rest:
                    return {}, [], f"{word} needs a value behind it."
                value = rest.pop(0)
            if word == "--music":
                music.append(value)
            else:
                given[word[2:]] = value
        else:
            return {}, [], f"Soundsible does not know {word}."
    return given, music, None


if __name__ == "__main__":
    sys.exit(main())
