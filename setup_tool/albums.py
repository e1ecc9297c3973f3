"""Which album is meant: by its id, as it stands in the player's address, or by its title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from shared.model.errors import NotFound
from shared.model.person import Person

if TYPE_CHECKING:
    from shared.station import Station

_HOUSE = Person(user_id=0, id="", username="", role="owner")
_LOOKED_AT = 50


def album_ids(station: Station, given: Sequence[str]) -> tuple[str, ...]:
    """The ids of the albums that `given` names. Raises NotFound, and UsageError where a title has several."""
    return tuple(_id(station, one) for one in given)


def _id(station: Station, name: str) -> str:
    try:
        return station.albums.get(_HOUSE, name).id
    except NotFound:
        pass
    called = [one for one in station.search.find(_HOUSE, name, limit=_LOOKED_AT).albums
              if one.title.casefold() == name.casefold()]
    if len(called) == 1:
        return called[0].id
    if called:
        listed = "\n".join(f"  {one.id}  {one.artist}, {one.year or 'no year'}" for one in called)
        raise click.UsageError(f"Several albums are called {name}; name one by its id:\n{listed}")
    raise NotFound(f"No album has the id or the title {name}. The id stands in the player's address: #/album/ID")
