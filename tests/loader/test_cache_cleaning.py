"""Entries of older versions go when no process uses them, and not before."""

import os

import pytest

START = "emit(Library(path).start_text())"
#: Starts, says so, and lives until its input ends; then it loads one more file of its entry.
LIVE = """
library = Library(path)
started = library.start_text()
print("started", flush=True)
sys.stdin.read()
(entry,) = [each for each in os.listdir(sys.argv[2]) if each == sys.argv[3]] or [None]
emit([started, entry is not None])
"""
OK = [0, "no error"]
NOBODY = 65534


@pytest.fixture
def versions(bundles):
    """Makes a version of the plugin; each has another payload."""

    def make(number):
        bundles.files["version"] = str(number).encode()
        return bundles.make(bundles.folder / f"libfake{number}.so")

    return make


def entries(host):
    return sorted(each.name for each in host.cache.iterdir())


def test_a_new_version_removes_the_unused_old_one(versions, host):
    host(START, versions(1))
    (old,) = entries(host)

    assert host(START, versions(2)) == OK

    (new,) = entries(host)
    assert new != old


def test_an_entry_in_use_stays_until_its_last_process_has_ended(versions, host):
    one, two = versions(1), versions(2)
    host(START, one)
    (old,) = entries(host)
    living = host.popen(LIVE, one, host.cache, old)
    assert living.stdout.readline() == "started\n"

    assert host(START, two) == OK
    assert old in entries(host)

    assert host.result(living) == [OK, True]
    assert host(START, two) == OK
    assert old not in entries(host)
    assert len(entries(host)) == 1


def test_entries_of_other_plugins_and_strange_names_stay(versions, bundles, host):
    host.cache.mkdir(mode=0o700)
    strangers = ["falcopy-fake-more-" + "0" * 32, "falcopy-fake-" + "0" * 31, "falcopy-fake-x"]
    strangers += ["falcopy-fake-" + "G" * 32, "falcopy-other-" + "0" * 32, "notes"]
    for name in strangers:
        (host.cache / name).mkdir()
    (host.cache / ("falcopy-fake-" + "a" * 32)).symlink_to(bundles.folder)

    assert host(START, versions(1)) == OK

    assert set(strangers) < set(entries(host))
    assert "falcopy-fake-" + "a" * 32 in entries(host)
    assert any(bundles.folder.iterdir())


def test_another_users_entry_stays(versions, host):
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    host.cache.mkdir(mode=0o700)
    foreign = host.cache / ("falcopy-fake-" + "0" * 32)
    foreign.mkdir()
    os.chown(foreign, NOBODY, NOBODY)

    assert host(START, versions(1)) == OK

    assert foreign.name in entries(host)


def test_versions_that_start_together_all_find_their_entries(versions, host):
    paths = [versions(number) for number in range(3)]
    code = "emit([Library(path).start_text(), (sys.stdin.read(), 1)[1]])"
    running = [host.popen(code, path) for path in paths * 3]

    assert [host.result(process) for process in running] == [[OK, 1]] * 9

    assert host(START, paths[0]) == OK
    assert len(entries(host)) == 1
