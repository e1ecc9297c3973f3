"""What every benchmark needs: percentiles, a keep-alive JSON client, memory, a table, a place to keep the figures."""

from __future__ import annotations

import http.client
import json
import math
import os
import platform
import statistics
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest-rank percentile: `share` 0.99 is p99."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Row:
    """One line of the table. `figure` and `bare` share a unit; `ratio` is what is judged where a peer exists."""

    what: str
    at: str
    figure: float
    unit: str
    bare: float | None = None
    bare_name: str = ""
    aim: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        return self.figure / self.bare if self.bare else None


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, at: str, figure: float, unit: str, *, bare: float | None = None, bare_name: str = "",
            aim: str = "", met: bool | None = None) -> Row:
        row = Row(what, at, figure, unit, bare, bare_name, aim, met)
        self.rows.append(row)
        beside = f"   {bare_name} {_number(bare)} → ×{row.ratio:.2f}" if bare and row.ratio is not None else ""
        verdict = "" if met is None else ("   aim met" if met else "   AIM MISSED")
        print(f"  {what}, {at}: {_number(figure)} {unit}{beside}{verdict}", flush=True)
        return row

    def markdown(self) -> str:
        lines = ["| what | at | figure | beside it | ratio | aim | |", "|---|---|---:|---:|---:|---|---|"]
        for row in self.rows:
            beside = f"{row.bare_name} {_number(row.bare)} {row.unit}" if row.bare else ""
            ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
            met = {None: "", True: "met", False: "**missed**"}[row.met]
            lines.append(f"| {row.what} | {row.at} | {_number(row.figure)} {row.unit} | {beside} | {ratio} "
                         f"| {row.aim} | {met} |")
        return "\n".join(lines)

    def as_json(self) -> list[dict[str, Any]]:
        return [{**row.__dict__, "ratio": row.ratio} for row in self.rows]


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Client:
    """One keep-alive connection with a bearer token."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urllib.parse.urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        self._connection.request("GET", path, headers={**self._headers, **headers})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        self._connection.request(method, path, json.dumps(body) if body is not None else None,
                                 {**self._headers, "Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self._connection.close()


def timed_ms(deed: Callable[[], Any], times: int) -> list[float]:
    """How long each of `times` calls took."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        deed()
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


class Asking:
    """A thread that asks for a small JSON answer again and again, for latency while something else goes on."""

    def __init__(self, url: str, token: str, path: str, *, every_s: float = 0.01) -> None:
        self.taken_ms: list[float] = []
        self._client = Client(url, token)
        self._path, self._every_s = path, every_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(30)
        self._client.close()

    def _run(self) -> None:
        while not self._ending.wait(self._every_s):
            begun = time.perf_counter()
            status, _ = self._client.get(self._path)
            self.taken_ms.append((time.perf_counter() - begun) * 1000)
            assert status == 200, status


def resident_mib(pid: int) -> float:
    """Resident memory of one process (VmRSS), MiB; NaN where /proc does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return math.nan


def cpu_seconds(pid: int) -> float:
    """What one process has used of the processors so far; NaN where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Direct child processes of `pid`."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(one) for one in (task / "children").read_text().split()]
    except OSError:
        pass
    return found


def serving_process(pid: int) -> int:
    """The process that answers: gunicorn's worker under its master, else the process itself."""
    for child in children(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"shared.api" in command:
            return child
    return pid


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "system": platform.system(), "machine": platform.machine(),
            "python": sys.version.split()[0]}


def spread(values: list[float]) -> str:
    return f"{min(values):.3g}-{max(values):.3g} (median {statistics.median(values):.3g})"
