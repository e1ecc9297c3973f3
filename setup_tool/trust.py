"""`trust`: where devices come to trust the station, and what they have to compare before they do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.settings import Settings

_IN_A_ROW = 16      # of the fingerprint's bytes


@command("trust\ntrust --json")
@click.option("--plain", is_flag=True, help="Without the code for cameras.")
@shared_options
def run(plain: bool, *, context: Context) -> None:
    """Show the page that lets a device trust the station, as a code for its camera, and the fingerprint to compare.

    The page comes over an open connection; this comes from the station's own disk. When what a device shows of the
    certificate is what stands here, it is the station's.
    """
    from setup_tool import show
    from setup_tool.doctor_certificates import certificates_of
    from setup_tool.rooms import as_running
    from shared.model.errors import Unprocessable
    from shared.security import qr

    settings = as_running(context.load_settings())
    if not settings.https:
        raise Unprocessable(f"HTTPS is off, so there is nothing to trust. Turn it on: {PROGRAM} settings unset https")
    certificates = certificates_of(settings)
    certificates.stand()
    served = certificates.served
    if served is None:
        raise Unprocessable("The station's certificate is made at its first start. Start it (python3 run.py), then ask "
                            "again.")
    told, page = certificates.describe(), f"{_address(settings)}/trust"
    if context.json:
        show.document({**told, "page": page})
        return
    console = show.out()
    if not served.own_authority:
        console.print(show.text(f"This station has a certificate that you brought, for {', '.join(served.names)}: "
                                "devices have nothing to install."))
        if served.warning:
            console.print(show.mark("warn"), show.text(served.warning))
        return
    console.print(show.text("Open this page on the device, once; it tells the rest:"))
    console.print()
    console.print(show.text(f"  {page}", show.ACCENT))
    lines = [] if plain or not sys.stdout.isatty() else qr.terminal(page)
    if lines and max(map(len, lines)) <= console.width:
        click.echo("\n".join(["", *lines]))
    console.print()
    console.print(show.text("What the device shows of the certificate must be this:"))
    console.print()
    console.print(show.facts([
        ("  SHA-256", show.text(_rows(told["authority_sha256"])[0], show.STRONG)),
        *(("", show.text(row, show.STRONG)) for row in _rows(told["authority_sha256"])[1:]),
        ("  SHA-1", f"{told['authority_sha1'].replace(':', ' ')}  (Windows)"),
        ("  station", told["fingerprint"]),
        ("  until", f"{served.ends:%Y-%m-%d}; the station renews it by itself"),
    ]))


def _rows(fingerprint: str) -> list[str]:
    pairs = fingerprint.split(":")
    return [" ".join(pairs[start:start + _IN_A_ROW]) for start in range(0, len(pairs), _IN_A_ROW)]


def _address(settings: Settings) -> str:
    """Where another device reaches the station."""
    from shared.discovery.interfaces import addresses, url_of

    if settings.host not in ("0.0.0.0", "::", ""):  # nosec B104  # compares
        return url_of(settings.host, settings.port)
    found = addresses()
    best = next((one for one in found if one.kind == "home"), found[0] if found else None)
    return url_of(best.ip if best is not None else "127.0.0.1", settings.port)
