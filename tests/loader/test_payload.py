"""The file itself: damaged, moved, replaced or not meant for this host."""

import re

START = "emit(Library(path).start_text())"


def test_the_payload_is_unpacked_byte_for_byte_with_private_modes(bundles, host):
    bundles.files["folder/"] = b""

    assert host(START, bundles.make()) == [0, "no error"]

    (entry,) = host.cache.iterdir()
    files = [path for path in entry.rglob("*") if path.is_file() and path.parent != entry]
    unpacked = {str(path.relative_to(entry)): path.read_bytes() for path in files}
    expected = {k: v for k, v in bundles.files.items() if "/" in k and not k.endswith("/")}
    assert unpacked == expected
    assert (entry / "falcopy.json").read_bytes() == b"{}"
    assert (entry / "folder").is_dir()
    modes = {path.stat().st_mode & 0o7777 for path in [entry, *entry.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    executable = {str(path.relative_to(entry)) for path in files if path.stat().st_mode & 0o100}
    assert executable == {"bin/tool", bundles.bridge_path}
    assert not any(path.stat().st_mode & 0o077 for path in files)


def test_a_truncated_file_says_how_much_is_missing(bundles, host):
    path = bundles.make()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 1000)

    rc, error = host(START, path)

    assert rc == 1
    assert error == (
        f"{path} is truncated: it has {size - 1000} bytes and needs {size}; install it again"
    )
    assert not host.cache.exists()


def test_a_flipped_bit_in_an_entry_is_found_by_its_checksum(bundles, host):
    path = bundles.make()
    content = bytearray(path.read_bytes())
    content[content.index(b"#!/bin/sh\n") + 3] ^= 1
    path.write_bytes(content)

    rc, error = host(START, path)

    assert rc == 1
    assert error == (f"{path} is corrupt: entry bin/tool has the wrong checksum; install it again")
    assert list(host.cache.iterdir()) == []


def test_a_flipped_bit_in_the_directory_is_found(bundles, host):
    path = bundles.make()
    content = bytearray(path.read_bytes())
    content[content.rindex(b"bin/tool")] ^= 1
    path.write_bytes(content)

    rc, error = host(START, path)

    assert rc == 1
    assert "entry cin/tool does not match the directory; install it again" in error
    assert list(host.cache.iterdir()) == []


def test_entries_that_would_leave_the_folder_are_refused(bundles, host, tmp_path):
    code = "emit([Library(each).start_text() for each in sys.argv[1:]])"
    names = ["/etc/x", "../x", "a/../../x", "a//x", "a/./x", ".", "..", "a/.."]
    paths = [
        bundles.make(bundles.folder / f"lib{i}.so", payload=bundles.stored_zip({name: b"x"}))
        for i, name in enumerate(names)
    ]

    for path, (rc, error) in zip(paths, host(code, *paths), strict=True):
        assert rc == 1
        assert error == (
            f"{path} is corrupt: its directory names a file outside the bundle; install it again"
        )
    assert not list(tmp_path.rglob("x"))


def test_only_plain_stored_files_are_unpacked(bundles, host):
    plain = bundles.stored_zip({"link": b"/etc/passwd"})
    central = plain.index(b"PK\1\2")
    changed = {}
    for name, offset, value in [
        ("encrypted", 8, 1),
        ("deflated", 10, 8),
        ("other size", 20, 5),
    ]:
        changed[name] = bytearray(plain)
        changed[name][central + offset] = value
    changed["link"] = bundles.stored_zip({"link": b"/etc/passwd"}, {"link": 0o120777})
    changed["fifo"] = bundles.stored_zip({"link": b""}, {"link": 0o010600})
    paths = [
        bundles.make(bundles.folder / f"lib{name}.so", payload=bytes(payload))
        for name, payload in changed.items()
    ]

    seen = host("emit([Library(each).start_text() for each in sys.argv[1:]])", *paths)

    for path, (rc, error) in zip(paths, seen, strict=True):
        assert rc == 1
        assert error == (
            f"{path} is corrupt: entry link is not a plain stored file; install it again"
        )


def test_an_entry_that_is_there_twice_is_refused(bundles, host):
    payload = bytearray(bundles.stored_zip({"same1": b"x", "same2": b"y"}))

    payload = payload.replace(b"same2", b"same1")
    path = bundles.make(payload=bytes(payload))

    assert host(START, path) == [
        1,
        f"{path} is corrupt: it has entry same1 twice; install it again",
    ]


def test_a_payload_that_is_no_zip_is_refused(bundles, host):
    for payload in (b"short", b"not a ZIP" * 100):
        path = bundles.make(payload=payload)
        rc, error = host(START, path)
        assert rc == 1
        assert re.search("is corrupt: its payload .*; install it again", error)


def test_offsets_from_the_start_of_the_file_are_as_good(bundles, host):
    # As `zip -A` or zipfile's append mode write a ZIP behind a program.
    payload = bytearray(bundles.stored_zip(bundles.files))
    start = bundles.loader.path.stat().st_size
    places = [match.start() + 42 for match in re.finditer(b"PK\1\2", payload)]
    for place in [*places, len(payload) - 22 + 16]:
        old = int.from_bytes(payload[place : place + 4], "little")
        payload[place : place + 4] = (old + start).to_bytes(4, "little")

    assert host(START, bundles.make(payload=bytes(payload))) == [0, "no error"]


def test_a_host_with_an_older_glibc_is_told_so(bundles, host):
    path = bundles.make(floor="2.99")

    rc, error = host(START, path)

    assert rc == 1
    assert re.fullmatch(
        rf"{path} needs glibc 2\.99 or newer, and this host has 2\.\d+; run falcopy build with "
        "a Python that is built for an older distribution",
        error,
    )
    assert not host.cache.exists()


def test_the_bare_loader_says_that_it_is_not_built(bundles, host):
    path = bundles.loader.path.resolve()

    assert host(START, path) == [
        1,
        f"{path} is the bare loader without a plugin; run falcopy build",
    ]


def test_an_image_with_an_impossible_name_hash_or_size_is_refused(bundles, host):
    size = bundles.loader.path.stat().st_size
    good = {"payload": (size, 100), "sha256": "0" * 64, "strings": {"name": "x"}}
    for wrong, sentence in [
        ({"strings": {"name": "../x"}}, "its name or checksum is not valid"),
        ({"strings": {"name": ""}}, "its name or checksum is not valid"),
        ({"strings": {"name": "x" * 300}}, "its name or checksum is not valid"),
        ({"sha256": "0" * 63}, "its name or checksum is not valid"),
        ({"sha256": "/" * 64}, "its name or checksum is not valid"),
        ({"payload": (size, 2**64 - 1)}, "its payload has no end"),
        ({"payload": (2**64 - 1, 1)}, "its payload has no end"),
    ]:
        path = bundles.write(bundles.image(**{**good, **wrong}), b"x" * 100)
        assert host(START, path) == [1, f"{path} is corrupt: {sentence}; install it again"]


def test_a_relative_path_holds_after_the_host_changed_its_folder(bundles, host):
    code = """
os.chdir(os.path.dirname(path))
library = Library("./" + os.path.basename(path))
os.chdir("/")
emit(library.start_text())
"""

    assert host(code, bundles.make()) == [0, "no error"]


def test_a_file_that_was_deleted_after_loading_is_named(bundles, host):
    path = bundles.make()
    code = "library = Library(path); os.unlink(path); emit(library.start_text())"

    rc, error = host(code, path)

    assert rc == 1
    assert error.startswith(f"cannot open {path}: No such file or directory; ")


def test_a_file_that_was_replaced_after_loading_is_not_mixed_with_the_old_one(bundles, host):
    path = bundles.make()
    bundles.files["other"] = b"content"
    other = bundles.make(bundles.folder / "new.so")
    code = "library = Library(path); os.rename(sys.argv[2], path); emit(library.start_text())"

    assert host(code, path, other) == [
        1,
        f"{path} was changed after the host loaded it; restart the host",
    ]
