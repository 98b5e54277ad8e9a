"""The bill of materials inside a built plugin."""

from __future__ import annotations

import email
import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from falcopy_sdk.bundle import debian, licences, sbom
from falcopy_sdk.bundle.owners import Owners

LOCK = Path(__file__).parents[2] / "plugins" / "k8saudit_aks" / "requirements.lock"


@pytest.fixture(scope="session")
def bundle(k8saudit_aks_library: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(k8saudit_aks_library)


@pytest.fixture(scope="session")
def document(bundle: zipfile.ZipFile) -> dict[str, Any]:
    return json.loads(bundle.read(sbom.NAME))


def _component(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(part for part in document["components"] if part["name"] == name)


def _files(document: dict[str, Any]) -> dict[str, str]:
    parts = [document["metadata"]["component"], *document["components"]]
    return {
        file["name"]: file["hashes"][0]["content"]
        for part in parts
        for file in part.get("components", ())
        if file.get("bom-ref") != sbom.LOADER
    }


def test_it_is_valid_by_the_official_schema(bundle: zipfile.ZipFile) -> None:
    text = bundle.read(sbom.NAME).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_lists_each_file_of_the_bundle_once_with_its_hash(
    bundle: zipfile.ZipFile, document: dict[str, Any]
) -> None:
    contents = {
        name: hashlib.sha256(bundle.read(name)).hexdigest()
        for name in bundle.namelist()
        if name not in sbom.NOT_LISTED
    }
    assert len(contents) > 500
    assert _files(document) == contents


def test_every_part_has_a_licence_and_its_text_is_inside(
    bundle: zipfile.ZipFile, document: dict[str, Any]
) -> None:
    assert not sbom.unlicensed(document)
    names = bundle.namelist()
    without = [
        part["name"]
        for part in document["components"]
        if not any(name.startswith(f"licences/{part['name']}/") for name in names)
    ]
    assert not without


def test_python_packages_have_the_hash_that_the_lock_allows(document: dict[str, Any]) -> None:
    packages = [p for p in document["components"] if p.get("purl", "").startswith("pkg:pypi/")]
    assert len(packages) > 20
    lock = LOCK.read_text()
    for package in packages:
        if package["name"] in {"falcopy-sdk", "falcopy-k8saudit-aks"}:
            continue
        assert f"{package['name']}=={package['version']} " in lock
        assert f"sha256:{package['hashes'][0]['content']}" in lock, package["name"]


def test_licences_are_spdx_expressions(document: dict[str, Any]) -> None:
    expected = {
        "cpython": "PSF-2.0",
        "azure-core": "MIT",
        "aiohttp": "Apache-2.0 AND MIT",
        "cryptography": "Apache-2.0 OR BSD-3-Clause",
        "isodate": "BSD-3-Clause",
        "falcopy-sdk": "Apache-2.0",
        "falcopy-k8saudit-aks": "Apache-2.0",
    }
    found = {name: _component(document, name)["licenses"][0]["expression"] for name in expected}
    assert found == expected


def test_files_belong_to_the_package_that_brought_them(document: dict[str, Any]) -> None:
    def owner(start: str) -> set[str]:
        return {
            part["name"]
            for part in document["components"]
            for file in part.get("components", ())
            if file["name"].startswith(start)
        }

    assert owner("site-packages/azure/core/") == {"azure-core"}
    assert owner("site-packages/azure/eventhub/extensions/checkpointstoreblobaio") == {
        "azure-eventhub-checkpointstoreblob-aio"
    }
    assert owner("site-packages/falcopy_sdk/") == {"falcopy-sdk"}
    assert owner("site-packages/k8saudit_aks/") == {"falcopy-k8saudit-aks"}
    assert owner("lib/libpython3") == owner("lib/python3") == {"cpython"}
    assert len(owner("lib/libcrypto")) == 1


def test_packages_copied_from_the_environment_are_named_too(library: Path) -> None:
    with zipfile.ZipFile(library) as archive:
        document = json.loads(archive.read(sbom.NAME))
    names = {part["name"] for part in document["components"]}
    assert {"cffi", "jsonschema", "pluggy", "orjson", "falcopy-tiny"} <= names
    # No file without an owner.
    assert "components" not in document["metadata"]["component"]


def test_the_plugin_names_its_lock_and_sources(document: dict[str, Any]) -> None:
    given = {p["name"]: p["value"] for p in document["metadata"]["component"]["properties"]}
    assert given["falcopy:lock:sha256"] == hashlib.sha256(LOCK.read_bytes()).hexdigest()
    assert len(given["falcopy:source:dirHash"]) == 64
    graph = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert any(ref.startswith("falcopy-sdk@") for ref in graph["plugin"])
    yarl = next(ref for ref in graph if ref.startswith("yarl@"))
    assert any(ref.startswith("multidict@") for ref in graph[yarl])


def test_system_libraries_name_their_debian_package(document: dict[str, Any]) -> None:
    library = next(p for p in document["components"] if p["name"].startswith("libcrypto.so"))
    assert library["hashes"]
    if not Path("/usr/bin/dpkg-query").exists():
        pytest.skip("no dpkg on this machine")
    assert library["purl"].startswith("pkg:deb/debian/libssl3")
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", library["purl"].split("/")[2].split("@")[0]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert library["version"] == listed.stdout


@pytest.mark.parametrize(
    ("about", "text", "expected"),
    [
        ("License-Expression: mit", b"", licences.Licence("MIT", True)),
        ("License: Apache 2.0", b"", licences.Licence("Apache-2.0", True)),
        ("License: GNU GPL, see below", b"", licences.Licence("GNU GPL, see below", False)),
        ("Classifier: License :: OSI Approved :: MIT License", b"", licences.Licence("MIT", True)),
        (
            "Classifier: License :: OSI Approved :: BSD License",
            b"Redistributions in binary form must reproduce the\nabove. Neither the name of X",
            licences.Licence("BSD-3-Clause", True),
        ),
        (
            "Classifier: License :: OSI Approved :: BSD License",
            b"Redistributions in binary form must reproduce the above",
            licences.Licence("BSD-2-Clause", True),
        ),
        (
            "Classifier: License :: OSI Approved :: BSD License",
            b"Ask me",
            licences.Licence("BSD License", False),
        ),
        ("License: UNKNOWN", b"", None),
        ("Name: x", b"MIT", None),
    ],
)
def test_a_licence_is_read_from_what_the_package_states(
    about: str, text: bytes, expected: licences.Licence | None
) -> None:
    message = email.message_from_string(f"{about}\n")
    assert licences.of_distribution(message, {"LICENSE": text}) == expected


def test_a_part_without_a_licence_is_told_of() -> None:
    document = {"components": [{"name": "a", "version": "1"}, {"name": "b", "licenses": [{}]}]}
    assert sbom.unlicensed(document) == ("a 1",)


def test_licence_files_leave_the_metadata_folder(tmp_path: Path) -> None:
    folder = tmp_path / "x-1.dist-info"
    (folder / "licenses" / "vendored").mkdir(parents=True)
    (folder / "licenses" / "vendored" / "NOTICE").write_text("c")
    (folder / "licenses" / "LICENSE").write_text("a")
    (folder / "COPYING.txt").write_text("b")
    (folder / "METADATA").write_text("Name: x")
    found = licences.take_texts(folder)
    assert found == {"COPYING.txt": b"b", "LICENSE": b"a", "vendored/NOTICE": b"c"}
    assert [path.name for path in folder.iterdir()] == ["METADATA"]


def test_a_file_of_no_package_has_no_debian_package(tmp_path: Path) -> None:
    stranger = tmp_path / "libx.so"
    stranger.write_bytes(b"")
    assert not debian.packages_of([stranger])


def test_owners_of_compiled_renamed_and_shared_files() -> None:
    owners = Owners({"a": ["ns/a/m.py", "a.libs/liba.so.1"], "b": ["ns/b/m.py"]})
    owners.add_folder("python", "lib/python3.11")
    assert owners.of("site-packages/ns/a/m.pyc") == "a"
    assert owners.of("site-packages/a.libs/liba-0123.so.1") == "a"
    assert owners.of("site-packages/ns/b/generated.bin") == "b"
    assert owners.of("site-packages/ns/new.py") is None
    assert owners.of("lib/python3.11/json/decoder.pyc") == "python"
    assert owners.of("anything") is None
