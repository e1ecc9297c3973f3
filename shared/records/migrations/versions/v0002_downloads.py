"""Downloads: what is wanted, its moves and candidates, where tracks came from, what services answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=True),
        sa.Column("last_success", sa.Float(), nullable=True),
        sa.Column("last_failure", sa.Float(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", "operation", name=op.f("pk_breakers")),
    )
    op.create_table(
        "lookups",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("service", "key", name=op.f("pk_lookups")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_lookups_at"), "lookups", ["at"], unique=False)
    op.create_table(
        "blocked_candidates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("wanted_key", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_blocked_candidates_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocked_candidates")),
        sa.UniqueConstraint("key", "wanted_key", name=op.f("uq_blocked_candidates_key_wanted_key")),
    )
    op.create_table(
        "downloads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("replaces_track", sa.Text(), nullable=True),
        sa.Column("wanted", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("artist", sa.Text(), nullable=True),
        sa.Column("album", sa.Text(), nullable=True),
        sa.Column("cover_url", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("group_uid", sa.Text(), nullable=True),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.Float(), nullable=True),
        sa.Column("nightly", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bytes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_bytes", sa.Integer(), nullable=True),
        sa.Column("candidate_id", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_retryable", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("track_uid", sa.Text(), nullable=True),
        sa.Column("duplicate_of", sa.Text(), nullable=True),
        sa.Column("quality_got", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("warnings", sa.Text(), server_default="[]", nullable=False),
        sa.Column("stage_ms", sa.Text(), server_default="{}", nullable=False),
        sa.Column("parcel", sa.Text(), nullable=True),
        sa.Column("hidden_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_downloads_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_downloads")),
        sa.UniqueConstraint("parent_id", "fingerprint", name=op.f("uq_downloads_parent_id_fingerprint")),
        sa.UniqueConstraint("uid", name=op.f("uq_downloads_uid")),
        sa.UniqueConstraint("user_id", "idempotency_key", name=op.f("uq_downloads_user_id_idempotency_key")),
    )
    op.create_index(op.f("ix_downloads_created_at"), "downloads", ["created_at"], unique=False)
    op.create_index(op.f("ix_downloads_fingerprint"), "downloads", ["fingerprint"], unique=False)
    op.create_index(op.f("ix_downloads_finished_at"), "downloads", ["finished_at"], unique=False)
    op.create_index(
        "ix_downloads_group_uid",
        "downloads",
        ["group_uid"],
        unique=False,
        sqlite_where=sa.text("group_uid IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_downloads_status_priority_created_at"), "downloads", ["status", "priority", "created_at"], unique=False
    )
    op.create_table(
        "watches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("nightly", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen", sa.Text(), server_default="[]", nullable=False),
        sa.Column("checked_at", sa.Float(), nullable=True),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_watches_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
        sa.UniqueConstraint("uid", name=op.f("uq_watches_uid")),
        sa.UniqueConstraint("user_id", "url", name=op.f("uq_watches_user_id_url")),
    )
    op.create_index(op.f("ix_watches_next_at"), "watches", ["next_at"], unique=False)
    op.create_index(op.f("ix_watches_user_id"), "watches", ["user_id"], unique=False)
    op.create_table(
        "download_candidates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("download_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("rejected", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["download_id"], ["downloads.id"], name=op.f("fk_download_candidates_download_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_download_candidates")),
        sa.UniqueConstraint("download_id", "key", name=op.f("uq_download_candidates_download_id_key")),
        sa.UniqueConstraint("uid", name=op.f("uq_download_candidates_uid")),
    )
    op.create_table(
        "download_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("download_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("from", sa.Text(), nullable=True),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["download_id"], ["downloads.id"], name=op.f("fk_download_moves_download_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_download_moves")),
    )
    op.create_index(op.f("ix_download_moves_download_id"), "download_moves", ["download_id"], unique=False)
    op.create_table(
        "origins",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("downloaded_at", sa.Float(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_origins_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("track_id", name=op.f("pk_origins")),
    )
    op.create_index(
        "ix_origins_review", "origins", ["review"], unique=False, sqlite_where=sa.text("review IS NOT NULL")
    )
    op.create_index("ix_origins_url", "origins", ["url"], unique=False, sqlite_where=sa.text("url IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_origins_url", table_name="origins", sqlite_where=sa.text("url IS NOT NULL"))
    op.drop_index("ix_origins_review", table_name="origins", sqlite_where=sa.text("review IS NOT NULL"))
    op.drop_table("origins")
    op.drop_index(op.f("ix_download_moves_download_id"), table_name="download_moves")
    op.drop_table("download_moves")
    op.drop_table("download_candidates")
    op.drop_index(op.f("ix_watches_user_id"), table_name="watches")
    op.drop_index(op.f("ix_watches_next_at"), table_name="watches")
    op.drop_table("watches")
    op.drop_index(op.f("ix_downloads_status_priority_created_at"), table_name="downloads")
    op.drop_index("ix_downloads_group_uid", table_name="downloads", sqlite_where=sa.text("group_uid IS NOT NULL"))
    op.drop_index(op.f("ix_downloads_finished_at"), table_name="downloads")
    op.drop_index(op.f("ix_downloads_fingerprint"), table_name="downloads")
    op.drop_index(op.f("ix_downloads_created_at"), table_name="downloads")
    op.drop_table("downloads")
    op.drop_table("blocked_candidates")
    op.drop_index(op.f("ix_lookups_at"), table_name="lookups")
    op.drop_table("lookups")
    op.drop_table("breakers")
