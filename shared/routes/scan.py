"""Start a scan of the music folders, and watch it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from shared.model.person import Person
from shared.model.scan import ScanReport, without_counts, without_files
from shared.routes.operation import Body, Door

if TYPE_CHECKING:
    from shared.library.scanning import Scanning


class ScanWish(Body):
    """`roots`: only these music folders. `deep`: also hash all content, to find duplicates and damage."""

    roots: Annotated[list[Annotated[str, msgspec.Meta(max_length=4096)]], msgspec.Meta(max_length=1000)] | None = None
    deep: bool = False


class ScanStarted(msgspec.Struct, kw_only=True):
    scan: ScanReport


def door(*, scanning: Scanning) -> Door:
    door = Door("scan")

    @door.post("/library/scan", allows="edits", body=ScanWish, body_optional=True, answers={202: ScanStarted},
               errors=(404, 422))
    def start_scan(person: Person, body: ScanWish) -> ScanStarted:
        """Look through the music folders; joins a scan that is running."""
        started = scanning.start(roots=body.roots or None, deep=body.deep)
        return ScanStarted(scan=ScanReport(**shown(started, person)))

    @door.get("/library/scan", allows="logged_in", answers={200: ScanReport})
    def scan_progress(person: Person) -> Any:
        """How far the running scan is, or what the last one found.

        The same stands once more under `scan`, the form in which a start is answered.
        """
        fields = shown(scanning.progress(), person)
        return {**fields, "scan": fields}

    return door


def shown(report: ScanReport, person: Person) -> dict[str, Any]:
    """The report's fields, as this person may know them."""
    fields = {one.name: getattr(report, one.name) for one in dataclasses.fields(report)}
    if person.limited:
        return without_counts(fields)
    return fields if person.sees_files else without_files(fields)
