"""Devices and people: rights, folders, second factors, invitations, sync tokens, other stations, the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("username", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit"))
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("rights", sa.Text(), server_default="{}", nullable=False),
        sa.Column("folders", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.Column("used_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_invitations_created_by"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["used_by"], ["users.id"], name=op.f("fk_invitations_used_by"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("hash", name=op.f("uq_invitations_hash")),
        sa.UniqueConstraint("uid", name=op.f("uq_invitations_uid"))
    )
    op.create_table(
        "stations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("endpoints", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_seen_at", sa.Float(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_stations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
        sa.UniqueConstraint("uid", name=op.f("uq_stations_uid")),
        sa.UniqueConstraint("user_id", "fingerprint", name=op.f("uq_stations_user_id_fingerprint"))
    )
    op.create_table(
        "user_folders",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name=op.f("fk_user_folders_root_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_folders_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "root_id", "path", name=op.f("pk_user_folders")),
        sqlite_with_rowid=False
    )
    op.create_table(
        "pairings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_pairings_token_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_pairings_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairings")),
        sa.UniqueConstraint("uid", name=op.f("uq_pairings_uid"))
    )
    op.create_index(op.f("ix_pairings_user_id"), "pairings", ["user_id"], unique=False)
    op.add_column("users", sa.Column("may_add", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("may_edit", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("may_delete", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("limited", sa.Integer(), server_default="0", nullable=False))
    op.add_column("users", sa.Column("identity", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("second_factor", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("second_factor_step", sa.Integer(), server_default="0", nullable=False))
    op.add_column("users", sa.Column("recovery_codes", sa.Text(), server_default="[]", nullable=False))
    op.create_index(
        "ix_users_identity", "users", ["identity"], unique=True, sqlite_where=sa.text("identity IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_users_identity", table_name="users")
    for column in ("recovery_codes", "second_factor_step", "second_factor", "identity", "limited", "may_delete",
                   "may_edit", "may_add"):
        op.drop_column("users", column)
    op.drop_index(op.f("ix_pairings_user_id"), table_name="pairings")
    op.drop_table("pairings")
    op.drop_table("user_folders")
    op.drop_table("stations")
    op.drop_table("invitations")
    op.drop_index(op.f("ix_audit_at"), table_name="audit")
    op.drop_table("audit")
