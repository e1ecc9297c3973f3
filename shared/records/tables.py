"""The tables. Integer keys join inside; `uid` is the public, opaque id that never changes.

`added_rev` / `changed_rev` hold the library revision at which a row came or last changed; `removed` remembers
what is gone. Times are Unix seconds (REAL). Text in `folded` columns has been through `records.folding.same`, text in
`search_key` through `fold`. Columns that lists are sorted by are never NULL, so that a place in a list can be
told by their values. The search index has tables of its own, see `records.search_index`.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _uid() -> Column[str]:
    return Column("uid", Text, nullable=False, unique=True)


def _revisions() -> tuple[Column[int], Column[int]]:
    return Column("added_rev", Integer, nullable=False), Column("changed_rev", Integer, nullable=False, index=True)


def _to(column: str, **options: object) -> ForeignKey:
    return ForeignKey(column, ondelete="CASCADE")


# ---- the station itself ------------------------------------------------------------------------------------------

state = Table(  # revision, library_revision, oldest_revision (see records.revisions), station_id
    "state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

removed = Table(
    "removed",
    metadata,
    Column("kind", Text, primary_key=True),  # track album artist playlist
    Column("uid", Text, primary_key=True),
    Column("rev", Integer, nullable=False, index=True),
    Column("user_id", Integer),  # playlists: whose it was; NULL: everybody's business
)

roots = Table(
    "roots",
    metadata,
    _key(),
    Column("path", Text, nullable=False, unique=True),  # absolute, see model.filepath
    Column("position", Integer, nullable=False),
    Column("added_at", Float, nullable=False),
    Column("forgotten_at", Float),  # taken out of the library by a person; its tracks are missing
)

# ---- the library -------------------------------------------------------------------------------------------------

artists = Table(
    "artists",
    metadata,
    _key(),
    _uid(),
    Column("folded", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("sort_name", Text, nullable=False),
    Column("sort_key", Text, nullable=False),
    Column("search_key", Text, nullable=False),
    Column("mbid", Text),
    Column("album_count", Integer, nullable=False, server_default="0"),  # with a visible track, credited on the album
    Column("track_count", Integer, nullable=False, server_default="0"),  # visible, as artist or album artist
    Column("added_at", Float, nullable=False),
    Column("predecessor_id", Integer),  # the artist this one was called before a retag, until that is settled
    *_revisions(),
    Index(None, "sort_key"),
    Index(None, "search_key"),
    Index("ix_artists_predecessor_id", "predecessor_id", sqlite_where=text("predecessor_id IS NOT NULL")),
)

artwork = Table(  # a picture as it lies in the music folder; rendered sizes live in the cache
    "artwork",
    metadata,
    _key(),
    Column("kind", Text, nullable=False),  # embedded | sidecar
    Column("root_id", Integer, _to("roots.id"), nullable=False),
    Column("folder", Text, nullable=False),  # whose picture it is; "" is the root itself
    Column("path", Text, nullable=False),  # of the picture, or of the audio file that embeds it
    Column("size_bytes", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("version", Text, nullable=False),  # of size and mtime
    Column("color", Text),  # #rrggbb, once rendered
    Column("width", Integer),  # pixels, once looked at
    Column("height", Integer),
    Column("kept", Text),  # sha256 of a copy in data/covers, for when the picture's file is not on this machine
    UniqueConstraint("root_id", "path"),
    Index(None, "root_id", "folder"),
)

_VISIBLE_ALBUM = text("track_count > 0")

albums = Table(
    "albums",
    metadata,
    _key(),
    _uid(),
    Column("key", Text, nullable=False, unique=True),  # identity, see records.identity
    Column("loose", Integer, nullable=False),  # no album artist in the tags: told from the tracks' artists
    Column("title", Text, nullable=False),
    Column("sort_key", Text, nullable=False),
    Column("search_key", Text, nullable=False),
    Column("artist", Text, nullable=False),  # as shown
    Column("artist_sort_key", Text, nullable=False),
    Column("year", Integer),
    Column("year_key", Integer, nullable=False, server_default="0"),  # 0: unknown
    Column("date", Text),
    Column("original_date", Text),
    Column("mbid", Text),
    Column("release_group_mbid", Text),
    Column("compilation", Integer, nullable=False, server_default="0"),
    Column("track_count", Integer, nullable=False, server_default="0"),  # visible; 0: the album is not shown
    Column("disc_count", Integer, nullable=False, server_default="0"),
    Column("duration_ms", Integer, nullable=False, server_default="0"),
    Column("artwork_id", Integer, ForeignKey("artwork.id", ondelete="SET NULL")),
    Column("added_at", Float, nullable=False),
    Column("predecessor_id", Integer),  # the album its first tracks came from by a retag, until that is settled
    *_revisions(),
    Index("ix_albums_sort_key", "sort_key", sqlite_where=_VISIBLE_ALBUM),
    Index("ix_albums_artist_sort_key", "artist_sort_key", "year_key", "sort_key", sqlite_where=_VISIBLE_ALBUM),
    Index("ix_albums_year_key", "year_key", "sort_key", sqlite_where=_VISIBLE_ALBUM),
    Index("ix_albums_added_at", "added_at", sqlite_where=_VISIBLE_ALBUM),
    Index(None, "search_key"),
    Index("ix_albums_artwork_id", "artwork_id", sqlite_where=text("artwork_id IS NOT NULL")),
    Index("ix_albums_predecessor_id", "predecessor_id", sqlite_where=text("predecessor_id IS NOT NULL")),
)

discs = Table(
    "discs",
    metadata,
    Column("album_id", Integer, _to("albums.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("title", Text),
)

_NOT_TRASHED = text("trashed_at IS NULL")


def _list_index(name: str, *columns: str) -> Index:
    """For lists of tracks; they never show what is in the trash."""
    return Index(f"ix_tracks_{name}", *columns, sqlite_where=_NOT_TRASHED)


tracks = Table(
    "tracks",
    metadata,
    _key(),
    _uid(),
    Column("title", Text, nullable=False),
    Column("sort_key", Text, nullable=False),  # folded whole: search begins here too
    Column("artist", Text, nullable=False),  # as shown
    Column("artist_sort_key", Text, nullable=False),
    Column("album_id", Integer, ForeignKey("albums.id", ondelete="SET NULL")),
    Column("album_sort_key", Text, nullable=False),  # of its album and album artist
    Column("album_position", Integer, nullable=False),  # disc × 100,000 + number
    Column("track_number", Integer),
    Column("track_total", Integer),
    Column("disc_number", Integer),
    Column("disc_total", Integer),
    Column("year", Integer),
    Column("year_key", Integer, nullable=False, server_default="0"),  # 0: unknown
    Column("date", Text),
    Column("original_date", Text),
    Column("duration_ms", Integer, nullable=False),
    Column("bpm", Float),
    Column("isrc", Text),
    Column("recording_mbid", Text),
    Column("comment", Text),
    Column("track_gain_db", Float),
    Column("track_peak", Float),
    Column("album_gain_db", Float),
    Column("album_peak", Float),
    Column("has_lyrics", Integer, nullable=False, server_default="0"),
    Column("artwork_id", Integer, ForeignKey("artwork.id", ondelete="SET NULL")),  # only where there is no album
    Column("added_at", Float, nullable=False),
    Column("trashed_at", Float),
    Column("edited", Text, nullable=False, server_default="{}"),  # JSON: fields a person set without writing the file
    *_revisions(),
    Index(None, "album_id", "album_position"),
    _list_index("sort_key", "sort_key"),
    _list_index("artist_sort_key", "artist_sort_key", "album_sort_key", "album_position"),
    _list_index("album_sort_key", "album_sort_key", "album_position"),
    _list_index("added_at", "added_at"),
    _list_index("year_key", "year_key"),
    _list_index("duration_ms", "duration_ms"),
    Index("ix_tracks_trashed_at", "trashed_at", sqlite_where=text("trashed_at IS NOT NULL")),
    Index("ix_tracks_isrc", "isrc", sqlite_where=text("isrc IS NOT NULL")),
    Index("ix_tracks_recording_mbid", "recording_mbid", sqlite_where=text("recording_mbid IS NOT NULL")),
    Index("ix_tracks_artwork_id", "artwork_id", sqlite_where=text("artwork_id IS NOT NULL")),
)

files = Table(  # one a track; the track may outlive it
    "files",
    metadata,
    _key(),
    Column("track_id", Integer, _to("tracks.id"), nullable=False, unique=True),
    Column("root_id", Integer, _to("roots.id"), nullable=False),
    Column("path", Text, nullable=False),  # relative to its root, see model.filepath
    Column("size_bytes", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("device", Text),  # st_dev and st_ino, to know a moved file again (text: 64 bits unsigned)
    Column("inode", Text),
    Column("format", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("bitrate_kbps", Integer),
    Column("sample_rate_hz", Integer),
    Column("bit_depth", Integer),
    Column("channels", Integer),
    Column("picture_bytes", Integer, nullable=False, server_default="0"),
    Column("audio_md5", Text),
    Column("sha256", Text),  # deep scans and downloads only
    Column("sidecar_lyrics", Text),  # "size-mtime_ns" of the .lrc beside it when it was read
    Column("missing_since", Float),
    Column("trashed_from", Text),  # where it lay before it went to the trash; else NULL
    Column("offloaded_at", Float),  # taken off this machine on purpose: it lies in the cloud; else NULL
    UniqueConstraint("root_id", "path"),
    Index("ix_files_sha256", "sha256", sqlite_where=text("sha256 IS NOT NULL")),
    Index("ix_files_missing", "missing_since", sqlite_where=text("missing_since IS NOT NULL")),
)

credits = Table(
    "credits",
    metadata,
    Column("track_id", Integer, _to("tracks.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("artist_id", Integer, _to("artists.id"), nullable=False),
    Column("name", Text, nullable=False),  # as credited here
    Index(None, "artist_id", "role"),
    sqlite_with_rowid=False,
)

album_credits = Table(
    "album_credits",
    metadata,
    Column("album_id", Integer, _to("albums.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("artist_id", Integer, _to("artists.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    sqlite_with_rowid=False,
)

genres = Table(
    "genres",
    metadata,
    _key(),
    Column("folded", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("track_count", Integer, nullable=False, server_default="0"),
    Column("album_count", Integer, nullable=False, server_default="0"),
)

track_genres = Table(
    "track_genres",
    metadata,
    Column("track_id", Integer, _to("tracks.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("genre_id", Integer, _to("genres.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

album_genres = Table(
    "album_genres",
    metadata,
    Column("album_id", Integer, _to("albums.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("genre_id", Integer, _to("genres.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

lyrics = Table(
    "lyrics",
    metadata,
    Column("track_id", Integer, _to("tracks.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("source", Text, nullable=False),  # embedded | sidecar
    Column("synced", Integer, nullable=False),
    Column("language", Text),
    Column("text", Text, nullable=False),
)

copies = Table(  # in buckets, see model.cloud.Copy
    "copies",
    metadata,
    _key(),
    Column("track_id", Integer, _to("tracks.id"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("stored_bytes", Integer, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("format", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("bitrate_kbps", Integer),
    Column("compression", Text, nullable=False, server_default=""),
    Column("source_sha256", Text, nullable=False, index=True),
    Column("source_size_bytes", Integer, nullable=False),
    Column("source_mtime_ns", Integer, nullable=False),
    Column("etag", Text, nullable=False),
    Column("sealed", Integer, nullable=False, server_default="0"),
    Column("verified_at", Float, nullable=False),
    Column("broken", Text),
    Column("added_at", Float, nullable=False),
    UniqueConstraint("track_id", "provider", "key"),
    Index(None, "provider", "key"),
)

cached = Table(  # whole, verified files in the cache, by what is in them
    "cached",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size_bytes", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),  # of the file when it was found right
    Column("verified_at", Float, nullable=False),
    Column("last_used_at", Float, nullable=False, index=True),
)

pins = Table(  # what shall lie on this machine
    "pins",
    metadata,
    Column("kind", Text, primary_key=True),  # album | track
    Column("uid", Text, primary_key=True),
    Column("created_at", Float, nullable=False),
)

uploads = Table(  # in parts, under way or cut off
    "uploads",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("upload_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the plain bytes that are uploaded
    Column("part_bytes", Integer, nullable=False),
    Column("parts", Text, nullable=False, server_default="[]"),  # JSON: [[number, etag, size], …]
    Column("spool", Text),  # path of the compressed file that is uploaded, where there is one
    Column("updated_at", Float, nullable=False),
)

errands = Table(  # long work of the station: uploads, offloads, backups, checks
    "errands",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),  # NULL: the station itself
    Column("kind", Text, nullable=False),  # upload offload fetch backup check
    Column("arguments", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),  # waiting running done failed cancelled
    Column("progress", Text),  # JSON, model.work.Moved
    Column("report", Text),  # JSON, what the command answered
    Column("message", Text),
    Column("attempt", Integer, nullable=False, server_default="0"),  # how often it was begun and failed
    Column("not_before", Float),  # when it is tried again
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Index(None, "state", "created_at"),
)

journal = Table(  # steps of maintenance that can be undone
    "journal",
    metadata,
    _key(),
    _uid(),
    Column("command", Text, nullable=False, index=True),
    Column("summary", Text, nullable=False),
    Column("state", Text, nullable=False),  # open done undoing undone
    Column("created_at", Float, nullable=False),
    Column("undone_at", Float),
)

journal_entries = Table(
    "journal_entries",
    metadata,
    _key(),
    Column("journal_id", Integer, _to("journal.id"), nullable=False, index=True),
    Column("content", Text, nullable=False),  # JSON: what is needed to take it back; written before the deed
    Column("done", Integer, nullable=False, server_default="0"),
)

bad_files = Table(
    "bad_files",
    metadata,
    Column("root_id", Integer, _to("roots.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size_bytes", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # a word of UnreadableFile.REASONS
    Column("message", Text, nullable=False),
    Column("seen_at", Float, nullable=False),
)

scans = Table(
    "scans",
    metadata,
    _key(),
    _uid(),
    Column("state", Text, nullable=False),  # running done failed
    Column("deep", Integer, nullable=False),
    Column("report", Text, nullable=False),  # JSON, the public scan's fields
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
)

# ---- people and their listening ----------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    _key(),
    _uid(),
    Column("username", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("role", Text, nullable=False),  # owner adult child guest
    Column("created_at", Float, nullable=False),
    Column("may_add", Integer),  # 1 yes, 0 no; NULL: as the role has it (model.person)
    Column("may_edit", Integer),
    Column("may_delete", Integer),
    Column("limited", Integer, nullable=False, server_default="0"),  # sees the music of user_folders alone
    Column("identity", Text),  # "issuer subject" of who logs in through OpenID Connect
    Column("second_factor", Text),  # sealed (vault) TOTP secret, base32; NULL: none
    Column("second_factor_step", Integer, nullable=False, server_default="0"),  # the last time step that was used
    Column("recovery_codes", Text, nullable=False, server_default="[]"),  # JSON: SHA-256 (hex) of those not used yet
    Index("ix_users_identity", "identity", unique=True, sqlite_where=text("identity IS NOT NULL")),
)

user_folders = Table(  # what limited people see
    "user_folders",
    metadata,
    Column("user_id", Integer, _to("users.id"), primary_key=True),
    Column("root_id", Integer, _to("roots.id"), primary_key=True),
    Column("path", Text, primary_key=True),  # beneath its root, see model.filepath; "" is all of it
    sqlite_with_rowid=False,
)

tokens = Table(  # sessions, devices, bearer tokens: only their hashes
    "tokens",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, _to("users.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),  # session | device | app
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("scope", Text, nullable=False, server_default="own"),  # listen | add | own
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("last_used_at", Float),
    Column("last_address", Text),
)

app_secrets = Table(  # what programs of the OpenSubsonic API log in with: tokens of the kind app
    "app_secrets",
    metadata,
    Column("token_id", Integer, _to("tokens.id"), primary_key=True),
    Column("secret", Text, nullable=False),  # sealed (vault): their way of logging in needs it in plain
)

invitations = Table(  # links that make an account
    "invitations",
    metadata,
    _key(),
    _uid(),
    Column("hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the link's code
    Column("created_by", Integer, _to("users.id"), nullable=False),
    Column("name", Text, nullable=False, server_default=""),  # whom it is for, as the owner says
    Column("role", Text, nullable=False),
    Column("rights", Text, nullable=False, server_default="{}"),  # JSON {may_add?, may_edit?, may_delete?}
    Column("folders", Text),  # JSON [[root id, path], …]; NULL: all
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Column("used_by", Integer, ForeignKey("users.id", ondelete="SET NULL")),
)

pairings = Table(  # sync tokens that were made
    "pairings",
    metadata,
    _key(),
    _uid(),
    Column("key", LargeBinary, nullable=False),  # derived from the one-time secret: proofs are checked with it
    Column("user_id", Integer, _to("users.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),  # device | move (of the token below to another address) | station
    Column("token_id", Integer, _to("tokens.id")),
    Column("name", Text, nullable=False, server_default=""),
    Column("scope", Text, nullable=False),  # listen | add | own
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
)

stations = Table(  # other stations that a person paired this one with
    "stations",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, _to("users.id"), nullable=False),
    Column("fingerprint", Text, nullable=False),  # of its public key
    Column("name", Text, nullable=False),
    Column("endpoints", Text, nullable=False),  # JSON list of addresses, in the order they are tried
    Column("token", Text, nullable=False),  # sealed (vault)
    Column("created_at", Float, nullable=False),
    Column("last_seen_at", Float),
    Column("last_error", Text),
    UniqueConstraint("user_id", "fingerprint"),
)

audit = Table(  # what matters for who looks after the station; says who even when the account is gone
    "audit",
    metadata,
    _key(),
    Column("at", Float, nullable=False, index=True),
    Column("user_id", Integer),
    Column("username", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("deed", Text, nullable=False),  # a word of model.audit.DEEDS
    Column("subject", Text, nullable=False, server_default=""),
    Column("details", Text, nullable=False, server_default="{}"),  # JSON object
)


def _listening(name: str, thing: str) -> Table:
    return Table(
        name,
        metadata,
        Column("user_id", Integer, _to("users.id"), primary_key=True),
        Column(f"{thing}_id", Integer, _to(f"{thing}s.id"), primary_key=True, index=True),
        Column("favourite_at", Float),
        Column("rating", Integer, nullable=False, server_default="0"),
        Column("play_count", Integer, nullable=False, server_default="0"),
        Column("last_played_at", Float),
        Column("changed_rev", Integer, nullable=False, server_default="0"),
        Index(None, "user_id", "changed_rev"),
        Index(None, "user_id", "last_played_at"),
        Index(None, "user_id", "play_count"),
        Index(None, "user_id", "favourite_at"),
        sqlite_with_rowid=False,
    )


track_listening = _listening("track_listening", "track")
album_listening = _listening("album_listening", "album")
artist_listening = _listening("artist_listening", "artist")

plays = Table(
    "plays",
    metadata,
    _key(),
    Column("user_id", Integer, _to("users.id"), nullable=False),
    Column("track_id", Integer, _to("tracks.id"), nullable=False, index=True),
    Column("played_at", Float, nullable=False),
    Column("played_ms", Integer),
    Column("client", Text),
    Index(None, "user_id", "played_at"),
)

playlists = Table(
    "playlists",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, _to("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("sort_key", Text, nullable=False),
    Column("visibility", Text, nullable=False),  # private shared collaborative
    Column("track_count", Integer, nullable=False, server_default="0"),
    Column("duration_ms", Integer, nullable=False, server_default="0"),
    Column("comment", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    *_revisions(),
)

playlist_entries = Table(
    "playlist_entries",
    metadata,
    Column("playlist_id", Integer, _to("playlists.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("track_id", Integer, _to("tracks.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

queues = Table(
    "queues",
    metadata,
    Column("user_id", Integer, _to("users.id"), primary_key=True),
    Column("track_uids", Text, nullable=False),  # JSON list, of episodes too
    Column("index", Integer, nullable=False),
    Column("position_ms", Integer, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("client", Text, nullable=False, server_default=""),  # which app saved it
)

bookmarks = Table(
    "bookmarks",
    metadata,
    Column("user_id", Integer, _to("users.id"), primary_key=True),
    Column("kind", Text, primary_key=True),  # track | episode
    Column("thing_uid", Text, primary_key=True),
    Column("position_ms", Integer, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

shares = Table(  # links with which who has them hears a few things, without an account
    "shares",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, _to("users.id"), nullable=False, index=True),
    Column("hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the link's code
    Column("code", Text, nullable=False),  # sealed (vault): the link is shown again to whose it is
    Column("entries", Text, nullable=False),  # JSON [[kind, uid], …]; kind: track album artist playlist episode
    Column("description", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),  # NULL: never
    Column("visited_at", Float),
    Column("visit_count", Integer, nullable=False, server_default="0"),
)

scrobblers = Table(  # services that a person's plays are told to
    "scrobblers",
    metadata,
    _key(),
    Column("user_id", Integer, _to("users.id"), nullable=False),
    Column("service", Text, nullable=False),  # listenbrainz | lastfm
    Column("username", Text, nullable=False, server_default=""),  # there
    Column("secret", Text, nullable=False),  # sealed (vault): token or session key
    Column("url", Text, nullable=False, server_default=""),  # of a service that speaks the same; "": the usual one
    Column("connected_at", Float, nullable=False),
    Column("last_sent_at", Float),
    Column("last_error", Text),  # NULL: it works
    UniqueConstraint("user_id", "service"),
)

scrobbles = Table(  # plays on their way to services; written with the play
    "scrobbles",
    metadata,
    _key(),
    Column("scrobbler_id", Integer, _to("scrobblers.id"), nullable=False),
    Column("play_id", Integer, _to("plays.id"), nullable=False, index=True),
    Column("state", Text, nullable=False, server_default="waiting"),  # waiting | sent | refused
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", Float, nullable=False),
    Column("error", Text),
    UniqueConstraint("scrobbler_id", "play_id"),
    Index("ix_scrobbles_waiting", "scrobbler_id", "next_at", sqlite_where=text("state = 'waiting'")),
)

# ---- podcasts and internet radio ---------------------------------------------------------------------------------

podcasts = Table(  # feeds that the station follows, for everybody
    "podcasts",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),  # who added it
    Column("url", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("sort_key", Text, nullable=False, server_default=""),
    Column("author", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("link", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default=""),
    Column("image_url", Text, nullable=False, server_default=""),
    Column("image", Text, nullable=False, server_default=""),  # sha256 of the picture that was fetched; "": none
    Column("keep", Integer, nullable=False, server_default="0"),  # the newest episodes that are fetched by themselves
    Column("etag", Text, nullable=False, server_default=""),  # of the feed, for asking only for news
    Column("modified", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="new"),  # new | completed | error
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("checked_at", Float),
    Column("next_at", Float, nullable=False, index=True),
)

episodes = Table(
    "episodes",
    metadata,
    _key(),
    _uid(),
    Column("podcast_id", Integer, _to("podcasts.id"), nullable=False),
    Column("guid", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("url", Text, nullable=False),  # of its sound
    Column("mime_type", Text, nullable=False, server_default=""),  # as the feed says
    Column("size_bytes", Integer),  # as the feed says, then as it is
    Column("duration_ms", Integer),
    Column("published_at", Float, nullable=False, index=True),
    Column("season", Integer),
    Column("number", Integer),
    Column("image_url", Text, nullable=False, server_default=""),
    Column("explicit", Integer, nullable=False, server_default="0"),
    Column("status", Text, nullable=False, server_default="new"),  # new downloading completed error deleted skipped
    Column("error", Text),
    Column("download_uid", Text),
    Column("path", Text),  # beneath data/podcasts, of what was fetched
    Column("format", Text),
    Column("bitrate_kbps", Integer),
    Column("sample_rate_hz", Integer),
    Column("channels", Integer),
    Column("mtime_ns", Integer),
    Column("sha256", Text),
    Column("downloaded_at", Float),
    Column("added_at", Float, nullable=False),
    UniqueConstraint("podcast_id", "guid"),
    Index(None, "podcast_id", "published_at"),
    Index("ix_episodes_download_uid", "download_uid", sqlite_where=text("download_uid IS NOT NULL")),
)

episode_listening = Table(
    "episode_listening",
    metadata,
    Column("user_id", Integer, _to("users.id"), primary_key=True),
    Column("episode_id", Integer, _to("episodes.id"), primary_key=True, index=True),
    Column("position_ms", Integer, nullable=False, server_default="0"),
    Column("finished", Integer, nullable=False, server_default="0"),
    Column("favourite_at", Float),
    Column("rating", Integer, nullable=False, server_default="0"),
    Column("play_count", Integer, nullable=False, server_default="0"),
    Column("last_played_at", Float),
    sqlite_with_rowid=False,
)

radios = Table(  # internet radio stations
    "radios",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),
    Column("name", Text, nullable=False),
    Column("sort_key", Text, nullable=False),
    Column("stream_url", Text, nullable=False),
    Column("homepage_url", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
)

# ---- how music sounds --------------------------------------------------------------------------------------------

sounds = Table(  # what a track sounds like, for finding those like it
    "sounds",
    metadata,
    Column("track_id", Integer, _to("tracks.id"), primary_key=True),
    Column("version", Integer, nullable=False),  # of the way it was computed
    Column("source", Text, nullable=False),  # "size-mtime_ns" of the file it was computed from
    Column("vector", LargeBinary),  # NULL: the file could not be listened to
    Column("at", Float, nullable=False),
)

# ---- acquiring ---------------------------------------------------------------------------------------------------

downloads = Table(
    "downloads",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),
    Column("status", Text, nullable=False),  # model.download.Status
    Column("stage", Text),  # model.download.STAGES
    Column("priority", Integer, nullable=False),
    Column("quality", Text, nullable=False),
    Column("options", Text, nullable=False),  # JSON, model.download.Options
    Column("url", Text),
    Column("query", Text),
    Column("replaces_track", Text),  # uid of the track to fetch anew
    Column("wanted", Text),  # JSON, model.download.Wanted: once it is understood, or from the start
    Column("title", Text),  # as shown
    Column("artist", Text),
    Column("album", Text),
    Column("cover_url", Text),
    Column("source", Text),
    Column("group_uid", Text),  # asked for together
    Column("parent_id", Integer),  # the download whose link led to this one too
    Column("idempotency_key", Text),  # of its person
    Column("fingerprint", Text, nullable=False),  # hash of what was asked for
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("not_before", Float),
    Column("nightly", Integer, nullable=False, server_default="0"),
    Column("bytes", Integer, nullable=False, server_default="0"),
    Column("total_bytes", Integer),
    Column("candidate_id", Integer),  # the one that is fetched, or was
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_retryable", Integer),
    Column("note", Text),
    Column("track_uid", Text),
    Column("duplicate_of", Text),  # track uid
    Column("quality_got", Text),
    Column("sha256", Text),
    Column("warnings", Text, nullable=False, server_default="[]"),  # JSON list
    Column("stage_ms", Text, nullable=False, server_default="{}"),  # JSON object
    Column("parcel", Text),  # JSON: what the pipeline has worked out so far, to go on after a crash
    Column("hidden_at", Float),  # taken off the list by a person; kept for reports
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    UniqueConstraint("user_id", "idempotency_key"),
    UniqueConstraint("parent_id", "fingerprint"),
    Index(None, "status", "priority", "created_at"),
    Index(None, "created_at"),
    Index(None, "finished_at"),
    Index(None, "fingerprint"),
    Index("ix_downloads_group_uid", "group_uid", sqlite_where=text("group_uid IS NOT NULL")),
)

download_moves = Table(
    "download_moves",
    metadata,
    _key(),
    Column("download_id", Integer, _to("downloads.id"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("from", Text),
    Column("to", Text, nullable=False),
    Column("stage", Text),
    Column("reason", Text),
)

download_candidates = Table(
    "download_candidates",
    metadata,
    _key(),
    _uid(),
    Column("download_id", Integer, _to("downloads.id"), nullable=False),
    Column("position", Integer, nullable=False),  # best first
    Column("provider", Text, nullable=False),
    Column("key", Text, nullable=False),  # model.download.Candidate.key
    Column("score", Float, nullable=False),
    Column("rejected", Text),
    Column("content", Text, nullable=False),  # JSON, the rest of model.download.Candidate
    UniqueConstraint("download_id", "key"),
)

blocked_candidates = Table(  # "not this"
    "blocked_candidates",
    metadata,
    _key(),
    Column("key", Text, nullable=False),
    Column("wanted_key", Text, nullable=False),  # for which recording it is wrong; "" for any
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),
    Column("at", Float, nullable=False),
    UniqueConstraint("key", "wanted_key"),
)

breakers = Table(
    "breakers",
    metadata,
    Column("name", Text, primary_key=True),  # of the provider or service
    Column("operation", Text, primary_key=True),
    Column("state", Text, nullable=False),  # closed open half_open
    Column("failure_count", Integer, nullable=False),
    Column("opened_at", Float),
    Column("last_success", Float),
    Column("last_failure", Float),
    Column("last_error", Text),
)

origins = Table(  # where a downloaded track came from
    "origins",
    metadata,
    Column("track_id", Integer, _to("tracks.id"), primary_key=True),
    Column("provider", Text, nullable=False),
    Column("source", Text),  # who named it
    Column("url", Text),
    Column("downloaded_at", Float, nullable=False),
    Column("sha256", Text),
    Column("review", Text),  # why a person should look
    Column("content", Text, nullable=False),  # JSON: quality asked and got, size, stages, what file and catalogue said
    Index("ix_origins_url", "url", sqlite_where=text("url IS NOT NULL")),
    Index("ix_origins_review", "review", sqlite_where=text("review IS NOT NULL")),
)

lookups = Table(  # answers of outside services
    "lookups",
    metadata,
    Column("service", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("answer", Text, nullable=False),  # JSON
    Column("at", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)

watches = Table(  # artists, playlists and feeds whose new tracks are queued
    "watches",
    metadata,
    _key(),
    _uid(),
    Column("user_id", Integer, _to("users.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),  # artist | album | playlist | feed
    Column("url", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("options", Text, nullable=False),  # JSON, model.download.Options
    Column("every_s", Integer, nullable=False),
    Column("most", Integer, nullable=False),  # new tracks queued a check
    Column("nightly", Integer, nullable=False, server_default="0"),
    Column("paused", Integer, nullable=False, server_default="0"),
    Column("seen", Text, nullable=False, server_default="[]"),  # JSON: keys of what was there before
    Column("checked_at", Float),
    Column("next_at", Float, nullable=False, index=True),
    Column("last_error", Text),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("user_id", "url"),
)
