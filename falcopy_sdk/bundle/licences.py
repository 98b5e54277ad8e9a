"""Under which licences the parts of a bundle are, and the texts that have to travel along."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from pathlib import Path

    from falcopy_sdk.bundle.debian import DebianPackage

__all__ = ["FOLDER", "Licence", "of_debian", "of_distribution", "take_texts"]

#: Of the texts, in the bundle: ``licences/<component>/<file>``.
FOLDER: Final = "licences"

#: What metadata says in words, lower case, and the SPDX identifier that is meant.
_SPELLINGS: Final = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3-clause license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "new bsd license": "BSD-3-Clause",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    # Debian's short names (DEP 5, "Short name").
    "expat": "MIT",
    "zlib": "Zlib",
    "gpl-1+": "GPL-1.0-or-later",
    "gpl-2": "GPL-2.0-only",
    "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only",
    "gpl-3+": "GPL-3.0-or-later",
    "lgpl-2": "LGPL-2.0-only",
    "lgpl-2+": "LGPL-2.0-or-later",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3+": "LGPL-3.0-or-later",
    "bsd-variant": "bzip2-1.0.6",
}
#: Packages whose copyright file tells of the whole source package, not of the library in it.
_DEBIAN: Final = {
    "libcrypt1": "LGPL-2.1-or-later",
    "libgcc-s1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgomp1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libnsl2": "LGPL-2.1-or-later",
    "libstdc++6": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libuuid1": "BSD-3-Clause",
}
_NO_LICENCE: Final = frozenset({"", "unknown", "none", "license", "see license", "proprietary"})
_PUBLIC_DOMAIN: Final = frozenset({"pd", "public domain", "public-domain"})
_TEXT_FILE: Final = re.compile(r"(licen[cs]e|copying|notice|copyright|authors)[\w.-]*", re.I)


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence's name; ``spdx`` tells whether it is an SPDX license expression."""

    name: str
    spdx: bool


def of_distribution(about: Message, texts: Mapping[str, bytes]) -> Licence | None:
    """The licence of a Python package, or None when it states none.

    Args:
        about: its core metadata: License-Expression (PEP 639), else License, else the classifiers.
        texts: its licence files; the two BSD licences share one classifier.
    """
    stated = [about.get("License-Expression"), about.get("License")]
    stated += [
        classifier.split(" :: ")[-1]
        for classifier in about.get_all("Classifier") or ()
        if classifier.startswith("License :: ") and classifier != "License :: OSI Approved"
    ]
    # Some put the whole text there.
    named = [text for text in stated if text and "\n" not in text.strip() and len(text) < 100]
    found = [licence for text in named if (licence := _read(text)) is not None]
    expression = next((licence for licence in found if licence.spdx), None)
    if expression is not None:
        return expression
    if any(licence.name in {"BSD", "BSD License"} for licence in found):
        return _which_bsd(texts)
    return found[0] if found else None


def of_debian(package: DebianPackage) -> Licence | None:
    """The licence of a library that came with a Debian package; None when it cannot be told."""
    known = _DEBIAN.get(package.name) or package.licence()
    return None if known is None else _read(known)


def _read(text: str) -> Licence | None:
    text = text.strip()
    if text.lower() in _NO_LICENCE:
        return None
    if text.lower() in _PUBLIC_DOMAIN:
        # SPDX has no identifier for it.
        return Licence("Public domain", False)
    try:
        return Licence(canonicalize_license_expression(_SPELLINGS.get(text.lower(), text)), True)
    except InvalidLicenseExpression:
        return Licence(text, False)


def _which_bsd(texts: Mapping[str, bytes]) -> Licence:
    text = re.sub(rb"\s+", b" ", b" ".join(texts.values())).lower()
    if b"redistributions in binary form must reproduce" not in text:
        return Licence("BSD License", False)
    three = b"neither the name" in text or b"may not be used to endorse" in text
    return Licence("BSD-3-Clause" if three else "BSD-2-Clause", True)


def take_texts(folder: Path) -> dict[str, bytes]:
    """Reads and removes the licence files of a ``.dist-info`` folder (PEP 639 and before it)."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*"), reverse=True):
        relative = path.relative_to(folder)
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif relative.parts[0].lower() in {"licenses", "licences", "license_files"}:
            found["/".join(relative.parts[1:])] = path.read_bytes()
            path.unlink()
        elif len(relative.parts) == 1 and _TEXT_FILE.fullmatch(path.name):
            found[path.name] = path.read_bytes()
            path.unlink()
    return dict(sorted(found.items()))
