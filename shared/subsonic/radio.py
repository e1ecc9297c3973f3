"""Internet radio stations. Apps play them from where they are; the station passes them on in its own player alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.routes.downloads import check_link
from shared.routes.radios import home, named
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.radio.relay import Radios

LONGEST_NAME = 200


def calls(*, radios: Radios) -> Calls:
    calls = Calls("radio")

    def given(asked: Asked) -> dict[str, str]:
        name = named(asked.need("name"))
        if len(name) > LONGEST_NAME:
            raise Refused(Refused.GENERIC, f"A name has at most {LONGEST_NAME} characters.")
        return {"name": name, "stream_url": check_link(asked.need("streamUrl"), "streamUrl"),
                "homepage_url": home(asked.text("homepageUrl"))}

    @calls.answers("getInternetRadioStations")
    def get_internet_radio_stations(asked: Asked) -> dict[str, Any]:
        """All internet radio stations, by name."""
        return {"internetRadioStations": {"internetRadioStation": [
            {
                "id": one.id, "name": one.name, "streamUrl": one.stream_url, "homePageUrl": one.homepage_url,
            } for one in radios.records.list()
        ]}}

    @calls.answers("createInternetRadioStation", allows="edits")
    def create_internet_radio_station(asked: Asked) -> None:
        """Note an internet radio station."""
        radios.records.add(asked.person.user_id, **given(asked))

    @calls.answers("updateInternetRadioStation", allows="edits")
    def update_internet_radio_station(asked: Asked) -> None:
        """Change the name or the links of an internet radio station."""
        uid = asked.need("id")
        changes = given(asked)
        if not asked.has("homepageUrl"):
            del changes["homepage_url"]
        before = radios.records.get(uid)
        if radios.records.change(uid, **changes).stream_url != before.stream_url:
            radios.forget(uid)

    @calls.answers("deleteInternetRadioStation", allows="edits")
    def delete_internet_radio_station(asked: Asked) -> None:
        """Forget an internet radio station."""
        uid = asked.need("id")
        radios.records.remove(uid)
        radios.forget(uid)

    return calls
