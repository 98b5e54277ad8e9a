"""A plugin file that is overwritten while a host has it loaded."""

import pytest

OVERWRITE = """
def overwrite(path):
    with open(path, "r+b") as file:
        file.truncate(0)
        file.write(b"garbage" * 1000)
        os.fsync(file.fileno())
"""

MAPPED = """
def mapped(path):
    found = {}
    for line in open("/proc/self/maps"):
        start, rights, *_, = line.split()
        if line.rstrip().endswith(path):
            found[start] = rights
    return found
"""


def test_calls_and_symbol_lookups_go_on_after_the_file_was_overwritten(bundles, host):
    code = (
        OVERWRITE
        + """
library = Library(path)
before, rc = library.start("before")
overwrite(path)
after, rc_after = library.start("after")
emit({
    "exports": len(library.exports()),
    "absent": library.symbol("plugin_nothing"),
    "name": text(library.get_name()),
    "fields": text(library.get_fields()),
    "codes": [rc, rc_after],
    "errors": [text(library.get_last_error(before)), text(library.get_last_error(after))],
    "destroyed": [library.destroy(before), library.destroy(after)],
    "again": len(Library(path).exports()),
})
"""
    )
    # More than a page of facts, so that some page was not touched before.
    path = bundles.make(strings={"fields": "f" * 300_000})

    assert host(code, path) == {
        "exports": 33,
        "absent": None,
        "name": "fake",
        "fields": "f" * 300_000,
        "codes": [0, 0],
        "errors": ["no error", "no error"],
        "destroyed": [None, None],
        "again": 33,
    }


def test_a_file_overwritten_before_the_first_init_is_a_clear_failure(bundles, host):
    path = bundles.make()

    rc, error = host(
        OVERWRITE + "library = Library(path); overwrite(path); emit(library.start_text())", path
    )

    assert (rc, error) == (1, f"{path} was changed after the host loaded it; restart the host")


def test_a_rewrite_of_the_same_length_before_the_first_init_is_noticed(bundles, host):
    path = bundles.make()
    bundles.files["falcopy.json"] = b"[]"
    other = bundles.make(bundles.folder / "new.so")
    assert other.stat().st_size == path.stat().st_size
    code = """
library = Library(path)
with open(path, "r+b") as file, open(sys.argv[2], "rb") as other:
    file.write(other.read())
emit(library.start_text())
"""

    rc, error = host(code, path, other)

    assert (rc, error) == (1, f"{path} was changed after the host loaded it; restart the host")


def test_no_readable_page_stays_mapped_from_the_file(bundles, host):
    code = MAPPED + "library = Library(path); emit(mapped(path))"

    assert not [rights for rights in host(code, bundles.make()).values() if rights[0] == "r"]


def test_the_copies_keep_the_protections_of_the_segments(bundles, host):
    path = bundles.make()
    # The pages of a function, of the constant image and of the relocated pointers.
    code = """
def rights(address):
    for line in open("/proc/self/maps"):
        start, end = (int(each, 16) for each in line.split()[0].split("-"))
        if start <= address < end:
            return line.split()[1]
library = Library(path)
number = lambda pointer: int(ffi.cast("uintptr_t", pointer))
base = number(library.symbol("plugin_init")) - int(sys.argv[2])
emit([rights(base + int(each)) for each in sys.argv[2:]])
"""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        elf = ELFFile(file)
        init = elf.get_section_by_name(".dynsym").get_symbol_by_name("plugin_init")[0]
        image = elf.get_section_by_name(".falcopy")["sh_addr"]
        pointers = elf.get_section_by_name(".dynamic")["sh_addr"]
        bss = elf.get_section_by_name(".bss")
        writable = bss["sh_addr"] + bss["sh_size"] - 1

    seen = host(code, path, init["st_value"], image, pointers, writable)

    assert seen == ["r-xp", "r--p", "r--p", "rw-p"]


def test_where_a_policy_forbids_new_executable_memory_the_code_stays_mapped(bundles, host):
    # PR_SET_MDWE (Linux 6.3): no memory may become executable, as SELinux's execmem has it.
    code = (
        MAPPED
        + """
import ctypes
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
    emit(None)
else:
    library = Library(path)
    emit([library.start_text(), sorted(mapped(path).values())])
"""
    )

    seen = host(code, bundles.make())

    if seen is None:
        pytest.skip("this kernel has no PR_SET_MDWE")
    started, rights = seen
    assert started == [0, "no error"]
    assert [each for each in rights if each[0] == "r"] == ["r-xp"]
