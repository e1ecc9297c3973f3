"""`settings`: the table of settings, as it stands."""

from __future__ import annotations

from typing import Any

import click

from setup_tool.cli import Context, command, same_name, shared_options


@command("settings\nsettings port\nsettings --json")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--markdown", is_flag=True, help="The table as a page of documentation, without this machine's values.")
@shared_options
def run(names: tuple[str, ...], markdown: bool, *, context: Context) -> None:
    """Every setting with its value, default and meaning; or only those named.

    They are changed with environment variables, or in .env or config.json in the config folder.
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
        "Every setting has a default; change only what you want to be different. A value is taken from, the last one "
        "winning: `config.json` in the config folder (the setting's name in small letters), `.env` in the same folder, "
        "the environment, the command line of `run.py`. A value that is not allowed stops the start and is named.", "",
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

