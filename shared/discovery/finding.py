"""Where devices find this station: every address and name at which it answers, ranked, kept fresh, told to who asks.

One thread looks at the network when that changes, tries each address from inside (trials.py), and tells listeners: the
certificate must hold the new names, mDNS must announce the new addresses. A request never waits for the network; only
the first one may wait a moment.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from shared.discovery import tailscale
from shared.discovery.interfaces import KINDS, Address, addresses, in_tailscale, kind_of, url_of
from shared.discovery.news import News
from shared.discovery.trials import Place, Trials
from shared.model.units import Seconds

log = logging.getLogger(__name__)

FRESH_S: Seconds = 30.0         # an answer this old is renewed in the background when somebody asks
AGAIN_S: Seconds = 300.0        # and without anybody asking
AFTER_A_CHANGE_S = (3.0, 15.0)  # addresses of a new network begin to work one after the other
PATIENCE_S: Seconds = 1.0       # the very first asker waits this long at most
LATELY_S: Seconds = 3600.0      # who came through the public address since then has reached it
MOST = 24                       # addresses; a machine may have hundreds of inner ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The public endpoint. `kind` is one of KINDS. `reachable`: this station answered there when it was last tried,
    from this machine, or somebody who is logged in came through the public address lately; `secure`: over
    HTTPS; `name`: the host name, where it is no address."""

    url: str
    kind: str
    reachable: bool
    secure: bool
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What listeners hear. `slept`: the machine was asleep, so others have forgotten the station."""

    addresses: tuple[Address, ...]
    names: frozenset[str]
    port: int
    slept: bool = False


LONGEST_NAME = 80       # characters


def station_name(name: str) -> str:
    """What the station is called on other devices: as the settings say, else like this machine. One short line that
    can be shown, whatever was set: it stands in certificates, profiles and announcements."""
    for one in (name, socket.gethostname().partition(".")[0]):
        if shown := "".join(each for each in one if each.isprintable()).strip()[:LONGEST_NAME].strip():
            return shown
    return "Soundsible"


class Wishes(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def public_url(self) -> str: ...
    @property
    def https(self) -> bool: ...


class Finding:
    """The station's addresses.

    settings    host, port, public_url, https
    look        this machine's addresses, best first
    tailnet     this machine's name in Tailscale's network, asked when it has such an address
    covers      whether the certificate is good for a name or address: no other HTTPS is named
    """

    def __init__(self, *, settings: Wishes, trials: Trials | None = None,
                 look: Callable[[], list[Address]] = addresses, tailnet: Callable[[], str | None] = tailscale.dns_name,
                 news: Callable[[Callable[[], object]], News] = News,
                 covers: Callable[[str], bool] = lambda host: True) -> None:
        self._settings = settings
        self._covers = covers
        self._public_host = _host_of(settings.public_url)
        self._came_at: float | None = None
        self._trials = trials or Trials()
        self._look_all, self._tailnet, self._make_news = look, tailnet, news
        self._port = settings.port
        self._bound: tuple[str, ...] = (settings.host,)
        self._lock = threading.Lock()
        self._known: list[Endpoint] | None = None
        self._tried_at, self._updated_at = 0.0, time.time()
        self._tailnet_name: str | None = None
        self._announced: str | None = None
        self._told: Network | None = None
        self._listeners: tuple[Callable[[Network], None], ...] = ()
        self._first = threading.Event()
        self._news: News | None = None
        self._thread: threading.Thread | None = None
        self._ending = False

    # ---- the thread ------------------------------------------------------------------------------------------------

    def start(self, listening: Sequence[tuple[str, int]]) -> None:
        """Begin to look, now that the station answers at the (host, port) pairs `listening`."""
        self._bound = tuple(host for host, _ in listening)
        self._port = listening[0][1]
        try:
            self._news = self._make_news(self._look)
        except OSError as error:
            log.warning("changes of the network are not noticed: %s", error)
            return
        self._thread = threading.Thread(target=self._run, args=(self._news,), daemon=True, name="finding")
        self._thread.start()

    def stop(self) -> None:
        self._ending = True
        if self._news is not None:
            self._news.ask()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self, news: News) -> None:
        soon: list[float] = list(AFTER_A_CHANGE_S)
        slept = False
        while not self._ending:
            try:
                self._renew(slept)
            except Exception:   # the edge of a thread that must go on
                log.exception("the addresses could not be tried")
            self._first.set()
            what = news.wait(soon.pop(0) if soon else AGAIN_S)
            slept = what == "slept"
            if what in ("moved", "slept"):
                soon = list(AFTER_A_CHANGE_S)
        news.close()

    def _look(self) -> list[Address]:
        """The addresses at which the station listens, as they are now."""
        try:
            found = self._look_all()
        except OSError as error:
            log.warning("the network interfaces cannot be listed: %s", error)
            return []
        if not any(one in ("0.0.0.0", "::", "") for one in self._bound):  # nosec B104  # compares
            found = [one for one in found if one.ip in self._bound]
        elif "::" not in self._bound and "" not in self._bound:
            found = [one for one in found if ":" not in one.ip]
        return found[:MOST]

    def _renew(self, slept: bool) -> None:
        found = self._look()
        if any(in_tailscale(ipaddress.ip_address(one.ip)) for one in found):
            self._tailnet_name = self._tailnet()
        else:
            self._tailnet_name = None
        self._tell(found, slept)
        self._try(found)

    def _try(self, found: list[Address]) -> None:
        places = self._places(found)
        leads_here = self._trials.run([place for place, _, _ in places])
        tried = [Endpoint(url=place.url, kind=kind, reachable=place in leads_here, name=name,
                          secure=place.url.startswith("https:")) for place, kind, name in places]
        with self._lock:
            self._known = tried
            self._tried_at, self._updated_at = time.monotonic(), time.time()

    def _places(self, found: list[Address]) -> list[tuple[Place, str, str | None]]:
        """(what to try, its kind, its name), best first."""
        schemes = ("http", "https") if self._settings.https else ("http",)
        listed: list[tuple[Place, str, str | None]] = []
        public = self._settings.public_url
        if public:
            place = Place(url=public, trusts=public.startswith("https:"))
            listed.append((place, *_kind_of_url(public)))
        named = {"home": self._announced, "vpn": self._tailnet_name}
        for kind in KINDS:
            of_kind = [one for one in found if one.kind == kind]
            for one in of_kind:
                listed += [(Place(url=url_of(one.ip, self._port, scheme), ip=one.ip), kind, None)
                           for scheme in schemes]
            name, at = named.get(kind), _by_name(kind, of_kind)
            if name and at:
                listed += [(Place(url=f"{scheme}://{name}:{self._port}", ip=at.ip), kind, name) for scheme in schemes]
        first: dict[str, tuple[Place, str, str | None]] = {}
        for entry in listed:
            first.setdefault(entry[0].url, entry)
        return list(first.values())

    def _tell(self, found: list[Address], slept: bool) -> None:
        network = Network(addresses=tuple(found), names=self.names(), port=self._port, slept=slept)
        with self._lock:
            awake = replace(network, slept=False)
            if awake == self._told and not slept:
                return
            self._told = awake
            listeners = self._listeners
        for listener in listeners:
            self._say(listener, network)

    def _say(self, listener: Callable[[Network], None], network: Network) -> None:
        try:
            listener(network)
        except Exception:   # the edge between rooms: one deaf ear must not silence the rest
            log.exception("a listener of the network failed")

    # ---- what others ask and tell ----------------------------------------------------------------------------------

    def subscribe(self, listener: Callable[[Network], None]) -> Callable[[], None]:
        """Hear every change of addresses and names, and every awakening; at once when something is known already.
        Called in this room's thread (the first time in the caller's); must not raise. Returns the deed that ends it."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
            told = self._told
        if told is not None:
            self._say(listener, told)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return unsubscribe

    def arrived(self, word: str | None) -> None:
        """A trial's word came in at the door."""
        self._trials.arrived(word)

    def came(self, host: str) -> None:
        """Somebody who is logged in asked with this Host header."""
        if self._public_host and host.lower().removesuffix(":443").removesuffix(":80") == self._public_host:
            self._came_at = time.monotonic()

    def announced(self, name: str | None) -> None:
        """mDNS made the station known by this name (soundsible.local), or by none any more."""
        if name != self._announced:
            self._announced = name
            if self._told is not None:
                self._tell(list(self._told.addresses), False)
            if self._news is not None:
                self._news.ask()

    def names(self) -> frozenset[str]:
        """Host names that are the station's own by what was found, at this moment."""
        public = urlsplit(self._settings.public_url).hostname or ""
        return frozenset(name for name in (public, self._announced, self._tailnet_name) if name)

    def addresses(self) -> tuple[Address, ...]:
        """The addresses at which the station listens; looked up now when nothing is known yet."""
        return self._told.addresses if self._told is not None else tuple(self._look())

    @property
    def updated_at(self) -> float:
        """Unix seconds: when `endpoints` were last tried."""
        return self._updated_at

    def endpoints(self) -> list[Endpoint]:
        """Every address as an URL, those that work first, the best of them at the top: as known now. When that is old,
        it is renewed behind the caller's back."""
        if self._thread is None:        # not serving yet: nothing can be tried
            return self._told_now([Endpoint(url=place.url, kind=kind, reachable=False, name=name,
                                            secure=place.url.startswith("https:"))
                                   for place, kind, name in self._places(self._look())])
        self._first.wait(PATIENCE_S)
        with self._lock:
            known, old = self._known, time.monotonic() - self._tried_at > FRESH_S
        if old and self._news is not None:
            self._news.ask()
        return self._told_now(known or [])

    def _told_now(self, known: list[Endpoint]) -> list[Endpoint]:
        """What works first, else in the order given; of HTTPS what a browser that trusts the station is content with,
        as the certificate is at this moment, and the owner's own address, whose certificate may be a proxy's."""
        public = self._settings.public_url
        came = self._came_at is not None and time.monotonic() - self._came_at < LATELY_S
        told = [replace(one, reachable=True) if came and one.url == public else one for one in known
                if not one.secure or one.url == public or self._covers(urlsplit(one.url).hostname or "")]
        return sorted(told, key=lambda one: not one.reachable)

    def urls(self, most: int = 8) -> list[str]:
        """Where another device should try to reach the station, best first: what works, and the public address even
        when this machine cannot reach itself there. Loopback only when there is nothing else."""
        public = self._settings.public_url
        found = self.endpoints()
        good = [one for one in found if (one.reachable or one.url == public) and one.kind != "this_machine"]
        good.sort(key=lambda one: (one.url != public, one.secure))      # plain ones first: all devices take them
        return [one.url for one in good or [one for one in found if one.reachable or not self._first.is_set()]][:most]


def _host_of(url: str) -> str:
    """The Host header that asks for an URL, without a port that is its scheme's own; "" for no URL."""
    return urlsplit(url).netloc.lower().removesuffix(":443").removesuffix(":80")


def _by_name(kind: str, found: list[Address]) -> Address | None:
    """The address that a name of that kind is tried at."""
    if kind == "vpn":
        found = [one for one in found if in_tailscale(ipaddress.ip_address(one.ip))]
    return found[0] if found else None


def _kind_of_url(url: str) -> tuple[str, str | None]:
    """(kind, name) of the address that the owner gave."""
    host = urlsplit(url).hostname or ""
    try:
        return kind_of(ipaddress.ip_address(host), "") or "home", None
    except ValueError:
        pass
    if host == "localhost":
        return "this_machine", host
    if host.endswith(".ts.net"):
        return "vpn", host
    at_home = "." not in host or host.rpartition(".")[2] in ("local", "lan", "home", "arpa", "internal", "box")
    return "home" if at_home else "public", host

