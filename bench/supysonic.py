"""supysonic, another server of this protocol, as a peer: in an environment of its own, on the same rows and files.

It is installed from the Python package index into a folder beside the benchmarks' corpus, once. Where that does not
work (no internet), there is no peer, and the table says nothing of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from bench import corpus
from bench.measure import Client
from tests.running import free_port

VERSION = "0.7.9"
PACKAGES = (f"supysonic=={VERSION}", "gunicorn==27.0.1")
LOGIN = {"u": "ann", "p": "correct horse", "v": "1.12.0", "c": "bench", "f": "json"}

# Runs in its environment: makes its database and puts in what comes on standard input, a JSON line an album.
_FILL = """
import json, sys
from hashlib import sha1
from datetime import datetime
from supysonic.db import *
from supysonic.managers.user import UserManager
init_database(sys.argv[1])
open_connection(True)
UserManager.add("ann", "correct horse", admin=True)
root = Folder.create(root=True, name="Library", path="/srv/library")
artists, now = {}, datetime(2026, 1, 1)
with db.atomic():
    for number, line in enumerate(sys.stdin):
        this = json.loads(line)
        name = this["artist"]
        if name not in artists:
            artists[name] = (Artist.create(name=name),
                             Folder.create(root=False, name=name, path=f"/srv/library/{name}", parent=root))
        artist, above = artists[name]
        album = Album.create(name=this["title"], artist=artist)
        place = f"{above.path}/{number:06} {this['title']}"
        folder = Folder.create(root=False, name=place.rpartition("/")[2], path=place, parent=above)
        Track.insert_many([dict(
            disc=1, number=track, title=title, year=this["year"], genre=this["genre"], duration=180, album=album,
            artist=artist, bitrate=900, path=(path := f"{place}/{track:02} {title}.flac"),
            _path_hash=sha1(path.encode()).digest(), created=now, last_modification=1, root_folder=root, folder=folder,
        ) for track, title in enumerate(this["tracks"], start=1)]).execute()
close_connection()
"""
_USER = """
import sys
from supysonic.db import *
from supysonic.managers.user import UserManager
init_database(sys.argv[1])
open_connection(True)
UserManager.add("ann", "correct horse", admin=True)
close_connection()
"""


def installed() -> Path | None:
    """The folder of its environment; None when it cannot be had."""
    target = corpus.folder() / f"supysonic-{VERSION}"
    done = target / "done"
    if done.exists():
        return target
    shutil.rmtree(target, ignore_errors=True)
    print(f"  installing supysonic {VERSION} …", flush=True)
    venv.create(target, with_pip=True)
    said = subprocess.run([str(target / "bin" / "python"), "-m", "pip", "install", "--quiet",
                           "--disable-pip-version-check", *PACKAGES], capture_output=True, text=True)
    if said.returncode:
        print(f"  supysonic is not measured beside it: {(said.stderr.splitlines() or ['pip failed'])[-1]}", flush=True)
        return None
    done.touch()
    return target


def filled(environment: Path, count: int) -> Path:
    """A folder with its database of the rows of corpus.library(count); made once."""
    home = corpus.folder() / f"supysonic-library-{count}"
    if (home / "done").exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    print(f"  inserting {count:,} tracks into supysonic …", flush=True)
    rows = "\n".join(json.dumps(corpus.album(number)) for number in range(count // 10))
    subprocess.run([str(environment / "bin" / "python"), "-c", _FILL, _database(home)], input=rows, text=True,
                   check=True)
    (home / "done").touch()
    return home


def scanned(environment: Path, music: Path) -> Path:
    """A folder with its database of a folder of files."""
    home = corpus.folder() / "supysonic-files"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    subprocess.run([str(environment / "bin" / "python"), "-c", _USER, _database(home)], check=True)
    _configure(home)
    for words in (("add", "Library", str(music)), ("scan", "--foreground")):
        subprocess.run([str(environment / "bin" / "supysonic-cli"), "folder", *words], cwd=home, env=_around(home),
                       check=True, stdout=subprocess.DEVNULL)
    return home


@contextlib.contextmanager
def serving(environment: Path, home: Path) -> Iterator[int]:
    """Serve it with gunicorn, one process as the station has; its port."""
    _configure(home)
    port = free_port()
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(
        [str(environment / "bin" / "supysonic-server"), "-S", "gunicorn", "-h", "127.0.0.1", "-p", str(port),
         "--processes", "1", "--threads", "32"], cwd=home, env=_around(home), stdout=log, stderr=log)
    log.close()
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if Client(f"http://127.0.0.1:{port}").get(path("ping"))[0] == 200:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError((home / "server.log").read_text("utf-8", "replace"))
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def path(call: str, **given: object) -> str:
    return f"/rest/{call}?{urlencode({**LOGIN, **given})}"


def _database(home: Path) -> str:
    return f"sqlite:///{home / 'supysonic.db'}"


def _configure(home: Path) -> None:
    (home / "supysonic.conf").write_text(
        f"[base]\ndatabase_uri = {_database(home)}\n[webapp]\ncache_dir = {home / 'cache'}\nmount_webui = off\n")


def _around(home: Path) -> dict[str, str]:
    """Without the settings of this Python's own environment."""
    ours = ("PYTHON", "SOUNDSIBLE", "VIRTUAL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HOME": str(home), "TMPDIR": str(home)}
