"""Starting a scan and watching it."""

from __future__ import annotations

from dataclasses import replace

from tests.routes.houses import Front

FIELDS = {"id", "state", "phase", "found", "read", "added", "changed", "moved", "missing", "bad", "started_at",
          "finished_at"}


def test_a_scan_is_accepted_for_later(front: Front) -> None:
    asked = front.house.scanning.asked
    for body, wish in ((None, ("start", None, False)), ({}, ("start", None, False)),
                       ({"deep": True}, ("start", None, True)),
                       ({"roots": []}, ("start", None, False)), ({"roots": ["/m"]}, ("start", ["/m"], False))):
        answer = front.ask("POST", "/api/library/scan", body)
        assert answer.status == 202
        assert answer.json["scan"]["state"] == "running"
        assert asked[-1] == wish


def test_who_may_not_edit_may_not_scan(front: Front) -> None:
    assert front.ask("POST", "/api/library/scan", {}, who="kid").status == 403
    assert front.ask("POST", "/api/library/scan", {}, who="ben").status == 202


def test_its_progress_has_all_fields_in_both_forms(front: Front) -> None:
    scan = front.get("/api/library/scan")
    assert set(scan) >= FIELDS
    assert scan["scan"] == {name: value for name, value in scan.items() if name != "scan"}
    assert scan["bad"] == [{"path": "x.mp3", "reason": "empty"}]
    assert front.get("/api/library/scan", who="kid")["bad"] == []


def test_a_wrong_wish_is_refused(front: Front) -> None:
    for body in ({"deep": "yes"}, {"roots": "/m"}, {"roots": [5]}, {"fast": True}, []):
        assert front.ask("POST", "/api/library/scan", body).status == 400


def test_whoever_may_not_see_files_is_told_of_none_by_a_start_either(front: Front) -> None:
    """A right to edit alone, or folders that one is limited to, show no path of a file that cannot be read."""
    front.house.scanning.report = replace(front.house.scanning.report, found=7, offline=["/m"], damaged=["t"],
                                          duplicates=[["t", "u"]], message="No room in /m.")
    people = front.house.people
    people.change_user(people.find_user("kid").uid, said={"edit": True})
    front.house.accounts._forget()
    scan = front.ask("POST", "/api/library/scan", {}, who="kid").json["scan"]
    assert [scan[one] for one in ("bad", "offline", "damaged", "duplicates", "message")] == [[], [], [], [], None]
    assert scan["found"] == 7
    people.change_user(people.find_user("ben").uid, limited=True)
    front.house.accounts._forget()
    for scan in (front.ask("POST", "/api/library/scan", {}, who="ben").json["scan"],
                 front.get("/api/library/scan", who="ben")):
        assert (scan["bad"], scan["offline"], scan["message"], scan["found"]) == ([], [], None, 0)
    assert front.ask("POST", "/api/library/scan", {}).json["scan"]["bad"]
