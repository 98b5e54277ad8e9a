"""Plugins for arm64, run under QEMU; plugins on a glibc older than theirs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from falcopy_sdk.bundle import build, installer
from falcopy_sdk.bundle.audit import audit
from falcopy_sdk.bundle.difference import differences
from falcopy_sdk.exceptions import ToolchainError

BUNDLE_TESTS = Path(__file__).parents[1] / "bundle"
TINY = BUNDLE_TESTS / "projects" / "tiny"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def platforms():
    """What ``prepare.sh`` fetches."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("FALCOPY_PLATFORMS") or Path(cache) / "falcopy/platforms")
    if not (folder / "ready").is_file():
        pytest.skip(f"nothing in {folder}; tests/platforms/prepare.sh fetches it")
    if sys.version_info[:2] != (3, 11):
        pytest.skip("Debian 12 has Python 3.11")
    return folder


@pytest.fixture(scope="session")
def host_program(tmp_path_factory):
    """``host_program(machine, glibc)``: a small host, compiled for that platform."""
    folder = tmp_path_factory.mktemp("hosts")

    def compile_(machine: str, glibc: str) -> Path:
        output = folder / machine
        includes = [f"-I{ROOT / 'loader_c/include'}", f"-I{ROOT / 'falcopy_sdk/abi'}"]
        target = f"{machine}-linux-gnu.{glibc}"
        command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-std=c11"]
        command += ["-D_GNU_SOURCE", *includes, str(BUNDLE_TESTS / "host.c"), "-ldl"]
        environment = {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
        subprocess.run([*command, "-o", str(output)], check=True, env=environment)
        return output

    return compile_


@pytest.fixture(scope="session")
def arm64(platforms, tmp_path_factory):
    """The small plugin, built for arm64 on this machine."""
    output = tmp_path_factory.mktemp("arm64") / "libtiny.so"
    return build(TINY, output, platform="linux/arm64", python_root=platforms / "arm64")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_plugin_built_for_arm64_streams_events_under_qemu(
    arm64, platforms, host_program, tmp_path
):
    emulator = platforms / "qemu/usr/bin/qemu-aarch64-static"
    program = host_program("aarch64", "2.28")
    done = subprocess.run(
        [emulator, "-L", platforms / "arm64", program, arm64.path],
        capture_output=True,
        text=True,
        check=False,
        env={"FALCOPY_CACHE_DIR": str(tmp_path / "cache"), "PATH": os.environ["PATH"]},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["verb"] for event in events] == ["start", "libraries", "end"]
    assert events[1]["python"] == arm64.python
    assert (events[1]["zlib"], events[1]["callback"], events[1]["sqlite"]) == ("zlib", 42, 42)


def test_a_plugin_for_arm64_has_nothing_of_this_machine(arm64):
    result = audit(arm64.path)
    assert {finding.code for finding in result.findings} <= {"no-licence"}
    assert arm64.python == "3.11.2"
    assert arm64.packages["orjson"] == "3.13.0"


def test_another_platform_without_its_python_says_where_to_get_one(tmp_path):
    with pytest.raises(ToolchainError, match=r"needs the CPython of that platform.*--python-root"):
        build(TINY, tmp_path / "x.so", platform="linux/arm64")


def test_a_folder_without_a_python_or_for_another_machine_is_told(platforms, tmp_path):
    with pytest.raises(ToolchainError, match=r"has no lib/python3\.\d+/os\.py\. Name a folder"):
        build(TINY, tmp_path / "x.so", platform="linux/arm64", python_root=tmp_path)
    (tmp_path / "lib").mkdir()
    there = platforms / "arm64/usr/lib"
    for source in (there / "python3.11", there / "aarch64-linux-gnu/libpython3.11.so.1.0"):
        (tmp_path / "lib" / source.name).symlink_to(source)
    with pytest.raises(ToolchainError, match=r"is for aarch64, and the plugin for x86_64"):
        build(TINY, tmp_path / "x.so", platform="linux/amd64", python_root=tmp_path)


#: Run in a process of its own: as on a Mac, whose wheel has no part that runs there.
_ON_A_MAC = """
import platform, sys, sysconfig
sysconfig.get_config_vars()  # from a file that is named after the system
sys.platform = "darwin"
platform.machine = lambda: "arm64"

class NoNative:
    def find_spec(self, name, path=None, target=None):
        if name in ("falcopy_sdk.runtime._bridge", "falcopy_sdk.host._driver"):
            raise ImportError(f"{name} does not run here")

sys.meta_path.insert(0, NoNative())
from falcopy_sdk.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_build_on_another_system_needs_nothing_native_of_it(arm64, platforms, tmp_path):
    """Not a Mac, but all that asks for the system or the bridge gets the answers of one."""
    output = tmp_path / "libtiny.so"
    command = [sys.executable, "-c", _ON_A_MAC, "build", TINY, "-o", output]
    done = subprocess.run(
        [*command, "--platform", "linux/arm64", "--python-root", platforms / "arm64"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "UV_CACHE_DIR": _uv_cache()},
    )
    assert done.returncode == 0, done.stderr
    assert differences(output, arm64.path) == []
    done = subprocess.run([*command], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "--platform" in done.stderr


def _uv_cache() -> str:
    """Only falcopy's own results are to be made anew."""
    command = [str(installer.uv()), "cache", "dir"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def from_the_wheel(author_of, tmp_path_factory):
    """The small plugin, as somebody builds it who has falcopy from its wheel; and its floor."""
    author = author_of("tiny")
    folder = tmp_path_factory.mktemp("author")
    project = Path(shutil.copytree(TINY, folder / "tiny"))
    author.run("falcopy", "build", project, "-o", folder / "libtiny.so", cwd=folder)
    told = author.run("falcopy", "inspect", "--json", folder / "libtiny.so", cwd=folder)
    floor = json.loads(told)["glibc_floor"]["bundle"]
    return folder / "libtiny.so", tuple(map(int, floor.split(".")))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the glibc that is fetched is amd64's")
@pytest.mark.parametrize(("suite", "glibc"), [("bullseye", (2, 31)), ("bookworm", (2, 36))])
def test_a_plugin_of_the_wheel_starts_on_the_glibc_it_says_and_tells_why_on_an_older_one(
    from_the_wheel, platforms, host_program, tmp_path, suite, glibc
):
    library, floor = from_the_wheel
    libraries = platforms / suite / "lib/x86_64-linux-gnu"
    if not libraries.is_dir():
        pytest.skip(f"no {libraries}; tests/platforms/prepare.sh fetches it")
    done = subprocess.run(
        [
            *(libraries / "ld-linux-x86-64.so.2", "--library-path", libraries),
            *(host_program("x86_64", "2.28"), library),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"FALCOPY_CACHE_DIR": str(tmp_path / "cache")},
    )
    if floor <= glibc:
        assert done.returncode == 0, done.stderr
        verbs = [json.loads(line)["verb"] for line in done.stdout.splitlines()]
        assert verbs == ["start", "libraries", "end"]
    else:
        assert done.returncode != 0
        assert "needs glibc {}.{}".format(*floor) in done.stderr
        assert "{}.{}".format(*glibc) in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_floor_that_a_plugin_says_is_the_lowest_that_a_build_grants(
    from_the_wheel, author_of, tmp_path
):
    author = author_of("tiny")
    library, (major, minor) = from_the_wheel
    build = ["falcopy", "build", library.with_name("tiny"), "-o", tmp_path / "x.so", "--glibc"]
    author.run(*build, f"{major}.{minor}", cwd=tmp_path)
    with pytest.raises(AssertionError, match=rf"needs GLIBC_{major}\.{minor} of "):
        author.run(*build, f"{major}.{minor - 1}", cwd=tmp_path)
