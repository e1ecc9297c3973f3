"""Internet radio: stations that people have noted, their sound through this one, and what they play."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import Response, request
from msgspec import UNSET, UnsetType

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.podcast import OnAir, Radio
from shared.routes.downloads import Link, check_link
from shared.routes.hanging_up import Watched, entered
from shared.routes.operation import Body, Door

if TYPE_CHECKING:
    from shared.radio.relay import Radios
    from shared.security.open_streams import OpenStreams

AUDIO = "audio/*"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Home = Annotated[str, msgspec.Meta(max_length=4000)]


class NewRadio(Body):
    """`stream_url` of the stream, or of a playlist (M3U, PLS) that names it."""

    name: Name
    stream_url: Link
    homepage_url: Home = ""


class RadioEdit(Body):
    """What is left out stays."""

    name: Name | UnsetType = UNSET
    stream_url: Link | UnsetType = UNSET
    homepage_url: Home | UnsetType = UNSET


class RadioList(msgspec.Struct, kw_only=True):
    items: list[Radio]


def door(*, radios: Radios, streams: OpenStreams) -> Door:
    door = Door("radios")

    @door.get("/radios", allows="logged_in", answers={200: RadioList})
    def list_radios(person: Person) -> Any:
        """All radios by name."""
        return {"items": radios.records.list()}

    @door.post("/radios", allows="edits", body=NewRadio, answers={201: Radio}, errors=(409, 422))
    def add_radio(person: Person, body: NewRadio) -> Radio:
        """Note a radio."""
        return radios.records.add(person.user_id, name=named(body.name), homepage_url=home(body.homepage_url),
                                  stream_url=check_link(body.stream_url, "stream_url"))

    @door.get("/radios/<id>", allows="logged_in", answers={200: Radio}, errors=(404,))
    def one_radio(person: Person, id: str) -> Radio:
        """One radio."""
        return radios.records.get(id)

    @door.patch("/radios/<id>", allows="edits", body=RadioEdit, answers={200: Radio}, errors=(404, 422))
    def change_radio(person: Person, id: str, body: RadioEdit) -> Radio:
        """Change its name or its links."""
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
        if not given:
            raise BadInput("Nothing to change was given.", field="name")
        if "name" in given:
            given["name"] = named(given["name"])
        if "stream_url" in given:
            given["stream_url"] = check_link(given["stream_url"], "stream_url")
        if "homepage_url" in given:
            given["homepage_url"] = home(given["homepage_url"])
        changed = radios.records.change(id, **given)
        if "stream_url" in given:
            radios.forget(id)
        return changed

    @door.delete("/radios/<id>", allows="edits", answers={204: None}, errors=(404,))
    def remove_radio(person: Person, id: str) -> None:
        """Forget a radio; who hears it is let go."""
        radios.records.remove(id)
        radios.forget(id)

    @door.get("/radios/<id>/stream", allows="logged_in", answers={200: AUDIO}, errors=(404, 422, 503))
    def stream_radio(person: Person, id: str) -> Response:
        """Its sound, as long as somebody listens; what it says of what it plays is taken out, see `now`."""
        headers = {"Cache-Control": "no-store", "Accept-Ranges": "none"}
        if request.method == "HEAD":
            radios.records.get(id)
            return Response(None, 200, {**headers, "Content-Type": "audio/mpeg"})
        listening = radios.listen(id)
        leave = entered(streams, person)
        return Response(Watched(_Radio(listening), leave), 200, {**headers, "Content-Type": listening.kind},
                        direct_passthrough=True)

    @door.get("/radios/<id>/now", allows="logged_in", answers={200: OnAir}, errors=(404,))
    def on_air(person: Person, id: str) -> OnAir:
        """What it plays, as it said last; empty while nobody here listens, or it does not say."""
        return radios.now(id)

    return door


class _Radio:
    """A listening as an answer's body: closed as the body is, also when nothing of it was asked for."""

    def __init__(self, listening: Any) -> None:
        self._listening = listening
        self.close = listening.close

    def __iter__(self) -> Any:
        return iter(self._listening)


def named(name: str) -> str:
    """A name with something to see in it, on one line. Raises BadInput."""
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise BadInput("A radio needs a name that can be read.", field="name")
    return name


def home(url: str) -> str:
    return check_link(url, "homepage_url") if url else ""
