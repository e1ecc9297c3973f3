"""`rekey`: another key for the secrets at rest, and everything sealed anew with it."""

from __future__ import annotations

import click

from setup_tool.cli import PROGRAM, Context, command, confirm, shared_options


@command("rekey --dry-run\nrekey --yes")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options
def run(dry_run: bool, yes: bool, *, context: Context) -> None:
    """Make a new key and seal every secret anew: those in config.json, second factors, other stations' tokens.

    For when the key, or a copy of the config folder, may have fallen into other hands. The station must not run. Cut
    off anywhere nothing is lost: do it again. Afterwards old copies of the config folder open nothing any more; if a
    secret itself may be known, change it where it comes from as well.
    """
    from setup_tool import show
    from setup_tool.users import tell
    from shared import settings as settings_room
    from shared.database import Database
    from shared.library.presence import Presence
    from shared.model.audit import BY_TOOL
    from shared.records.audit import Audit
    from shared.records.sealed import Sealed
    from shared.security.rekeying import Rekeyed, Rekeying
    from shared.upkeep import switch

    # Without opening what is sealed: some of it may not open.
    settings = settings_room.at_home(given={"home": context.home} if context.home else {})
    switch.settle(settings.data_dir)
    database = Database(settings.database_path) if settings.database_path.exists() else None
    presence = Presence(settings.data_dir)

    def told(done: Rekeyed, how: str) -> None:
        left = (f" {show.count(done.closed, 'secret')} that no key here opens stay as they are; enter them again: "
                f"{PROGRAM} doctor tells which." if done.closed else "")
        tell(context, {"dry_run": dry_run, "settings": done.settings, "database": done.database,
                       "closed": done.closed, "resumed": done.resumed},
             f"{show.count(done.settings, 'secret')} in config.json and {done.database:,} in the database {how}.{left}",
             "note" if dry_run else "ok")

    try:
        if database is not None:
            database.prepare()
        rekeying = Rekeying(settings=settings, records=Sealed(database=database) if database is not None else None)
        if dry_run:
            told(rekeying.foresee(), "would be sealed with a new key")
            return
        if not yes:
            confirm("Make a new key and seal all secrets with it?")
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        presence.claim()
        try:
            done = rekeying.run()
        finally:
            presence.leave()
        if database is not None:
            Audit(database=database).add(None, "", "secrets_rekeyed", settings=done.settings, database=done.database,
                                         **BY_TOOL)
        told(done, "are sealed with a new key")
    finally:
        if database is not None:
            database.close()
