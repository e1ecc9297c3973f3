"""Build every part of the station once and hand each its collaborators; start them, and stop them in reverse.

Nothing else in the house constructs a part with state. Making a Station opens nothing: that is `start`.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from odst import reports
from odst.breaker import Breakers, called
from odst.catalogues.deezer import Deezer
from odst.catalogues.local import Local
from odst.catalogues.musicbrainz import MusicBrainz
from odst.catalogues.spotify import Spotify
from odst.disk import Disk
from odst.engine import Engine
from odst.ledger import Ledger, LogFile
from odst.nursery import Nursery
from odst.outside import Outside
from odst.preview import Previews
from odst.providers.direct import Direct
from odst.providers.soulseek import Soulseek
from odst.providers.youtube import YouTube
from odst.queue import MemoryDispatcher
from odst.running import Running
from odst.search import AcquireSearch, is_link
from odst.service import Service
from odst.slskd import Slskd
from odst.staging import Staging
from odst.throttle import Throttle as DownloadThrottle
from odst.watching import Watching
from odst.webhook import Webhook
from shared import __version__, outbound
from shared.audio.pool import WorkerPool
from shared.cloud.buckets import Buckets
from shared.cloud.errands import Errands
from shared.cloud.pins import Pins
from shared.cloud.standing_orders import StandingOrders
from shared.confine import Bounds, for_media
from shared.database import Database
from shared.discovery.finding import Finding, station_name
from shared.discovery.mdns import Announcer
from shared.events import EventBus, Notice
from shared.library import outside_covers
from shared.library.admission import Admission
from shared.library.belongings import Belongings
from shared.library.covers import Covers
from shared.library.demo import ensure_demo
from shared.library.jukebox import Jukebox
from shared.library.keepings import Keepings
from shared.library.kept_covers import KeptCovers
from shared.library.lastfm import LastfmService
from shared.library.likeness import Likeness
from shared.library.listenbrainz import ListenBrainzService
from shared.library.manifest import Manifest
from shared.library.now_playing import NowPlaying
from shared.library.outside_covers import OutsideCovers
from shared.library.presence import Presence
from shared.library.pulse import Pulse
from shared.library.scanning import Scanning
from shared.library.scrobbling import Scrobbling
from shared.library.shelf import Shelf
from shared.library.sounding import Sounding
from shared.library.transcodes import Transcodes
from shared.library.watcher import Watcher
from shared.metadata import acoustid, coverart, lrclib
from shared.metadata import client as musicbrainz
from shared.metadata.identifier import Identifier
from shared.model.audit import BY_TOOL
from shared.model.download import ACTIVE, Offer, Wanted
from shared.model.errand import Selection
from shared.model.errors import SoundsibleError, StartFailed
from shared.model.filepath import to_path
from shared.model.person import Person
from shared.model.podcast import SOURCE
from shared.model.source import TrackFile
from shared.model.track import AlbumWhole
from shared.podcasts.feeds import Feeds
from shared.podcasts.fetching import Episodes
from shared.podcasts.podcasts import Podcasts
from shared.podcasts.relaying import Relays
from shared.ports import Catalogue, Provider
from shared.radio.relay import Radios
from shared.records.admission import Shelving
from shared.records.albums import Albums
from shared.records.app_passwords import AppPasswords as AppPasswordRecords
from shared.records.artists import Artists
from shared.records.artworks import Artworks
from shared.records.audit import Audit
from shared.records.belongings import Belongings as BelongingRecords
from shared.records.bookmarks import Bookmarks
from shared.records.breakers import BreakerRow
from shared.records.breakers import Breakers as StoredBreakers
from shared.records.cached import Cached
from shared.records.changes import Changes
from shared.records.choosing import Choosing
from shared.records.copies import Copies
from shared.records.devices import Devices as DeviceRecords
from shared.records.directories import Directories
from shared.records.downloads import Downloads
from shared.records.entries import Entries
from shared.records.errands import Errands as ErrandRecords
from shared.records.genres import Genres
from shared.records.invitations import Invitations as InvitationRecords
from shared.records.leftovers import Leftovers
from shared.records.likeness import Likeness as LikenessRecords
from shared.records.listening import Listening
from shared.records.lookups import StoredLookups
from shared.records.moments import shown
from shared.records.namesakes import Namesakes
from shared.records.notes import Notes
from shared.records.origins import Origins
from shared.records.pairings import Pairings
from shared.records.people import People
from shared.records.pins import Pins as PinRecords
from shared.records.playlists import Playlists
from shared.records.podcasts import Podcasts as PodcastRecords
from shared.records.radios import Radios as RadioRecords
from shared.records.scans import Scans
from shared.records.scrobbles import Scrobbles
from shared.records.search import Search
from shared.records.shares import Shares as ShareRecords
from shared.records.sounds import Sounds
from shared.records.stations import Stations as StationRecords
from shared.records.tracks import Tracks
from shared.records.uncopied import Uncopied
from shared.records.watches import Watches
from shared.security.accounts import Accounts
from shared.security.app_passwords import AppPasswords
from shared.security.audit import AuditLog
from shared.security.certificates import Certificates
from shared.security.devices import Devices
from shared.security.hosts import own_names
from shared.security.identity import Identity
from shared.security.invitations import Invitations
from shared.security.open_streams import OpenStreams
from shared.security.openid import OpenId
from shared.security.pairing import Pairing
from shared.security.second_factor import SecondFactors
from shared.security.setup import Setup
from shared.security.shares import Shares
from shared.security.stations import Stations
from shared.security.throttle import Throttle
from shared.security.vouching import Vouching
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.cache import Cache
from shared.storage.circuits import Circuits
from shared.storage.cloud import CloudStorage
from shared.storage.inflow import Inflows
from shared.storage.local import LocalStorage
from shared.storage.playing import Playing
from shared.storage.providers import Providers
from shared.storage.resolver import Resolver
from shared.storage.second_look import SecondLook
from shared.storage.taps import Taps
from shared.upkeep.nightly import Nightly, last_moment
from shared.vault import Vault

log = logging.getLogger(__name__)

LOOKUPS_KEPT = 50_000       # answers of outside services
BREAKER_FORGOTTEN_S = 30 * 86_400.0     # a link's host that nothing was heard of for so long
DOWNLOAD_WORKERS, DOWNLOAD_NICENESS = 2, 15     # crafts on downloads: after everything that a listener waits for
LISTENING_NICENESS = 19     # to the library, to know how it sounds: after everything else
_HOUSE = Person(user_id=0, id="", username="", role="owner")    # who asks when the station itself does


class Station:
    """All parts, by the names of their rooms."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.events = EventBus()

        self.presence = Presence(settings.data_dir)

        # memory
        self.database = Database(settings.database_path)
        self.tracks = Tracks(database=self.database)
        self.albums = Albums(database=self.database)
        self.artists = Artists(database=self.database)
        self.genres = Genres(database=self.database)
        self.search = Search(database=self.database)
        self.entries = Entries(database=self.database)
        self.choosing = Choosing(database=self.database)
        self.directories = Directories(database=self.database)
        self.changes = Changes(database=self.database)
        self.playlists = Playlists(database=self.database)
        self.listening = Listening(database=self.database)
        self.jukebox = Jukebox(events=self.events)
        self.bookmarks = Bookmarks(database=self.database)
        self.belongings = Belongings(records=BelongingRecords(database=self.database))
        self.people = People(database=self.database)
        self.scans = Scans(database=self.database)

        # crafts and places
        self.workers = WorkerPool(
            size=settings.transcodes_at_once + 2,   # covers and tags do not wait behind conversions
            memory_bytes=settings.worker_memory_bytes, name="craft", bounds=lambda: self._bounds(sockets=True),
        )
        # Alone in reading the database: no media comes near it.
        self.clerks = WorkerPool(size=1, memory_bytes=settings.worker_memory_bytes, name="manifest")
        self.access = Access(closed_folders=[settings.config_dir, settings.data_dir, settings.cache_dir])
        self.local = LocalStorage(access=self.access)
        self._build_places()

        # work
        self.scanning = Scanning(settings=settings, scans=self.scans, events=self.events)
        self.watcher = Watcher(
            roots=lambda: [root.path for root in self.scans.roots()], scanning=self.scanning, settings=settings,
            events=self.events, access=self.access, lost=self.scans.lost_roots,
        )
        self.shelf = Shelf(
            tracks=self.tracks, access=self.access, workers=self.workers, scans=self.scans, settings=settings
        )
        self.artworks = Artworks(database=self.database)
        self.kept_covers = KeptCovers(
            records=self.artworks, access=self.access, workers=self.workers,
            folder=settings.data_dir / "covers",
        )
        self.covers = Covers(
            albums=self.albums, access=self.access, workers=self.workers, kept=self.kept_covers,
            folder=settings.cache_dir / "covers", limit_bytes=settings.cover_cache_bytes,
        )
        self.outside_covers = OutsideCovers(
            fetch=outside_covers.over(outbound.for_services(settings)), workers=self.workers,
            folder=settings.cache_dir / "outside",
        )
        self.transcodes = Transcodes(
            workers=self.workers, folder=settings.cache_dir / "transcodes",
            at_once=settings.transcodes_at_once, limit_bytes=settings.transcode_cache_bytes,
        )
        self.manifest = Manifest(
            database=self.database, events=self.events, folder=settings.data_dir, workers=self.clerks,
            apply=self.shelf.take_up,
        )
        self.pulse = Pulse(database=self.database, events=self.events)
        self.scrobbling = Scrobbling(
            records=Scrobbles(database=self.database), vault=Vault(settings.config_dir), events=self.events,
            listenbrainz=ListenBrainzService(
                url=settings.listenbrainz_url, outbound=lambda: self._outbound_to(settings.listenbrainz_url)),
            lastfm=LastfmService(
                key=settings.lastfm_api_key, secret=settings.lastfm_api_secret, url=settings.lastfm_url,
                outbound=lambda: self._outbound_to(settings.lastfm_url)),
        )
        self.now_playing = NowPlaying(events=self.events, length_of=self._length_of, count=self._heard)

        self._build_downloads()
        self._build_likeness()

        # people
        self.audit_records = Audit(database=self.database)
        self.audit = AuditLog(records=self.audit_records, days=settings.audit_days)
        self.throttle = Throttle()
        self.accounts = Accounts(
            people=self.people, throttle=self.throttle, events=self.events, session_days=settings.session_days,
            audit=self.audit, on_disk=self._has_folder, factors=SecondFactors(
                people=self.people, vault=Vault(settings.config_dir), throttle=self.throttle,
                name=lambda: station_name(settings.name),
            ),
        )
        self.setup = Setup(people=self.people, accounts=self.accounts)

        # where devices find it, and how they know it again
        self.identity = Identity(folder=settings.config_dir / "identity")
        self.finding = Finding(settings=settings, covers=lambda host: (
            (served := self.certificates.served) is not None and served.covers(host)))
        self.certificates = Certificates(
            identity=self.identity, folder=self.identity.folder, names=self._goes_by, own=self._own_certificate(),
            title=station_name(settings.name), enabled=settings.https, on_change=self._certificate_changed,
        )
        self.finding.subscribe(lambda network: self.certificates.look_soon())
        self.announcer = Announcer(
            finding=self.finding, name=station_name(settings.name), properties=self._announced)

        # devices, and what is on its way to them
        self.open_streams = OpenStreams(events=self.events)
        self.pairing = Pairing(
            pairings=Pairings(database=self.database), people=self.people, accounts=self.accounts,
            identity=self.identity, events=self.events, endpoints=self.finding.urls, station=self.who,
            minutes=settings.pairing_minutes, audit=self.audit,
        )
        self.stations = Stations(
            records=StationRecords(database=self.database), vault=Vault(settings.config_dir), identity=self.identity,
            pairing=self.pairing, people=self.people, belongings=self.belongings,
            name=lambda: station_name(settings.name), audit=self.audit,
        )
        self.shares = Shares(
            records=ShareRecords(database=self.database), people=self.people, vault=Vault(settings.config_dir),
            events=self.events, streams=self.open_streams, current=self.changes.current, enabled=settings.shares,
            endpoints=self.finding.urls, audit=self.audit,
        )
        self.devices = Devices(
            records=DeviceRecords(database=self.database), people=self.people, accounts=self.accounts,
            events=self.events, audit=self.audit,
        )

        self.app_passwords = AppPasswords(
            records=AppPasswordRecords(database=self.database), people=self.people, accounts=self.accounts,
            vault=Vault(settings.config_dir), events=self.events, endpoints=self.finding.urls, audit=self.audit,
        )

        self.openid = OpenId(
            issuer=settings.oidc_issuer, client_id=settings.oidc_client_id, client_secret=settings.oidc_client_secret,
            username_claim=settings.oidc_username_claim,
            outbound=lambda: outbound.Outbound([*settings.allow_private_hosts, settings.oidc_issuer]),
        )
        self.vouching = Vouching(
            people=self.people, accounts=self.accounts, new_people=settings.new_people, header=settings.login_header,
            audit=self.audit,
        )
        self.invitations = Invitations(
            records=InvitationRecords(database=self.database), accounts=self.accounts, throttle=self.throttle,
            days=settings.invitation_days, endpoints=self.finding.urls, station=self.who, audit=self.audit,
        )

        self.doors: list[tuple[str, Callable[[], object]]] = []    # what is open to the outside, closed first
        self.started_at = 0.0
        self._started: list[tuple[str, Callable[[], object]]] = []

    def _build_places(self) -> None:
        """Beside the music folders: the cache, the buckets, and the long work between them."""
        settings = self.settings
        self.storages = Providers(settings=settings)
        self.circuits = Circuits(on_change=self._tell_of_storage)
        self.buckets = Buckets()
        self.copies = Copies(database=self.database)
        self.cache = Cache(
            records=Cached(database=self.database), folder=settings.cache_dir / "tracks",
            limit_bytes=settings.track_cache_bytes, workers=self.workers,
        )
        self.cloud = CloudStorage(copies=self.copies, providers=self.storages, circuits=self.circuits)
        self.resolver = Resolver(storages=[self.local, self.cache, self.cloud])
        self.taps = Taps(
            providers=self.storages, circuits=self.circuits, url_s=60.0 * settings.cloud_url_minutes)
        self.inflows = Inflows(
            cache=self.cache, copies=self.copies, taps=self.taps, spare=self.local.open_same)
        self.second_look = SecondLook(
            copies=self.copies, look=self.inflows.look_again,
            restore=Leftovers(database=self.database).restore_rows,
        )
        self.playing = Playing(
            resolver=self.resolver, access=self.access, local=self.local, cache=self.cache, cloud=self.cloud,
            inflows=self.inflows, taps=self.taps, redirects=settings.cloud_redirect,
        )
        self.pins = Pins(
            records=PinRecords(database=self.database), copies=self.copies, providers=self.storages,
            buckets=self.buckets, access=self.access, cache=self.cache,
        )
        self.errands = Errands(
            records=ErrandRecords(database=self.database), providers=self.storages, settings=settings,
            events=self.events,
        )
        self.standing_orders = StandingOrders(
            errands=self.errands, pins=self.pins, uncopied=Uncopied(database=self.database), providers=self.storages,
            settings=settings, events=self.events,
        )
        self.nightly = Nightly(
            settings=settings, notes=Notes(database=self.database), events=self.events,
            submit=lambda kind: self.errands.submit(kind, Selection()), tidy=lambda: self.audit.trim(),
        )

    def _build_likeness(self) -> None:
        """Who listens to the library, and who says what goes with what."""
        settings = self.settings
        sounds = Sounds(database=self.database)
        self.listeners = WorkerPool(    # one works in the background; the command line takes them all
            size=settings.scan_workers, memory_bytes=settings.worker_memory_bytes, nice=LISTENING_NICENESS,
            name="listeners", bounds=self._bounds,
        )
        # Alone in reading descriptions: no media comes near it.
        self.comparers = WorkerPool(size=1, memory_bytes=settings.worker_memory_bytes, name="comparer", idle_s=300.0)
        self.sounding = Sounding(
            sounds=sounds, workers=self.listeners, place=self._place_of, when=settings.sonic_analysis,
            night=lambda now: last_moment(now, settings.upkeep_at),
            busy=lambda: self.somebody_listens() or self.scanning.progress().state == "running",
        )
        self.likeness = Likeness(
            records=LikenessRecords(database=self.database), sounds=sounds, workers=self.comparers,
            database=settings.database_path, folder=settings.cache_dir / "sounds", hear_now=self.sounding.hear_now,
        )

    def _place_of(self, file: TrackFile) -> str | None:
        """Where the bytes of a track lie on this machine; None: nowhere. Raises StorageOffline."""
        found = self.local.locate(file) or self.cache.locate(file)
        return None if found is None else found.path

    def _build_downloads(self) -> None:
        """ODST: what fetches, what names, what watches over them, and what people command it by."""
        settings, events = self.settings, self.events
        self.download_records = Downloads(database=self.database)
        self.origins = Origins(database=self.database)
        self.watches = Watches(database=self.database)
        self.lookups = StoredLookups(database=self.database)
        self.stored_breakers = StoredBreakers(database=self.database)
        self.breakers = Breakers(store=self.stored_breakers, row=BreakerRow, on_change=self._tell_of_breaker)
        ffmpeg = shutil.which("ffmpeg")
        self.craft_workers = WorkerPool(
            size=DOWNLOAD_WORKERS, memory_bytes=settings.worker_memory_bytes, nice=DOWNLOAD_NICENESS,
            name="downloads", bounds=lambda: self._bounds(*([ffmpeg] if ffmpeg else [])),
        )
        self.admission = Admission(
            records=Shelving(database=self.database), scans=self.scans, access=self.access,
            workers=self.craft_workers, settings=settings,
        )
        self.keepings = Keepings(
            workers=self.craft_workers, folder=settings.cache_dir / "kept", ffmpeg=ffmpeg)
        metadata_client = musicbrainz.MusicBrainzClient(
            settings=settings, lookups=self.lookups, breakers=self.breakers)
        self.identifier = Identifier(
            settings=settings, client=metadata_client, lookups=self.lookups, breakers=self.breakers,
            house=Namesakes(database=self.database).album)

        self.nursery = Nursery(settings=settings)
        self.providers = self._providers()
        catalogues: dict[str, Callable[[], Catalogue]] = {
            "deezer": lambda: Deezer(settings=settings, lookups=self.lookups),
            "musicbrainz": lambda: MusicBrainz(client=metadata_client, coverart_url=settings.coverart_url),
            "spotify": lambda: Spotify(settings=settings),  # without keys it tells what to set
        }
        self.catalogues: list[Catalogue] = [
            catalogues[name]() for name in settings.download_catalogues if name in catalogues]
        if "local" in settings.download_catalogues:
            self.catalogues.append(Local(album_of=self._album, catalogues=tuple(self.catalogues)))
        self.acquire = AcquireSearch(
            catalogues=self.catalogues, providers=self.providers, owned=self.admission.owned, breakers=self.breakers)
        self._know_breakers()

        dispatcher, running = MemoryDispatcher(), Running()
        ledger = Ledger(records=self.download_records, events=events)
        download_throttle = DownloadThrottle(events=events, share=settings.download_share_percent / 100)
        self.somebody_listens = download_throttle.listening
        disk = Disk(folder=self.admission.staging, least=settings.download_min_free_bytes)
        staging = Staging(root=self.admission.staging)
        self.podcast_records = PodcastRecords(database=self.database)
        episodes = Episodes(
            records=self.podcast_records, jobs=self.download_records,
            submit=lambda user_id, requests, group: self.downloads.submit_for(user_id, requests, group),
            cancel=lambda person, uid: self.downloads.cancel(person, uid), events=events,
            folder=settings.data_dir / "podcasts", limit_bytes=settings.podcast_bytes,
        )
        self.engine = Engine(
            records=self.download_records, dispatcher=dispatcher, ledger=ledger, running=running, events=events,
            providers=self.providers, resolve=self.acquire.resolve, search=self._offers, track=self._wanted,
            intake=self.admission, identifier=self.identifier, workers=self.craft_workers, keepings=self.keepings,
            breakers=self.breakers, throttle=download_throttle, disk=disk, staging=staging, settings=settings,
            own_shelves={SOURCE: episodes}, log_file=LogFile(settings.data_dir / "logs"),
        )
        strangers = outbound.Outbound(settings.allow_private_hosts, contact=settings.contact)
        self.podcasts = Podcasts(
            records=self.podcast_records, feeds=Feeds(outbound=strangers, workers=self.craft_workers),
            episodes=episodes, relays=Relays(outbound=strangers), events=events, hours=settings.podcast_hours,
        )
        self.radios = Radios(
            records=RadioRecords(database=self.database), outbound=strangers, events=events,
            now=lambda: shown(time.time()),
        )
        self.downloads = Service(
            records=self.download_records, dispatcher=dispatcher, engine=self.engine, ledger=ledger, running=running,
            search=self.acquire, intake=self.admission, breakers=self.breakers, throttle=download_throttle, disk=disk,
            staging=staging, settings=settings, understood=self._understood,
        )
        self.outside = Outside(
            version=self.database.data_version, announce=self.engine.announce,
            waiting=lambda: self.download_records.ids(_HOUSE, statuses=["waiting"]),
        )
        self.previews = Previews(
            nursery=self.nursery, search=self.acquire, providers=self.providers,
            clips=next((one for one in self.catalogues if isinstance(one, Deezer)), None),
            cookies=str(settings.download_cookies) if settings.download_cookies else None,
        )
        self.watching = Watching(
            watches=self.watches, resolve=partial(self.acquire.resolve, fresh=True), submit=self.downloads.submit_for,
            owned=self.admission.owned,
        )
        self.webhook = Webhook(settings=settings, events=events, left=self._left_of)
        self.reports = reports

    def _providers(self) -> list[Provider]:
        """Who fetches, in the order of trust; Soulseek once its daemon is known."""
        settings = self.settings
        known: dict[str, Callable[[], Provider]] = {
            "youtube": lambda: YouTube(nursery=self.nursery, settings=settings),
            "direct": lambda: Direct(nursery=self.nursery, settings=settings),
        }
        if settings.slskd_url:
            known["soulseek"] = lambda: Soulseek(
                slskd=Slskd(url=settings.slskd_url, api_key=settings.slskd_api_key), settings=settings)
        return [known[name]() for name in settings.download_providers if name in known]

    def _left_of(self, group: str) -> int:
        """How many downloads of a group are not over yet."""
        return len(self.download_records.ids(_HOUSE, statuses=[one.value for one in ACTIVE], group=group))

    def _know_breakers(self) -> None:
        """List every service among the states, also before it was asked for the first time."""
        for provider in self.providers:
            self.breakers.know(provider.name, "resolve" if provider.name == "direct" else "fetch")
        for catalogue in self.catalogues:
            if catalogue.name not in ("local", musicbrainz.SERVICE) and getattr(catalogue, "configured", True):
                self.breakers.know(catalogue.name, "resolve")
        for service in (musicbrainz, coverart, lrclib):
            self.breakers.know(service.SERVICE, service.OPERATION)
        if self.settings.acoustid_key:
            self.breakers.know(acoustid.SERVICE, acoustid.OPERATION)

    def _tell_of_breaker(self, name: str, operation: str, state: str) -> None:
        if self.breakers.others_open(name, operation):
            return              # that was told, or will be when the last of it answers
        told = "answers again." if state == "closed" else "does not answer. What needs it waits, and goes on by itself."
        self.events.publish(Notice("info" if state == "closed" else "warning", f"{called(name, operation)} {told}"))

    def _tell_of_storage(self, name: str, state: str) -> None:
        self.events.publish(Notice("info", f"{name} answers again.") if state == "closed" else Notice(
            "warning", f"{name} does not answer. What lies there alone cannot be played meanwhile."))

    def _understood(self, url: str) -> bool:
        """Whether somebody would know what to do with a link. Pure."""
        if any(one.understands(url) for one in self.catalogues):
            return True
        if any(one.understands(url) for one in self.providers):
            return True
        return is_link(url) and not url.lower().startswith("http")

    def _offers(self, words: str) -> list[Offer]:
        """What the catalogues mean by words, best first; what only a provider has is left to finding."""
        names = {one.name for one in self.catalogues}
        return [one for one in self.acquire.search(words, 10)["items"] if one.source in names]

    def _wanted(self, track_id: str) -> Wanted:
        """A track of the library as a thing to be fetched. Raises NotFound."""
        track = self.tracks.get(_HOUSE, track_id)
        return Wanted(
            title=track.title, artist=track.artist,
            artists=tuple(credit.name for credit in track.artists if credit.role == "artist"), album=track.album,
            album_artist=track.album_artist, isrc=track.isrc, duration_ms=track.duration_ms or None,
            track_number=track.track_number, disc_number=track.disc_number,
            date=str(track.year) if track.year else None, genres=tuple(track.genres),
            recording_mbid=track.recording_mbid, source="local", source_id=track_id,
        )

    def _album(self, album_id: str) -> AlbumWhole:
        return self.albums.get(_HOUSE, album_id)

    def _length_of(self, person: Person, kind: str, uid: str) -> int | None:
        """Of what a person plays. Raises NotFound."""
        if kind == "episode":
            return self.podcast_records.whole(person, uid).shown.duration_ms
        return self.tracks.file_of(uid, person=person).duration_ms

    def _heard(self, person: Person, kind: str, uid: str, began_at: float, heard_ms: int, client: str) -> None:
        """An app played enough of something to count. Raises NotFound."""
        if kind == "episode":
            if not self.podcast_records.whole(person, uid).shown.finished:      # else it counts already
                self.podcast_records.played(person, uid, began_at)
            return
        self.listening.play(person, uid, began_at, heard_ms, client)

    def _outbound_to(self, url: str) -> outbound.Outbound:
        """What a service's links may reach: all public addresses, and where the settings say that it is."""
        return outbound.Outbound([*self.settings.allow_private_hosts, url], contact=self.settings.contact)

    def _has_folder(self, root: str, path: str) -> bool:
        """Whether a music folder has this folder in it, now; no, too, when it does not answer."""
        place = to_path(root)
        try:
            return bool(self.access.call(place, lambda: os.path.isdir(os.path.join(place, to_path(path)))))
        except SoundsibleError:
            return False

    def start(self) -> None:
        """Open the memory, make what the first start needs, then wake the threads. Raises SoundsibleError."""
        settings = self.settings
        for folder in (settings.config_dir, settings.data_dir, settings.cache_dir):
            make_folder(folder)
        self.presence.claim()
        self._started.append(("presence", self.presence.leave))
        self.database.prepare()
        self._started.append(("database", self.database.close))
        self.audit.start()
        self._started.append(("audit", self.audit.stop))
        self.certificates.start()
        self._started.append(("certificates", self.certificates.stop))
        self.accounts.ensure_owner(settings.owner)
        new_roots = self._add_music()
        self._started.append(("workers", self.workers.stop))
        self._started.append(("clerks", self.clerks.stop))
        self.pulse.start()
        self._started.append(("pulse", self.pulse.stop))
        self.accounts.start()
        self._started.append(("accounts", self.accounts.stop))
        self._started.append(("transcodes", self.transcodes.stop))
        self._started.append(("covers", self.covers.stop))
        self._started.append(("outside covers", self.outside_covers.stop))
        if settings.manifest:
            self.manifest.start()
            self._started.append(("manifest", self.manifest.stop))
        self._started.append(("scanning", self.scanning.stop))
        if settings.scan_on_start:
            if self.scans.roots():
                self.scanning.start()
        elif new_roots:
            self.scanning.start(roots=new_roots)
        if settings.watch:
            self.watcher.start()
            self._started.append(("watcher", self.watcher.stop))
        self._started.append(("craft workers", self.craft_workers.stop))
        self._started.append(("keepings", self.keepings.stop))
        self._started.append(("nursery", self.nursery.stop))
        self.lookups.prune(LOOKUPS_KEPT)
        self.stored_breakers.prune(time.time() - BREAKER_FORGOTTEN_S)
        self.engine.start()
        self._started.append(("downloads", self.engine.stop))
        self.outside.start()
        self._started.append(("downloads of others", self.outside.stop))
        self.webhook.start()
        self._started.append(("webhook", self.webhook.stop))
        self.watching.start()
        self._started.append(("watching", self.watching.stop))
        self.podcasts.start()
        self._started.append(("podcasts", self.podcasts.stop))
        self._started.append(("radios", self.radios.stop))
        self.cache.start()
        self._started.append(("cache", self.cache.stop))
        self._started.append(("taps", self.taps.stop))
        self._started.append(("inflows", self.inflows.stop))
        self.second_look.start()
        self._started.append(("second look", self.second_look.stop))
        self.errands.start()
        self._started.append(("errands", self.errands.stop))
        self.standing_orders.start()
        self._started.append(("standing orders", self.standing_orders.stop))
        self.scrobbling.start()
        self._started.append(("scrobbling", self.scrobbling.stop))
        self.nightly.start()
        self._started.append(("nightly", self.nightly.stop))
        self.sounding.start()
        self._started.append(("sounding", self.sounding.stop))
        self._started.append(("comparer", self.comparers.stop))
        self._started.append(("listeners", self.listeners.stop))
        self._started.append(("listening", self.sounding.end))
        self._started.append(("finding", self.finding.stop))
        self._started.append(("announcer", self.announcer.stop))
        self.started_at = time.time()

    def answers_at(self, listening: Sequence[tuple[str, int]]) -> None:
        """Requests are answered at these (host, port) pairs from now on: tell this machine and the network."""
        self.presence.tell(*listening[0])
        self.finding.start(listening)
        if self.settings.mdns:
            self.announcer.start()

    def _goes_by(self) -> tuple[list[str], list[str]]:
        """(names, addresses) of this station now, for its certificate."""
        names = own_names(allowed=self.settings.allowed_hosts) | self.finding.names()
        return sorted(names), [one.ip for one in self.finding.addresses()]

    def _certificate_changed(self) -> None:
        """Another certificate is used than a moment ago; the one found at the start is no change."""
        served = self.certificates.served
        if self.started_at and served is not None:
            self.audit.write("certificate_renewed", subject=", ".join((*served.names, *served.addresses)),
                             until=f"{served.ends:%Y-%m-%d}")

    def _own_certificate(self) -> tuple[Path, Path] | None:
        """The owner's certificate and key, which may be one file."""
        certificate, key = self.settings.certificate, self.settings.certificate_key
        first = certificate or key
        return None if first is None else (first, key or first)

    def _announced(self) -> dict[str, str]:
        """What is told of the station to everybody on the home network."""
        settings = self.settings
        return {"version": __version__, "path": "/", "id": self.fingerprint()[:16],
                "https": "1" if settings.https else "0", "name": station_name(settings.name)}

    def fingerprint(self) -> str:
        """Of the station's key; empty while there is none to be had."""
        try:
            return self.identity.fingerprint
        except SoundsibleError as error:
            log.warning("%s", error.message)
            return ""

    def who(self) -> dict[str, str]:
        """The station as others name it."""
        fingerprint = self.fingerprint()
        return {"id": fingerprint, "name": station_name(self.settings.name), "fingerprint": fingerprint}

    def stop(self, timeout_s: float = 4.0) -> None:
        """End everything that `start` woke, the last first. One part's trouble does not keep the others running."""
        deadline = time.monotonic() + timeout_s
        self._started += self.doors
        while self._started:
            name, stop = self._started.pop()
            try:
                stop()
            except Exception:  # the way out must be walked to its end
                log.exception("stopping %s failed", name)
            if time.monotonic() > deadline:
                log.warning("stopping took longer than %.0f s (at %s)", timeout_s, name)

    def _bounds(self, *programs: str, sockets: bool = False) -> Bounds:
        """What the processes that open media are kept to, and what they need beside files."""
        roots: list[str] = []
        try:
            roots = [root.path for root in self.scans.roots()]
        except SoundsibleError:     # they are told of elsewhere
            log.debug("the music folders are not known now", exc_info=True)
        return for_media(self.settings, roots, programs=programs, sockets=sockets)

    def _add_music(self) -> list[str]:
        """Remember the music folders that were given; the new ones. A new one that is not there stops the start."""
        wanted = [Path(path) for path in self.settings.music]
        if self.settings.demo:
            make_folder(self.settings.data_dir / "demo")
            wanted.append(ensure_demo(self.settings.data_dir / "demo", self.workers))
        known = {root.path for root in self.scans.roots()}
        added = []
        for path in wanted:
            if str(path) in known:
                continue
            if path.exists() and not path.is_dir():
                raise StartFailed(f"{path} is a file. --music takes the folder that holds the music.")
            if not path.is_dir():
                raise StartFailed(
                    f"There is no music folder {path}. Check the path, or plug in and mount the disk it is on."
                )
            try:
                added.append(self.shelf.add_root(str(path)).path)
                self.audit.write("folders_changed", subject=added[-1], what="added", **BY_TOOL)
            except SoundsibleError as error:
                raise StartFailed(error.message) from error
        return added


def make_folder(folder: Path) -> None:
    """Make `folder` for this user alone, or say what keeps it from being made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise StartFailed(
            f"Soundsible cannot write to {folder} ({error.strerror}). Give it a folder it may write to with --home DIR "
            f"or SOUNDSIBLE_HOME, or change that folder's permissions."
        ) from error
