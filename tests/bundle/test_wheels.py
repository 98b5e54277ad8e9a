"""Which wheels get into a bundle: for its platform, by either installer, from any cache."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest
from packaging import tags

from falcopy_sdk.bundle import install, installer, interpreter, platforms, project, wheels
from falcopy_sdk.bundle.locks import Pin
from falcopy_sdk.bundle.requirements import Packages, of_project

MINOR = "cp{}{}".format(*interpreter.running().minor)


def _wheel(folder: Path, platform: str) -> tuple[str, str]:
    """A wheel with one module; its name and SHA-256."""
    tag = f"{MINOR}-{MINOR}-{platform}"
    path = folder / f"demo-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", f"PLATFORM = {platform!r}\n")
        info = "demo-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        )
        archive.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Wheels of one version for two machines, offered to pip; gives their names and hashes."""
    folder = tmp_path / "index"
    folder.mkdir()
    made = {m: _wheel(folder, f"manylinux_2_17_{m}") for m in ("x86_64", "aarch64")}
    page = tmp_path / "index.html"
    page.write_text(
        "".join(f'<a href="index/{name}#sha256={h}">{name}</a>' for name, h in made.values())
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(page))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(installer, "uv", lambda: None)
    return made


def _python(machine: str) -> interpreter.Interpreter:
    return dataclasses.replace(interpreter.running(), machine=machine)


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
def test_pip_is_asked_for_the_wheels_of_the_platform_that_is_built_for(machine, index, tmp_path):
    platform = (_python(machine), "2.36")
    pins = (Pin("demo", "1.0", tuple(sorted(f"sha256:{h}" for _, h in index.values()))),)
    site = tmp_path / "site"
    install.install(Packages(pins, (), None), site, platform)
    assert machine in (site / "demo.py").read_text()
    found = wheels.installed_wheels(pins, site, platform)
    assert found == {"demo": wheels.Wheel(*index[machine])}
    # And the answer for one is never given for the other.
    other = next(m for m in index if m != machine)
    assert wheels.installed_wheels(pins, site, (_python(other), "2.36")) == {}


def test_a_cache_shared_by_machines_and_libcs_never_mixes_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = []

    def fill(_pins, folder, _platform):
        made.append(folder)
        (folder / "demo.py").write_text(f"NUMBER = {len(made)}\n")

    monkeypatch.setattr(install, "_install_pins", fill)
    packages = Packages((Pin("demo", "1.0", ("sha256:0",)),), (), None)
    platform = "manylinux_2_36_x86_64", "manylinux_2_36_aarch64", "musllinux_1_2_x86_64"
    for number, each in enumerate((*platform, "manylinux_2_28_x86_64"), 1):
        fits = [tags.Tag(MINOR, MINOR, each)]
        monkeypatch.setattr(tags, "sys_tags", lambda fits=fits: iter(fits))
        for _ in range(2):
            install.install(packages, tmp_path / each, None)
            assert (tmp_path / each / "demo.py").read_text() == f"NUMBER = {number}\n"
    assert len(made) == 4


def test_what_fits_here_names_machine_and_libc():
    machine = interpreter.running().machine
    fits = platforms.fitting(None)
    assert any(f"_{machine}" in tag and ("manylinux" in tag or "musllinux" in tag) for tag in fits)
    assert platforms.fitting((_python("aarch64"), "2.28"))[0] == (
        f"{MINOR}-{MINOR}-manylinux_2_28_aarch64"
    )


def _packages(folder: Path, dependencies: str, lock: str | None) -> Packages:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "acme"\nversion = "1"\ndependencies = [{dependencies}]\n'
    )
    if lock is not None:
        (folder / "requirements.lock").write_text(lock)
    return of_project(project.read_project(folder))


def test_what_no_lock_pins_is_told_in_one_line_with_the_command_that_pins_it(tmp_path):
    (note,) = _packages(tmp_path / "a", '"falcopy-sdk"', None).notes
    assert note.startswith("not reproducible: attrs ")
    assert f"are not pinned ({tmp_path / 'a'} has no lock file); run: cd a && uv pip" in note
    assert "\n" not in note
    (note,) = _packages(tmp_path / "b", "", "").notes
    assert "(requirements.lock lacks them); add falcopy-sdk to the dependencies" in note


def test_a_lock_with_all_that_goes_in_leaves_nothing_to_say(tmp_path):
    copied = _packages(tmp_path / "a", '"falcopy-sdk"', None).installed
    lock = "".join(f"{d.name}=={d.version} --hash=sha256:{'0' * 64}\n" for d in copied)
    assert _packages(tmp_path / "b", '"falcopy-sdk"', lock).notes == ()
