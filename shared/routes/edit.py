"""Change the library: edit tags, move tracks to the trash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import request
from msgspec import UNSET, UnsetType

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.track import Track
from shared.routes.operation import Body, Door

if TYPE_CHECKING:
    from shared.library.shelf import Shelf
    from shared.records.tracks import Tracks
    from shared.security.audit import AuditLog

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Number = Annotated[int, msgspec.Meta(ge=0, le=9999)]


class TrackEdit(Body):
    """What is left out stays; null takes a value away. Also written to the file's tags unless `write_tags` is false."""

    title: Words | UnsetType = UNSET
    artist: Words | UnsetType | None = UNSET
    album: Words | UnsetType | None = UNSET
    album_artist: Words | UnsetType | None = UNSET
    track_number: Number | UnsetType | None = UNSET
    disc_number: Number | UnsetType | None = UNSET
    year: Number | UnsetType | None = UNSET
    genres: Annotated[list[Words], msgspec.Meta(max_length=50)] | UnsetType = UNSET
    write_tags: bool = True


def door(*, shelf: Shelf, tracks: Tracks, audit: AuditLog) -> Door:
    door = Door("edit")

    @door.patch("/library/tracks/<id>", allows="edits", body=TrackEdit, answers={200: Track}, errors=(404, 422))
    def edit_track(person: Person, id: str, body: TrackEdit) -> Track:
        """Edit a track's tags, in the library and in its file."""
        fields = {name: value for name, value in msgspec.structs.asdict(body).items()
                  if value is not UNSET and name != "write_tags"}
        for name, value in fields.items():
            texts = value if isinstance(value, list) else [value]
            if any(isinstance(text, str) and not text.strip() for text in texts):
                raise BadInput(f"The field {name!r} is blank; null takes it away.", field=name)
        tracks.must_see(person, id)
        return shelf.edit(person, id, fields, body.write_tags)

    @door.delete("/library/tracks/<id>", allows="deletes", answers={204: None}, errors=(404, 422))
    def trash_track(person: Person, id: str) -> None:
        """Move a track and its file to the trash, from where it can be restored; rescans leave it there."""
        track = tracks.get(person, id)      # who does not see it does not delete it
        shelf.trash(id)
        audit.write("tracks_deleted", person=person, address=request.remote_addr or "",
                    subject=f"{track.title} — {track.artist}", id=id)

    return door
