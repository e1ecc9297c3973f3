"""The audit log, for owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from shared.model.audit import DEEDS
from shared.model.errors import BadInput
from shared.routes.operation import Door, Query

if TYPE_CHECKING:
    from shared.records.audit import Audit


class AuditQuery(Query):
    """`deed`: one of the words that the lines carry; `username`: whose."""

    limit: int = 100
    cursor: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    deed: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    username: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class AuditLine(msgspec.Struct, kw_only=True):
    """One deed. `words` says it for people ("logged in"); `username` is "" when nobody was known."""

    at: str
    username: str
    address: str
    deed: str
    words: str
    subject: str
    details: dict[str, Any]


class AuditPage(msgspec.Struct, kw_only=True):
    items: list[AuditLine]
    next_cursor: str | None
    total: int
    revision: int


def door(*, audit: Audit) -> Door:
    door = Door("audit")

    @door.get("/audit", allows="owns", query=AuditQuery, answers={200: AuditPage})
    def read_audit(query: AuditQuery) -> AuditPage:
        """Who did what, and from where: the newest first."""
        if query.deed is not None and query.deed not in DEEDS:
            raise BadInput(f"There is no deed {query.deed[:40]!r}; there is {', '.join(DEEDS)}.", field="deed")
        page = audit.list(query.limit, query.cursor, deed=query.deed, username=query.username)
        items = [AuditLine(at=one.at, username=one.username, address=one.address, deed=one.deed,
                           words=DEEDS.get(one.deed, one.deed), subject=one.subject, details=one.details)
                 for one in page.items]
        return AuditPage(items=items, next_cursor=page.next_cursor, total=page.total, revision=page.revision)

    return door
