"""A change told to 200 open WebSockets: from the request that makes it to the last socket that hears of it."""

from __future__ import annotations

import json
import selectors
import shutil
import statistics
import time

from bench import corpus
from bench.measure import Client, Table, percentile
from tests.running import start_station

SOCKETS = 200
TIMES = 40


def run(table: Table) -> None:
    import websocket  # websocket-client: one plain socket a connection, read by one selector

    home = corpus.folder() / "live-home"
    shutil.rmtree(home, ignore_errors=True)
    station = start_station(home, [], environ={"SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"})
    opened = []
    try:
        token = station.login()
        chooser = selectors.DefaultSelector()
        for _ in range(SOCKETS):
            one = websocket.create_connection(
                station.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket", timeout=20)
            one.recv()                                                  # engine.io: open
            one.send("40" + json.dumps({"token": token}))               # socket.io: connect
            while not one.recv().startswith("42"):                      # … until the snapshot came
                pass
            chooser.register(one.sock, selectors.EVENT_READ, one)
            opened.append(one)
        client = Client(station.url, token)
        every, last = [], []
        for number in range(TIMES):
            time.sleep(0.4)
            heard: dict[int, float] = {}
            begun = time.perf_counter()
            client.send("POST", "/api/library/playlists", {"name": f"Live {number}"})
            deadline = begun + 10
            while len(heard) < SOCKETS and time.perf_counter() < deadline:
                for key, _ in chooser.select(0.2):
                    text = key.data.recv()
                    if text == "2":
                        key.data.send("3")
                    elif "library:changed" in text:
                        heard[key.fd] = (time.perf_counter() - begun) * 1000
            assert len(heard) == SOCKETS, f"only {len(heard)} heard"
            every += heard.values()
            last.append(max(heard.values()))
        p99 = percentile(every, 0.99)
        table.add("change told to 200 sockets, p99", "request to receipt", p99, "ms", aim="≤ 30 ms", met=p99 <= 30)
        table.add("… the last of the 200, median", "request to receipt", statistics.median(last), "ms")
    finally:
        for one in opened:
            one.close()
        station.stop()
        shutil.rmtree(home, ignore_errors=True)
