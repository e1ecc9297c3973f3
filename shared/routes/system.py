"""The station itself: is it well, where does it answer, how is it set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import request

from shared import __version__
from shared.discovery.finding import Endpoint, Finding
from shared.discovery.trials import HEADER
from shared.model.person import Person
from shared.model.scan import ScanReport
from shared.records.moments import shown as shown_moment
from shared.records.tracks import LibraryStats, Tracks
from shared.routes.folders import Root
from shared.routes.operation import Body, Door
from shared.routes.scan import shown
from shared.security import qr

if TYPE_CHECKING:
    from shared.library.scanning import Scanning
    from shared.settings import Settings


class ProviderState(msgspec.Struct, kw_only=True):
    """Who fetches music or knows of it. `state`: the worst of its circuit breakers (closed: all is well)."""

    name: str
    state: Literal["closed", "half_open", "open"]


class CloudState(msgspec.Struct, kw_only=True):
    """A storage provider. `state` of its circuit: closed: all is well; open: silent, and left alone for a while."""

    name: str
    state: Literal["closed", "half_open", "open"]


class Health(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Without login only `status` and `version`. `storage`: the music folders, `cloud`: the storage providers, both for
    who may see files. `providers`: for who may add music."""

    status: Literal["ok"]
    version: str
    library: LibraryStats | None = None
    scan: ScanReport | None = None
    storage: list[Root] | None = None
    cloud: list[CloudState] | None = None
    providers: list[ProviderState] | None = None


class StationShown(msgspec.Struct, kw_only=True):
    """Who the station is. `fingerprint`: of its public key (SHA-256, base64url)."""

    id: str
    name: str
    fingerprint: str


class Endpoints(msgspec.Struct, kw_only=True):
    """`items`: what works first, the best of them at the top. `updated_at`: when they were last tried."""

    items: list[Endpoint]
    station: StationShown
    updated_at: str


class Drawing(Body):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=700)]


class Drawn(msgspec.Struct, kw_only=True):
    """`qr`: an SVG picture."""

    qr: str


class Setting(msgspec.Struct, kw_only=True):
    name: str
    env: str
    value: Any
    default: Any
    unit: str | None
    help: str


class SettingsTable(msgspec.Struct, kw_only=True):
    items: list[Setting]


def door(
    *, tracks: Tracks, scanning: Scanning, folders: Callable[[], list[Root]], finding: Finding,
    who: Callable[[], dict[str, str]], settings: Settings, circuits: Callable[[], Iterable[Mapping[str, Any]]],
    cloud: Callable[[], list[dict[str, str]]],
) -> Door:
    """folders: the music folders as last known, at no cost; finding: knows every address at which the station answers;
    who: the station's id, name and fingerprint; circuits: the downloader's breakers as they stand; cloud: the
    storage providers' (nobody is asked)."""
    door = Door("system")

    @door.get("/health", allows="open", answers={200: Health})
    def health(person: Person | None) -> dict[str, Any]:
        """Whether the station is well; with login also its library, scan, folders and providers."""
        finding.arrived(request.headers.get(HEADER))
        told: dict[str, Any] = {"status": "ok", "version": __version__}
        if person is not None:
            told["library"] = tracks.stats(person=person)
            told["scan"] = shown(scanning.progress(), person)
            told["storage"] = folders() if person.sees_files else []
            told["cloud"] = cloud() if person.sees_files else []
            told["providers"] = worst(circuits()) if person.adds else []
        return told

    @door.get("/endpoints", allows="logged_in", answers={200: Endpoints})
    def list_endpoints(person: Person) -> Endpoints:
        """Every address at which this station answers, as tried from inside; the best first."""
        return Endpoints(items=finding.endpoints(), station=StationShown(**who()),
                         updated_at=shown_moment(finding.updated_at))

    # A code holds what its page holds already: nothing is told, and nothing is kept.
    @door.post("/qr", allows="logged_in", body=Drawing, answers={200: Drawn})
    def draw_code(person: Person, body: Drawing) -> Drawn:
        """A text (an address, a link) as a QR code."""
        return Drawn(qr=qr.svg(body.text))

    @door.get("/settings", allows="owns", answers={200: SettingsTable})
    def list_settings(person: Person) -> dict[str, Any]:
        """Every setting with its value; secrets are hidden."""
        return {"items": settings.table()}

    return door


_WORSE = ("closed", "half_open", "open")


def worst(circuits: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """One state for each name, in the order they come."""
    found: dict[str, str] = {}
    for one in circuits:
        found[one["name"]] = max(found.get(one["name"], "closed"), one["state"], key=_WORSE.index)
    return [{"name": name, "state": state} for name, state in found.items()]
