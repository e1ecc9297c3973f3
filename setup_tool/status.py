"""`status`: what the station holds, whether it runs, and what it could not read."""

from __future__ import annotations

from setup_tool.cli import PROGRAM, Context, command, shared_options

STATE_WORDS = {
    "online": "", "empty": "empty, perhaps not mounted", "absent": "not there", "offline": "does not answer",
    "hanging": "does not answer in time",
}


@command("status\nstatus --json")
@shared_options
def run(*, context: Context) -> None:
    """What the station holds, whether it runs, and which files it could not read."""
    from setup_tool import show
    from setup_tool.rooms import as_running, rooms, running
    from setup_tool.scan import print_bad
    from shared import __version__
    from shared.model.filepath import to_path
    from shared.security.accounts import OPERATOR

    settings = as_running(context.load_settings())
    answered = running(settings)
    with rooms(settings) as station:
        stats = station.tracks.stats()
        counts = station.scans.track_counts()
        roots = [(root.path, station.access.probe(to_path(root.path)), counts.get(root.id, 0))
                 for root in station.scans.roots()]
        report = station.scans.last()
        lies = station.copies.totals()
        users = station.accounts.users(OPERATOR)
    if context.json:
        show.document({
            "version": __version__, "running": answered is not None,
            "running_version": answered["version"] if answered else None, "port": settings.port,
            "library": stats, "places": {"local": lies["local"], "only_in_cloud": lies["only_in_cloud"],
                                         "missing": lies["missing"]},
            "users": len(users), "owners": sum(one.role == "owner" for one in users),
            "roots": [{"path": path, "state": state, "track_count": held} for path, state, held in roots],
            "scan": report,
        })
        return

    console = show.out()
    title = show.text(f"Soundsible {__version__}", show.STRONG)
    if answered is None:
        title.append("   not running", style=show.QUIET)
    else:
        title.append(f"   running at port {settings.port}", style=show.GOOD)
        if answered["version"] != __version__:
            title.append(f" (version {show.plain(answered['version'])}: start it again)", style=show.UNSURE)
    console.print(title)
    console.print()
    owners = ", ".join(one.username for one in users if one.role == "owner") or "nobody yet"
    console.print(show.facts([
        ("library", "  ".join([show.count(stats.tracks, "track"), show.count(stats.albums, "album"),
                               show.count(stats.artists, "artist")])),
        ("", f"{show.length(stats.duration_ms)} of music, {show.size(stats.size_bytes)}"),
        *([("places", f"{lies['local']:,} on this machine, {lies['only_in_cloud']:,} in the cloud only")]
          if lies["only_in_cloud"] else []),
        *([("missing", show.text(show.count(stats.missing, "track"), show.UNSURE))] if stats.missing else []),
        ("people", f"{show.count(len(users), 'account')}; owned by {owners}"),
        ("home", str(settings.data_dir)),
        ("last scan", worded(report)),
    ]))
    console.print()
    if roots:
        console.print(show.table("", "music folder", "tracks", "", right=("tracks",), wide=("music folder",), rows=[
            (show.mark("ok" if state == "online" else "warn"), path, show.number(held),
             show.text(STATE_WORDS[state], show.UNSURE)) for path, state, held in roots
        ]))
    else:
        console.print(show.text(f"No music folder yet: {PROGRAM} scan ~/Music", show.QUIET))
    if report is not None and report.bad:
        console.print()
        print_bad(report)


def worded(report: object) -> str:
    from setup_tool import show
    from shared.model.scan import ScanReport

    if not isinstance(report, ScanReport):
        return "never"
    if report.state == "running":
        return f"running now: {report.read:,} of {report.found:,} files"
    ended = show.moment(report.finished_at)
    if report.state == "failed":
        return f"{ended} failed: {report.message or 'see the log'}".strip()
    return f"{ended}, {show.count(report.found, 'file')}"
