"""Where a state-changing request comes from: the station's own pages, another site's page, or no browser.

Pure decisions on headers. A browser tells the truth in them and a page cannot change them; a program that is no
browser carries nobody's cookie by accident.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.security.hosts import split_host

DEFAULT_PORTS = {"http": 80, "https": 443}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Place = tuple[str, int]     # host and port


def same_site(headers: Mapping[str, str], allowed: Collection[str] = (), *, secure: bool = False) -> bool:
    """Whether a state-changing request may go on, by its Sec-Fetch-Site, Origin, else Referer.

    headers   with the usual names (`Origin`); an absent one is missing.
    allowed   names of SOUNDSIBLE_ALLOWED_HOSTS: origins that a reverse proxy shows to people in place of `Host`.
              An entry without port means the scheme's own.
    secure    the request came over HTTPS: a page that came over HTTP, which others on the way may have changed, is not
              the station's own.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        # Browsers send it on secure pages and on localhost only; where it is, it knows best. `none`: typed by a person.
        return site in ("same-origin", "none")
    origin = headers.get("Origin")
    if origin is not None:
        return same_origin(origin, headers.get("Host", ""), allowed, secure=secure)
    referer = headers.get("Referer")
    if referer and referer.lower().startswith(("http:", "https:")):
        scheme, _, rest = referer.partition("://")
        return same_origin(f"{scheme}://{_authority(rest)}", headers.get("Host", ""), allowed, secure=secure)
    return True


def same_origin(origin: str, host: str, allowed: Collection[str] = (), *, secure: bool = False) -> bool:
    """Whether an Origin header names the station that was asked as `host`. For WebSockets too.

    `secure`: it was asked over HTTPS, and so must have been its page. Over HTTP the scheme is not compared: behind a
    proxy that speaks TLS, and that is not trusted to say so, the station cannot know it. "null" is nobody.
    """
    scheme, separator, authority = origin.lower().partition("://")
    default = DEFAULT_PORTS.get(scheme)
    if not separator or default is None or (secure and scheme != "https"):
        return False
    place = _place(authority, default)
    if place is None:
        return False
    return place == _place(host, default) or any(
        place == _place(_without_scheme(one), default) for one in allowed
    )


def _place(authority: str, default_port: int) -> Place | None:
    parts = split_host(authority)
    return (parts[0], parts[1] if parts[1] is not None else default_port) if parts else None


def _without_scheme(entry: str) -> str:
    return entry.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")


def _authority(rest: str) -> str:
    """The part of a URL up to its path. A backslash ends it too, as in browsers."""
    for end, character in enumerate(rest):
        if character in "/\\?#":
            return rest[:end]
    return rest
