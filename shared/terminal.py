"""What the terminal shows when the station is ready: its addresses, the set-up link with its QR code, the scan.

Calm on purpose: a few lines, one moving line while a scan runs (only on a terminal), nothing when nothing happens.
"""

from __future__ import annotations

import io
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

from shared.events import ScanMoved

if TYPE_CHECKING:
    from shared.discovery.finding import Network
    from shared.station import Station

BAR = 24
KINDS = {"this_machine": "this machine", "home": "home network", "vpn": "VPN", "public": "public"}
LINES = 8       # addresses that are listed; the player shows all


class Front:
    """Speaks for one station on `out`."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        self._moving = False        # a progress line stands without its line end
        self._last = 0.0
        self._scan_seen = ""
        self._names: set[str] = set()       # that were told
        self._station: Station | None = None

    def watch(self, station: Station) -> None:
        self._station = station
        station.events.subscribe(ScanMoved, self._scan_moved)

    def ready(self, listening: list[tuple[str, int]]) -> None:
        """Print where the station answers. `listening`: the bound (host, port) pairs."""
        from shared import __version__
        from shared.discovery.interfaces import url_of

        station = self._station
        if station is None:
            return
        host, port = listening[0]
        found = [one for one in station.finding.endpoints() if one.reachable]
        public = station.settings.public_url
        plain = [one for one in found if not one.secure and one.url != public]
        first = [one for one in station.finding.endpoints() if one.url == public]  # this machine may not reach it
        places = [(one.url, KINDS.get(one.kind, one.kind)) for one in (first + plain)[:LINES]] or [
            (url_of(host, port), "")]
        lines = [f"Soundsible {__version__} is playing at", ""]
        width = max((len(url) for url, _ in places), default=0)
        lines += [f"  {url:<{width}}   {kind}".rstrip() for url, kind in places]
        secure = {one.url for one in found if one.secure}
        both = [one for one in plain if one.url.replace("http:", "https:", 1) in secure]
        if both:
            best = next((one.url for one in both if one.kind == "home"), both[0].url)
            where = "there" if len(both) == len(plain) else f"at {best.removeprefix('http://')}"
            lines += ["", f"  https:// works {where}, too: {best}/trust tells a device once how to trust it."]
        if station.setup.needed():
            lines += ["", *self._invitation(places)]
        if not station.scans.roots():
            lines += ["", "There is no music folder yet: start with --music DIR, or add one in the player (You → Music "
                      "folders). --demo plays a few tracks to look around with."]
        lines += ["", "Ctrl-C stops it.", ""]
        self._say("\n".join(lines))
        station.finding.subscribe(self._named)

    def _named(self, network: Network) -> None:
        """The home network knows the station by a name, or by another one than before."""
        for name in sorted(one for one in network.names if one.endswith(".local")):
            if name not in self._names:
                self._names.add(name)
                self._say(f"In the home network it is also found at http://{name}:{network.port}\n")

    def _invitation(self, places: list[tuple[str, str]]) -> list[str]:
        import segno

        assert self._station is not None
        code = self._station.setup.code()
        best = next((url for url, kind in places if kind == KINDS["home"]), places[0][0] if places else "")
        link = f"{best}/#/setup/{code}"
        picture = io.StringIO()
        segno.make(link, error="l", micro=False).terminal(out=picture, compact=True, border=2)
        return [
            "Nobody owns this station yet. Open this link once, here or on your phone, and choose a",
            "name and a password:",
            "", f"  {link}", "", *picture.getvalue().rstrip("\n").split("\n"),
        ]

    # ---- the scan --------------------------------------------------------------------------------------------------

    def _scan_moved(self, event: ScanMoved) -> None:
        scan = event.progress
        over = scan.get("state") in ("done", "failed")
        if over:
            if scan.get("id") == self._scan_seen:
                return
            self._scan_seen = str(scan.get("id"))
            self._say(self._summary(scan))
        elif self._out.isatty():
            now = time.monotonic()
            if now - self._last < 0.2:
                return
            self._last = now
            self._move(self._progress(scan))

    def _progress(self, scan: dict[str, Any]) -> str:
        found, read = int(scan.get("found") or 0), int(scan.get("read") or 0)
        if scan.get("phase") == "walk" or not found:
            return f"Looking through the music folders: {found:,} files"
        full = min(BAR, BAR * read // found)
        return f"Reading  {'━' * full}{'─' * (BAR - full)}  {read:,} of {found:,}"

    def _summary(self, scan: dict[str, Any]) -> str:
        if scan["state"] == "failed":
            return f"The scan stopped: {scan.get('message') or 'see the log'}\n"
        said = [f"{scan[word]:,} {word}" for word in ("added", "changed", "moved", "missing") if scan.get(word)]
        bad = len(scan.get("bad") or [])
        if bad:
            said.append(f"{bad:,} cannot be read (python3 run.py tool status lists them)")
        offline = scan.get("offline") or []
        text = f"Scan done: {scan.get('found', 0):,} files, {', '.join(said) or 'nothing new'}.\n"
        return text + "".join(f"  {path} does not answer or is empty; its tracks are kept.\n" for path in offline)

    # ---- the lines themselves --------------------------------------------------------------------------------------

    def _move(self, line: str) -> None:
        with self._lock:
            self._out.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
            self._out.flush()
            self._moving = True

    def _say(self, text: str) -> None:
        with self._lock:
            if self._moving:
                self._out.write("\r\x1b[K")
                self._moving = False
            self._out.write(text if text.endswith("\n") else text + "\n")
            self._out.flush()
