"""A Cover Art Archive: 307 to where the picture lies, as https://musicbrainz.org/doc/Cover_Art_Archive/API says.

`/release/<mbid>/front-1200` and `/release-group/<mbid>/front-500` redirect to a path like archive.org's
(`/download/mbid-<mbid>/mbid-<mbid>-<id>_thumb1200.jpg`), here on the same server; without a cover 404, with an id that
is none 400. A JSON list of the pictures stands at `/release/<mbid>`.
"""

from __future__ import annotations

import json
import re

from tests.fakes.answering import Answering, Asked, Reply

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PICTURE_ID = 829521842


class FakeCoverArt(Answering):
    """`covers`: MBID of a release or group → the picture's bytes; `sizes`: which thumbnails there are."""

    def __init__(self, covers: dict[str, bytes] | None = None, *, sizes: tuple[int, ...] = (250, 500, 1200)) -> None:
        super().__init__()
        self.covers = covers or {}
        self.sizes = sizes

    def answer(self, asked: Asked) -> Reply:
        parts = [one for one in asked.path.split("/") if one]
        if parts[:1] == ["download"] and len(parts) == 3:
            data = self.covers.get(parts[1].removeprefix("mbid-"))
            return Reply(404) if data is None else Reply(200, data, "image/jpeg")
        if not 2 <= len(parts) <= 3 or parts[0] not in ("release", "release-group"):
            return Reply(404, b"<!doctype html>\n<title>404 Not Found</title>", "text/html")
        mbid = parts[1]
        if not _ID.fullmatch(mbid):
            return Reply(400, b"<!doctype html>\n<title>400 Bad Request</title>\n<p>invalid MBID specified</p>",
                         "text/html")
        if mbid not in self.covers:
            return Reply(404, b"<!doctype html>\n<title>404 Not Found</title>\n<p>No cover art found</p>", "text/html")
        if len(parts) == 2:
            at = f"{self.url}/{parts[0]}/{mbid}/{PICTURE_ID}"
            thumbnails = {str(size): f"{at}-{size}.jpg" for size in self.sizes}
            return Reply(200, json.dumps({"release": f"https://musicbrainz.org/release/{mbid}", "images": [{
                "types": ["Front"], "front": True, "back": False, "edit": 17462565, "image": f"{at}.jpg",
                "comment": "", "approved": True, "id": PICTURE_ID,
                "thumbnails": thumbnails | {"large": f"{at}-500.jpg", "small": f"{at}-250.jpg"},
            }]}).encode())
        wanted = re.fullmatch(r"front(?:-(\d+))?", parts[2])
        if wanted is None or (wanted[1] and int(wanted[1]) not in self.sizes):
            return Reply(404, b"<!doctype html>\n<title>404 Not Found</title>", "text/html")
        name = f"mbid-{mbid}-{PICTURE_ID}" + (f"_thumb{wanted[1]}" if wanted[1] else "") + ".jpg"
        return Reply(307, b"See: elsewhere", "text/plain",
                     headers={"Location": f"{self.url}/download/mbid-{mbid}/{name}"})
