"""Nothing of a bundle binds to the host's libraries, whatever the host has loaded."""

import ctypes
import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from falcopy_sdk.bundle import build, elf, interpreter, privatize, symbolic

HERE = Path(__file__).parent
#: Defined by every link editor run, not by a library's author.
_LINKER_NAMES = {"_init", "_fini", "_edata", "_end", "__bss_start"}
_BINDING = re.compile(r"binding file (\S+) \[0\] to (\S+) \[0\]: \w+ symbol `([^']+)'")


@pytest.fixture(scope="module")
def libraries(built):
    return [elf.read(path) for path in sorted(built.tree.rglob("*")) if elf.is_elf(path)]


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The same plugin under another name: another bundle with the same libraries inside."""
    folder = tmp_path_factory.mktemp("second")
    project = Path(shutil.copytree(HERE / "projects/tiny", folder / "tiny"))
    module = project / "src/tiny/plugin.py"
    module.write_text(module.read_text().replace('name="tiny"', 'name="tiny-two"'))
    return build(project, folder / "libtiny-two.so").path


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Runs a host program on plugins; gives the events of each, and the bindings if asked."""
    cache = tmp_path_factory.mktemp("cache")

    def run(program: Path, *plugins: Path, bindings: bool = False):
        environment = {**os.environ, "FALCOPY_CACHE_DIR": str(cache)}
        log = cache.with_name("bindings")
        if bindings:
            environment |= {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(log)}
        done = subprocess.run(
            [program, *plugins], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        if not bindings:
            return events
        (written,) = log.parent.glob(f"{log.name}.*")
        found = _BINDING.findall(written.read_text(errors="replace"))
        written.unlink()
        inside = str(cache)
        return events, [b for b in found if b[0].startswith(inside) and not b[1].startswith(inside)]

    return run


@pytest.fixture(scope="module")
def hostile_host(compile_c, tmp_path_factory, built):
    """A host whose global scope has every name that the bundle's libraries had: each aborts."""
    running = interpreter.running()
    folder = tmp_path_factory.mktemp("hostile")
    manifest = json.loads((built.tree / "falcopy.json").read_text())
    names: set[str] = set()
    closure = privatize._collect(_empty(folder / "tree"), running.libpython, running.machine)
    assert closure.libraries
    for name in manifest["system_libraries"]:
        path = running.libpython if name == running.libpython.name else None
        names |= elf.read(path or _system_library(name)).defined
    names -= _LINKER_NAMES
    assert {"SSL_CTX_new", "inflate", "ffi_call", "Py_IsInitialized", "sqlite3_open"} <= names
    source = folder / "hostile.c"
    usable = sorted(name for name in names if re.fullmatch(r"\w+", name))
    source.write_text(
        "#include <unistd.h>\n#include <string.h>\n"
        "static void die(const char *name)\n"
        "{ (void)!write(2, name, strlen(name)); _exit(99); }\n"
        + "".join(f'void {name}(void) {{ die("{name}"); }}\n' for name in usable)
    )
    arguments = ["-shared", "-fPIC", "-fno-builtin", "-w", "-O0"]
    library = compile_c("libhostile.so", [source], *arguments)
    return compile_c(
        "hostile",
        [HERE / "host.c"],
        "-Wl,--no-as-needed",
        str(library),
        f"-Wl,-rpath,{library.parent}",
        "-ldl",
    )


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _system_library(name: str) -> Path:
    from falcopy_sdk.bundle import search

    running = interpreter.running()
    return search.find(name, elf.read(running.libpython), [], running.machine)


@pytest.fixture(scope="module")
def real_host(compile_c):
    """A host that uses its own OpenSSL, zlib, libffi and libpython, all in its global scope."""
    names = ["libssl.so.3", "libcrypto.so.3", "libz.so.1", "libffi.so.8"]
    paths = [str(_system_library(name)) for name in names]
    paths.append(str(interpreter.running().libpython))
    rpath = f"-Wl,-rpath,{interpreter.running().libpython.parent}"
    return compile_c("real", [HERE / "host.c"], "-Wl,--no-as-needed", *paths, rpath, "-ldl")


def test_every_native_module_works_in_a_plain_host(stream, compile_c, built):
    program = compile_c("plain", [HERE / "host.c"], "-ldl")
    events = stream(program, built.result.path)
    assert [event["verb"] for event in events] == ["start", "libraries", "end"]
    told = events[1]
    assert told["python"] == built.result.python
    assert (told["zlib"], told["lzma"], told["expat"]) == ("zlib", "lzma", "expat")
    assert (told["callback"], told["abs"], told["sqlite"], told["uuid"]) == (42, 7, 42, 1)


def test_a_host_with_all_the_same_names_is_never_called(stream, hostile_host, built, second):
    events = stream(hostile_host, built.result.path, second)
    assert [event["verb"] for event in events] == ["start", "libraries", "end"] * 2


def test_libraries_that_a_wheel_brings_along_are_private_as_well(stream, hostile_host, tmp_path):
    """What auditwheel puts into ``<package>.libs``: psycopg2's libpq has an OpenSSL of its own."""
    project = Path(shutil.copytree(HERE / "projects/tiny", tmp_path / "tiny"))
    (project / "requirements.lock").unlink()
    settings, module = project / "pyproject.toml", project / "src/tiny/plugin.py"
    text = settings.read_text()
    settings.write_text(text.replace('"orjson>=3.9"', '"orjson>=3.9", "psycopg2-binary==2.9.13"'))
    text = module.read_text().replace(
        "import orjson\n", "import orjson\nimport psycopg2.extensions\n"
    )
    hashed = 'psycopg2.extensions.encrypt_password("a", "b", None, "md5")'
    module.write_text(text.replace('{"verb": "start"}', f'{{"verb": "start", "hashed": {hashed}}}'))
    path = build(project, tmp_path / "libtiny.so").path
    with zipfile.ZipFile(path) as archive:
        names = [Path(name).name for name in archive.namelist() if ".libs/" in name]
    assert {"libpq", "libcrypto", "libssl"} <= {name.partition("-")[0] for name in names}
    assert all(re.fullmatch(r"lib\w+-[0-9a-f]{8}-[0-9a-f]{10}\.so[.0-9]*", name) for name in names)
    events = stream(hostile_host, path)
    assert [event["verb"] for event in events] == ["start", "libraries", "end"]
    assert events[0]["hashed"] == "md5" + hashlib.md5(b"ab").hexdigest()


def test_no_symbol_binds_outside_but_to_glibc(stream, real_host, built, second):
    events, outside = stream(real_host, built.result.path, second, bindings=True)
    assert len(events) == 6
    assert outside
    strangers = {b for b in outside if Path(b[1]).name not in elf.GLIBC_LIBRARIES}
    # The host's executable has a copy of glibc's `stdout`: that is where all must look.
    assert {b for b in strangers if b[2] not in {"stdout", "stderr", "stdin"}} == set()


def test_two_bundles_run_on_interpreters_of_their_own(stream, real_host, built, second):
    one, two = stream(real_host, built.result.path), stream(real_host, second)
    assert stream(real_host, built.result.path, second) == one + two


def test_a_second_copy_unpacked_elsewhere_uses_the_first_ones_interpreter(
    compile_c, tmp_path, built
):
    program = compile_c("copies", [HERE / "host.c"], "-ldl")
    copies = [tmp_path / name / "libtiny.so" for name in ("one", "two")]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copyfile(built.result.path, copy)
    # Without the variable a plugin is unpacked beside itself.
    environment = {k: v for k, v in os.environ.items() if k != "FALCOPY_CACHE_DIR"}
    done = subprocess.run(
        [program, *copies], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    verbs = [json.loads(line)["verb"] for line in done.stdout.splitlines()]
    assert verbs == ["start", "libraries", "end"] * 2
    assert all(len(list(copy.parent.glob("falcopy-tiny-*"))) == 1 for copy in copies)


def test_copies_may_start_at_the_same_moment(compile_c, tmp_path, built):
    program = compile_c("together", [HERE / "together.c"], "-ldl", "-lpthread")
    copies = [tmp_path / str(number) / "libtiny.so" for number in range(4)]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copyfile(built.result.path, copy)
    environment = {k: v for k, v in os.environ.items() if k != "FALCOPY_CACHE_DIR"}
    for _ in range(5):
        done = subprocess.run(
            [program, *copies], capture_output=True, text=True, check=False, env=environment
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_every_needed_library_is_in_the_bundle_or_part_of_glibc(built, libraries):
    for library in libraries:
        for name in library.needed:
            if name in elf.GLIBC_LIBRARIES:
                continue
            places = [
                Path(os.path.normpath(p.replace("$ORIGIN", str(library.path.parent))))
                for p in library.runpath
            ]
            assert any((place / name).is_file() for place in places), (library.path, name)
            assert all(place.is_relative_to(built.tree) for place in places)
        assert not library.rpath
        assert all(entry.startswith("$ORIGIN") for entry in library.runpath)


def test_sonames_and_symbols_have_the_mark_of_the_bundle(libraries, built, second):
    linked = [library for library in libraries if library.path.parent == built.tree / "lib"]
    assert len(linked) > 5
    (mark,) = {
        match[1] for lib in linked if (match := re.search(r"-([0-9a-f]{10})\.so", lib.soname))
    }
    for library in linked:
        assert library.soname == library.path.name
    prefixes = {re.match(r"fp[0-9a-f]{10}_|", n)[0] for lib in linked for n in lib.defined}
    assert len(prefixes) == 1
    assert "" not in prefixes
    assert mark.encode() not in second.read_bytes()


def test_extension_modules_keep_the_names_that_are_looked_up(libraries):
    modules = [
        lib for lib in libraries if ".cpython-" in lib.path.name or ".abi3." in lib.path.name
    ]
    assert len(modules) > 30
    for module in modules:
        entry = "PyInit_" + module.path.name.split(".")[0]
        assert entry in module.defined, module.path
    (bridge,) = [module for module in modules if module.path.name.startswith("_bridge.")]
    assert "falcopy_bridge_boot" in bridge.defined


def test_every_undefined_symbol_has_a_definition(libraries):
    offered = frozenset().union(*(library.defined for library in libraries))
    glibc = ctypes.CDLL(None)
    missing = {
        (library.path.name, symbol.name)
        for library in libraries
        for symbol in library.symbols
        if not symbol.defined and not symbol.weak and symbol.provider is None
        if symbol.name not in offered and not hasattr(glibc, symbol.name)
    }
    assert missing == set()


def test_files_that_are_hard_linked_elsewhere_stay_as_they_are(tmp_path):
    running = interpreter.running()
    module = next(running.dynload.glob("_json.*.so"))
    cached = tmp_path / "cached.so"
    shutil.copyfile(module, cached)
    site = tmp_path / "bundle" / "site-packages"
    site.mkdir(parents=True)
    (site / "_json.so").hardlink_to(cached)
    privatize.privatize(tmp_path / "bundle", running.libpython, "x", running.machine)
    assert cached.read_bytes() == module.read_bytes()
    assert (site / "_json.so").read_bytes() != module.read_bytes()


def test_a_library_opened_by_path_finds_its_own_names_and_nobodys_are_no_hosts(compile_c, tmp_path):
    """Names that stay, and weak ones that nothing defines: a host that has them is not asked."""
    running = interpreter.running()
    own, module, host = (tmp_path / f"{name}.c" for name in ("own", "module", "host"))
    own.write_text("int inner(void) { return 42; } int PyX(void) { return inner(); }")
    module.write_text(
        "int host_hook(void) __attribute__((weak));\n"
        "int PyInit_module(void) { return host_hook ? host_hook() : 42; }"
    )
    host.write_text(
        "#include <dlfcn.h>\n#include <stdio.h>\n"
        "int inner(void) { return 1; }\nint host_hook(void) { return 2; }\n"
        "int main(int count, char **names) {\n"
        "    for (int i = 1; i + 1 < count; i += 2) {\n"
        "        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);\n"
        "        if (library == NULL) { puts(dlerror()); return 1; }\n"
        '        printf("%d\\n", ((int (*)(void))dlsym(library, names[i + 1]))());\n'
        "    }\n    return 0;\n}\n"
    )
    program = compile_c("interposing", [host], "-rdynamic", "-ldl")
    shared = ("-shared", "-fPIC", "-s")
    site = tmp_path / "bundle" / "site-packages"
    site.mkdir(parents=True)
    for name, source in (("own.so", own), ("module.so", module)):
        shutil.copyfile(compile_c(name, [source], *shared), site / name)
    ask = [program, site / "own.so", "PyX", site / "module.so", "PyInit_module"]
    assert subprocess.check_output(ask, text=True).split() == ["1", "2"]
    privatize.privatize(tmp_path / "bundle", running.libpython, "x", running.machine)
    assert subprocess.check_output(ask, text=True).split() == ["42", "42"]
    # The same where the linker has left no room for another entry.
    tight = compile_c("tight.so", [own], *shared, "-Wl,--spare-dynamic-tags=0")
    tight.write_bytes(symbolic.own_names_first(tight.read_bytes()))
    assert subprocess.check_output([program, tight, "PyX"], text=True).split() == ["42"]
