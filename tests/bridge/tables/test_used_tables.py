"""Tables of the host and of other plugins, as a plugin uses them."""

from __future__ import annotations

from typing import Any

import pytest

from falcopy_sdk import (
    TableError,
)
from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.host import (
    BuiltinTable,
)

from .tabled import (
    ROUNDS,
    Reader,
    Sourced,
    Thread,
    acting,
    error_in_parse,
    event,
    in_parse,
)

# ---- in calls of the host


def test_a_field_reads_the_hosts_table_with_the_reader_of_its_call(
    start: Any, threads: BuiltinTable
) -> None:
    started = start(Reader)
    assert [started.extract(event(n), "r.comm") for n in (1, 2, 4)] == ["comm 1", "comm 2", None]
    threads.entries[1]["comm"] = "changed within the event"
    assert started.extract(event(1), "r.comm") == "changed within the event"
    assert threads.borrowed == 0


def test_fields_of_events_of_an_own_source_read_tables_too(
    start: Any, threads: BuiltinTable
) -> None:
    started = start(Sourced)
    with started.open("3") as instance:
        seen = [started.extract(e, "r.comm") for e in instance.events()]
        assert seen == ["comm 1", "comm 2", "comm 3"]
    assert threads.borrowed == 0


def test_a_memoised_field_cannot_use_tables_and_the_log_says_what_to_do(
    start: Any, log: Any
) -> None:
    started = start(Reader)
    assert started.extract(event(), "r.cached") is None
    (text,) = [text for text in log.texts("WARNING") + log.texts("ERROR") if "r.cached" in text]
    assert 'table "threads" is not usable here' in text
    assert "cache=False" in text


def test_entries_are_read_written_added_and_erased_many_times(
    start: Any, threads: BuiltinTable
) -> None:
    started = start(Reader)
    (author,) = acting

    def crud(self: Reader) -> None:
        for n in range(100, 100 + ROUNDS):
            added = self.threads.add(n, comm=f"made {n}", risk=n % 256)
            assert (added.comm, added.pid, added.risk, added.root) == (
                f"made {n}",
                0,
                n % 256,
                False,
            )
            with added:
                added.pid = n
            with self.threads.get(n) as found:
                assert found.pid == n
            assert self.threads.get(-n) is None
            if n % 2:
                self.threads.erase(n)

    in_parse(started, author, crud)
    assert len(threads.entries) == 3 + ROUNDS // 2
    assert threads.entries[100] == {"comm": "made 100", "risk": 100, "pid": 100}
    assert threads.borrowed == 0
    assert in_parse(started, author, lambda self: len(self.threads)) == 3 + ROUNDS // 2
    in_parse(started, author, lambda self: self.threads.clear())
    assert threads.entries == {}


def test_entries_that_the_author_keeps_are_given_back_at_the_end_of_each_kind_of_call(
    start: Any, threads: BuiltinTable
) -> None:
    started = start(Sourced)
    (author,) = acting
    kept = []

    def keep(self: Reader) -> None:
        kept.extend(self.threads.get(n) for n in (1, 2))

    author.act = keep
    with started.open("1") as instance:
        assert (len(kept), threads.borrowed) == (2, 0)  # capture_open
        for own in instance.events():
            assert started.extract(own, "r.acting") == "None"
        assert (len(kept), threads.borrowed) == (6, 0)  # parse_event, extract_fields
    assert (len(kept), threads.borrowed) == (8, 0)  # capture_close
    for entry in kept:
        with pytest.raises(TableError, match="not usable"):
            _ = entry.comm
    assert "not usable any more" in error_in_parse(started, author, lambda _: kept[0].comm)
    assert "not usable any more" in error_in_parse(
        started, author, lambda _: setattr(kept[0], "pid", 1)
    )


def test_an_entry_of_a_failed_call_is_given_back(start: Any, threads: BuiltinTable) -> None:
    started = start(Reader)
    (author,) = acting

    def fail(self: Reader) -> None:
        self.threads.get(1)
        raise TableError("on purpose")

    assert error_in_parse(started, author, fail) == "on purpose"
    assert threads.borrowed == 0


def test_iteration_visits_all_stops_and_lets_exceptions_out(
    start: Any, threads: BuiltinTable
) -> None:
    started = start(Reader)
    (author,) = acting
    seen: list[Any] = []

    def visit(entry: Thread) -> None:
        seen.append((entry.comm, entry))
        entry.pid = 77

    assert in_parse(started, author, lambda self: self.threads.each(visit)) is True
    assert [comm for comm, _ in seen] == ["comm 1", "comm 2", "comm 3"]
    assert {values["pid"] for values in threads.entries.values()} == {77}
    assert "not usable any more" in error_in_parse(started, author, lambda _: seen[0][1].comm)

    seen.clear()

    def stop(entry: Thread) -> bool:
        seen.append(entry.comm)
        return len(seen) < 2

    assert in_parse(started, author, lambda self: self.threads.each(stop)) is False
    assert seen == ["comm 1", "comm 2"]

    def fail(entry: Thread) -> None:
        with entry:
            raise TableError("in the visit")

    message = error_in_parse(started, author, lambda self: self.threads.each(fail))
    assert message == "in the visit"
    assert threads.borrowed == 0


@pytest.mark.parametrize(
    ("function", "act"),
    [
        ("get_table_size", lambda self: len(self.threads)),
        ("read_entry_field", lambda self: self.threads.get(1).comm),
        ("write_entry_field", lambda self: setattr(self.threads.get(1), "pid", 1)),
        ("write_entry_field", lambda self: self.threads.add(9, pid=1)),
        ("create_table_entry", lambda self: self.threads.add(9)),
        ("add_table_entry", lambda self: self.threads.add(9, pid=1)),
        ("erase_table_entry", lambda self: self.threads.erase(1)),
        ("clear_table", lambda self: self.threads.clear()),
        ("iterate_entries", lambda self: self.threads.each(lambda _: None)),
    ],
)
def test_a_failure_of_the_host_has_the_hosts_own_text(
    start: Any, threads: BuiltinTable, function: str, act: Any
) -> None:
    started = start(Reader)
    (author,) = acting
    threads.failures[function] = f"no {function} today"
    message = error_in_parse(started, author, act)
    assert message.startswith('table "threads": ')
    assert message.endswith(f": no {function} today")
    assert started.last_error().endswith(message)
    assert threads.borrowed == 0
    assert 9 not in threads.entries


def test_what_does_not_fit_a_members_type_is_refused_with_its_name(start: Any) -> None:
    started = start(Reader)
    (author,) = acting
    for act, expected in [
        (lambda self: setattr(self.threads.get(1), "risk", 256), "risk: 256 is outside"),
        (lambda self: setattr(self.threads.get(1), "pid", "x"), "pid: expected int, got str"),
        (lambda self: setattr(self.threads.get(1), "comm", 5), "comm: expected str, got int"),
        (lambda self: setattr(self.threads.get(1), "comm", "a\0b"), "holds a NUL"),
        (lambda self: setattr(self.threads.get(1), "container", "x"), "has no container"),
        (lambda self: setattr(self.threads.get(1), "root", True), "read-only field: root"),
        (lambda self: self.threads.get("x"), "key: expected int, got str"),
        (lambda self: self.threads.get(2**63), "key: 9223372036854775808 is outside"),
        (lambda self: self.threads.add(5, com="x"), "no member 'com'; did you mean \"comm\"?"),
    ]:
        message = error_in_parse(started, author, act)
        assert expected in message
    assert in_parse(started, author, lambda self: self.threads.get(1).container) is None


def test_a_misspelt_member_is_no_silent_attribute(start: Any) -> None:
    started = start(Reader)
    (author,) = acting
    author.act = lambda self: setattr(self.threads.get(1), "piid", 1)
    started.parse(event())
    assert isinstance(author.result, AttributeError)


def test_tables_are_not_usable_outside_the_calls_that_the_host_allows(start: Any) -> None:
    import threading

    started = start(Reader)
    (author,) = acting
    with pytest.raises(TableError, match="only in @parse, @capture_open"):
        author.threads.get(1)
    with pytest.raises(TableError, match="use it through self"):
        Reader.threads.get(1)
    failures = []

    def elsewhere(self: Reader) -> None:
        def use() -> None:
            try:
                self.threads.get(1)
            except TableError as error:
                failures.append(str(error))

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    in_parse(started, author, elsewhere)
    assert "on the thread that runs them" in failures[0]
    author.act = lambda self: self.threads.erase(1)
    assert started.extract(event(), "r.acting") is None
    assert "fields read tables and never write" in str(author.result)


def test_a_call_of_the_host_without_a_reader_is_an_error_and_no_crash(start: Any) -> None:
    started = start(Reader)
    (author,) = acting
    author.act = lambda self: self.threads.get(1)
    seen, given = ffi.new("ss_plugin_event_input *"), ffi.new("ss_plugin_event_parse_input *")
    own = event()
    seen.evt, seen.evtnum = own.pointer, 1
    assert started.entries["parse_event"](started.state, seen, given) == Rc.FAILURE
    assert "not usable here" in started.last_error()
