"""Which Debian package a file of the building machine came with, and under which licence."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from debian_inspector.copyright import CopyrightFilesParagraph, DebianCopyright

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["DebianPackage", "packages_of"]

_FIELDS: Final = "${Package}\t${Architecture}\t${Version}\t${source:Package}\n"
_COMMON: Final = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9][\w.+-]*\w)")


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """An installed package: ``libssl3``, ``amd64``, its version, its source package ``openssl``.

    Attributes:
        distribution: ``"debian-12"``, or another that uses dpkg (os-release(5)).
    """

    name: str
    architecture: str
    version: str
    source: str
    distribution: str

    @property
    def copyright_file(self) -> Path | None:
        """What Debian Policy 12.5 has every package bring; None on machines that leave it out."""
        path = Path("/usr/share/doc", self.name, "copyright")
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
            common = Path("/usr/share/common-licenses", name)
            if common.is_file():
                found[name] = common.read_bytes()
        return found


def packages_of(files: Iterable[Path]) -> Mapping[Path, DebianPackage]:
    """The packages that own these files; a file of none, or a machine without dpkg, has none."""
    query = shutil.which("dpkg-query")
    names = {name: path for path in files for name in _spellings(path)}
    if query is None or not names:
        return {}
    # It ends with 1 when one of the files belongs to no package.
    listed = _run(query, "-S", *names)
    owners: dict[Path, str] = {}
    for line in listed.splitlines():
        package, separator, name = line.rpartition(": ")
        if separator and name in names and not package.startswith("diversion by "):
            owners[names[name]] = package.split(", ")[0]
    if not owners:
        return {}
    distribution = _distribution()
    known: dict[str, DebianPackage] = {}
    for line in _run(query, "-W", "-f", _FIELDS, *sorted(set(owners.values()))).splitlines():
        name, architecture, version, source = line.split("\t")
        found = DebianPackage(name, architecture, version, source, distribution)
        known[name] = known[f"{name}:{architecture}"] = found
    return {path: known[owner] for path, owner in owners.items() if owner in known}


def _spellings(path: Path) -> set[str]:
    """The paths that dpkg may know it by: as it was packed, /lib or /usr/lib, links unfollowed."""
    found = set()
    for name in (str(path), str(path.resolve())):
        found |= {name, name.removeprefix("/usr")} if name.startswith("/usr/lib") else {name}
        if name.startswith("/lib"):
            found.add(f"/usr{name}")
    return found


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"LC_ALL": "C.UTF-8"}
    )
    return done.stdout


def _distribution() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "debian"
    return "-".join(part for part in (release["ID"], release.get("VERSION_ID")) if part)
