"""Send a track: its file bit for bit with ranges, or a transcode on request. The request writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from flask import Response

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.routes.operation import Door, Query
from shared.routes.sending import Conversion, Sending

if TYPE_CHECKING:
    from shared.records.tracks import Tracks

AUDIO = "audio/*"
DEFAULT_KBPS = 128


class Wish(Query):
    """Without `format` the file as it is. `start` in ms, `bitrate` in kbit/s: only with `format`."""

    format: Literal["opus", "mp3", "aac"] | None = None
    bitrate: Annotated[int, msgspec.Meta(ge=16, le=510)] | None = None
    start: Annotated[int, msgspec.Meta(ge=0, le=2**40)] | None = None


def door(*, tracks: Tracks, sending: Sending) -> Door:
    door = Door("stream")

    @door.get("/stream/<id>", allows="logged_in", query=Wish, answers={200: AUDIO, 206: AUDIO},
              errors=(302, 304, 404, 412, 416, 503))
    def stream(person: Person, id: str, query: Wish) -> Response:
        """The sound of a track.

        The file bit for bit, with ranges as in RFC 9110 (HEAD ignores them), wherever it lies: on the station, in its
        cache, or in the cloud, from where it comes through the station (or, when the station is set so, 302 to a signed
        address). With `format` it is transcoded; a transcode has ranges once it is finished. A track whose file cannot
        be had now: 404 track_missing.
        """
        conversion = None
        if query.format is not None:
            conversion = Conversion(query.format, query.bitrate or DEFAULT_KBPS, query.start or 0)
        elif query.bitrate is not None or query.start is not None:
            name = "start" if query.bitrate is None else "bitrate"
            raise BadInput(f"{name} needs a format: opus, mp3 or aac.", field=name)
        return sending.track(person, tracks.file_of(id, person=person), conversion)

    return door
