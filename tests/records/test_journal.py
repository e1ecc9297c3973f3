from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.records.journal import JournalRecords
from tests.patience import often

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def records(database: Database) -> JournalRecords:
    return JournalRecords(database=database)


def test_a_step_is_kept_with_its_deeds_in_their_order(records: JournalRecords) -> None:
    uid = records.begin("cleanup", "Two files")
    first, second = records.note(uid, [{"file": "a"}, {"file": "b"}])
    (third,) = records.note(uid, [{"file": "c"}])
    records.did([first, third])
    step = records.get(uid)
    assert (step.id, step.command, step.summary, step.state) == (uid, "cleanup", "Two files", "open")
    assert (step.entries, step.done, step.undone_at) == (3, 2, None)
    assert [(one.number, one.content["file"], one.done) for one in records.entries(uid)] == [
        (third, "c", True), (second, "b", False), (first, "a", True)]  # fmt: skip
    records.drop([second])
    assert [one.content["file"] for one in records.entries(uid)] == ["c", "a"]


def test_entries_of_more_than_a_page_come_each_once_while_they_are_dropped(records: JournalRecords) -> None:
    uid = records.begin("cleanup", "")
    numbers = records.note(uid, [{"at": at} for at in range(1203)])
    seen = []
    for one in records.entries(uid):
        seen.append(one.content["at"])
        records.drop([one.number])
    assert seen == list(range(1202, -1, -1))
    assert len(set(numbers)) == 1203
    assert records.get(uid).entries == 0


@settings(max_examples=often(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(TEXT, JSON, max_size=4))
def test_whatever_json_holds_is_told_again(records: JournalRecords, content: dict[str, object]) -> None:
    uid = records.begin("cleanup", "")
    records.note(uid, [content])
    assert [one.content for one in records.entries(uid)] == [content]
    records.forget(uid)


def test_a_step_moves_on_from_the_states_it_may_be_in_alone(records: JournalRecords) -> None:
    uid = records.begin("cleanup", "before")
    records.set_state(uid, "done", summary="after")
    assert (records.get(uid).state, records.get(uid).summary) == ("done", "after")
    with pytest.raises(Conflict):
        records.set_state(uid, "undone", expected=("undoing",))
    records.set_state(uid, "undoing", expected=("done",))
    records.set_state(uid, "undone")
    assert records.get(uid).undone_at is not None
    with pytest.raises(ValueError):
        records.set_state(uid, "lost")


def test_steps_are_listed_newest_first_by_command_and_state(records: JournalRecords) -> None:
    one, two, three = records.begin("cleanup", ""), records.begin("covers", ""), records.begin("cleanup", "")
    records.set_state(one, "undone")
    assert [step.id for step in records.list()] == [three, two, one]
    assert [step.id for step in records.list(command="cleanup")] == [three, one]
    assert [step.id for step in records.list(command="cleanup", states=("open",))] == [three]
    assert [step.id for step in records.list(limit=1)] == [three]


def test_what_is_forgotten_is_gone_with_its_deeds(records: JournalRecords) -> None:
    uid = records.begin("cleanup", "")
    records.note(uid, [{"file": "a"}])
    records.forget(uid)
    records.forget(uid)
    assert list(records.entries(uid)) == []
    for deed in (
        lambda: records.get(uid),
        lambda: records.note(uid, [{}]),
        lambda: records.set_state(uid, "done"),
    ):
        with pytest.raises(NotFound):
            deed()
