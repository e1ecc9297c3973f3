"""Deeds for tests of the nursery: children that misbehave in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def echo(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    return {"job": job, "cwd": os.getcwd(), "environment": dict(os.environ), "umask": os.umask(0),
            "session": os.getsid(0) == os.getpid(), "modules": "yt_dlp" in sys.modules,
            "files": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []}


def write(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Try to write to each of the paths; which went."""
    went = []
    for path in job["paths"]:
        try:
            with open(path, "ab") as file:
                file.write(b"x")
            went.append(path)
        except OSError:
            pass
    for source, target in job.get("moves", ()):
        try:
            os.rename(source, target)
            went.append(target)
        except OSError:
            pass
    return {"went": went}


def read(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Try to read each of the paths; which went."""
    went = []
    for path in job["paths"]:
        try:
            Path(path).read_bytes()
            went.append(path)
        except OSError:
            pass
    return {"went": went}


def sleep(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    talk.say({"log": ["info", f"pid {os.getpid()}"]})
    Path(talk.folder, "partial").write_bytes(b"half of it")
    if job.get("deaf"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if job.get("children"):
        code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
        ordinary = subprocess.Popen([sys.executable, "-c", code])
        escaped = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        talk.say({"log": ["info", f"pid {ordinary.pid}"]})
        talk.say({"log": ["info", f"pid {escaped.pid}"]})
        time.sleep(0.2)
    talk.say({"log": ["info", "ready"]})
    time.sleep(job.get("seconds", 600))
    return {}


def leave_children(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Answer at once, with processes left behind."""
    code = "import time; time.sleep(600)"
    pids = [subprocess.Popen([sys.executable, "-c", code], start_new_session=new).pid for new in (False, True)]
    return {"pids": pids}


def die(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    os.kill(os.getpid(), getattr(signal, job["signal"]))
    time.sleep(10)
    return {}


def raise_(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    raise RuntimeError("a bug")


def raise_from_itself(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """A circle of causes, as libraries make them."""
    error = ValueError("a bug")
    try:
        raise error from error
    except ValueError as caught:
        raise RuntimeError("another") from caught


def lose_folder(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Its disk goes in the middle of the work."""
    talk.log("info", "begun")
    while talk.folder.exists():
        time.sleep(0.01)
    (talk.folder / "media.part").rename(talk.folder / "media.mp3")
    return {}


def raise_number(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """An error of the system, wrapped as libraries do."""
    try:
        raise OSError(job["number"], os.strerror(job["number"]), str(talk.folder))
    except OSError as error:
        raise RuntimeError("something went wrong") from error


def eat_memory(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    held = []
    while True:
        held.append(bytearray(16 << 20))


def eat_disk(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    with open(Path(talk.folder, "big"), "wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
    return {}


def compute(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    while True:
        pass


def say(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Send lines as they are; then wait to be ended."""
    for line in job["lines"]:
        talk._channel.sendall(line.encode() + b"\n")
    if job.get("flood"):
        while True:
            talk._channel.sendall(b'{"log":["info","x"]}\n' * 100)
    if job.get("endless"):
        while True:
            talk._channel.sendall(b"x" * 65536)
    time.sleep(job.get("wait", 0))
    return {"done": True}


def paced(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Pretend to receive pieces; report each."""
    for number in range(job["pieces"]):
        talk.pace(job["size"])
        talk.report((number + 1) * job["size"], job["pieces"] * job["size"], now=True)
    return {"rate": talk.rate()}


def connect(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """How far each library gets with a link."""
    import http.client
    import socket
    import urllib.request
    from urllib.parse import urlsplit

    import requests

    host, port = urlsplit(job["url"]).hostname, urlsplit(job["url"]).port or 80
    ways = {
        "socket": lambda: socket.create_connection((host, port), timeout=3).close(),
        "connect_ex": lambda: _connect_ex(host, port),
        "http": lambda: http.client.HTTPConnection(host, port, timeout=3).request("GET", "/"),
        "urllib": lambda: urllib.request.urlopen(job["url"], timeout=3).close(),
        "requests": lambda: requests.get(job["url"], timeout=3).close(),
        "unix": lambda: _unix(job["unix"]),
        "datagram": lambda: _datagram(host, port),
    }
    came = {}
    for name, way in ways.items():
        try:
            way()
            came[name] = "connected"
        except Exception as error:
            came[name] = f"{type(error).__name__}: {error}"
    return {"came": came, "refused": talk.guard.refused.code if talk.guard.refused else None}


def _connect_ex(host: str, port: int) -> None:
    import socket

    with socket.socket() as plug:
        plug.settimeout(3)
        number = plug.connect_ex((host, port))
        if number:
            raise OSError(number, os.strerror(number))


def _unix(path: str) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as plug:
        plug.connect(path)


def _datagram(host: str, port: int) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
        plug.sendto(b"x", (host, port))


def kill_parent(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    os.kill(job["pid"], signal.SIGKILL)
    return {}


def starve_parent(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    """Not kill it, but take its time, its turn or its memory away; which went."""
    import resource

    went = []
    for name, deed in (
        ("limit", lambda: resource.prlimit(job["pid"], resource.RLIMIT_CPU, (0, 0))),
        ("turn", lambda: os.setpriority(os.PRIO_PROCESS, job["pid"], 19)),
        ("processor", lambda: os.sched_setaffinity(job["pid"], {0})),
        ("memory", lambda: Path(f"/proc/{job['pid']}/maps").read_bytes()),
    ):
        try:
            deed()
            went.append(name)
        except OSError:
            pass
    return {"went": went}


def stream(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    talk.say({"answer": {"mime": "audio/mpeg", "size_bytes": job["size"], **job.get("said", {})}})
    sent = 0
    while sent < job["size"]:
        sent += os.write(talk.data, bytes(min(65536, job["size"] - sent)))
    if job.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def big(job: dict[str, Any], talk: Any) -> dict[str, Any]:
    return {"tracks": [{"title": f"Song {n}", "artist": "x" * 80} for n in range(job["count"])],
            "length": len(json.dumps(job))}
