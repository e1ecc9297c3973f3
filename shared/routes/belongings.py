"""A person's own things as a document: take them along, bring them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import Response, request

from shared.library.belongings import KINDS, Document, ImportReport
from shared.model.errors import Unprocessable
from shared.model.person import Person
from shared.routes.operation import Body, Door, Query
from shared.routes.respond import json_of
from shared.routes.wholes import Wholes

if TYPE_CHECKING:
    from shared.library.belongings import Belongings
    from shared.security.audit import AuditLog

MOST_PLACES = 100_000   # in the playlists of a document that comes as a request: others wait while it is written
Kinds = Annotated[str, msgspec.Meta(max_length=100)]


class ExportWish(Query):
    """`what`: of playlists, favourites, ratings, plays, separated by commas; all when left out."""

    what: Kinds = ",".join(KINDS)


class Import(Body):
    """`document`: as an export gives it. `what`: take in only these kinds. `dry_run`: say what would come of it."""

    document: Document
    what: Annotated[list[Kinds], msgspec.Meta(max_length=8)] = msgspec.field(default_factory=lambda: list(KINDS))
    dry_run: bool = False


def door(*, belongings: Belongings, audit: AuditLog) -> Door:
    door = Door("belongings")
    wholes = Wholes()

    @door.get("/export", allows="logged_in", query=ExportWish, answers={200: Document})
    def export_belongings(person: Person, query: ExportWish) -> Response:
        """The own playlists, favourites, ratings and plays as one document; nothing of anybody else.

        Another station finds its own copies of the tracks by what is told of them.
        """
        what = [one.strip() for one in query.what.split(",") if one.strip()]
        answer = wholes.answer(person, lambda: json_of(belongings.document(person, what)))
        answer.headers["Content-Disposition"] = 'attachment; filename="soundsible-export.json"'
        audit.write("exported", person=person, address=request.remote_addr or "", subject=", ".join(what))
        return answer

    @door.post("/import", allows="own_account", body=Import, answers={200: ImportReport}, errors=(422,))
    def import_belongings(person: Person, body: Import) -> ImportReport:
        """Take a document's things over as one's own; a second time changes nothing.

        Tracks are found by id, ISRC, MusicBrainz recording, else by title, artist and length. Documents that are too
        large for a request are taken in by `tool import`.
        """
        if sum(len(one.tracks) for one in body.document.playlists) > MOST_PLACES:
            raise Unprocessable(f"The playlists of this document have more than {MOST_PLACES:,} places together: take "
                                "it in with tool import.", field="document")
        report = belongings.take(person, body.document, what=body.what, dry_run=body.dry_run)
        if not body.dry_run:
            audit.write("imported", person=person, address=request.remote_addr or "",
                        subject=body.document.username or "a document", playlists=report.playlists.made,
                        ratings=report.ratings, favourites=report.favourites, plays=report.plays)
        return report

    return door
