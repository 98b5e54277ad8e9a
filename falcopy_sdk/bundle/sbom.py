"""``sbom.cdx.json``: the bill of materials of a bundle, in the form of CycloneDX 1.6 (ECMA-424).

Each component lists its files in the payload with their SHA-256, so that the document can be held
against the contents file by file. The same contents give the same bytes: there is no time stamp,
and the serial number is made from the contents.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6

from falcopy_sdk.bundle import components, debian, licences
from falcopy_sdk.bundle.components import PLUGIN
from falcopy_sdk.bundle.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from falcopy_sdk.bundle.contents import Contents
    from falcopy_sdk.bundle.interpreter import Interpreter
    from falcopy_sdk.bundle.inventory import Package
    from falcopy_sdk.declare.facts import StaticFacts

__all__ = ["LOADER", "NAME", "NOT_LISTED", "Inputs", "unlicensed", "write"]

NAME: Final = "sbom.cdx.json"
#: What the document cannot list: itself, and the manifest that lists it.
NOT_LISTED: Final = frozenset({NAME, "falcopy.json"})
#: ``bom-ref`` of the ELF file around the payload, as it was before a build filled it in.
LOADER: Final = "loader"
#: RFC 4122 wants a name space for identifiers that are made from names; this is the SDK's.
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "pkg:pypi/falcopy-sdk")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the parts of a bundle were made from.

    Attributes:
        facts: of the plugin.
        interpreter: whose standard library and libpython are inside.
        loader: the ELF file around the payload.
        sdk: falcopy-sdk.
        packages: all others in site-packages, the plugin's own among them.
        system: place in the bundle, and on this machine, of each library copied from it.
        lock: file that pins the packages; None: there is none.
        source: name of the package that the plugin's class is in.
        source_hash: of its sources (in-toto, ``dirHash``); empty when it came as a wheel.
    """

    facts: StaticFacts
    interpreter: Interpreter
    loader: Path
    sdk: Package
    packages: tuple[Package, ...]
    system: Mapping[str, Path]
    lock: Path | None
    source: str
    source_hash: str


def write(contents: Contents, inputs: Inputs) -> tuple[str, ...]:
    """Adds the licence texts and the bill of materials to a bundle that is otherwise complete.

    Returns:
        names of the components whose licence is not known.
    """
    python = inputs.interpreter
    libpython = next((p for p in inputs.system.values() if p.name == python.libpython.name), None)
    system = {place: path for place, path in inputs.system.items() if path != libpython}
    packages = debian.packages_of(
        [*inputs.system.values(), python.stdlib / "abc.py"], python.sysroot
    )

    listed: dict[str, Component] = {}
    texts: dict[str, Mapping[str, bytes]] = {}
    owners = Owners({package.name: package.files for package in inputs.packages})
    interpreter = components.of_python(python, packages.get(libpython or python.libpython))
    interpreter_texts = components.python_texts(python, packages.get(python.stdlib / "abc.py"))
    for component, given in [
        (interpreter, interpreter_texts),
        *((components.of_package(p), p.texts) for p in (inputs.sdk, *inputs.packages)),
    ]:
        listed[component.name] = component
        texts[component.name] = given
    for place, path in sorted(system.items()):
        package = packages.get(path)
        component = components.of_library(path, package)
        listed[component.name] = component
        texts[component.name] = package.texts() if package else {}
        owners.add(component.name, place)
    for place, path in inputs.system.items():
        if path == libpython:
            owners.add(interpreter.name, place)
    owners.add_folder(interpreter.name, f"lib/{python.folder}")
    owners.add_folder(inputs.sdk.name, "site-packages/falcopy_sdk")
    for name, given in texts.items():
        owners.add_folder(name, f"{licences.FOLDER}/{name}")
        for file, text in given.items():
            contents.put(f"{licences.FOLDER}/{name}/{file}", text)

    plugin = _plugin(inputs)
    bom = Bom(
        components=listed.values(),
        dependencies=_dependencies(plugin, listed, inputs),
        metadata=BomMetaData(
            component=plugin, tools=ToolRepository(components=[components.tool(inputs.sdk)])
        ),
    )
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    _add_files(document, _files(contents, owners), inputs.loader, inputs.sdk.name)
    _identify(document)
    contents.put_json(NAME, document)
    return unlicensed(document)


def unlicensed(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Names and versions of the components in a bill of materials that state no licence."""
    return tuple(
        f"{component['name']} {component.get('version', '')}".strip()
        for component in document["components"]
        if not component.get("licenses")
    )


def _plugin(inputs: Inputs) -> Component:
    facts = inputs.facts
    properties = {
        "falcopy:machine": inputs.interpreter.machine,
        "falcopy:package": inputs.source,
        "falcopy:source:dirHash": inputs.source_hash,
    }
    if inputs.lock is not None:
        properties["falcopy:lock:name"] = inputs.lock.name
        properties["falcopy:lock:sha256"] = hashlib.sha256(inputs.lock.read_bytes()).hexdigest()
    own = next((p for p in inputs.packages if p.name == inputs.source), None)
    return Component(
        type=ComponentType.LIBRARY,
        name=facts.name,
        version=facts.version,
        description=facts.description,
        bom_ref=PLUGIN,
        licenses=components.licences_of(own.licence if own else None),
        properties=[
            Property(name=name, value=value) for name, value in properties.items() if value
        ],
    )


def _dependencies(
    plugin: Component, listed: Mapping[str, Component], inputs: Inputs
) -> list[Dependency]:
    packages = {package.name: package for package in (inputs.sdk, *inputs.packages)}
    found = [
        Dependency(plugin.bom_ref, [Dependency(part.bom_ref) for part in listed.values()]),
    ]
    for name, component in listed.items():
        needs = packages[name].requires if name in packages else ()
        parts = [Dependency(listed[need].bom_ref) for need in needs if need in listed]
        found.append(Dependency(component.bom_ref, parts))
    return found


def _files(contents: Contents, owners: Owners) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in contents.names():
        if name not in NOT_LISTED:
            found[owners.of(name) or PLUGIN].append(_file(name, contents[name].sha256))
    return found


def _file(name: str, sha256: str) -> dict[str, Any]:
    return {
        "type": "file",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    }


def _add_files(
    document: dict[str, Any], files: Mapping[str, list[dict[str, Any]]], loader: Path, sdk: str
) -> None:
    """Nests the files in their components.

    As plain JSON: the library compares each with each other to sort them, which takes seconds.
    """
    with loader.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for component in (document["metadata"]["component"], *document["components"]):
        own = files.get(PLUGIN if component["bom-ref"] == PLUGIN else component["name"], [])
        if component["name"] == sdk:
            own = [*own, {**_file(loader.name, digest), "bom-ref": LOADER}]
        if own:
            component["components"] = own


def _identify(document: dict[str, Any]) -> None:
    document["metadata"].pop("timestamp", None)
    document.pop("serialNumber", None)
    contents = json.dumps(document, sort_keys=True)
    document["serialNumber"] = uuid.uuid5(_NAMESPACE, contents).urn
