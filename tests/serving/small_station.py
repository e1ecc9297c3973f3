"""A small application with all that makes serving hard: files, sockets, slow calls, a station to start and stop.

Run as `python small_station.py <server> <folder>`; it writes what happened to `<folder>/diary`, one word a line.
"""

import importlib
import itertools
import json
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from shared import server

KIND, FOLDER = sys.argv[1], Path(sys.argv[2])


def note(word):
    with (FOLDER / "diary").open("a") as diary:
        diary.write(word + "\n")


class Station:
    def start(self):
        note(f"start {os.getpid()}")
        if os.environ.get("FAIL") == "sentence":
            from shared.model.errors import StartFailed

            raise StartFailed("The music folder /nowhere does not exist; create it.")
        if os.environ.get("FAIL") == "bug":
            raise ZeroDivisionError("a bug")

    def stop(self, timeout_s):
        time.sleep(float(os.environ.get("STOP_TAKES_S", "0")))
        note("stop")


def create():
    from flask import Flask, Response, jsonify, request
    from flask_socketio import SocketIO
    from werkzeug.wsgi import wrap_file

    app = Flask("small")
    app.config["MAX_CONTENT_LENGTH"] = 100_000
    live = SocketIO(app, async_mode="threading", cors_allowed_origins=None)
    stuck = threading.Event()
    hang_ups = {}

    @app.get("/api/health")
    def health():
        return jsonify(status="ok", pid=os.getpid())

    @app.get("/api/stream/<name>")
    def stream(name):
        file = (FOLDER / name).open("rb")
        size = os.fstat(file.fileno()).st_size
        first, last, status = 0, size - 1, 200
        if request.range and len(request.range.ranges) == 1:
            first, stop = request.range.range_for_length(size)
            last, status = stop - 1, 206
        file.seek(first)
        response = Response(wrap_file(request.environ, file), status, direct_passthrough=True)
        response.headers["Content-Type"] = "audio/flac"
        response.headers["Content-Length"] = str(last - first + 1)
        if status == 206:
            response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return response

    @app.post("/api/echo")
    def echo():
        return jsonify(received=len(request.get_data()))

    @app.post("/api/session")
    def login():
        stuck.wait(60)
        return "late"

    @app.post("/api/refused")
    def refuse():
        return "log in first", 401

    @app.get("/api/asked")
    def asked():
        """What the application is told of a request."""
        environ = request.environ
        return jsonify(
            scheme=request.scheme, host=request.host, address=request.remote_addr, port=environ["SERVER_PORT"],
            proxy=environ.get("soundsible.proxy"),
            headers=sorted(name for name, _ in request.headers if name not in ("Host", "Content-Type")),
        )

    @app.get("/api/held/<name>")
    def held(name):
        """An answer without an end; whoever knows its name can hang it up."""
        hang_ups[name] = request.environ["soundsible.hang_up"]
        return Response(itertools.repeat(b"x" * 1000), content_type="audio/flac")

    @app.get("/api/named/<name>")
    def named(name):
        hang_ups[name] = request.environ["soundsible.hang_up"]
        return jsonify(named=name)

    @app.post("/api/hang_up/<name>")
    def hang_up(name):
        hang_ups[name]()
        return jsonify(hung_up=name)

    @app.get("/api/stuck")
    def hang():
        stuck.wait(60)
        return "late"

    @app.get("/api/slow")
    def slow():
        note("slow began")
        time.sleep(0.3)
        note("slow ended")
        return "done"

    @app.get("/api/crash")
    def crash():
        os._exit(7)

    @live.on("hello")
    def hello(data):
        live.emit("answer", {"heard": data})

    app.extensions["station"] = Station()
    return app


def on_ready(addresses):
    (FOLDER / "ready.new").write_text(str(addresses[0][1]))
    os.replace(FOLDER / "ready.new", FOLDER / "ready")
    note("ready")


def create_doors():
    """The station's real doors and sockets, with fakes behind; `ann-token` is logged in. DOORS=ticking: something
    happens all the time."""
    from shared.events import Notice
    from shared.sockets import Sockets
    from tests.routes.fakes import FakeStation, make_app

    station = FakeStation(FOLDER)
    app = make_app(station)
    if os.environ["DOORS"] == "ticking":
        def tick():
            for number in range(10_000):
                time.sleep(0.02)
                station.events.publish(Notice("info", str(number)))

        threading.Thread(target=tick, daemon=True).start()
        app.extensions["station"] = SimpleNamespace(start=lambda: None, stop=lambda timeout_s: station.feed.stop())
    Sockets(
        events=station.events, accounts=station.accounts, feed=station.feed, settings=station.settings
    ).init_app(app)
    return app


if __name__ == "__main__":
    # The tests' own times, so that nobody waits half a minute for a time-out.
    parts = importlib.import_module(f"shared.serving.{KIND}_server")
    for name, value in json.loads(os.environ.get("TIMES", "{}")).items():
        assert hasattr(parts, name)
        setattr(parts, name, value)
    settings = SimpleNamespace(
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "0")),
        server=KIND,
        threads=int(os.environ.get("THREADS", "400")),
    )
    if os.environ.get("HOUSEHOLDS"):    # of this machine's addresses, which are nobody's otherwise
        from shared.serving import admission

        admission.household = lambda address: address
    tls = None
    if os.environ.get("CERTIFICATE"):
        from shared.serving import tls as secure
        from shared.serving.tls import TlsFiles

        secure.LOOK_S = float(os.environ.get("TLS_LOOK_S", secure.LOOK_S))
        tls = partial(TlsFiles, Path(os.environ["CERTIFICATE"]), Path(os.environ["KEY"]))
    wanted = create_doors if os.environ.get("DOORS") else create
    sys.exit(server.serve(create=wanted, settings=settings, on_ready=on_ready, tls=tls,
                          proxies=os.environ.get("PROXIES", "").split(), proxy_headers=["Remote-User"],
                          connections_per_client=int(os.environ.get("PER_CLIENT", "450"))))
