"""Build every door with what it needs from the station, and put guard and error answers before them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from flask import Flask, g, request

from shared.feed import Feed
from shared.routes import (
    acquire,
    app_passwords,
    audit,
    belongings,
    cloud,
    covers,
    devices,
    downloads,
    edit,
    invitations,
    jukebox,
    library,
    likeness,
    listening,
    login,
    openapi,
    pages,
    pairing,
    player,
    playlists,
    podcasts,
    radios,
    scan,
    scrobblers,
    session,
    shares,
    stations,
    stream,
    system,
    trust,
    users,
    watches,
)
from shared.routes.folders import Folders
from shared.routes.guard import Guard
from shared.routes.operation import BODY_LIMIT_BYTES, Operation, operations_of
from shared.routes.sending import Sending
from shared.security.hosts import host_named, own_names
from shared.security.origin import same_site
from shared.subsonic import door as subsonic
from shared.subsonic import quirks
from shared.subsonic.pictures import Pictures
from shared.subsonic.rooms import rooms

WEB = Path(__file__).resolve().parents[2] / "web"


def register(app: Flask, station: Any, *, feed: Feed) -> list[Operation]:
    """Install all routes; `station` has its parts by their rooms' names, `feed` what is told. The operations, for who
    lists them."""
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT_BYTES,
        PROVIDE_AUTOMATIC_OPTIONS=False,    # nothing here is for pages of other sites to ask first
        TRAP_HTTP_EXCEPTIONS=False,
        PROPAGATE_EXCEPTIONS=False,         # also in tests: a defect is a 500 with a number
    )
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False

    revision = station.changes.current
    folders = Folders(scans=station.scans, shelf=station.shelf, access=station.access, scanning=station.scanning)
    sending = Sending(playing=station.playing, transcodes=station.transcodes, events=station.events,
                      streams=station.open_streams, redirect=station.playing.address)
    doors = [
        session.door(accounts=station.accounts, setup=station.setup),
        library.door(
            tracks=station.tracks, albums=station.albums, artists=station.artists, genres=station.genres,
            search=station.search, changes=station.changes, shelf=station.shelf, folders=folders, revision=revision,
            audit=station.audit,
        ),
        edit.door(shelf=station.shelf, tracks=station.tracks, audit=station.audit),
        listening.door(tracks=station.tracks, listening=station.listening, now_playing=station.now_playing,
                       revision=revision),
        likeness.door(likeness=station.likeness, tracks=station.tracks),
        jukebox.door(jukebox=station.jukebox),
        belongings.door(belongings=station.belongings, audit=station.audit),
        playlists.door(playlists=station.playlists, revision=revision),
        scan.door(scanning=station.scanning),
        stream.door(tracks=station.tracks, sending=sending),
        covers.door(covers=station.covers),
        shares.door(shares=station.shares, tracks=station.tracks, covers=station.covers, sending=sending,
                    sound_of=lambda uid: station.podcasts.sound_of(uid)),
        downloads.door(
            downloads=station.downloads, records=station.download_records, origins=station.origins,
            tracks=station.tracks, albums=station.albums, feed=feed, settings=station.settings,
            streams=station.open_streams,
        ),
        acquire.door(
            search=station.acquire, previews=station.previews, covers=station.outside_covers, tracks=station.tracks,
            albums=station.albums, events=station.events, streams=station.open_streams,
        ),
        podcasts.door(podcasts=station.podcasts, pictures=station.outside_covers, streams=station.open_streams),
        radios.door(radios=station.radios, streams=station.open_streams),
        watches.door(watches=station.watches, watching=station.watching, settings=station.settings),
        cloud.door(
            errands=station.errands, pins=station.pins, copies=station.copies, cache=station.cache,
            providers=station.storages, tracks=station.tracks, local=station.local, settings=station.settings,
            circuit=station.circuits.state,
        ),
        pairing.door(pairing=station.pairing, accounts=station.accounts),
        devices.door(devices=station.devices),
        app_passwords.door(app_passwords=station.app_passwords),
        scrobblers.door(scrobbling=station.scrobbling),
        stations.door(stations=station.stations),
        users.door(accounts=station.accounts),
        login.door(openid=station.openid, vouching=station.vouching, accounts=station.accounts),
        invitations.door(invitations=station.invitations, accounts=station.accounts),
        audit.door(audit=station.audit_records),
        system.door(
            tracks=station.tracks, scanning=station.scanning, folders=folders.known, settings=station.settings,
            circuits=lambda: station.downloads.health()["providers"], cloud=lambda: station.cloud.states(),
            finding=station.finding, who=station.who,
        ),
        trust.door(certificates=station.certificates, announced=station.finding.names),
    ]
    pictures = Pictures(covers=station.covers, people=station.people, folder=station.settings.config_dir)
    if station.settings.subsonic:
        doors.append(pictures.door())
    operations: list[Operation] = []
    doors.append(openapi.door(operations=lambda: operations))
    operations += operations_of(doors)
    for one in doors:
        app.register_blueprint(one)
    if station.settings.subsonic:
        app.register_blueprint(subsonic.door(rooms=rooms(station, sending=sending, pictures=pictures),
                                             app_passwords=station.app_passwords, meaning=quirks.meaning,
                                             quirks=quirks.fitting))
    redirects = station.settings.cloud_redirect
    app.register_blueprint(player.blueprint(folder=WEB, storages=station.storages.all if redirects else tuple))

    app.register_blueprint(pages.blueprint(folder=WEB))
    app.register_blueprint(trust.blueprint(folder=WEB / "trust", certificates=station.certificates))

    allowed = station.settings.allowed_hosts
    own = own_names(allowed=allowed)
    Guard(
        who=station.accounts.who,
        host_named=lambda header: host_named(header, own | station.finding.names()),
        same_site=lambda headers: same_site(cast(Mapping[str, str], headers), allowed, secure=request.is_secure),
        operations=operations,
    ).install(app)

    @app.before_request
    def came() -> None:
        """Where somebody came in is an address that works; the guard has let them pass."""
        if g.get("person") is not None:
            station.finding.came(request.host)

    return operations
