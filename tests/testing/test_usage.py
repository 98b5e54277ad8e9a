"""What counts as a leak."""

from __future__ import annotations

import pytest

from falcopy_sdk.testing.battery.usage import leaks


@pytest.mark.parametrize(("in_process", "sentence"), [(True, "Python objects"), (False, "bytes")])
def test_what_grows_by_about_the_same_in_each_round_is_a_leak(
    in_process: bool, sentence: str
) -> None:
    kept: list[object] = []

    def work() -> None:
        kept.extend([bytearray(4096), [kept], [kept]])

    (found,) = leaks(work, in_process=in_process)
    assert sentence in found


def test_threads_and_open_files_are_counted() -> None:
    files = []

    def work() -> None:
        files.append(open("/dev/null"))  # noqa: SIM115

    try:
        assert "1 open files a round" in leaks(work, in_process=False)
    finally:
        for file in files:
            file.close()


def test_what_grows_for_a_while_and_then_no_more_is_none() -> None:
    # Five rounds to get warm, then three blocks of 30: what noise looks like, once.
    kept: list[object] = []

    def work() -> None:
        if len(kept) < 3 * (5 + 3 * 30):
            kept.extend([[kept], [kept], [kept]])

    assert leaks(work, in_process=True) == []
