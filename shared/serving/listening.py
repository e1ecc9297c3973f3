"""Take the port before anything else starts, and say in one sentence why that failed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import sys
import time

from shared.model.errors import StartFailed

BACKLOG = 1024
PATIENCE_S = 1.5  # a station that was killed a moment ago may still be giving the port back


def listen(host: str, port: int) -> list[socket.socket]:
    """Bound, listening sockets, one for each address that `host` stands for.

    Port 0 lets the system choose one (the same for all). Costs nothing but a name look-up; waits up to
    PATIENCE_S for a port that is in use. Raises StartFailed with the remedy.
    """
    if not 0 <= port <= 65535:
        raise StartFailed(f"{port} is not a port; choose one from 1 to 65535 (--port or SOUNDSIBLE_PORT).")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise StartFailed(
            f"The address {host!r} to listen on is not known to this machine; use 0.0.0.0 for all networks, "
            "or one of this machine's own addresses (--host or SOUNDSIBLE_HOST)."
        ) from None
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))

    deadline = time.monotonic() + PATIENCE_S
    while True:
        listeners: list[socket.socket] = []
        problem: OSError | None = None
        for family, address in addresses:
            chosen = listeners[0].getsockname()[1] if listeners and not port else port
            try:
                listeners.append(_listener(family, (address[0], chosen, *address[2:])))
            except OSError as error:
                # A name such as localhost may stand for an IPv6 address that this machine does not have.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or len(addresses) == 1:
                    problem = error
                    break
        if listeners and problem is None:
            return listeners
        for listener in listeners:
            listener.close()
        busy = problem is not None and problem.errno == errno.EADDRINUSE
        if not busy or time.monotonic() > deadline:
            raise StartFailed(_sentence(host, port, problem)) from None
        time.sleep(0.1)


def _listener(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # on Windows the same option would let two stations share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit both: small answers leave at once, dead peers are noticed.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if family == socket.AF_INET6:
            # '::' means every network, IPv4 too; a name that has both kinds gets a socket for each.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _sentence(host: str, port: int, error: OSError | None) -> str:
    """What to do about a port that cannot be had."""
    code = error.errno if error else errno.EADDRNOTAVAIL
    if code == errno.EADDRINUSE:
        return (
            f"Port {port} is in use, perhaps by a Soundsible that is running already; stop that one, or "
            f"choose another port with --port {port + 1 if port < 65535 else 5005}."
        )
    if code in (errno.EACCES, errno.EPERM):
        if port < 1024:
            return (
                f"Port {port} is reserved for the system's administrator; choose one above 1023 "
                "(--port 5005), or put a reverse proxy in front."
            )
        return f"This machine does not allow listening on port {port}; choose another one with --port."
    if code in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return (
            f"{host} is not an address of this machine; use 0.0.0.0 for all networks, or one of its own "
            "addresses (--host or SOUNDSIBLE_HOST)."
        )
    return f"Cannot listen on {host} port {port} ({error}); choose another one with --host and --port."


def keep_memory_together() -> None:
    """Let all threads share two heaps. The C library gives hundreds of them a heap each, up to eight a processor, and
    each keeps what it once needed: two minutes of 200 sockets and 64 streams took 170 MiB, and more with every minute,
    where two heaps take 150."""
    m_arena_max = -8
    with contextlib.suppress(AttributeError, OSError, TypeError):    # another C library
        ctypes.CDLL(None).mallopt(m_arena_max, 2)


def allow_many_files(wanted: int = 8192) -> None:
    """Raise this process's limit of open files as far as allowed: a stream holds two, and the usual 1024 is
    less than the rooms together need."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < best:
        # An old macOS refuses; the station then serves fewer at once.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
