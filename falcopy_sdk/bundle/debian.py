"""Which Debian package a file of the building machine came with, and under which licence."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from debian_inspector.copyright import CopyrightFilesParagraph, DebianCopyright

from falcopy_sdk.bundle import cache

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["DebianPackage", "packages_of"]

_FIELDS: Final = "${Package}\t${Architecture}\t${Version}\t${source:Package}\n"
#: dpkg's, below the root.
_DATABASE: Final = "var/lib/dpkg"
#: Folders that may be links into /usr, or not, where the package was made (Debian's "UsrMerge").
_MERGED: Final = re.compile(r"(/usr)?/(s?bin|lib\w*)/")
_DIVERSION: Final = re.compile(
    r"(?:local diversion|diversion by (?P<by>\S+)) (?P<way>from|to): (?P<path>.*)"
)
_COMMON: Final = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9][\w.+-]*\w)")


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """An installed package: ``libssl3``, ``amd64``, its version, its source package ``openssl``.

    Attributes:
        distribution: ``"debian-12"``, or another that uses dpkg (os-release(5)).
        root: where it is installed.
    """

    name: str
    architecture: str
    version: str
    source: str
    distribution: str
    root: Path = Path("/")

    @property
    def copyright_file(self) -> Path | None:
        """What Debian Policy 12.5 has every package bring; None on machines that leave it out."""
        path = self.root / "usr/share/doc" / self.name / "copyright"
        return path if path.is_file() else None

    def licence(self) -> str | None:
        """The licence of most files, in Debian's own short names (DEP 5); None if not stated so."""
        if self.copyright_file is None:
            return None
        for paragraph in DebianCopyright.from_file(str(self.copyright_file)).paragraphs:
            if isinstance(paragraph, CopyrightFilesParagraph) and "*" in paragraph.files.values:
                return str(paragraph.license.name) or None
        return None

    def texts(self) -> dict[str, bytes]:
        """The copyright file, and the common licences that it refers to, by file name."""
        if self.copyright_file is None:
            return {}
        text = self.copyright_file.read_bytes()
        found = {"copyright": text}
        for name in set(_COMMON.findall(text.decode(errors="replace"))):
            common = self.root / "usr/share/common-licenses" / name
            if common.is_file():
                found[name] = common.read_bytes()
        return found


def packages_of(files: Iterable[Path], sysroot: Path | None = None) -> Mapping[Path, DebianPackage]:
    """The packages that own these files; a file of none, or a machine without dpkg, has none.

    Args:
        files: paths on this machine.
        sysroot: a copy of another machine's root file system that they are in; None: this one's.
    """
    query = shutil.which("dpkg-query")
    root = sysroot if sysroot is not None and (sysroot / _DATABASE).is_dir() else Path("/")
    spellings = {path: _spellings(path, root) for path in files}
    names = sorted({name for each in spellings.values() for name in each})
    if query is None or not names:
        return {}
    command = (query, f"--admindir={root / _DATABASE}")
    owners = _owners(command, names)
    if not owners:
        return {}
    distribution = _distribution(root)
    known: dict[str, DebianPackage] = {}
    for line in _run(*command, "-W", "-f", _FIELDS, *sorted(set(owners.values()))).splitlines():
        name, architecture, version, source = line.split("\t")
        found = DebianPackage(name, architecture, version, source, distribution, root)
        known[name] = known[f"{name}:{architecture}"] = found
    owned = {
        path: next((owners[name] for name in each if name in owners), "")
        for path, each in spellings.items()
    }
    return {path: known[owner] for path, owner in owned.items() if owner in known}


def _spellings(path: Path, root: Path) -> list[str]:
    """The paths that dpkg may know: the file and the link to it, packed in /lib or in /usr/lib."""
    found = []
    for place in (path.resolve(), path):
        if place.is_relative_to(root):
            name = f"/{place.relative_to(root)}"
            merged = _MERGED.match(name)
            found += [name, f"/usr{name}", name.removeprefix("/usr")] if merged else [name]
    return found


def _owners(command: tuple[str, ...], names: Collection[str]) -> dict[str, str]:
    """The package that each file came with; where two have one, a diversion tells (dpkg-divert)."""
    packages, diversions = _search(command, names)
    moved = {to: origin for origin, (to, _) in diversions.items() if to in names}
    # Of a file that was moved aside, dpkg knows the owner by its first name.
    packages |= _search(command, [o for o in moved.values() if o not in packages])[0]
    owners = {}
    for name in names:
        origin = moved.get(name, name)
        owning = packages.get(origin, [])
        if origin in diversions:
            by = diversions[origin][1]
            owning = [o for o in owning if (o.partition(":")[0] == by) == (name == origin)]
        if owning:
            owners[name] = owning[0]
    return owners


def _search(
    command: tuple[str, ...], names: Collection[str]
) -> tuple[dict[str, list[str]], dict[str, tuple[str, str]]]:
    """Packages by file; and diversions: by the diverted file, where to and by which package."""
    packages: dict[str, list[str]] = {}
    diversions: dict[str, tuple[str, str]] = {}
    origin = ""
    # It ends with 1 when one of the files belongs to no package.
    for line in _run(*command, "-S", "--", *names).splitlines() if names else ():
        if diverted := _DIVERSION.fullmatch(line):
            if diverted["way"] == "from":
                origin = diverted["path"]
            else:
                diversions[origin] = diverted["path"], diverted["by"] or ""
            continue
        listed, separator, name = line.partition(": ")
        if separator:
            packages[name] = listed.split(", ")
    return packages, diversions


def _run(*command: str) -> str:
    """What a query says, of now or of an earlier build with the same database."""
    database = Path(command[1].partition("=")[2])
    store = cache.store("debian")
    # dpkg writes these files anew with each package that it changes.
    stamps = cache.stamps([database / "status", database / "diversions"])
    key = cache.digest(*command, stamps)
    if (known := store.get(key)) is not None:
        return known.decode()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"LC_ALL": "C.UTF-8"}
    )
    store.put(key, done.stdout.encode())
    return done.stdout


def _distribution(root: Path) -> str:
    """ID and version of os-release(5), which is a list of shell assignments."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        if (path := root / name).is_file():
            words = shlex.split(path.read_text("utf-8", "replace"), comments=True)
            release = dict(word.split("=", 1) for word in words if "=" in word)
            return "-".join(filter(None, (release.get("ID"), release.get("VERSION_ID"))))
    return "debian"
