"""Pictures behind links that need no login: what programs get as `artistImageUrl` they load without one.

A link is signed for one picture in one size and shows nothing else. It is given to who sees what the picture is of,
and holds as long as the station's key for it (`pictures.key`, beside config.json): programs keep such links for long.
That of a limited person names them, too, and shows what they see of it: of half an album only the picture of that half.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Request, Response, request

from shared import durable
from shared.library.covers import SIZES, nearest
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.routes.operation import Door
from shared.routes.respond import file_of
from shared.security.accounts import person_of

if TYPE_CHECKING:
    from shared.library.covers import Covers
    from shared.records.people import People

KEY_FILE = "pictures.key"
PATH = "/rest/picture"
WEBP, JPEG = "webp", "jpg"
CACHE = "private, max-age=86400"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 16
_AS = "~"               # before the id of the limited person who sees it
_PURPOSE = b"soundsible picture 1"


def form_of(asked: Request) -> str:
    """In which form a picture is sent. Some programs know nothing but JPEG, and those that know WebP do not all say
    so; who says so gets it, as browsers do: it is smaller. (Navidrome, pull request 5286: what sent WebP to everybody
    went back to JPEG. SubTUI, pull request 113: WebP covers were none.)"""
    return WEBP if "image/webp" in asked.headers.get("Accept", "") else JPEG


class Pictures:
    """Makes the links, within a request, and answers them. `folder`: where the key lies; it is made on first need."""

    def __init__(self, *, covers: Covers, people: People, folder: Path) -> None:
        self._covers = covers
        self._people = people
        self._path = folder / KEY_FILE
        self._lock = threading.Lock()
        self._key = b""

    def url(self, uid: str, size: int = 600, *, person: Person) -> str:
        """Where the picture of an album, an artist or a track is shown as `person` sees it, at the address that was
        asked."""
        size = nearest(size)
        if person.limited:
            uid = f"{uid}{_AS}{person.id}"
        return f"{request.host_url.rstrip('/')}{PATH}/{uid}/{size}/{self._signature(uid, size)}"

    def door(self) -> Door:
        door = Door("pictures")

        @door.get(f"{PATH}/<id>/<size>/<signature>", allows="open", outside=True, answers={200: "image/*"},
                  errors=(304, 404))
        def picture(id: str, size: str, signature: str) -> Response:
            """The cover of an album, an artist, a track or a playlist, by a link of the OpenSubsonic API.

            The link was made by the station for this picture in this size, and shows no other. It needs no login:
            programs load such pictures (`artistImageUrl`) without one.
            """
            return self._answer(id, size, signature)

        return door

    def _answer(self, uid: str, size: str, signature: str) -> Response:
        """The picture. Raises NotFound, also for a link that was not made here."""
        pixels = next((one for one in SIZES if str(one) == size), None)
        if pixels is None or not hmac.compare_digest(self._signature(uid, pixels).encode(), signature.encode()):
            raise NotFound("There is no such picture.")
        uid, limited, viewer = uid.partition(_AS)
        person = self._behind(viewer) if limited else None
        for last_try in (False, True):
            cover = self._covers.get(uid, pixels, person=person, form=form_of(request))
            try:
                answer = file_of(cover.path, cover.mime_type, request, etag=cover.etag.strip('"'), cache=CACHE)
                break
            except NotFound:    # swept from the cache between the two lines
                if last_try:
                    raise
        answer.headers["Vary"] = "Accept"
        answer.headers["Access-Control-Allow-Origin"] = "*"     # players that are pages of other sites show it too
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer

    def _behind(self, uid: str) -> Person:
        """Raises NotFound."""
        user = self._people.get_user(uid)
        if user is None:
            raise NotFound("There is no such picture.")
        return person_of(user, scope="listen", token_id=0)

    def _signature(self, uid: str, size: int) -> str:
        told = hmac.new(self._current(), b"\0".join((_PURPOSE, uid.encode(), str(size).encode())), hashlib.sha256)
        return base64.urlsafe_b64encode(told.digest()[:_SIGNATURE_BYTES]).rstrip(b"=").decode()

    def _current(self) -> bytes:
        with self._lock:
            if not self._key:
                self._key = self._read() or self._made()
            return self._key

    def _read(self) -> bytes:
        with contextlib.suppress(FileNotFoundError):
            key = self._path.read_bytes()
            if len(key) == _KEY_BYTES:
                return key
        return b""

    def _made(self) -> bytes:
        key = secrets.token_bytes(_KEY_BYTES)
        durable.write(self._path, key)
        return key
