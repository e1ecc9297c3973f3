"""Three places: copies in buckets, the cache, pins, uploads, errands, and steps that can be undone.

The table `places` of the first schema was never written to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_places_track_id"), table_name="places")
    op.drop_table("places")
    op.create_table(
        "cached",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("mtime_ns", sa.Integer(), nullable=False),
        sa.Column("verified_at", sa.Float(), nullable=False),
        sa.Column("last_used_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_cached")),
    )
    op.create_index(op.f("ix_cached_last_used_at"), "cached", ["last_used_at"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("undone_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("uid", name=op.f("uq_journal_uid")),
    )
    op.create_index(op.f("ix_journal_command"), "journal", ["command"], unique=False)
    op.create_table(
        "pins",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "uid", name=op.f("pk_pins")),
    )
    op.create_table(
        "uploads",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("part_bytes", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Text(), server_default="[]", nullable=False),
        sa.Column("spool", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "key", name=op.f("pk_uploads")),
    )
    op.create_table(
        "errands",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_errands_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errands")),
        sa.UniqueConstraint("uid", name=op.f("uq_errands_uid")),
    )
    op.create_index(op.f("ix_errands_state_created_at"), "errands", ["state", "created_at"], unique=False)
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journal.id"], name=op.f("fk_journal_entries_journal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
    )
    op.create_index(op.f("ix_journal_entries_journal_id"), "journal_entries", ["journal_id"], unique=False)
    op.create_table(
        "copies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("stored_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("bitrate_kbps", sa.Integer(), nullable=True),
        sa.Column("compression", sa.Text(), server_default="", nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("source_size_bytes", sa.Integer(), nullable=False),
        sa.Column("source_mtime_ns", sa.Integer(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("verified_at", sa.Float(), nullable=False),
        sa.Column("broken", sa.Text(), nullable=True),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_copies_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copies")),
        sa.UniqueConstraint("track_id", "provider", "key", name=op.f("uq_copies_track_id_provider_key")),
    )
    op.create_index(op.f("ix_copies_provider_key"), "copies", ["provider", "key"], unique=False)
    op.create_index(op.f("ix_copies_sha256"), "copies", ["sha256"], unique=False)
    op.create_index(op.f("ix_copies_source_sha256"), "copies", ["source_sha256"], unique=False)
    op.add_column("artwork", sa.Column("width", sa.Integer(), nullable=True))
    op.add_column("artwork", sa.Column("height", sa.Integer(), nullable=True))
    op.add_column("artwork", sa.Column("kept", sa.Text(), nullable=True))
    op.add_column("files", sa.Column("offloaded_at", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("files", "offloaded_at")
    op.drop_column("artwork", "kept")
    op.drop_column("artwork", "height")
    op.drop_column("artwork", "width")
    op.drop_index(op.f("ix_copies_source_sha256"), table_name="copies")
    op.drop_index(op.f("ix_copies_sha256"), table_name="copies")
    op.drop_index(op.f("ix_copies_provider_key"), table_name="copies")
    op.drop_table("copies")
    op.drop_index(op.f("ix_journal_entries_journal_id"), table_name="journal_entries")
    op.drop_table("journal_entries")
    op.drop_index(op.f("ix_errands_state_created_at"), table_name="errands")
    op.drop_table("errands")
    op.drop_table("uploads")
    op.drop_table("pins")
    op.drop_index(op.f("ix_journal_command"), table_name="journal")
    op.drop_table("journal")
    op.drop_index(op.f("ix_cached_last_used_at"), table_name="cached")
    op.drop_table("cached")
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
