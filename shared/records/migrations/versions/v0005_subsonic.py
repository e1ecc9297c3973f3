"""Every Subsonic app: app passwords, bookmarks, shares, scrobbles, podcasts, internet radio, and how music sounds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bookmarks",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("thing_uid", sa.Text(), nullable=False),
        sa.Column("position_ms", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bookmarks_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "kind", "thing_uid", name=op.f("pk_bookmarks")),
        sqlite_with_rowid=False
    )
    op.create_table(
        "podcasts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("sort_key", sa.Text(), server_default="", nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("link", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("image_url", sa.Text(), server_default="", nullable=False),
        sa.Column("image", sa.Text(), server_default="", nullable=False),
        sa.Column("keep", sa.Integer(), server_default="0", nullable=False),
        sa.Column("etag", sa.Text(), server_default="", nullable=False),
        sa.Column("modified", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="new", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("checked_at", sa.Float(), nullable=True),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_podcasts_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_podcasts")),
        sa.UniqueConstraint("uid", name=op.f("uq_podcasts_uid")),
        sa.UniqueConstraint("url", name=op.f("uq_podcasts_url"))
    )
    op.create_index(op.f("ix_podcasts_next_at"), "podcasts", ["next_at"], unique=False)
    op.create_table(
        "radios",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("stream_url", sa.Text(), nullable=False),
        sa.Column("homepage_url", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_radios_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_radios")),
        sa.UniqueConstraint("uid", name=op.f("uq_radios_uid"))
    )
    op.create_table(
        "scrobblers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), server_default="", nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("connected_at", sa.Float(), nullable=False),
        sa.Column("last_sent_at", sa.Float(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_scrobblers_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scrobblers")),
        sa.UniqueConstraint("user_id", "service", name=op.f("uq_scrobblers_user_id_service"))
    )
    op.create_table(
        "shares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("visited_at", sa.Float(), nullable=True),
        sa.Column("visit_count", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_shares_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("hash", name=op.f("uq_shares_hash")),
        sa.UniqueConstraint("uid", name=op.f("uq_shares_uid"))
    )
    op.create_index(op.f("ix_shares_user_id"), "shares", ["user_id"], unique=False)
    op.create_table(
        "app_secrets",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_app_secrets_token_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_app_secrets"))
    )
    op.create_table(
        "episodes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("podcast_id", sa.Integer(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), server_default="", nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.Float(), nullable=False),
        sa.Column("season", sa.Integer(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("image_url", sa.Text(), server_default="", nullable=False),
        sa.Column("explicit", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.Text(), server_default="new", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("download_uid", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("bitrate_kbps", sa.Integer(), nullable=True),
        sa.Column("sample_rate_hz", sa.Integer(), nullable=True),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("mtime_ns", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("downloaded_at", sa.Float(), nullable=True),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["podcast_id"], ["podcasts.id"], name=op.f("fk_episodes_podcast_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
        sa.UniqueConstraint("podcast_id", "guid", name=op.f("uq_episodes_podcast_id_guid")),
        sa.UniqueConstraint("uid", name=op.f("uq_episodes_uid"))
    )
    op.create_index(
        "ix_episodes_download_uid", "episodes", ["download_uid"], unique=False,
        sqlite_where=sa.text("download_uid IS NOT NULL"))
    op.create_index(
        op.f("ix_episodes_podcast_id_published_at"), "episodes", ["podcast_id", "published_at"], unique=False)
    op.create_index(op.f("ix_episodes_published_at"), "episodes", ["published_at"], unique=False)
    op.create_table(
        "episode_listening",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("episode_id", sa.Integer(), nullable=False),
        sa.Column("position_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("finished", sa.Integer(), server_default="0", nullable=False),
        sa.Column("favourite_at", sa.Float(), nullable=True),
        sa.Column("rating", sa.Integer(), server_default="0", nullable=False),
        sa.Column("play_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_played_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_episode_listening_episode_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_episode_listening_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "episode_id", name=op.f("pk_episode_listening")),
        sqlite_with_rowid=False
    )
    op.create_index(op.f("ix_episode_listening_episode_id"), "episode_listening", ["episode_id"], unique=False)
    op.create_table(
        "sounds",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_sounds_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("track_id", name=op.f("pk_sounds"))
    )
    op.create_table(
        "scrobbles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scrobbler_id", sa.Integer(), nullable=False),
        sa.Column("play_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["play_id"], ["plays.id"], name=op.f("fk_scrobbles_play_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["scrobbler_id"], ["scrobblers.id"], name=op.f("fk_scrobbles_scrobbler_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scrobbles")),
        sa.UniqueConstraint("scrobbler_id", "play_id", name=op.f("uq_scrobbles_scrobbler_id_play_id"))
    )
    op.create_index(op.f("ix_scrobbles_play_id"), "scrobbles", ["play_id"], unique=False)
    op.create_index(
        "ix_scrobbles_waiting", "scrobbles", ["scrobbler_id", "next_at"], unique=False,
        sqlite_where=sa.text("state = 'waiting'"))
    op.add_column("playlists", sa.Column("comment", sa.Text(), server_default="", nullable=False))
    op.add_column("queues", sa.Column("client", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("queues", "client")
    op.drop_column("playlists", "comment")
    op.drop_index("ix_scrobbles_waiting", table_name="scrobbles", sqlite_where=sa.text("state = 'waiting'"))
    op.drop_index(op.f("ix_scrobbles_play_id"), table_name="scrobbles")
    op.drop_table("scrobbles")
    op.drop_table("sounds")
    op.drop_index(op.f("ix_episode_listening_episode_id"), table_name="episode_listening")
    op.drop_table("episode_listening")
    op.drop_index(op.f("ix_episodes_published_at"), table_name="episodes")
    op.drop_index(op.f("ix_episodes_podcast_id_published_at"), table_name="episodes")
    op.drop_index("ix_episodes_download_uid", table_name="episodes", sqlite_where=sa.text("download_uid IS NOT NULL"))
    op.drop_table("episodes")
    op.drop_table("app_secrets")
    op.drop_index(op.f("ix_shares_user_id"), table_name="shares")
    op.drop_table("shares")
    op.drop_table("scrobblers")
    op.drop_table("radios")
    op.drop_index(op.f("ix_podcasts_next_at"), table_name="podcasts")
    op.drop_table("podcasts")
    op.drop_table("bookmarks")
