"""The first tables, and the search index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FTS = "tokenize = 'ascii', prefix = '2 3', detail = none, columnsize = 0"
_SEARCH = (
    f"CREATE VIRTUAL TABLE track_words USING fts5(title, artist, album, {_FTS})",
    f"CREATE VIRTUAL TABLE album_words USING fts5(title, artist, {_FTS})",
    f"CREATE VIRTUAL TABLE artist_words USING fts5(name, {_FTS})",
    "CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word TEXT NOT NULL UNIQUE, sound TEXT NOT NULL)",
    "CREATE INDEX ix_words_sound ON words (sound)",
    "CREATE TABLE word_tails (tail TEXT NOT NULL, word_id INTEGER NOT NULL, PRIMARY KEY (tail, word_id)) WITHOUT ROWID",
    "CREATE TABLE word_slips (slip INTEGER NOT NULL, word_id INTEGER NOT NULL, "
    "PRIMARY KEY (slip, word_id)) WITHOUT ROWID",
)
_SEARCH_TABLES = ("track_words", "album_words", "artist_words", "word_slips", "word_tails", "words")


def upgrade() -> None:
    op.create_table(
        "artists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.Column("mbid", sa.Text(), nullable=True),
        sa.Column("album_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("track_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("predecessor_id", sa.Integer(), nullable=True),
        sa.Column("added_rev", sa.Integer(), nullable=False),
        sa.Column("changed_rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artists")),
        sa.UniqueConstraint("folded", name=op.f("uq_artists_folded")),
        sa.UniqueConstraint("uid", name=op.f("uq_artists_uid")),
    )
    op.create_index(op.f("ix_artists_changed_rev"), "artists", ["changed_rev"], unique=False)
    op.create_index(
        "ix_artists_predecessor_id",
        "artists",
        ["predecessor_id"],
        unique=False,
        sqlite_where=sa.text("predecessor_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_artists_search_key"), "artists", ["search_key"], unique=False)
    op.create_index(op.f("ix_artists_sort_key"), "artists", ["sort_key"], unique=False)
    op.create_table(
        "genres",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("track_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("album_count", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genres")),
        sa.UniqueConstraint("folded", name=op.f("uq_genres_folded")),
    )
    op.create_table(
        "removed",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "uid", name=op.f("pk_removed")),
    )
    op.create_index(op.f("ix_removed_rev"), "removed", ["rev"], unique=False)
    op.create_table(
        "roots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("forgotten_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roots")),
        sa.UniqueConstraint("path", name=op.f("uq_roots_path")),
    )
    op.create_table(
        "scans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("deep", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
        sa.UniqueConstraint("uid", name=op.f("uq_scans_uid")),
    )
    op.create_table(
        "state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_state")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("folded", name=op.f("uq_users_folded")),
        sa.UniqueConstraint("uid", name=op.f("uq_users_uid")),
    )
    op.create_table(
        "artist_listening",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("artist_id", sa.Integer(), nullable=False),
        sa.Column("favourite_at", sa.Float(), nullable=True),
        sa.Column("rating", sa.Integer(), server_default="0", nullable=False),
        sa.Column("play_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_played_at", sa.Float(), nullable=True),
        sa.Column("changed_rev", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["artists.id"], name=op.f("fk_artist_listening_artist_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_artist_listening_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "artist_id", name=op.f("pk_artist_listening")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_artist_listening_artist_id"), "artist_listening", ["artist_id"], unique=False)
    op.create_index(
        op.f("ix_artist_listening_user_id_changed_rev"), "artist_listening", ["user_id", "changed_rev"], unique=False
    )
    op.create_index(
        op.f("ix_artist_listening_user_id_favourite_at"), "artist_listening", ["user_id", "favourite_at"], unique=False
    )
    op.create_index(
        op.f("ix_artist_listening_user_id_last_played_at"),
        "artist_listening",
        ["user_id", "last_played_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_artist_listening_user_id_play_count"), "artist_listening", ["user_id", "play_count"], unique=False
    )
    op.create_table(
        "artwork",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("mtime_ns", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name=op.f("fk_artwork_root_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artwork")),
        sa.UniqueConstraint("root_id", "path", name=op.f("uq_artwork_root_id_path")),
    )
    op.create_index(op.f("ix_artwork_root_id_folder"), "artwork", ["root_id", "folder"], unique=False)
    op.create_table(
        "bad_files",
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("mtime_ns", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name=op.f("fk_bad_files_root_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("root_id", "path", name=op.f("pk_bad_files")),
    )
    op.create_table(
        "playlists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("track_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("duration_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("added_rev", sa.Integer(), nullable=False),
        sa.Column("changed_rev", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_playlists_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playlists")),
        sa.UniqueConstraint("uid", name=op.f("uq_playlists_uid")),
    )
    op.create_index(op.f("ix_playlists_changed_rev"), "playlists", ["changed_rev"], unique=False)
    op.create_index(op.f("ix_playlists_user_id"), "playlists", ["user_id"], unique=False)
    op.create_table(
        "queues",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("track_uids", sa.Text(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("position_ms", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_queues_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_queues")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), server_default="own", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.Column("last_address", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
        sa.UniqueConstraint("uid", name=op.f("uq_tokens_uid")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"], unique=False)
    op.create_table(
        "albums",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("loose", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("artist_sort_key", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("year_key", sa.Integer(), server_default="0", nullable=False),
        sa.Column("date", sa.Text(), nullable=True),
        sa.Column("original_date", sa.Text(), nullable=True),
        sa.Column("mbid", sa.Text(), nullable=True),
        sa.Column("release_group_mbid", sa.Text(), nullable=True),
        sa.Column("compilation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("track_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("disc_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("duration_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("artwork_id", sa.Integer(), nullable=True),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("predecessor_id", sa.Integer(), nullable=True),
        sa.Column("added_rev", sa.Integer(), nullable=False),
        sa.Column("changed_rev", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["artwork_id"], ["artwork.id"], name=op.f("fk_albums_artwork_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_albums")),
        sa.UniqueConstraint("key", name=op.f("uq_albums_key")),
        sa.UniqueConstraint("uid", name=op.f("uq_albums_uid")),
    )
    op.create_index("ix_albums_added_at", "albums", ["added_at"], unique=False, sqlite_where=sa.text("track_count > 0"))
    op.create_index(
        "ix_albums_artist_sort_key",
        "albums",
        ["artist_sort_key", "year_key", "sort_key"],
        unique=False,
        sqlite_where=sa.text("track_count > 0"),
    )
    op.create_index(
        "ix_albums_artwork_id", "albums", ["artwork_id"], unique=False, sqlite_where=sa.text("artwork_id IS NOT NULL")
    )
    op.create_index(op.f("ix_albums_changed_rev"), "albums", ["changed_rev"], unique=False)
    op.create_index(
        "ix_albums_predecessor_id",
        "albums",
        ["predecessor_id"],
        unique=False,
        sqlite_where=sa.text("predecessor_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_albums_search_key"), "albums", ["search_key"], unique=False)
    op.create_index("ix_albums_sort_key", "albums", ["sort_key"], unique=False, sqlite_where=sa.text("track_count > 0"))
    op.create_index(
        "ix_albums_year_key", "albums", ["year_key", "sort_key"], unique=False, sqlite_where=sa.text("track_count > 0")
    )
    op.create_table(
        "album_credits",
        sa.Column("album_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("artist_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["album_id"], ["albums.id"], name=op.f("fk_album_credits_album_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["artists.id"], name=op.f("fk_album_credits_artist_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("album_id", "position", name=op.f("pk_album_credits")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_album_credits_artist_id"), "album_credits", ["artist_id"], unique=False)
    op.create_table(
        "album_genres",
        sa.Column("album_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("genre_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name=op.f("fk_album_genres_album_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["genre_id"], ["genres.id"], name=op.f("fk_album_genres_genre_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("album_id", "position", name=op.f("pk_album_genres")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_album_genres_genre_id"), "album_genres", ["genre_id"], unique=False)
    op.create_table(
        "album_listening",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("album_id", sa.Integer(), nullable=False),
        sa.Column("favourite_at", sa.Float(), nullable=True),
        sa.Column("rating", sa.Integer(), server_default="0", nullable=False),
        sa.Column("play_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_played_at", sa.Float(), nullable=True),
        sa.Column("changed_rev", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["album_id"], ["albums.id"], name=op.f("fk_album_listening_album_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_album_listening_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "album_id", name=op.f("pk_album_listening")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_album_listening_album_id"), "album_listening", ["album_id"], unique=False)
    op.create_index(
        op.f("ix_album_listening_user_id_changed_rev"), "album_listening", ["user_id", "changed_rev"], unique=False
    )
    op.create_index(
        op.f("ix_album_listening_user_id_favourite_at"), "album_listening", ["user_id", "favourite_at"], unique=False
    )
    op.create_index(
        op.f("ix_album_listening_user_id_last_played_at"),
        "album_listening",
        ["user_id", "last_played_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_album_listening_user_id_play_count"), "album_listening", ["user_id", "play_count"], unique=False
    )
    op.create_table(
        "discs",
        sa.Column("album_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name=op.f("fk_discs_album_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("album_id", "number", name=op.f("pk_discs")),
    )
    op.create_table(
        "tracks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("artist_sort_key", sa.Text(), nullable=False),
        sa.Column("album_id", sa.Integer(), nullable=True),
        sa.Column("album_sort_key", sa.Text(), nullable=False),
        sa.Column("album_position", sa.Integer(), nullable=False),
        sa.Column("track_number", sa.Integer(), nullable=True),
        sa.Column("track_total", sa.Integer(), nullable=True),
        sa.Column("disc_number", sa.Integer(), nullable=True),
        sa.Column("disc_total", sa.Integer(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("year_key", sa.Integer(), server_default="0", nullable=False),
        sa.Column("date", sa.Text(), nullable=True),
        sa.Column("original_date", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("bpm", sa.Float(), nullable=True),
        sa.Column("isrc", sa.Text(), nullable=True),
        sa.Column("recording_mbid", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("track_gain_db", sa.Float(), nullable=True),
        sa.Column("track_peak", sa.Float(), nullable=True),
        sa.Column("album_gain_db", sa.Float(), nullable=True),
        sa.Column("album_peak", sa.Float(), nullable=True),
        sa.Column("has_lyrics", sa.Integer(), server_default="0", nullable=False),
        sa.Column("artwork_id", sa.Integer(), nullable=True),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("trashed_at", sa.Float(), nullable=True),
        sa.Column("edited", sa.Text(), server_default="{}", nullable=False),
        sa.Column("added_rev", sa.Integer(), nullable=False),
        sa.Column("changed_rev", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name=op.f("fk_tracks_album_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["artwork_id"], ["artwork.id"], name=op.f("fk_tracks_artwork_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracks")),
        sa.UniqueConstraint("uid", name=op.f("uq_tracks_uid")),
    )
    op.create_index(
        "ix_tracks_added_at", "tracks", ["added_at"], unique=False, sqlite_where=sa.text("trashed_at IS NULL")
    )
    op.create_index(op.f("ix_tracks_album_id_album_position"), "tracks", ["album_id", "album_position"], unique=False)
    op.create_index(
        "ix_tracks_album_sort_key",
        "tracks",
        ["album_sort_key", "album_position"],
        unique=False,
        sqlite_where=sa.text("trashed_at IS NULL"),
    )
    op.create_index(
        "ix_tracks_artist_sort_key",
        "tracks",
        ["artist_sort_key", "album_sort_key", "album_position"],
        unique=False,
        sqlite_where=sa.text("trashed_at IS NULL"),
    )
    op.create_index(
        "ix_tracks_artwork_id", "tracks", ["artwork_id"], unique=False, sqlite_where=sa.text("artwork_id IS NOT NULL")
    )
    op.create_index(op.f("ix_tracks_changed_rev"), "tracks", ["changed_rev"], unique=False)
    op.create_index(
        "ix_tracks_duration_ms", "tracks", ["duration_ms"], unique=False, sqlite_where=sa.text("trashed_at IS NULL")
    )
    op.create_index("ix_tracks_isrc", "tracks", ["isrc"], unique=False, sqlite_where=sa.text("isrc IS NOT NULL"))
    op.create_index(
        "ix_tracks_recording_mbid",
        "tracks",
        ["recording_mbid"],
        unique=False,
        sqlite_where=sa.text("recording_mbid IS NOT NULL"),
    )
    op.create_index(
        "ix_tracks_sort_key", "tracks", ["sort_key"], unique=False, sqlite_where=sa.text("trashed_at IS NULL")
    )
    op.create_index(
        "ix_tracks_trashed_at", "tracks", ["trashed_at"], unique=False, sqlite_where=sa.text("trashed_at IS NOT NULL")
    )
    op.create_index(
        "ix_tracks_year_key", "tracks", ["year_key"], unique=False, sqlite_where=sa.text("trashed_at IS NULL")
    )
    op.create_table(
        "credits",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("artist_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["artist_id"], ["artists.id"], name=op.f("fk_credits_artist_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_credits_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("track_id", "role", "position", name=op.f("pk_credits")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_credits_artist_id_role"), "credits", ["artist_id", "role"], unique=False)
    op.create_table(
        "files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("mtime_ns", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("inode", sa.Text(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("bitrate_kbps", sa.Integer(), nullable=True),
        sa.Column("sample_rate_hz", sa.Integer(), nullable=True),
        sa.Column("bit_depth", sa.Integer(), nullable=True),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("picture_bytes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("audio_md5", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("sidecar_lyrics", sa.Text(), nullable=True),
        sa.Column("missing_since", sa.Float(), nullable=True),
        sa.Column("trashed_from", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name=op.f("fk_files_root_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_files_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("root_id", "path", name=op.f("uq_files_root_id_path")),
        sa.UniqueConstraint("track_id", name=op.f("uq_files_track_id")),
    )
    op.create_index(
        "ix_files_missing", "files", ["missing_since"], unique=False, sqlite_where=sa.text("missing_since IS NOT NULL")
    )
    op.create_index("ix_files_sha256", "files", ["sha256"], unique=False, sqlite_where=sa.text("sha256 IS NOT NULL"))
    op.create_table(
        "lyrics",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("synced", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_lyrics_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("track_id", "position", name=op.f("pk_lyrics")),
    )
    op.create_table(
        "places",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.Float(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_places_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places")),
        sa.UniqueConstraint("provider", "key", name=op.f("uq_places_provider_key")),
    )
    op.create_index(op.f("ix_places_track_id"), "places", ["track_id"], unique=False)
    op.create_table(
        "playlist_entries",
        sa.Column("playlist_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["playlist_id"], ["playlists.id"], name=op.f("fk_playlist_entries_playlist_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["track_id"], ["tracks.id"], name=op.f("fk_playlist_entries_track_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("playlist_id", "position", name=op.f("pk_playlist_entries")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_playlist_entries_track_id"), "playlist_entries", ["track_id"], unique=False)
    op.create_table(
        "plays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("played_at", sa.Float(), nullable=False),
        sa.Column("played_ms", sa.Integer(), nullable=True),
        sa.Column("client", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_plays_track_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_plays_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plays")),
    )
    op.create_index(op.f("ix_plays_track_id"), "plays", ["track_id"], unique=False)
    op.create_index(op.f("ix_plays_user_id_played_at"), "plays", ["user_id", "played_at"], unique=False)
    op.create_table(
        "track_genres",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("genre_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["genre_id"], ["genres.id"], name=op.f("fk_track_genres_genre_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_track_genres_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("track_id", "position", name=op.f("pk_track_genres")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_track_genres_genre_id"), "track_genres", ["genre_id"], unique=False)
    op.create_table(
        "track_listening",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("favourite_at", sa.Float(), nullable=True),
        sa.Column("rating", sa.Integer(), server_default="0", nullable=False),
        sa.Column("play_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_played_at", sa.Float(), nullable=True),
        sa.Column("changed_rev", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["track_id"], ["tracks.id"], name=op.f("fk_track_listening_track_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_track_listening_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "track_id", name=op.f("pk_track_listening")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_track_listening_track_id"), "track_listening", ["track_id"], unique=False)
    op.create_index(
        op.f("ix_track_listening_user_id_changed_rev"), "track_listening", ["user_id", "changed_rev"], unique=False
    )
    op.create_index(
        op.f("ix_track_listening_user_id_favourite_at"), "track_listening", ["user_id", "favourite_at"], unique=False
    )
    op.create_index(
        op.f("ix_track_listening_user_id_last_played_at"),
        "track_listening",
        ["user_id", "last_played_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_track_listening_user_id_play_count"), "track_listening", ["user_id", "play_count"], unique=False
    )
    for statement in _SEARCH:
        op.execute(statement)


def downgrade() -> None:
    for table in _SEARCH_TABLES:
        op.execute(f"DROP TABLE {table}")
    op.drop_index(op.f("ix_track_listening_user_id_play_count"), table_name="track_listening")
    op.drop_index(op.f("ix_track_listening_user_id_last_played_at"), table_name="track_listening")
    op.drop_index(op.f("ix_track_listening_user_id_favourite_at"), table_name="track_listening")
    op.drop_index(op.f("ix_track_listening_user_id_changed_rev"), table_name="track_listening")
    op.drop_index(op.f("ix_track_listening_track_id"), table_name="track_listening")
    op.drop_table("track_listening")
    op.drop_index(op.f("ix_track_genres_genre_id"), table_name="track_genres")
    op.drop_table("track_genres")
    op.drop_index(op.f("ix_plays_user_id_played_at"), table_name="plays")
    op.drop_index(op.f("ix_plays_track_id"), table_name="plays")
    op.drop_table("plays")
    op.drop_index(op.f("ix_playlist_entries_track_id"), table_name="playlist_entries")
    op.drop_table("playlist_entries")
    op.drop_index(op.f("ix_places_track_id"), table_name="places")
    op.drop_table("places")
    op.drop_table("lyrics")
    op.drop_index("ix_files_sha256", table_name="files", sqlite_where=sa.text("sha256 IS NOT NULL"))
    op.drop_index("ix_files_missing", table_name="files", sqlite_where=sa.text("missing_since IS NOT NULL"))
    op.drop_table("files")
    op.drop_index(op.f("ix_credits_artist_id_role"), table_name="credits")
    op.drop_table("credits")
    op.drop_index("ix_tracks_year_key", table_name="tracks", sqlite_where=sa.text("trashed_at IS NULL"))
    op.drop_index("ix_tracks_trashed_at", table_name="tracks", sqlite_where=sa.text("trashed_at IS NOT NULL"))
    op.drop_index("ix_tracks_sort_key", table_name="tracks", sqlite_where=sa.text("trashed_at IS NULL"))
    op.drop_index("ix_tracks_recording_mbid", table_name="tracks", sqlite_where=sa.text("recording_mbid IS NOT NULL"))
    op.drop_index("ix_tracks_isrc", table_name="tracks", sqlite_where=sa.text("isrc IS NOT NULL"))
    op.drop_index("ix_tracks_duration_ms", table_name="tracks", sqlite_where=sa.text("trashed_at IS NULL"))
    op.drop_index(op.f("ix_tracks_changed_rev"), table_name="tracks")
    op.drop_index("ix_tracks_artwork_id", table_name="tracks", sqlite_where=sa.text("artwork_id IS NOT NULL"))
    op.drop_index("ix_tracks_artist_sort_key", table_name="tracks", sqlite_where=sa.text("trashed_at IS NULL"))
    op.drop_index("ix_tracks_album_sort_key", table_name="tracks", sqlite_where=sa.text("trashed_at IS NULL"))
    op.drop_index(op.f("ix_tracks_album_id_album_position"), table_name="tracks")
    op.drop_index("ix_tracks_added_at", table_name="tracks", sqlite_where=sa.text("trashed_at IS NULL"))
    op.drop_table("tracks")
    op.drop_table("discs")
    op.drop_index(op.f("ix_album_listening_user_id_play_count"), table_name="album_listening")
    op.drop_index(op.f("ix_album_listening_user_id_last_played_at"), table_name="album_listening")
    op.drop_index(op.f("ix_album_listening_user_id_favourite_at"), table_name="album_listening")
    op.drop_index(op.f("ix_album_listening_user_id_changed_rev"), table_name="album_listening")
    op.drop_index(op.f("ix_album_listening_album_id"), table_name="album_listening")
    op.drop_table("album_listening")
    op.drop_index(op.f("ix_album_genres_genre_id"), table_name="album_genres")
    op.drop_table("album_genres")
    op.drop_index(op.f("ix_album_credits_artist_id"), table_name="album_credits")
    op.drop_table("album_credits")
    op.drop_index("ix_albums_year_key", table_name="albums", sqlite_where=sa.text("track_count > 0"))
    op.drop_index("ix_albums_sort_key", table_name="albums", sqlite_where=sa.text("track_count > 0"))
    op.drop_index(op.f("ix_albums_search_key"), table_name="albums")
    op.drop_index("ix_albums_predecessor_id", table_name="albums", sqlite_where=sa.text("predecessor_id IS NOT NULL"))
    op.drop_index(op.f("ix_albums_changed_rev"), table_name="albums")
    op.drop_index("ix_albums_artwork_id", table_name="albums", sqlite_where=sa.text("artwork_id IS NOT NULL"))
    op.drop_index("ix_albums_artist_sort_key", table_name="albums", sqlite_where=sa.text("track_count > 0"))
    op.drop_index("ix_albums_added_at", table_name="albums", sqlite_where=sa.text("track_count > 0"))
    op.drop_table("albums")
    op.drop_index(op.f("ix_tokens_user_id"), table_name="tokens")
    op.drop_table("tokens")
    op.drop_table("queues")
    op.drop_index(op.f("ix_playlists_user_id"), table_name="playlists")
    op.drop_index(op.f("ix_playlists_changed_rev"), table_name="playlists")
    op.drop_table("playlists")
    op.drop_table("bad_files")
    op.drop_index(op.f("ix_artwork_root_id_folder"), table_name="artwork")
    op.drop_table("artwork")
    op.drop_index(op.f("ix_artist_listening_user_id_play_count"), table_name="artist_listening")
    op.drop_index(op.f("ix_artist_listening_user_id_last_played_at"), table_name="artist_listening")
    op.drop_index(op.f("ix_artist_listening_user_id_favourite_at"), table_name="artist_listening")
    op.drop_index(op.f("ix_artist_listening_user_id_changed_rev"), table_name="artist_listening")
    op.drop_index(op.f("ix_artist_listening_artist_id"), table_name="artist_listening")
    op.drop_table("artist_listening")
    op.drop_table("users")
    op.drop_table("state")
    op.drop_table("scans")
    op.drop_table("roots")
    op.drop_index(op.f("ix_removed_rev"), table_name="removed")
    op.drop_table("removed")
    op.drop_table("genres")
    op.drop_index(op.f("ix_artists_sort_key"), table_name="artists")
    op.drop_index(op.f("ix_artists_search_key"), table_name="artists")
    op.drop_index("ix_artists_predecessor_id", table_name="artists", sqlite_where=sa.text("predecessor_id IS NOT NULL"))
    op.drop_index(op.f("ix_artists_changed_rev"), table_name="artists")
    op.drop_table("artists")
