"""A loader with a fake bridge in its payload, and host processes that load it."""

import ctypes
import hashlib
import io
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ARCH = platform.machine()
INCLUDES = [f"-I{ROOT / 'loader_c/include'}", f"-I{ROOT / 'falcopy_sdk/abi'}"]
BRIDGE_PATH = "site-packages/fake/_bridge.so"

# falcopy_image.h, written out a second time on purpose.
IMAGE = struct.Struct("<16sIIQQQ72s16sIIII32I")
BLOB_SIZE = 512 * 1024
EXPORTS = [
    "get_init_schema",
    "get_id",
    "get_event_source",
    "open",
    "close",
    "list_open_params",
    "get_progress",
    "event_to_string",
    "next_batch",
    "get_extract_event_types",
    "get_extract_event_sources",
    "get_fields",
    "extract_fields",
    "get_parse_event_types",
    "get_parse_event_sources",
    "parse_event",
    "get_async_event_sources",
    "get_async_events",
    "set_async_event_handler",
    "dump_state",
    "set_config",
    "get_metrics",
    "capture_open",
    "capture_close",
    "get_required_event_schema_version",
]
STRINGS = [
    "required_api_version",
    "version",
    "name",
    "description",
    "contact",
    "event_source",
    "init_schema",
    "fields",
    "extract_event_sources",
    "parse_event_sources",
    "async_event_sources",
    "async_events",
    "required_event_schema_version",
    "plugin_ref",
    "bridge_path",
]


@dataclass(frozen=True)
class Loader:
    """A loader that was built, and what a host process needs to load it."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def installed_loader() -> Path:
    """The loader as the wheel installs it; $FALCOPY_LOADER names another build of it."""
    named = os.environ.get("FALCOPY_LOADER")
    if named:
        return Path(named)
    from falcopy_sdk.runtime import _bridge

    return Path(_bridge.__file__).parent / f"loader-{ARCH}.so"


@pytest.fixture(scope="session")
def sanitized_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build folder of a loader with AddressSanitizer and UBSan."""
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.mktemp("sanitized")
    options = ["-DFALCOPY_SANITIZE=ON", f"-DPython_EXECUTABLE={sys.executable}"]
    for command in (
        ["cmake", "-S", ROOT / "loader_c", "-B", build, *options],
        ["cmake", "--build", build, "--target", "loader"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return build


@pytest.fixture(scope="session", params=["release", "sanitized"])
def loader(request: pytest.FixtureRequest) -> Loader:
    """Every test of the loader runs with it as shipped and with sanitizers."""
    if request.param == "release":
        return Loader(installed_loader())
    build: Path = request.getfixturevalue("sanitized_build")
    asan = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return Loader(
        build / f"loader-{ARCH}.so",
        # CPython itself keeps memory until the end.
        {"LD_PRELOAD": asan, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
    )


@pytest.fixture(scope="session")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The fake bridge, compiled."""
    output = tmp_path_factory.mktemp("bridge") / "bridge.so"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, *INCLUDES, HERE / "fake_bridge.c", "-o", output], check=True)
    return output.read_bytes()


def stored_zip(files: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """A payload as falcopy build writes it: sorted, stored, fixed times."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            usual = 0o040700 if name.endswith("/") else 0o100600
            info.external_attr = (modes or {}).get(name, usual) << 16
            archive.writestr(info, files[name])
    return output.getvalue()


def image(
    *,
    exports: int = 0,
    id: int = 0,
    payload: tuple[int, int] = (0, 0),
    sha256: str = "",
    floor: str = "",
    strings: Mapping[str, str] | None = None,
    types: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
) -> bytes:
    """A filled-in image."""
    blob = bytearray(b"\0\0")
    arrays = []
    for codes in types:
        arrays += [len(blob) if codes else 0, len(codes)]
        blob += struct.pack(f"<{len(codes)}H", *codes)
    offsets = [0] * 32
    for name, value in (strings or {}).items():
        offsets[STRINGS.index(name)] = len(blob)
        blob += value.encode() + b"\0"
    header = IMAGE.pack(
        b"falcopy-image-1", id, 0, exports, *payload, sha256.encode(), floor.encode(), *arrays,
        *offsets,
    )  # fmt: skip
    return header + bytes(blob).ljust(BLOB_SIZE, b"\0")


def patched(loader: Path, new_image: bytes) -> bytes:
    """The loader's file with another image."""
    content = bytearray(loader.read_bytes())
    place = content.index(b"falcopy-image-1\0")
    content[place : place + len(new_image)] = new_image
    return bytes(content)


@dataclass
class Bundles:
    """Makes plugins around the fake bridge."""

    loader: Loader
    folder: Path
    files: dict[str, bytes]
    bridge_path = BRIDGE_PATH
    optional = tuple(EXPORTS)
    stored_zip = staticmethod(stored_zip)
    image = staticmethod(image)

    def write(self, new_image: bytes, payload: bytes = b"") -> Path:
        """Writes a plugin with exactly this image and payload."""
        path = self.folder / "libfake.so"
        path.write_bytes(patched(self.loader.path, new_image) + payload)
        return path

    def make(
        self,
        path: Path | None = None,
        *,
        payload: bytes | None = None,
        floor: str = "2.17",
        exports: list[str] | None = None,
        strings: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> Path:
        """Writes a plugin; by default one with all exports."""
        path = path or self.folder / "libfake.so"
        if payload is None:
            payload = stored_zip(self.files, {"bin/tool": 0o100755, BRIDGE_PATH: 0o100700})
        names = {
            "required_api_version": "3.3.0",
            "name": "fake",
            "version": "1.2.3",
            "plugin_ref": "fake:Fake",
            "bridge_path": BRIDGE_PATH,
        }
        chosen = EXPORTS if exports is None else exports
        new_image = image(
            exports=sum(1 << EXPORTS.index(name) for name in chosen),
            payload=(self.loader.path.stat().st_size, len(payload)),
            sha256=hashlib.sha256(payload).hexdigest(),
            floor=floor,
            strings=names | dict(strings or {}),
            **facts,
        )
        path.write_bytes(patched(self.loader.path, new_image) + payload)
        return path


@pytest.fixture
def bundles(loader: Loader, bridge: bytes, tmp_path: Path) -> Bundles:
    """Plugins of the loader under test, in ``tmp_path/plugins``."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    files = {
        BRIDGE_PATH: bridge,
        "bin/tool": b"#!/bin/sh\n",
        "falcopy.json": b"{}",
        "lib/python3.11/deep/er/module.pyc": bytes(range(256)) * 5000,
        "lib/empty": b"",
    }
    return Bundles(loader, folder, files)


@pytest.fixture(name="stored_zip")
def stored_zip_fixture() -> Callable[..., bytes]:
    """The function that writes a payload."""
    return stored_zip


@dataclass
class Host:
    """Runs Python code that plays the host, in a process of its own."""

    loader: Loader
    log: Path
    cache: Path

    def popen(self, code: str, *arguments: object, **settings: str) -> subprocess.Popen[str]:
        """Starts it; ``settings`` are added to its environment. Standard input is a pipe."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
            "FALCOPY_CACHE_DIR": str(self.cache),
            "FAKE_BRIDGE_LOG": str(self.log),
            **self.loader.environment,
            **settings,
        }
        prelude = "import os, sys\nfrom plugin_host import *\npath = sys.argv[1]\n"
        return subprocess.Popen(
            [sys.executable, "-c", prelude + code, *map(str, arguments)],
            env={name: value for name, value in environment.items() if value},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def result(self, process: subprocess.Popen[str], stdin: str = "") -> Any:
        """What the code emitted, once it has ended well."""
        output, errors = process.communicate(stdin, timeout=60)
        assert process.returncode == 0, f"exit code {process.returncode}: {errors}"
        assert errors == ""
        return json.loads(output)

    def __call__(self, code: str, *arguments: object, **settings: str) -> Any:
        """Runs it to its end."""
        return self.result(self.popen(code, *arguments, **settings))

    def calls(self) -> list[str]:
        """What the bridge was asked, by all processes so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def host(loader: Loader, tmp_path: Path) -> Host:
    """Host processes with their cache in ``tmp_path/cache``."""
    return Host(loader, tmp_path / "calls.log", tmp_path / "cache")


@pytest.fixture(scope="session")
def mounts() -> Callable[[Path, str], None]:
    """Mounts a tmpfs with options; skips the test where that is not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(target: Path, options: str) -> None:
        flags = 8 if "noexec" in options else 0  # MS_NOEXEC
        data = options.replace("noexec", "").strip(",").encode()
        if libc.mount(b"falcopy", bytes(target), b"tmpfs", flags, data) != 0:
            pytest.skip(f"cannot mount a tmpfs: {os.strerror(ctypes.get_errno())}")

    return mount


@pytest.fixture
def mounted(mounts: Callable[[Path, str], None], tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Gives a folder with a tmpfs of the given options, unmounted after the test."""
    libc = ctypes.CDLL(None)
    done: list[Path] = []

    def make(options: str) -> Path:
        folder = tmp_path / f"mounted{len(done)}"
        folder.mkdir()
        mounts(folder, options)
        done.append(folder)
        return folder

    yield make
    for folder in done:
        libc.umount2(bytes(folder), 2)  # MNT_DETACH
