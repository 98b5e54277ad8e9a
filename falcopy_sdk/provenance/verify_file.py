"""Checks of a built plugin: does each part say the same as the others?"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.bundle import sbom
from falcopy_sdk.exceptions import BundleFormatError
from falcopy_sdk.provenance import shapes
from falcopy_sdk.provenance.checks import Report
from falcopy_sdk.provenance.plugin_file import PluginFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from falcopy_sdk.provenance.keys import PublicKey

__all__ = ["check_plugin", "listed_files", "signature_file", "verify_file"]

_AGAIN: Final = "build it again, or download it again from where it was published"
_SHOWN: Final = 5


def signature_file(path: Path) -> Path:
    """Where the signature of a file is: beside it, as ``cosign sign-blob`` is used."""
    return path.with_name(f"{path.name}.sig")


def verify_file(path: Path, key: PublicKey | None = None) -> Report:
    """Checks a plugin's shared library.

    Args:
        path: Of the library.
        key: Who must have signed it, in a file beside it that ends in ``.sig``.

    Raises:
        OSError: the file cannot be read.
    """
    report = Report(str(path))
    _signature(report, path, key)
    try:
        with PluginFile.open(path) as plugin:
            check_plugin(report, plugin, "")
    except BundleFormatError as error:
        report.fail("file", str(error), _AGAIN)
    return report


def _signature(report: Report, path: Path, key: PublicKey | None) -> None:
    beside = signature_file(path)
    if key is None:
        report.skip("signature", "no --key was given: who made the file is not known")
        return
    if not beside.is_file():
        report.fail(
            "signature",
            f"there is no {beside.name} beside the file",
            "get it from the publisher, or sign the file: falcopy sign FILE --key cosign.key",
        )
        return
    try:
        signature = base64.b64decode(beside.read_bytes(), validate=False)
    except binascii.Error:
        signature = b""
    if key.verifies(signature, path.read_bytes()):
        report.ok("signature", f"{beside.name} was made by the key {key.fingerprint[:16]}…")
    else:
        report.fail(
            "signature",
            f"{beside.name} is not this file's signature by the key {key.fingerprint[:16]}…",
            "do not use the file: it was changed after it was signed, or another key signed it",
        )


def check_plugin(report: Report, plugin: PluginFile, where: str) -> None:
    """Adds the checks of one plugin to a report.

    Args:
        report: Added to.
        plugin: Opened.
        where: Put behind the names of the checks: the platform.

    Raises:
        BundleFormatError: it is damaged beyond checking.
    """
    suffix = f" {where}" if where else ""
    sha256 = plugin.payload_sha256()
    if sha256 != plugin.image.payload_sha256:
        report.fail(
            f"payload{suffix}",
            f"its SHA-256 is {sha256}, and the loader expects {plugin.image.payload_sha256}: a "
            "host will refuse it",
            _AGAIN,
        )
        return
    if not plugin.ends_with_payload():
        report.fail(f"payload{suffix}", "there are bytes behind the payload", _AGAIN)
    else:
        report.ok(f"payload{suffix}", f"SHA-256 {sha256}")
    _facts(report, plugin, f"static facts{suffix}")
    _bill(report, plugin, f"SBOM{suffix}")


def _facts(report: Report, plugin: PluginFile, name: str) -> None:
    facts = dataclasses.asdict(plugin.image.facts)
    facts["exports"] = sorted(facts["exports"])
    # As JSON: the manifest has lists where the facts have tuples.
    stated, found = plugin.manifest.get("plugin"), json.loads(json.dumps(facts))
    if stated == found:
        report.ok(name, f"{facts['name']} {facts['version']}, as in falcopy.json")
        return
    known = stated if isinstance(stated, dict) else {}
    differing = sorted(key for key in found if known.get(key) != found[key])
    report.fail(
        name,
        f"what a host reads differs from falcopy.json inside: {', '.join(differing)}",
        _AGAIN,
    )


def _bill(report: Report, plugin: PluginFile, name: str) -> None:
    if sbom.NAME not in plugin.archive.namelist():
        report.fail(name, "there is none in the payload", "build it with a current falcopy-sdk")
        return
    wrong = shapes.problem(plugin.sbom, shapes.BILL)
    if wrong is not None:
        report.fail(name, f"it is no document of this form: {wrong}", _AGAIN)
        return
    try:
        listed, loader = listed_files(plugin.sbom)
    except KeyError as error:
        report.fail(name, str(error.args[0]), _AGAIN)
        return
    contents = {n: digest for n, digest in plugin.digests() if n not in sbom.NOT_LISTED}
    changed = sorted(n for n in listed.keys() & contents.keys() if listed[n] != contents[n])
    problems = {
        "changed": changed,
        "not listed": sorted(contents.keys() - listed.keys()),
        "listed, but not there": sorted(listed.keys() - contents.keys()),
    }
    if loader != plugin.loader_sha256():
        problems["changed"].append("the loader")
    if any(problems.values()):
        texts = [f"{what}: {_some(names)}" for what, names in problems.items() if names]
        report.fail(name, "; ".join(texts), _AGAIN)
        return
    metadata = plugin.sbom["metadata"]["component"]
    about = (metadata.get("name"), metadata.get("version"))
    facts = plugin.image.facts
    if about != (facts.name, facts.version):
        report.fail(name, f"it is about {about[0]} {about[1]}, another plugin", _AGAIN)
        return
    count = len(plugin.sbom["components"])
    report.ok(name, f"{count} components; each of {len(contents)} files is as listed")


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def listed_files(document: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
    """The files in a bill of materials with their SHA-256, and that of the loader.

    Args:
        document: Of the form :data:`falcopy_sdk.provenance.shapes.BILL`.

    Raises:
        KeyError: a file is listed twice.
    """
    files: dict[str, str] = {}
    loader = None
    for component in (document["metadata"]["component"], *document["components"]):
        for file in component.get("components", ()):
            digest = file["hashes"][0]["content"]
            if file.get("bom-ref") == sbom.LOADER:
                loader = digest
            elif file["name"] in files:
                raise KeyError(f"{file['name']} is listed twice")
            else:
                files[file["name"]] = digest
    return files, loader
