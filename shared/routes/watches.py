"""Artists, albums, playlists and feeds that are watched: what is new there is queued by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.records.watches import Watch
from shared.routes.downloads import How, Link, check_link
from shared.routes.operation import Body, Door

if TYPE_CHECKING:
    from odst.watching import Watching
    from shared.records.watches import Watches
    from shared.settings import Settings

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Kind = Literal["artist", "album", "playlist", "feed"]
Every = Annotated[int, msgspec.Meta(ge=900, le=366 * 86_400)]   # asking more often than that is no way to treat a host
Most = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class NewWatch(How, kw_only=True):
    """`every_s`: how often it is looked at. `most`: new tracks queued at a time. `existing`: also what is there
    already; else only what comes from now on. `nightly`: fetched in the settings' window only."""

    url: Link
    kind: Kind | None = None
    name: Title | None = None
    every_s: Every = 86_400
    most: Most = 50
    existing: bool = False
    nightly: bool = False


class WatchEdit(Body):
    """What is left out stays. `options`: all of how its downloads are done."""

    name: Title | UnsetType = UNSET
    options: How | UnsetType = UNSET
    every_s: Every | UnsetType = UNSET
    most: Most | UnsetType = UNSET
    nightly: bool | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


class WatchList(msgspec.Struct, kw_only=True):
    items: list[Watch]


class WatchChecked(msgspec.Struct, kw_only=True):
    """`queued`: how many new tracks were found and queued."""

    watch: Watch
    queued: int


def door(*, watches: Watches, watching: Watching, settings: Settings) -> Door:
    """`watches` lists and changes them and knows whose each is; `watching` finds out what a link is, and checks."""
    door = Door("watches")

    @door.get("/watches", allows="adds", answers={200: WatchList})
    def list_watches(person: Person) -> dict[str, Any]:
        """The own watches by name; an owner sees everybody's."""
        return {"items": watches.list(person)}

    @door.post("/watches", allows="adds", body=NewWatch, answers={201: Watch}, errors=(409, 422))
    def watch(person: Person, body: NewWatch) -> Any:
        """Watch an artist, album, playlist or feed by its link; it is looked at once to learn its name."""
        return watching.add(
            person, url=check_link(body.url), kind=body.kind, name=body.name, options=body.options(settings),
            every_s=body.every_s, most=body.most, nightly=body.nightly, existing=body.existing,
        )

    @door.get("/watches/<id>", allows="adds", answers={200: Watch}, errors=(404,))
    def one_watch(person: Person, id: str) -> Watch:
        """One watch."""
        return watches.get(person, id)

    @door.patch("/watches/<id>", allows="adds", body=WatchEdit, answers={200: Watch}, errors=(404,))
    def change_watch(person: Person, id: str, body: WatchEdit) -> Watch:
        """Rename, pause, or look more or less often."""
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
        if not given:
            raise BadInput("Nothing to change was given.", field="name")
        options = given.pop("options", None)
        if options is not None:
            given["options"] = options.options(settings)
        return watches.change(person, id, **given)

    @door.delete("/watches/<id>", allows="adds", answers={204: None}, errors=(404,))
    def unwatch(person: Person, id: str) -> None:
        """Watch it no more; what was fetched stays."""
        watches.remove(person, id)

    @door.post("/watches/<id>/check", allows="adds", answers={200: WatchChecked}, errors=(404,))
    def check_watch(person: Person, id: str) -> Any:
        """Look at it now; what is new is queued."""
        found = watches.get(person, id)
        queued = watching.check(found.id)
        return {"watch": watches.get(person, id), "queued": queued}

    return door
