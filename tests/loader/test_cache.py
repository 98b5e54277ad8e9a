"""Where the payload is unpacked, and what must not be trusted there."""

import fcntl
import os

import pytest

START = "emit(Library(path).start_text())"
OK = [0, "no error"]
NOBODY = 65534

#: Run as root in a mount namespace of its own, where /var/cache is an empty tmpfs.
ALONE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def alone(options=b"ro"):
    flags = 1 if options == b"ro" else 0  # MS_RDONLY
    if libc.unshare(0x20000) != 0 or libc.mount(b"none", b"/", None, 0x44000, None) != 0 \\
            or libc.mount(b"falcopy", b"/var/cache", b"tmpfs", flags, None) != 0:
        emit("not permitted")
        sys.exit(0)
"""


@pytest.fixture
def root_only():
    if os.geteuid() != 0:
        pytest.skip("only root can do this")


def permitted(seen):
    if seen == "not permitted":
        pytest.skip("no mount namespaces here")
    return seen


def entry_of(path, host):
    """The name of the plugin's cache entry."""
    host(START, path)
    (entry,) = host.cache.iterdir()
    return entry


def test_a_second_process_uses_what_the_first_one_unpacked(bundles, host):
    path = bundles.make()
    entry = entry_of(path, host)
    inode, changed = entry.stat().st_ino, entry.stat().st_mtime_ns

    assert host(START, path) == OK

    assert [each.name for each in host.cache.iterdir()] == [entry.name]
    assert (entry.stat().st_ino, entry.stat().st_mtime_ns) == (inode, changed)
    assert entry.stat().st_mode & 0o7777 == 0o700


def test_the_entry_is_named_after_plugin_and_content(bundles, host):
    first = entry_of(bundles.make(), host)
    bundles.files["more"] = b"content"

    assert host(START, bundles.make()) == OK

    (name,) = (each.name for each in host.cache.iterdir())
    assert name != first.name
    assert name.startswith("falcopy-fake-")
    assert len(name) == len("falcopy-fake-") + 32


def test_without_a_setting_the_folder_of_the_plugin_is_used(bundles, host):
    path = bundles.make()

    assert host(START, path, FALCOPY_CACHE_DIR="") == OK

    assert sorted(each.name[:13] for each in bundles.folder.iterdir()) == [
        "falcopy-fake-",
        "libfake.so",
    ]


def test_the_systems_cache_and_then_tmpdir_come_after_the_plugins_folder(
    bundles, host, tmp_path, root_only
):
    path = bundles.make()
    entry = entry_of(path, host)
    (bundles.folder / entry.name).symlink_to(tmp_path)
    code = (
        ALONE
        + """
alone(sys.argv[2].encode())
emit([Library(path).start_text(), os.listdir("/var/cache/falcopy") if sys.argv[2] != "ro" else []])
"""
    )
    settings = {"FALCOPY_CACHE_DIR": "", "TMPDIR": str(tmp_path / "tmpdir")}

    assert permitted(host(code, path, "rw", **settings)) == [OK, [entry.name]]
    assert not (tmp_path / "tmpdir").exists()
    assert permitted(host(code, path, "ro", **settings)) == [OK, []]
    assert [each.name for each in (tmp_path / "tmpdir").iterdir()] == [entry.name]


def test_with_no_usable_place_the_sentence_names_each_with_its_reason(
    bundles, host, tmp_path, root_only
):
    path = bundles.make()
    name = entry_of(path, host).name
    a_file = tmp_path / "file"
    a_file.touch()
    (bundles.folder / name).symlink_to(tmp_path)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    os.chown(foreign, NOBODY, NOBODY)

    seen = host(
        ALONE + "alone()\n" + START, path, FALCOPY_CACHE_DIR=str(a_file), TMPDIR=str(foreign)
    )

    assert permitted(seen) == [
        1,
        "found no folder to unpack the plugin's Python runtime into."
        f" $FALCOPY_CACHE_DIR {a_file}: cannot open it: Not a directory;"
        f" the plugin's folder {bundles.folder}: {name} there is a link or a file, not a folder;"
        " the system's cache /var/cache/falcopy: cannot make it: Read-only file system;"
        f" $TMPDIR {foreign}: belongs to uid 65534, not to uid 0 or root;"
        " set FALCOPY_CACHE_DIR to a folder that uid 0 may write to, on a file system that is not"
        " mounted noexec",
    ]


def only_place(bundles, host, entry_name, cache):
    """Starts the plugin where every place but $FALCOPY_CACHE_DIR is blocked."""
    blocked = bundles.folder / entry_name
    if not blocked.exists():
        blocked.touch()
    return permitted(
        host(
            ALONE + "alone()\n" + START,
            bundles.folder / "libfake.so",
            FALCOPY_CACHE_DIR=str(cache),
            TMPDIR="relative",
        )
    )


@pytest.fixture
def entry(bundles, host, root_only):
    """A complete cache entry, and a plugin that has no other place."""
    path = entry_of(bundles.make(), host)
    host.log.unlink()
    return path


def test_a_link_in_the_place_of_the_entry_is_refused(bundles, host, entry, tmp_path):
    moved = tmp_path / "moved"
    entry.rename(moved)
    entry.symlink_to(moved)

    rc, error = only_place(bundles, host, entry.name, host.cache)

    assert rc == 1
    assert f"{host.cache}: {entry.name} there is a link or a file, not a folder;" in error
    assert "$TMPDIR relative: is not an absolute path;" in error
    assert host.calls() == []


def test_an_entry_of_another_user_is_refused(bundles, host, entry):
    os.chown(entry, NOBODY, NOBODY)

    rc, error = only_place(bundles, host, entry.name, host.cache)

    assert rc == 1
    assert f"{entry.name} there belongs to uid 65534, not to uid 0;" in error
    assert host.calls() == []


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_an_entry_that_others_can_write_to_is_refused(bundles, host, entry, mode):
    entry.chmod(mode)

    rc, error = only_place(bundles, host, entry.name, host.cache)

    assert rc == 1
    assert f"{entry.name} there can be written to by others (mode {mode:o});" in error
    assert host.calls() == []


def test_a_place_that_is_mounted_noexec_is_refused(bundles, host, entry, mounted):
    volume = mounted("noexec")

    rc, error = only_place(bundles, host, entry.name, volume)

    assert rc == 1
    assert f"{volume}: is mounted noexec;" in error
    assert list(volume.iterdir()) == []


def test_a_full_place_is_left_clean_and_the_next_one_is_used(bundles, host, entry, mounted):
    volume = mounted("size=512k")

    rc, error = only_place(bundles, host, entry.name, volume)
    assert rc == 1
    assert (
        f"{volume}: cannot write lib/python3.11/deep/er/module.pyc: No space left on device;"
        in error
    )
    assert list(volume.iterdir()) == []

    (bundles.folder / entry.name).unlink()
    assert host(START, bundles.folder / "libfake.so", FALCOPY_CACHE_DIR=str(volume)) == OK
    assert list(volume.iterdir()) == []


def test_a_user_without_rights_is_told_which_folder_to_set(bundles, host, tmp_path, root_only):
    code = """
library = Library(path)
os.setgid(65534)
os.setuid(65534)
emit(library.start_text())
"""
    path = bundles.make()
    # pytest keeps its folders to itself: one more of them with xdist.
    for folder in [tmp_path, *(p for p in tmp_path.parents if "pytest-" in str(p))]:
        folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "none").mkdir()
    host.log.touch()
    host.log.chmod(0o666)

    rc, error = host(
        code, path, FALCOPY_CACHE_DIR=str(tmp_path / "none"), TMPDIR=str(tmp_path / "none")
    )

    assert rc == 1
    assert f"{tmp_path / 'none'}: cannot make a folder in it: Permission denied;" in error
    assert "set FALCOPY_CACHE_DIR to a folder that uid 65534 may write to" in error

    free = tmp_path / "free"
    free.mkdir()
    os.chown(free, NOBODY, NOBODY)
    assert host(code, path, FALCOPY_CACHE_DIR=str(free)) == OK
    (entry,) = free.iterdir()
    assert entry.owner() == "nobody"


def test_a_prepared_entry_on_a_read_only_file_system_is_used(bundles, host, entry):
    code = (
        ALONE
        + """
alone()
cache = os.environ["FALCOPY_CACHE_DIR"].encode()
if libc.mount(cache, cache, None, 4096, None) or libc.mount(None, cache, None, 4096 | 32 | 1, None):
    raise OSError(ctypes.get_errno())
try:
    os.mkdir(cache + b"/x")
except OSError as error:
    emit([error.strerror, Library(path).start_text()])
"""
    )

    assert host(code, bundles.folder / "libfake.so") == ["Read-only file system", OK]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "falcopy.json").unlink(),
        lambda entry: (entry / ".falcopy-complete").unlink(),
        lambda entry: (entry / ".falcopy-complete").write_text("0" * 64),
        lambda entry: os.truncate(entry / "bin/tool", 0),
        lambda entry: (
            (entry / "lib/empty").unlink(),
            (entry / "lib/empty").symlink_to("/etc/hostname"),
        ),
    ],
    ids=["file gone", "marker gone", "other marker", "file emptied", "file is a link"],
)
def test_an_entry_that_lost_files_is_replaced(bundles, host, entry, damage):
    damage(entry)

    assert host(START, bundles.folder / "libfake.so") == OK

    assert [each.name for each in host.cache.iterdir()] == [entry.name]
    assert (entry / "falcopy.json").read_bytes() == b"{}"
    assert (entry / "bin/tool").read_bytes() == b"#!/bin/sh\n"
    assert not (entry / "lib/empty").is_symlink()
    assert len((entry / ".falcopy-complete").read_text()) == 64


def test_processes_that_race_to_unpack_all_succeed_with_one_entry(bundles, host):
    for i in range(200):
        bundles.files[f"site-packages/many/file{i}"] = os.urandom(20_000)
    path = bundles.make()
    code = "library = Library(path); emit('ready'); sys.stdout.flush(); sys.stdin.readline()\n"
    processes = [host.popen(code + START, path) for _ in range(4)]

    for process in processes:
        assert process.stdout.readline() == '"ready"\n'
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [host.result(process) for process in processes] == [OK] * 4
    (entry,) = host.cache.iterdir()
    assert {line for line in host.calls() if line.startswith("boot")} == {f"boot {entry}"}
    for name, content in bundles.files.items():
        assert (entry / name).read_bytes() == content


def test_after_a_process_was_killed_half_way_the_next_one_starts_afresh(bundles, host):
    # The kernel kills at the first byte beyond the limit: no clean-up, as with SIGKILL.
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
"""
    path = bundles.make()

    killed = host.popen(code + START, path)
    killed.communicate(timeout=60)
    (left,) = host.cache.iterdir()
    assert killed.returncode == -25  # SIGXFSZ
    assert left.name.startswith(".falcopy-tmp-")
    assert 0 < (left / "lib/python3.11/deep/er/module.pyc").stat().st_size <= 600_000

    assert host(START, path) == OK
    (entry,) = host.cache.iterdir()
    assert entry.name.startswith("falcopy-fake-")


def test_scratch_folders_of_other_users_are_not_cleaned_up(bundles, host, root_only):
    foreign = host.cache / ".falcopy-tmp-1-foreign"
    foreign.mkdir(parents=True)
    os.chown(foreign, NOBODY, NOBODY)

    assert host(START, bundles.make()) == OK

    assert foreign.is_dir()


def test_only_scratch_folders_that_nobody_works_in_are_cleaned_up(bundles, host, tmp_path):
    host.cache.mkdir()
    busy, idle, other = (
        host.cache / name for name in (".falcopy-tmp-1-busy", ".falcopy-tmp-2-idle", ".tmp-other")
    )
    for folder in (busy, idle, other):
        (folder / "deep").mkdir(parents=True)
    (idle / "deep/link").symlink_to(tmp_path)
    (host.cache / ".falcopy-tmp-link").symlink_to(other)
    lock = os.open(busy, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)

    assert host(START, bundles.make()) == OK
    os.close(lock)

    names = {each.name for each in host.cache.iterdir() if not each.name.startswith("falcopy-")}
    assert names == {busy.name, other.name, ".falcopy-tmp-link"}
    assert (other / "deep").is_dir()
    assert bundles.folder.is_dir()


def test_a_missing_cache_folder_is_made_but_not_its_parents(bundles, host, tmp_path):
    path = bundles.make()

    assert host(START, path, FALCOPY_CACHE_DIR=str(tmp_path / "new")) == OK
    assert len(list((tmp_path / "new").iterdir())) == 1
    # Nothing can be made there: the next place is used.
    assert host(START, path, FALCOPY_CACHE_DIR=str(tmp_path / "a/b")) == OK
    assert not (tmp_path / "a").exists()
    assert len(list(bundles.folder.iterdir())) == 2


def test_no_file_descriptor_is_left_open_but_the_one_that_holds_the_entry(bundles, host):
    code = """
import fcntl
open_files = lambda: set(os.listdir("/proc/self/fd"))
before = open_files()
library = Library(path)
library.start()
library.start()
(more,) = open_files() - before
inherited = not fcntl.fcntl(int(more), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
emit([os.readlink(f"/proc/self/fd/{more}"), inherited])
"""
    path = bundles.make()

    seen = host(code, path)

    (entry,) = host.cache.iterdir()
    assert seen == [str(entry), False]
