"""Checking a built plugin against what a bundle promises: nothing of it depends on its host.

Every file inside is read, none is run, so that a plugin for another platform is checked as well.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from falcopy_sdk.bundle import audit_cache, audit_elf, elf, image, manifest, room, sbom
from falcopy_sdk.bundle.audit_elf import Finding
from falcopy_sdk.bundle.contents import Contents
from falcopy_sdk.exceptions import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcopy_sdk.bundle.elf import SharedLibrary

__all__ = ["Audit", "Finding", "audit", "audit_unpacked"]

_INSTALL_AGAIN: Final = "Build or download the plugin again."
#: Entries that no host accepts a plugin without (plugin_api.h, "required").
_REQUIRED: Final = (
    *("plugin_get_required_api_version", "plugin_get_version", "plugin_get_name"),
    *("plugin_get_description", "plugin_get_contact", "plugin_init", "plugin_destroy"),
    "plugin_get_last_error",
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit has found.

    Attributes:
        findings: sorted by file and code; none: all is well.
        libraries: number of ELF files that were looked at, the plugin's own included.
        glibc_floor: the oldest glibc that can load all of them.
    """

    findings: tuple[Finding, ...]
    libraries: int
    glibc_floor: str


def audit(path: Path, *, glibc: str | None = None) -> Audit:
    """Audits a built plugin.

    Args:
        path: the file.
        glibc: the oldest version it has to run on, ``"2.28"``; None: the one it says itself.

    Raises:
        BundleFormatError: it is no built plugin, or damaged beyond reading.
        StorageError: there is no room to unpack it in.
    """
    with room.told(), tempfile.TemporaryDirectory(prefix="falcopy-audit-") as scratch:
        root = Path(scratch)
        try:
            with zipfile.ZipFile(path) as archive:
                unsafe = [name for name in archive.namelist() if not _is_inside(name)]
                archive.extractall(root, [n for n in archive.namelist() if n not in unsafe])
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            if room.is_full(error):
                raise
            raise BundleFormatError(
                f"{path}: its payload is damaged ({error}). {_INSTALL_AGAIN}"
            ) from error
        outside = [
            Finding("unsafe-path", name, "lies outside the bundle", _INSTALL_AGAIN)
            for name in unsafe
        ]
        return audit_unpacked(path, root, path.name, glibc=glibc, also=outside)


def audit_unpacked(
    path: Path,
    root: Path,
    name: str,
    *,
    glibc: str | None = None,
    contents: Contents | None = None,
    also: Iterable[Finding] = (),
) -> Audit:
    """Audits a built plugin whose payload is unpacked in ``root``.

    Args:
        path: the file.
        root: the folder.
        name: what to call the file.
        glibc: the oldest version it has to run on; None: the one it says itself.
        contents: what is known of the files in the folder; None: they are read.
        also: what was found before.

    Raises:
        BundleFormatError: it is no built plugin, or damaged beyond reading.
    """
    about = image.read_image(path)
    if about.payload_size == 0:
        raise BundleFormatError(f"{path}: an empty loader; falcopy build makes a plugin of it")
    try:
        document = json.loads((root / manifest.NAME).read_bytes())
        components = json.loads((root / sbom.NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleFormatError(
            f"{path}: its payload is damaged ({error}). {_INSTALL_AGAIN}"
        ) from error
    machine = _machine(path)
    with ThreadPoolExecutor(1) as beside:
        payload = beside.submit(_payload, path, name, about)
        contents = contents or Contents(root)
        findings = [*also, *payload.result(), *_files(contents, document), *_licences(components)]
    inside = [each for each in contents.names() if contents[each].head.startswith(elf.MAGIC)]
    looks = audit_cache.Looks(machine, inside)
    read: dict[Path, SharedLibrary] = {}
    # The plugin itself differs in each build, so that it is not looked for among earlier ones.
    seen = {path: audit_elf.look(path, name, machine)}
    seen |= {root / each: looks.at(root / each, each) for each in inside}
    for place, (found, library) in seen.items():
        findings += found
        if library is not None:
            read[place] = library
    findings += audit_elf.links(root, read)
    findings += _exports(name, read.get(path))
    findings += audit_elf.too_new(root, path, read, glibc or about.glibc_floor)
    findings.sort(key=lambda finding: (finding.file, finding.code, finding.problem))
    return Audit(tuple(findings), len(seen), elf.glibc_floor(list(read.values())))


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return not name.startswith("/") and ".." not in parts and "\\" not in name


def _machine(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return str(ELFFile(stream)["e_machine"])
    except ELFError as error:
        raise BundleFormatError(f"{path}: not a shared library ({error})") from error


def _payload(path: Path, name: str, about: image.Image) -> list[Finding]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(about.payload_offset)
        left = about.payload_size
        while left and (data := stream.read(min(left, 1 << 20))):
            digest.update(data)
            left -= len(data)
    if digest.hexdigest() == about.payload_sha256:
        return []
    problem = "its payload has another sha256 than the loader expects"
    return [Finding("payload-changed", name, problem, _INSTALL_AGAIN)]


def _files(contents: Contents, document: dict[str, Any]) -> list[Finding]:
    findings = []
    told: dict[str, dict[str, Any]] = document.get("files", {})
    there = set(contents.names())
    for name in sorted(set(told) - there):
        findings.append(Finding("file-missing", name, "is in the manifest only", _INSTALL_AGAIN))
    for name in sorted(there - set(told) - {manifest.NAME}):
        problem = "is in the bundle, but not in its manifest"
        findings.append(Finding("file-unknown", name, problem, _INSTALL_AGAIN))
    for name in sorted(there & set(told)):
        if contents[name].sha256 != told[name].get("sha256"):
            problem = "has another sha256 than the manifest says"
            findings.append(Finding("file-changed", name, problem, _INSTALL_AGAIN))
    return findings


def _licences(components: dict[str, Any]) -> list[Finding]:
    fix = (
        "Ask its authors to state one in its metadata, or use another package; whoever passes the "
        "plugin on needs to know."
    )
    missing = sorted(sbom.unlicensed(components))
    return [Finding("no-licence", name, "states no licence", fix) for name in missing]


def _exports(file: str, library: SharedLibrary | None) -> list[Finding]:
    if library is None:
        return []
    findings = []
    for name in _REQUIRED:
        if name not in library.defined:
            problem = f"does not export {name}, without which no host loads a plugin"
            findings.append(Finding("no-export", file, problem, _INSTALL_AGAIN))
    for name in sorted(library.defined):
        if not name.startswith("plugin_"):
            problem = f"shows its host a symbol that is no entry of the plugin API: {name}"
            fix = "Rebuild the loader with hidden visibility (-fvisibility=hidden)."
            findings.append(Finding("host-visible-symbol", file, problem, fix))
    return findings
