"""Announce the station on the home network by multicast DNS: `soundsible.local`, and two services that browsers of
such find (`_soundsible._tcp`, `_http._tcp`).

The host name is asked for before it is taken, and is another one (soundsible-2.local) when somebody has it: also when
that is a second station on this very machine, because cookies know hosts, not ports. Two that took it at the same
moment learn that from each other's announcement, and the one with the greater id gives way. Every change of the
network, and every awakening, begins anew; what was announced is withdrawn first. Costs 4 MB, and a few threads once
there is a home network to announce on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared.discovery.finding import Finding, Network
from shared.discovery.interfaces import Address
from shared.model.units import Milliseconds, Seconds

if TYPE_CHECKING:
    from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

log = logging.getLogger(__name__)

HOST = "soundsible"
SOUNDSIBLE, HTTP = "_soundsible._tcp.local.", "_http._tcp.local."
ASK_MS: Milliseconds = 1800     # for a host name: responders may hold an answer back for more than a second
TRIES = 50                      # soundsible.local … soundsible-50.local
AGAIN_S: Seconds = 60.0         # after multicast failed
WAY_OUT_S: Seconds = 2.5
MOST_OTHERS = 200               # other stations that are remembered
LABEL_BYTES = 63                # of one part of a DNS name
TEXT_BYTES = 200                # of one property


class Announcer:
    """What the home network is told of one station.

    finding     tells of the network, and is told the name that was taken
    name        what the station is called, shown where services are browsed
    properties  of the services, asked for at each announcement: version, path, id, https …
    host        the first label of the name to take
    concerns    which addresses are announced; all of them must be able to multicast
    """

    def __init__(self, *, finding: Finding, name: str, properties: Callable[[], Mapping[str, str]], host: str = HOST,
                 ask_ms: Milliseconds = ASK_MS,
                 concerns: Callable[[Address], bool] = lambda address: address.kind == "home") -> None:
        self._finding = finding
        self._name, self._properties = label_of(name), properties
        self._host, self._ask_ms, self._concerns = host, ask_ms, concerns
        self._changed = threading.Condition()
        self._wanted: Network | None = None
        self._again = False             # though nothing of it is another: the machine has slept
        self._clash = False
        self._ending = False
        self._said = ""                 # the last trouble that was logged
        self._thread: threading.Thread | None = None
        self._deaf: Callable[[], None] = lambda: None
        self._on_air: _OnAir | None = None

    def start(self) -> None:
        self._deaf = self._finding.subscribe(self._heard)

    def stop(self) -> None:
        """Say goodbye."""
        self._deaf()
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(WAY_OUT_S)

    @property
    def host_name(self) -> str | None:
        """The name that was taken (soundsible.local), while it is announced."""
        on_air = self._on_air
        return on_air.host_name if on_air is not None else None

    # ---- the thread ------------------------------------------------------------------------------------------------

    def _heard(self, network: Network) -> None:
        concerned = tuple(one for one in network.addresses if self._concerns(one))
        network = Network(addresses=concerned, names=frozenset(), port=network.port, slept=network.slept)
        with self._changed:
            if self._ending or (self._thread is None and not concerned):
                return
            self._again = self._again or network.slept
            self._wanted = network
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="mdns")
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        there: tuple[Any, ...] = ()
        patience_s: Seconds | None = None

        def wakes() -> bool:
            return self._ending or self._again or self._clash or _what(self._wanted) != there

        while True:
            with self._changed:
                self._changed.wait_for(wakes, patience_s)
                ending, wanted = self._ending, self._wanted
                self._again = self._clash = False
            self._withdraw()
            there, patience_s = _what(wanted), None
            if ending or wanted is None or not wanted.addresses:
                self._finding.announced(None)
                if ending:
                    return
                continue
            try:
                self._on_air = _OnAir(wanted, self)
            except Exception as error:  # the edge of a thread: zeroconf and the system raise in many ways
                if self._ending:
                    continue
                self._trouble(f"The station cannot be announced on the home network (multicast DNS): {error}")
                self._finding.announced(None)
                patience_s = AGAIN_S
            else:
                log.info("announced as %s on %s", self._on_air.host_name,
                         ", ".join(one.ip for one in wanted.addresses))
                self._finding.announced(self._on_air.host_name)

    def _withdraw(self) -> None:
        on_air, self._on_air = self._on_air, None
        if on_air is not None:
            with contextlib.suppress(Exception):
                on_air.close()

    def _clashes(self) -> None:
        """Somebody else took the same name at the same moment."""
        with self._changed:
            self._clash = True
            self._changed.notify_all()

    def _trouble(self, text: str) -> None:
        if text != self._said:
            self._said = text
            log.warning("%s", text)


def _what(network: Network | None) -> tuple[Any, ...]:
    return () if network is None else (network.addresses, network.port)


class _OnAir:
    """One announcement, as long as the network stays the same. Made by asking and probing: takes seconds."""

    def __init__(self, network: Network, announcer: Announcer) -> None:
        from zeroconf import ServiceBrowser, Zeroconf

        self._announcer = announcer
        self._others: dict[str, tuple[str, str]] = {}       # instance → (host name, id)
        self.host_name = ""
        self._own: dict[str, str] = {}                      # type → instance
        properties = {key: text_of(value) for key, value in announcer._properties().items()}
        self._id = properties.get("id", "")
        logging.getLogger("zeroconf").addHandler(told := _Told(announcer._trouble))
        logging.getLogger("zeroconf").propagate = False
        self._told = told
        self._browser: ServiceBrowser | None = None
        self._zeroconf: Zeroconf | None = None
        try:
            self._zeroconf = Zeroconf(interfaces=_one_for_each(network.addresses))
            self._browser = ServiceBrowser(self._zeroconf, SOUNDSIBLE, handlers=[self._seen])
            label = self._free(announcer._host, announcer._ask_ms, {one.ip for one in network.addresses})
            self.host_name = f"{label}.local"
            if announcer._ending:
                raise OSError("the station stops")
            self._register(network, properties)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Withdraw it: goodbye is said three times."""
        try:
            if self._browser is not None:
                self._browser.cancel()
            if self._zeroconf is not None:
                self._zeroconf.close()
        finally:
            logging.getLogger("zeroconf").removeHandler(self._told)

    def _register(self, network: Network, properties: Mapping[str, str]) -> None:
        from zeroconf import ServiceInfo

        assert self._zeroconf is not None and self._zeroconf.loop is not None
        infos = [ServiceInfo(
            kind, f"{self._announcer._name}.{kind}", port=network.port, properties=dict(properties),
            server=f"{self.host_name}.", parsed_addresses=[one.ip for one in network.addresses],
        ) for kind in (SOUNDSIBLE, HTTP)]
        probing = [asyncio.run_coroutine_threadsafe(
            self._zeroconf.async_register_service(one, allow_name_change=True, strict=False), self._zeroconf.loop)
            for one in infos]
        for one in probing:
            one.result(15.0)
        self._own = {one.type: one.name for one in infos}
        for name, (host, identity) in list(self._others.items()):
            self._compare(name, host, identity)

    # ---- who else is there -----------------------------------------------------------------------------------------

    def _free(self, host: str, ask_ms: Milliseconds, own: set[str]) -> str:
        """The first label that nobody has."""
        for number in range(1, TRIES + 1):
            label = host if number == 1 else f"{host}-{number}"
            if not self._taken(label, ask_ms, own):
                return label
        raise OSError(f"all names from {host}.local to {host}-{TRIES}.local are taken")

    def _taken(self, label: str, ask_ms: Milliseconds, own: set[str]) -> bool:
        from zeroconf import (  # type: ignore[attr-defined]
            AddressResolver,
            DNSQuestionType,
            IPVersion,
        )

        assert self._zeroconf is not None
        asked = AddressResolver(f"{label}.local.")
        # Not by a question that wants a direct answer: on one machine that reaches only one of two who share the port.
        answered = asked.request(self._zeroconf, ask_ms, question_type=DNSQuestionType.QM)
        if any(host == f"{label}.local." for host, _ in list(self._others.values())):
            return True
        if not answered:
            return False
        # A machine that is itself called soundsible may already be announced by its system: that is no stranger.
        at = set(asked.parsed_addresses(IPVersion.All))
        return not (at <= own and socket.gethostname().partition(".")[0].lower() == label)

    def _seen(self, *, zeroconf: Zeroconf, service_type: str, name: str, state_change: Any) -> None:
        """Another station came, went or changed; called in the browser's thread."""
        from zeroconf import ServiceInfo, ServiceStateChange

        if state_change is ServiceStateChange.Removed:
            self._others.pop(name, None)
            return
        try:
            info: ServiceInfo = ServiceInfo(service_type, name)     # refuses names that are none
            if not info.load_from_cache(zeroconf) and not info.request(zeroconf, 1500):
                return
        except Exception as error:  # the edge of zeroconf's thread: it may be closing
            log.debug("another station could not be asked: %s", error)
            return
        if name not in self._others and len(self._others) >= MOST_OTHERS:   # nobody has so many: somebody makes them up
            return
        identity = (info.properties.get(b"id") or b"").decode("utf-8", "replace")
        self._others[name] = host, identity = ((info.server or "").lower(), identity)
        self._compare(name, host, identity)

    def _compare(self, name: str, host: str, identity: str) -> None:
        mine = self._own.get(SOUNDSIBLE)
        if mine is not None and name != mine and host == f"{self.host_name}." and (identity, name) < (self._id, mine):
            self._announcer._clashes()


class _Told(logging.Handler):
    """What zeroconf complains of becomes one line of ours."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._trouble = trouble

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            said = record.getMessage().splitlines()[0][:200]
            self._trouble(f"Multicast DNS has trouble on this network: {said}")


def _one_for_each(addresses: tuple[Address, ...]) -> list[str]:
    """The addresses to multicast from: every IPv4 one, and one IPv6 address of each interface."""
    chosen = [one.ip for one in addresses if ":" not in one.ip]
    six = {one.interface: one.ip for one in reversed(addresses) if ":" in one.ip}
    return chosen + list(six.values())


def label_of(name: str) -> str:
    """`name` as one part of a DNS name: no control characters, 63 bytes at most, never empty."""
    clean = re.sub(r"[\x00-\x1f\x7f]+", " ", name.encode("utf-8", "ignore").decode("utf-8")).strip(" .")
    return _cut(clean, LABEL_BYTES - 4) or "Soundsible"     # room for a number behind it


def text_of(value: str) -> str:
    return _cut(value.encode("utf-8", "ignore").decode("utf-8"), TEXT_BYTES)


def _cut(text: str, most: int) -> str:
    return text.encode("utf-8")[:most].decode("utf-8", "ignore").strip()
