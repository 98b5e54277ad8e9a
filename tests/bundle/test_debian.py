"""Which Debian package a library came with, as dpkg itself tells: from databases of our own."""

import shutil
from pathlib import Path

import pytest

from falcopy_sdk.bundle import debian, licences

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-query"), reason="no dpkg on this machine")

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: Expat
"""


@pytest.fixture
def system(tmp_path):
    """``system(packages, diversions, merged=...)``: a root file system with dpkg's database."""
    root = tmp_path / "root"
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (root / "var/lib/dpkg/updates").mkdir()
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('NAME="A # b"\nID=debian\nVERSION_ID="13"\n')

    def make(packages, diversions=(), *, merged=True):
        (root / "usr/lib").mkdir(parents=True)
        if merged:
            (root / "lib").symlink_to("usr/lib")
        status = ""
        for name, files in packages.items():
            status += (
                f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n"
                "Version: 1.2-3\nMaintainer: a <a@example.org>\nDescription: x\n\n"
            )
            (info / f"{name}.list").write_text("/.\n" + "".join(f"{f}\n" for f in files))
            folder = root / "usr/share/doc" / name
            folder.mkdir(parents=True)
            (folder / "copyright").write_text(COPYRIGHT)
        (root / "var/lib/dpkg/status").write_text(status)
        (root / "var/lib/dpkg/diversions").write_text("".join(f"{d}\n" for d in diversions))
        return root

    return make


def _put(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return paths


@pytest.mark.parametrize("packed", ["/lib/libz.so.1", "/usr/lib/libz.so.1"])
@pytest.mark.parametrize("asked", ["lib/libz.so.1", "usr/lib/libz.so.1"])
def test_lib_and_usr_lib_are_one_whichever_was_packed_and_whichever_is_asked(system, packed, asked):
    root = system({"zlib1g": [packed]})
    _put(root, "usr/lib/libz.so.1")
    (package,) = debian.packages_of([root / asked], root).values()
    assert (package.name, package.version, package.distribution) == ("zlib1g", "1.2-3", "debian-13")
    assert licences.of_debian(package) == licences.Licence("MIT", True)
    assert package.texts()["copyright"] == COPYRIGHT.encode()


def test_a_library_and_the_links_to_it_belong_to_the_same_package(system):
    root = system({"zlib1g": ["/lib/libz.so.1.2", "/lib/libz.so.1"]})
    _put(root, "usr/lib/libz.so.1.2")
    for link in ("usr/lib/libz.so.1", "usr/lib/libz.so"):
        (root / link).symlink_to("libz.so.1.2")
    asked = [root / "lib/libz.so.1", root / "usr/lib/libz.so", root / "usr/lib/libz.so.1.2"]
    found = debian.packages_of(asked, root)
    assert {path: found[path].name for path in asked} == dict.fromkeys(asked, "zlib1g")


def test_a_link_of_another_package_leads_to_the_librarys_own(system):
    root = system({"zlib1g": ["/lib/libz.so.1"], "zlib1g-dev": ["/usr/lib/libz.so"]})
    _put(root, "usr/lib/libz.so.1")
    (root / "usr/lib/libz.so").symlink_to("libz.so.1")
    (package,) = debian.packages_of([root / "usr/lib/libz.so"], root).values()
    assert package.name == "zlib1g"


def test_a_machine_whose_lib_is_a_folder_of_its_own(system):
    root = system({"a": ["/lib/liba.so"], "b": ["/usr/lib/libb.so"]}, merged=False)
    asked = _put(root, "lib/liba.so", "usr/lib/libb.so")
    assert [debian.packages_of(asked, root)[path].name for path in asked] == ["a", "b"]


def test_a_diverted_library_belongs_to_the_package_whose_file_it_is(system):
    packages = {"mesa": ["/usr/lib/libGL.so.1"], "vendor": ["/usr/lib/libGL.so.1"]}
    moved = ["/usr/lib/libGL.so.1", "/usr/lib/mesa/libGL.so.1", "vendor"]
    root = system(packages, moved)
    asked = _put(root, "usr/lib/libGL.so.1", "usr/lib/mesa/libGL.so.1")
    found = debian.packages_of(asked, root)
    assert [found[path].name for path in asked] == ["vendor", "mesa"]


def test_a_file_that_an_administrator_diverted_is_nobodys_and_the_old_one_its_packages(system):
    packages = {"zlib1g": ["/usr/lib/libz.so.1"], "other": ["/usr/lib/libo.so"]}
    root = system(packages, ["/usr/lib/libz.so.1", "/usr/lib/libz.so.1.distrib", ":"])
    asked = _put(root, "usr/lib/libz.so.1", "usr/lib/libz.so.1.distrib", "usr/lib/libo.so")
    found = {path.name: p.name for path, p in debian.packages_of(asked, root).items()}
    assert found == {"libz.so.1.distrib": "zlib1g", "libo.so": "other"}


def test_every_library_of_this_machines_packages_is_found_by_either_name():
    database = Path("/var/lib/dpkg/info")
    known = [
        Path(line)
        for path in (*database.glob("zlib1g.list"), *database.glob("zlib1g:*.list"))
        for line in path.read_text().splitlines()
        if ".so" in line
    ]
    if not known:
        pytest.skip("this machine has no zlib1g")
    asked = [Path("/usr", str(path).removeprefix("/usr").lstrip("/")) for path in known]
    found = debian.packages_of(asked)
    assert {path: found[path].name for path in asked} == dict.fromkeys(asked, "zlib1g")


def test_a_folder_without_a_database_is_asked_of_this_machine(tmp_path):
    (path,) = _put(tmp_path, "usr/lib/libz.so.1")
    assert debian.packages_of([path], tmp_path) == {}
