"""Positions, the intake between callbacks and the host, and what the log may show."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from k8saudit_aks.intake import Intake
from k8saudit_aks.log import StateLog, redact
from k8saudit_aks.progress import HubEvent, Partition, Position

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def at(number: int) -> Position:
    return Position(number, str(number * 100))


def event(number: int, minutes: int = 0) -> HubEvent:
    return HubEvent(b"", at(number), NOON + timedelta(minutes=minutes))


def owned(stored: Position | None = None) -> Partition:
    partition = Partition("0")
    partition.started(stored)
    return partition


def test_a_position_is_due_once_everything_before_it_is_delivered() -> None:
    partition = owned()
    first, second, third = (partition.handed(at(number), 1) for number in (1, 2, 3))
    third()
    second()
    assert partition.due is None
    first()
    assert partition.due == at(3)
    assert partition.unsaved == 3
    partition.was_saved(at(3), partition.finished)
    assert partition.due is None
    assert partition.unsaved == 0


def test_a_partition_that_went_to_another_reader_has_nothing_due() -> None:
    partition = owned()
    partition.handed(at(1), 1)()
    partition.owned = False
    assert partition.due is None


def test_a_checkpoint_is_never_moved_back_behind_that_of_another_reader() -> None:
    partition = owned(at(50))
    partition.handed(at(20), 1)()
    assert partition.due is None
    partition.handed(at(51), 1)()
    assert partition.due == at(51)


def test_events_taken_before_are_repeats_unless_the_hub_was_made_anew() -> None:
    partition = owned()
    assert partition.fresh([event(7)]) == [event(7)]
    partition.taken = event(7)
    assert partition.fresh([event(7), event(3, minutes=-1), event(8)]) == [event(8)]
    anew = [event(0, minutes=5), event(1, minutes=5)]
    assert partition.fresh(anew) == anew


def test_an_event_that_comes_twice_in_one_batch_is_taken_once() -> None:
    """A link that broke within a batch begins again at the checkpoint, in the same buffer."""
    partition = owned()
    batch = [event(number) for number in (0, 1, 2, 0, 1, 2, 3)]
    assert partition.fresh(batch) == [event(number) for number in range(4)]


def test_checkpoints_of_a_hub_made_anew_are_written_though_they_are_smaller() -> None:
    partition = owned(at(50))
    partition.handed(at(51), 1)()
    partition.was_saved(at(51), partition.finished)
    partition.handed(at(0), 1)()
    assert partition.due == at(0)
    # A write of the old hub that comes back late says nothing of the new one.
    partition.was_saved(at(51), partition.finished)
    assert partition.due == at(0)


def test_a_pinned_beginning_is_the_first_checkpoint_and_no_later_one() -> None:
    partition = Partition("0")
    partition.started(None, at(7))
    partition.pin()
    assert partition.due == at(7)
    assert partition.unsaved == 0
    partition.was_saved(at(7), 0)
    partition.handed(at(9), 1)()
    partition.pin()
    assert partition.due == at(9)
    stored = Partition("1")
    stored.started(at(3), at(7))
    stored.pin()
    assert stored.due is None
    assert stored.reached == at(3)


def test_a_store_that_may_have_lost_a_position_gets_it_again() -> None:
    quiet, busy = owned(at(3)), owned(at(3))
    busy.handed(at(4), 1)()
    for partition in (quiet, busy):
        partition.save_again()
    assert (quiet.due, busy.due) == (at(3), at(4))
    # Before it is written, the store may be away again: reading goes on where it had got to.
    assert (quiet.reached, busy.reached) == (at(3), at(4))


@pytest.mark.parametrize(
    ("begins", "number", "minutes", "lacks"),
    [
        (at(5), 6, 0, True),
        (at(5), 5, 0, False),
        (NOON, 3, 1, True),
        (NOON, 3, 0, False),
        (None, 3, 1, False),
    ],
)
def test_what_should_have_come_is_known_before_the_first_event(
    begins: Position | datetime | None, number: int, minutes: int, lacks: bool
) -> None:
    partition = Partition("0")
    partition.started(None, begins)
    assert partition.lacks(number, NOON + timedelta(minutes=minutes)) is lacks


def test_a_full_intake_makes_producers_wait_and_lets_one_large_item_in() -> None:
    async def run() -> None:
        intake: Intake[str] = Intake(100)
        await intake.put("larger than all", 500)
        waiting = asyncio.create_task(intake.put("next", 1))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert len(intake) == 1
        assert await intake.get() == "larger than all"
        await waiting
        assert await intake.get() == "next"
        assert len(intake) == 0

    asyncio.run(run())


def test_what_is_cancelled_while_it_waits_is_not_in_the_intake() -> None:
    async def run() -> None:
        intake: Intake[str] = Intake(10)
        await intake.put("a", 10)
        waiting = asyncio.create_task(intake.put("b", 10))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert await intake.get() == "a"
        assert len(intake) == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Endpoint=sb://x/;SharedAccessKeyName=listen;SharedAccessKey=abc+/d==;EntityPath=h",
            "Endpoint=sb://x/;SharedAccessKeyName=listen;SharedAccessKey=***;EntityPath=h",
        ),
        ("AccountName=a;AccountKey=abc==;Suffix=x", "AccountName=a;AccountKey=***;Suffix=x"),
        ("https://a.blob/c?sv=1&sig=ab%2Bc%3D&se=2", "https://a.blob/c?sv=1&sig=***&se=2"),
        ("sharedaccesskey = abc'", "sharedaccesskey = ***'"),
        ("SharedAccessSignature sr=x&sig=abc&se=1", "SharedAccessSignature sr=x&sig=***&se=1"),
        ("nothing to hide: design=1", "nothing to hide: design=1"),
    ],
)
def test_keys_and_signatures_are_redacted_and_the_rest_stays(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_state_is_logged_when_it_changes_and_not_when_it_repeats(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    state = StateLog("works again")
    state.up()
    for sentence in ("broken", "broken", "otherwise broken"):
        state.down(sentence)
    state.up()
    state.up()
    assert [record.getMessage() for record in caplog.records] == [
        "broken",
        "otherwise broken",
        "works again",
    ]


def test_no_log_line_of_the_plugin_holds_a_key(caplog: pytest.LogCaptureFixture) -> None:
    from k8saudit_aks.log import log

    log.warning("it said %s", "SharedAccessKey=abc==;x")
    assert caplog.records[0].getMessage() == "it said SharedAccessKey=***;x"
