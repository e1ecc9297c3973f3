"""`settings`: the table of settings as it stands; `set` and `unset` write config.json."""

from __future__ import annotations

import sys
from typing import Any

import click

from setup_tool.cli import Context, SubCommands, command, group, same_name, shared_options


class ShowUnlessTold(SubCommands):
    """`settings port` is `settings show port`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in ("-h", "--help") and same_name(args[0]) not in self.commands):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@group("settings --json\nsettings port\nsettings set download_workers 2\nsettings set spotify_client_secret",
       cls=ShowUnlessTold)
def run() -> None:
    """Every setting with its value, default and meaning; `set` and `unset` change one."""


@command("settings\nsettings port\nsettings --json", of=run, name="show")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--markdown", is_flag=True, help="The table as a page of documentation, without this machine's values.")
@shared_options
def show_them(names: tuple[str, ...], markdown: bool, *, context: Context) -> None:
    """Every setting with its value, default and meaning; or only those named.

    They are changed with `settings set`, with environment variables, or in .env in the config folder.
    """
    if markdown:
        click.echo(page(), nl=False)
        return
    settings = context.load_settings()
    rows = settings.table()
    if names:
        wanted = {same_name(name).removeprefix("soundsible-") for name in names}
        known = {same_name(row["name"]) for row in rows}
        if unknown := sorted(wanted - known):
            raise click.UsageError(f"There is no setting '{unknown[0]}'.")
        rows = [row for row in rows if same_name(row["name"]) in wanted]

    from setup_tool import show

    if context.json:
        show.document({"settings": rows})
        return
    console = show.out()
    for row in rows:
        changed = row["value"] != row["default"]
        value = show.text(worded(row["value"], row["unit"]), show.STRONG if changed else "")
        line = show.text(row["env"], show.ACCENT).append("  ").append_text(value)
        if changed:
            line.append(show.plain(f"  (default {worded(row['default'], row['unit'])})"), style=show.QUIET)
        console.print(line)
        console.print(show.text(f"  {row['help']}", show.QUIET))
    if not names:
        console.print()
        console.print(show.facts([("config", settings.config_dir), ("data", settings.data_dir),
                                  ("cache", settings.cache_dir)]))


@command("settings set download_workers 2\nsettings set spotify_client_secret\n"
         "settings set slskd_api_key < file-with-the-key", of=run, name="set")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--dry-run", is_flag=True, help="Only look whether the value is allowed.")
@shared_options
def set_one(name: str, value: str | None, dry_run: bool, *, context: Context) -> None:
    """Write a setting into config.json. It counts from the next start.

    Without VALUE you are asked, or it is read from standard input; a secret is not shown while you type, and is
    sealed with a key of this machine's own.
    """
    from setup_tool.rooms import written_down
    from shared import settings

    row = _row(name)
    secret = bool(row.metadata["secret"])
    if value is None:
        if not sys.stdin.isatty():
            value = sys.stdin.readline().rstrip("\r\n")
        else:
            value = click.prompt(row.name, hide_input=secret, confirmation_prompt=False, err=True)
    if dry_run:
        try:
            parsed = row.metadata["parse"](value)
        except (ValueError, KeyError, OverflowError):
            raise click.UsageError(f"{row.name} cannot be {'this value' if secret else repr(value)}; allowed is "
                                   f"{row.metadata['parse'].__doc__}.") from None
    else:
        bare = _bare(context)
        parsed = _save(bare, row.name, value)
        written_down(bare, "setting_changed", row.name)     # its name alone: values may be secret
    _tell(context, row, settings.SECRET if secret else settings.plain(parsed), dry_run=dry_run)


@command("settings unset download_workers", of=run, name="unset")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Change nothing.")
@shared_options
def unset_one(name: str, dry_run: bool, *, context: Context) -> None:
    """Take a setting out of config.json: its default stands again."""
    from setup_tool.rooms import written_down

    row = _row(name)
    if not dry_run:
        bare = _bare(context)
        _save(bare, row.name, None)
        written_down(bare, "setting_changed", row.name, taken_out=True)
    _tell(context, row, None, dry_run=dry_run)


def _bare(context: Context) -> Any:
    """The home alone: a value that cannot be read now must not keep it from being set anew."""
    from shared import settings

    return settings.at_home(given={"home": context.home} if context.home else {})


def _row(name: str) -> Any:
    import difflib

    from shared import settings

    known = {same_name(row.name): row for row in settings.rows()}
    asked = same_name(name).removeprefix("soundsible-")
    if asked not in known:
        near = difflib.get_close_matches(asked, known, n=1)
        raise click.UsageError(f"There is no setting '{name}'." + (
            f" Did you mean '{known[near[0]].name}'?" if near else ""))
    if asked == "home":
        raise click.UsageError("The home is where config.json lies; choose it with SOUNDSIBLE_HOME or --home.")
    return known[asked]


def _save(bare: Any, name: str, value: str | None) -> Any:
    from shared import settings
    from shared.model.errors import BadSetting

    try:
        return settings.save(bare, name, value)
    except OSError as error:
        raise BadSetting(f"{bare.config_path} cannot be written: {error.strerror}.") from error


def _tell(context: Context, row: Any, value: Any, *, dry_run: bool) -> None:
    from setup_tool import show
    from shared import settings

    variable = settings.PREFIX + row.name.upper()
    hidden = settings.in_environment(row.name)
    path = str(_bare(context).config_path)
    if context.json:
        show.document({"name": row.name, "value": value, "path": path, "overridden": hidden, "dry_run": dry_run})
        return
    console = show.out()
    what = "back to its default" if value is None else worded(value, row.metadata["unit"])
    console.print(show.text(row.name, show.ACCENT).append("  ").append(what, style=show.STRONG))
    console.print(show.text("Nothing was written." if dry_run else f"Written to {path}; it counts from the next start.",
                            show.QUIET))
    if hidden:
        console.print(show.text(f"{variable} in the environment wins over it.", show.UNSURE))


def worded(value: Any, unit: str | None) -> str:
    """A value as people read it."""
    from setup_tool import show

    if value is None or value == [] or value == "":
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if unit == "bytes":
        return binary(int(value))
    if isinstance(value, list):
        return ", ".join(show.plain(one) for one in value)
    return f"{show.plain(value)} {unit}" if unit else show.plain(value)


def binary(count: int) -> str:
    """Bytes as the setting itself may be written: 5 GiB."""
    for unit, factor in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= factor:
            return f"{round(count / factor, 2):g} {unit}"
    return f"{count} bytes"


def page() -> str:
    """docs/configuration.md."""
    import os

    from shared import settings

    lines = [
        "# Settings", "",
        "`python3 run.py tool settings set NAME VALUE` changes one, `… unset NAME` takes it back; both count from the "
        "next start. Every setting has a default; change only what you want to be different. A value is taken from, "
        "the last one winning: `config.json` in the config folder (the setting's name in small letters), `.env` in the "
        "same folder, the environment, the command line of `run.py`. A value that is not allowed stops the start and "
        "is named.", "",
        "Secrets (keys, passwords, webhook addresses) are asked for without being shown (`tool settings set "
        "spotify_client_secret`) and stand sealed in `config.json`: with a key made of `vault.key` beside it and of "
        "this machine's identity. On another machine they cannot be opened, and the station says which to enter again. "
        "In the environment or in `.env` they stand as they are.", "",
        "This page is written by `python3 run.py tool settings --markdown` from the table in `shared/settings.py`; "
        "`python3 run.py tool settings` shows the values in use.", "",
        "| Setting | Default | Allowed | Meaning |", "|---|---|---|---|",
    ]
    for row in settings.rows():
        default: Any = row.default
        if row.name in ("scan_workers", "transcodes_at_once") or default == os.cpu_count():
            shown = "the number of processors"
        elif isinstance(default, tuple):
            shown = ", ".join(str(one) for one in default) or "none"
        else:
            shown = worded(default, row.metadata["unit"])
        allowed = " ".join((row.metadata["parse"].__doc__ or "").split())
        cells = (f"`SOUNDSIBLE_{row.name.upper()}`", shown, allowed, row.metadata["help"])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "Folders are separated as in `PATH` (`:`, on Windows `;`). `--music`, `--home`, `--host`, `--port` "
              "and `--demo` of `run.py` set the settings of the same names.", ""]
    return "\n".join(lines)

