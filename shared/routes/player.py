"""Send the player: its page, its service worker, its manifest and its files. Open to everybody; no data in them."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from flask import Blueprint, Response, redirect, request
from werkzeug.security import safe_join

from shared.model.cloud import Provider
from shared.model.errors import NotFound, SoundsibleError
from shared.routes.conditional import Validators, precondition
from shared.routes.respond import gzip, wants_gzip
from shared.storage.signing import base_of

_MEDIA = "media-src 'self' blob:"
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; {_MEDIA}; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?")     # what a policy can name
FEATURES = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
KEPT_FILE_BYTES = 512 * 1024        # larger files are read each time
KEPT_BYTES = 8 * 1024 * 1024        # of all files together
_KINDS = {
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8", ".json": "application/json", ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".ico": "image/x-icon", ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_PACKED = ("text/", "application/json", "application/manifest+json", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as it goes out. `stamp` tells whether the one on disk is another by now."""

    stamp: tuple[int, int]
    body: bytes
    packed: bytes | None
    etag: str
    kind: str


class Files:
    """The files beneath `folder`, kept in memory with their gzipped form. Safe from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Kept:
        """The file `name` (with /). Costs one stat. Raises NotFound, also for whatever would lead out of the folder."""
        path = safe_join(self._folder, name)
        if path is None or "\0" in name:
            raise NotFound(f"There is no file {name!r} in the player.")
        try:
            facts = os.stat(path)
            stamp = (facts.st_size, facts.st_mtime_ns)
            kept = self._kept.get(name)
            if kept is None or kept.stamp != stamp:
                kept = self._read(name, path, stamp)
            return kept
        except (OSError, ValueError):
            raise NotFound(f"There is no file {name!r} in the player.") from None

    def _read(self, name: str, path: str, stamp: tuple[int, int]) -> Kept:
        with open(path, "rb") as file:
            body = file.read()
        ending = os.path.splitext(name)[1].lower()
        kind = _KINDS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        packed = gzip(body, 6) if kind.startswith(_PACKED) and len(body) > 1024 else None
        kept = Kept(stamp, body, packed, f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', kind)
        if len(body) <= KEPT_FILE_BYTES:
            with self._lock:
                if sum(len(one.body) for one in self._kept.values()) > KEPT_BYTES:
                    self._kept.clear()
                self._kept[name] = kept
        return kept


def sent(kept: Kept, headers: Mapping[str, str]) -> Response:
    """The file as an answer: not twice to who has it, packed for who takes that. `headers` go before its own."""
    told = {"ETag": kept.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding", **headers}
    if precondition(request.method, request.headers, Validators(told["ETag"])) == 304:
        return Response(status=304, headers=told)
    if kept.packed is not None and wants_gzip(request):
        return Response(kept.packed, headers={**told, "Content-Encoding": "gzip"}, content_type=kept.kind)
    return Response(kept.body, headers=told, content_type=kept.kind)


def sounding_from(providers: Iterable[Provider]) -> str:
    """The page's policy, which lets sound come from the own addresses of these storages, too, and nothing else.

    What is sealed only the station can open: nobody is sent there.
    """
    places = {base_of(one).lower() for one in providers if one.seal_key is None}
    named = sorted(one for one in places if _ORIGIN.fullmatch(one))
    return POLICY.replace(_MEDIA, " ".join([_MEDIA, *named]))


def blueprint(*, folder: Path, storages: Callable[[], Iterable[Provider]] = tuple) -> Blueprint:
    """folder: the project's web/; storages: those to whose own addresses players are sent for the sound."""
    player = Blueprint("player", "shared.routes.player")
    pages, files = Files(folder), Files(folder / "static")

    def policy() -> str:
        try:
            return sounding_from(storages())
        except SoundsibleError:     # config.json cannot be read now: the player opens all the same
            return POLICY

    def send(name: str, place: Files = pages, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
        return sent(place.get(name), {"Content-Security-Policy": POLICY, **headers})

    @player.get("/")
    def page() -> Response:
        told, its = policy(), {"Permissions-Policy": FEATURES}
        if told != POLICY:
            # A browser that is answered 304 keeps the policy it has, so the page is another one with another policy.
            mark = hashlib.blake2b(told.encode(), digest_size=4).hexdigest()
            etag = f'{pages.get("index.html").etag[:-1]}-{mark}"'
            its |= {"Content-Security-Policy": told, "ETag": etag}
        return send("index.html", headers=its)

    @player.get("/pair")
    def pair() -> Response:
        """The same page; the sync token stands behind the #, which no browser sends."""
        return page()

    @player.get("/sw.js")
    def service_worker() -> Response:
        return send("sw.js", headers={"Service-Worker-Allowed": "/"})

    @player.get("/manifest.webmanifest")
    def manifest() -> Response:
        return send("manifest.webmanifest")

    @player.get("/static/<path:name>")
    def static(name: str) -> Response:
        return send(name, files)

    @player.get("/favicon.ico")
    def favicon() -> Response:
        return send("icons/icon-192.png", files)

    @player.get("/download-manager")
    def download_manager() -> Response:
        return redirect("/#/downloads")  # type: ignore[return-value]

    return player
