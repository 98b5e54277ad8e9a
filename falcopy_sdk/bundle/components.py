"""The components of a bundle, as CycloneDX describes components."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from packageurl import PackageURL
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from falcopy_sdk.bundle import licences

if TYPE_CHECKING:
    from pathlib import Path

    from falcopy_sdk.bundle.debian import DebianPackage
    from falcopy_sdk.bundle.interpreter import Interpreter
    from falcopy_sdk.bundle.inventory import Package
    from falcopy_sdk.bundle.licences import Licence

__all__ = ["PLUGIN", "licences_of", "of_library", "of_package", "of_python", "python_texts", "tool"]

#: ``bom-ref`` of the plugin itself.
PLUGIN: Final = "plugin"
_PYTHON: Final = "cpython"


def of_python(python: Interpreter, package: DebianPackage | None) -> Component:
    """The interpreter: its hash is that of its libpython on the building machine."""
    purl = PackageURL("generic", None, _PYTHON, python.version)
    return Component(
        type=ComponentType.FRAMEWORK,
        name=_PYTHON,
        version=python.version,
        description="The Python interpreter and its standard library",
        bom_ref=f"{_PYTHON}@{python.version}",
        cpe=f"cpe:2.3:a:python:python:{python.version}:*:*:*:*:*:*:*",
        purl=purl if package is None else _debian_purl(package),
        hashes=[_sha256_of(python.libpython)],
        # https://docs.python.org/3/license.html
        licenses=[LicenseExpression("PSF-2.0")],
        external_references=[_link(ExternalReferenceType.WEBSITE, "https://www.python.org")],
        properties=_of_debian(package),
    )


def python_texts(python: Interpreter, package: DebianPackage | None) -> dict[str, bytes]:
    """The interpreter's licence; Debian has it in the package's copyright file."""
    texts = package.texts() if package is not None else {}
    own = python.stdlib / "LICENSE.txt"
    if own.is_file():
        texts["LICENSE.txt"] = own.read_bytes()
    return texts


def of_package(package: Package) -> Component:
    """A Python package: its hash is that of the wheel it came in."""
    wheel = package.wheel
    links = [_link(ExternalReferenceType.WEBSITE, package.home)] if package.home else []
    # The file name tells which of the version's wheels it is (purl specification, type pypi).
    qualifiers = {"file_name": wheel.name} if wheel and _is_binary(wheel.name) else None
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        description=package.summary or None,
        bom_ref=f"{package.name}@{package.version}",
        purl=PackageURL("pypi", None, package.name, package.version, qualifiers),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)] if wheel else [],
        licenses=licences_of(package.licence),
        external_references=links,
        properties=[Property(name="falcopy:wheel", value=wheel.name)] if wheel else [],
    )


def of_library(path: Path, package: DebianPackage | None) -> Component:
    """A library of the building machine: its hash is the one it has there."""
    if package is None:
        return Component(
            type=ComponentType.LIBRARY,
            name=path.name,
            bom_ref=path.name,
            hashes=[_sha256_of(path)],
        )
    return Component(
        type=ComponentType.LIBRARY,
        name=path.name,
        version=package.version,
        description=f"Shared library of the package {package.name}",
        bom_ref=f"{path.name}@{package.version}",
        purl=_debian_purl(package),
        hashes=[_sha256_of(path)],
        licenses=licences_of(licences.of_debian(package)),
        properties=_of_debian(package),
    )


def tool(sdk: Package) -> Component:
    """What made the document."""
    return Component(
        type=ComponentType.APPLICATION,
        name="falcopy",
        version=sdk.version,
        purl=PackageURL("pypi", None, sdk.name, sdk.version),
    )


def licences_of(licence: Licence | None) -> list[LicenseExpression | DisjunctiveLicense]:
    """None: not known, which an audit reports."""
    if licence is None:
        return []
    if licence.spdx:
        return [LicenseExpression(licence.name)]
    return [DisjunctiveLicense(name=licence.name)]


def _of_debian(package: DebianPackage | None) -> list[Property]:
    if package is None:
        return []
    return [
        Property(name="falcopy:debian:package", value=package.name),
        Property(name="falcopy:debian:source", value=package.source),
    ]


def _debian_purl(package: DebianPackage) -> PackageURL:
    vendor = package.distribution.partition("-")[0]
    qualifiers = {"arch": package.architecture, "distro": package.distribution}
    return PackageURL("deb", vendor, package.name, package.version, qualifiers)


def _is_binary(wheel: str) -> bool:
    try:
        return any(tag.platform != "any" for tag in parse_wheel_filename(wheel)[3])
    except InvalidWheelFilename:
        return False


def _sha256_of(path: Path) -> HashType:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _link(kind: ExternalReferenceType, url: str) -> ExternalReference:
    return ExternalReference(type=kind, url=XsUri(url))
