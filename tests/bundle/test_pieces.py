"""The steps of a build, one at a time, where an end-to-end build does not reach."""

import marshal
import subprocess
from pathlib import Path
from types import CodeType

import pytest
from packaging.requirements import Requirement

from falcopy_sdk.bundle import (
    bytecode,
    elf,
    environment,
    install,
    interpreter,
    locks,
    project,
    search,
    strip,
)
from falcopy_sdk.exceptions import BuildError, ProjectError, ToolchainError

HASH = f"sha256:{'0' * 64}"


def test_a_hashed_requirements_file_is_read_with_markers_and_comments(tmp_path):
    text = (
        "# made by uv\n"
        f"Foo_Bar==1.0 \\\n    --hash={HASH} \\\n    --hash={HASH}  # via x\n"
        f"windows==2 ; sys_platform == 'win32' --hash={HASH}\n"
        f"linux==3 ; sys_platform == 'linux' --hash={HASH}\n"
    )
    assert locks.parse_requirements(text, tmp_path) == [
        locks.Pin("foo-bar", "1.0", (HASH, HASH)),
        locks.Pin("linux", "3", (HASH,)),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("foo>=1 --hash=" + HASH, "line 1: foo has no exact version"),
        ("foo==1.* --hash=" + HASH, "line 1: foo has no exact version"),
        ("-e ./local", "line 1: -e is not supported"),
        ("foo ==", "line 1: "),
    ],
)
def test_a_lock_line_of_another_form_is_told_with_its_number(line, says, tmp_path):
    with pytest.raises(ProjectError, match=says):
        locks.parse_requirements(line, tmp_path / "requirements.lock")


def test_a_pylock_is_read_for_this_platform(tmp_path):
    path = tmp_path / "pylock.toml"
    path.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n'
        '[[packages]]\nname = "pure"\nversion = "1.0"\n'
        '[[packages.wheels]]\nname = "pure-1.0-py3-none-any.whl"\n'
        'url = "https://example.org/pure-1.0-py3-none-any.whl"\n'
        f'hashes = {{sha256 = "{"0" * 64}"}}\n'
        '[[packages]]\nname = "windows"\nversion = "2.0"\nmarker = "sys_platform == \'win32\'"\n'
        '[[packages.wheels]]\nname = "windows-2.0-py3-none-any.whl"\n'
        'url = "https://example.org/windows-2.0-py3-none-any.whl"\n'
        f'hashes = {{sha256 = "{"1" * 64}"}}\n'
    )
    assert locks.read_lock(path) == (locks.Pin("pure", "1.0", (HASH,)),)


def test_a_damaged_pylock_is_told(tmp_path):
    path = tmp_path / "pylock.toml"
    path.write_text('lock-version = "1.0"\n')
    with pytest.raises(ProjectError, match="created-by"):
        locks.read_lock(path)


def test_a_damaged_uv_lock_is_told_with_uvs_own_words(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    path = tmp_path / "uv.lock"
    path.write_text("not a lock")
    with pytest.raises(ProjectError, match=r"uv cannot read it:\n.+"):
        locks.read_lock(path)


def test_bytecode_does_not_depend_on_its_neighbours(tmp_path):
    text = "NAMES = ('spam', 'eggs', frozenset({'a', 'b', None}))\ndef f(x, *, spam=1): return x\n"
    running = interpreter.running()
    alone, among = tmp_path / "alone", tmp_path / "among"
    for folder in (alone, among):
        folder.mkdir()
        (folder / "module.py").write_text(text)
    for i in range(20):
        (among / f"a{i}.py").write_text(f"spam = eggs = {i}\nclass a: b = 'spam'\n")
    bytecode.compile_tree(alone, running)
    bytecode.compile_tree(among, running)
    data = (alone / "module.pyc").read_bytes()
    assert data == (among / "module.pyc").read_bytes()
    assert not (alone / "module.py").exists()
    code = marshal.loads(data[16:])
    assert isinstance(code, CodeType)
    assert code.co_filename == "module.py"


def test_a_file_that_is_no_python_stays_and_is_told(tmp_path):
    (tmp_path / "template.py").write_text("def {{ name }}(): ...\n")
    (found,) = bytecode.compile_tree(tmp_path, interpreter.running())
    assert (found.path, found.line) == ("template.py", 1)
    assert (tmp_path / "template.py").is_file()


def test_stripping_keeps_a_library_working_and_takes_its_debug_information(tmp_path, compile_c):
    source = tmp_path / "lib.c"
    source.write_text(
        "#include <stdio.h>\nstatic _Thread_local int calls; int answer = 41;\n"
        'int ask(void) { printf("asked\\n"); return answer + ++calls; }\n'
    )
    host = tmp_path / "main.c"
    host.write_text("int ask(void);\nint main(void) { return ask(); }\n")
    library = compile_c("libask.so", [source], "-shared", "-fPIC", "-g3")
    program = compile_c("main", [host], str(library), f"-Wl,-rpath,{library.parent}")
    before = library.read_bytes()
    assert b".debug_info" in before
    after = strip.strip(before, "libask.so")
    library.write_bytes(after)
    assert len(after) < len(before) / 2 + 8192
    assert b".debug_info" not in after
    assert b".symtab" not in after
    assert subprocess.run([program], check=False, capture_output=True).returncode == 42
    assert {"ask", "answer"} <= elf.read(library).defined
    assert strip.strip(after, "libask.so") == after


def test_a_damaged_library_is_told_by_name(tmp_path):
    path = tmp_path / "bad.so"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
    with pytest.raises(BuildError, match=r"bad\.so: has no section headers"):
        elf.read(path)
    path.write_bytes(Path(interpreter.running().libpython).read_bytes()[:3000])
    with pytest.raises(BuildError, match=r"bad\.so: not a readable ELF file"):
        elf.read(path)


def test_a_library_that_is_not_there_is_told_with_the_places(tmp_path):
    running = interpreter.running()
    needing = elf.read(running.libpython)
    with pytest.raises(ToolchainError, match=r"needs the shared library libnowhere\.so\.7.*looked"):
        search.find("libnowhere.so.7", needing, [tmp_path], running.machine)


def test_the_glibc_floor_is_the_newest_version_needed():
    def library(*needs: tuple[str, str]) -> elf.SharedLibrary:
        return elf.SharedLibrary(Path("x"), "", (), (), (), (), needs)

    assert elf.glibc_floor([]) == "2.0"
    old = library(("libc.so.6", "GLIBC_2.2.5"), ("libm.so.6", "GLIBC_2.29"))
    assert elf.glibc_floor([old]) == "2.29"
    assert elf.glibc_floor([old, library(("libother.so.1", "GLIBC_2.99"))]) == "2.29"
    assert elf.glibc_floor([library(("libc.so.6", "GLIBC_ABI_DT_RELR"))]) == "2.36"


def test_a_changed_package_of_the_environment_is_not_copied(tmp_path, monkeypatch):
    info = tmp_path / "site" / "acme-1.dist-info"
    info.mkdir(parents=True)
    (info.parent / "acme.py").write_text("changed = True\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "RECORD").write_text("acme.py,sha256=AAAA,0\n")
    monkeypatch.syspath_prepend(info.parent)
    (dist,) = environment.closure([Requirement("acme==1")]).values()
    with pytest.raises(ToolchainError, match=r"acme\.py is not as acme 1 installed it"):
        environment.copy_distribution(dist, tmp_path / "bundle")


def test_a_missing_or_too_old_package_of_the_environment_is_told():
    with pytest.raises(ToolchainError, match="no-such-package is not installed"):
        environment.closure([Requirement("no-such-package")])
    with pytest.raises(ToolchainError, match=r"orjson>=999 is needed"):
        environment.closure([Requirement("orjson>=999")])


def test_pruning_keeps_packages_licences_and_metadata(tmp_path):
    kept = ["pkg/__init__.py", "pkg/data.json", "pkg-1.dist-info/METADATA", "pkg/a.so"]
    kept += ["pkg-1.dist-info/licenses/LICENSE", "pkg-1.dist-info/entry_points.txt", "tests/a.py"]
    gone = ["pkg/tests/test_a.py", "pkg/x.pyi", "pkg/x.c", "pkg/py.typed", "bin/tool", ".lock"]
    gone += ["pkg-1.dist-info/RECORD", "pkg-1.dist-info/direct_url.json", "pkg/__pycache__/a.pyc"]
    for name in [*kept, *gone]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    install.prune(tmp_path)
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert files == sorted(kept)
    assert not (tmp_path / "bin").exists()


def test_a_setuptools_project_is_built_without_traces_in_its_folder(tmp_path):
    folder = tmp_path / "old"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme/__init__.py").write_text("")
    (folder / "build/lib/acme").mkdir(parents=True)
    (folder / "build/lib/acme/stale.py").write_text("")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "acme"\nversion = "1"\n[tool.setuptools]\npackages = ["acme"]\n'
    )
    before = sorted(folder.rglob("*"))
    wheel = project.build_wheel(project.read_project(folder), tmp_path / "wheel")
    project.unpack_wheel(wheel, tmp_path / "site")
    assert sorted(folder.rglob("*")) == before
    assert [path.name for path in (tmp_path / "site/acme").iterdir()] == ["__init__.py"]
