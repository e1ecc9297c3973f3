"""Which names this station answers to. Pure decisions about the Host header: the guard against DNS rebinding.

A page of another site can make its own name point at this machine; its requests then carry that name. An IP address
cannot be taken over like that, nor can the station's own names.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable

from shared.model.errors import Misdirected

LOCALHOST = "localhost"
MDNS_NAME = "soundsible.local"

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAMED = re.compile(rf"({_LABEL}(?:\.{_LABEL})*\.?)(?::([0-9]{{0,5}}))?")
_BRACKETS = re.compile(r"\[([0-9a-f:.]{2,45})\](?::([0-9]{0,5}))?")


def split_host(header: str) -> tuple[str, int | None] | None:
    """A Host header as (name or address, port); None when it is not exactly one well-formed host.

    Lower case; IPv6 without brackets, in its shortest form; one trailing dot of a name is taken away. User names,
    lists, zones, paths and spaces are not well-formed.
    """
    if not header.isascii():    # lower() turns the Kelvin sign into a k
        return None
    text = header.lower()
    if found := _BRACKETS.fullmatch(text):
        try:
            host = str(ipaddress.IPv6Address(found[1]))
        except ValueError:
            return None
    elif (found := _NAMED.fullmatch(text)) and len(found[1]) <= 254:
        host = found[1].removesuffix(".")
        if host != found[1] and is_address(host):
            return None
    else:
        return None
    port = int(found[2]) if found[2] else None
    return None if port is not None and port > 65535 else (host, port)


def is_address(host: str) -> bool:
    """Whether `host` (from `split_host`) is an IP address in its one usual notation; 127.1 and 0x7f.1 are not."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def own_names(hostname: str | None = None, *, allowed: Iterable[str] = ()) -> frozenset[str]:
    """Names the station goes by: localhost, soundsible.local, this machine's, and those that were allowed."""
    names = {LOCALHOST, MDNS_NAME}
    whole = (socket.gethostname() if hostname is None else hostname).lower().strip().removesuffix(".")
    short = whole.partition(".")[0]
    if split_host(whole) == (whole, None):
        names |= {whole, short, f"{short}.local"}
    for one in allowed:
        if host := _name_of(one):
            names.add(host)
    return frozenset(names)


def host_named(header: str | None, names: Collection[str]) -> bool:
    """Whether a Host header names this station: an IP address, or one of `names` (see `own_names`). Any port."""
    parts = split_host(header or "")
    return parts is not None and (parts[0] in names or is_address(parts[0]))


def check_host(header: str | None, names: Collection[str]) -> None:
    """Raises Misdirected when `host_named` is false."""
    if not host_named(header, names):
        raise Misdirected(
            "This station does not go by that name. Ask it by its IP address or its own name, or add the name to "
            "SOUNDSIBLE_ALLOWED_HOSTS."
        )


def _name_of(entry: str) -> str | None:
    """An allowed entry as a host: with or without a port, a scheme in front, or letters beyond ASCII."""
    text = entry.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")
    if not text.isascii():
        name, colon, port = text.partition(":")
        try:
            text = name.encode("idna").decode("ascii") + colon + port
        except UnicodeError:
            return None
    if ":" in text and not text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text))
        except ValueError:
            pass
    parts = split_host(text)
    return parts[0] if parts else None
