"""Whatever is wrong with an artifact or a file, the report names it: never a traceback."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falcopy_sdk.bundle import image, sbom
from falcopy_sdk.cli.sbom import sbom as sbom_command
from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.oci import Reference, Registry
from falcopy_sdk.provenance import PrivateKey, Report, documents, verify_artifact, verify_file

from . import hostile, mutations
from .publishing import repacked

_often = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
DOCUMENTS = [
    *("index", "manifest", "config", "signature", "sig manifest", "att manifest", "SBOM"),
    *("SBOM envelope", "provenance", "provenance envelope", "referrer", "referrers"),
]


def _shrink(contents: dict[str, bytes]) -> None:
    """Leaves a plugin that is consistent and small: its two documents and one licence."""
    kept = {"falcopy.json", sbom.NAME, "licences/falcopy-sdk/LICENSE"}
    for name in contents.keys() - kept:
        del contents[name]
    bill = json.loads(contents[sbom.NAME])
    for part in (bill["metadata"]["component"], *bill["components"]):
        files = part.get("components", [])
        part["components"] = [f for f in files if f["name"] in kept or "bom-ref" in f]
    contents[sbom.NAME] = json.dumps(bill).encode()


@pytest.fixture(scope="session")
def small(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repacked(library, tmp_path_factory.mktemp("small") / "libtiny.so", _shrink)


@dataclass
class Hostile:
    """A registry whose release can be made anew."""

    library: Path
    layer: bytes
    key: PrivateKey
    store: hostile.Store
    registry: Registry

    def verify(self, write: hostile.Writer, *, by_key: bool = True) -> Report:
        bill = json.loads(hostile.bill_bytes(self.library))
        for held in (self.store.manifests, self.store.blobs):
            held.clear()
        hostile.release(self.store, self.library, self.layer, bill, self.key, write)
        reference = Reference(self.registry.host, "a/b", "0.1.0")
        return verify_artifact(self.registry, reference, self.key.public if by_key else None)


@pytest.fixture(scope="session")
def release(small: Path, key: PrivateKey) -> Iterator[Hostile]:
    store = hostile.Store()
    with hostile.serving(store) as host, Registry(host) as registry:
        yield Hostile(small, hostile.layer_of(small), key, store, registry)


def _is_readable(report: Report) -> None:
    assert report.checks
    assert all(check.fix for check in report.failed)
    for check in report.checks:
        assert (check.name + check.detail).isprintable()
        assert len(check.detail) < 1100 * 6


def test_the_release_that_is_changed_below_passes_every_check(release: Hostile) -> None:
    report = release.verify(hostile.plainly)
    assert [check for check in report.checks if check.outcome != "ok"] == []
    assert len(report.checks) == 11


@pytest.mark.parametrize("which", DOCUMENTS)
@_often
@given(data=st.data())
def test_any_document_of_an_artifact_may_be_anything(
    which: str, release: Hostile, data: st.DataObject
) -> None:
    def write(name: str, document: Any) -> bytes:
        if name != which:
            return hostile.plainly(name, document)
        return mutations.written(mutations.changed(data, document))

    by_key = data.draw(st.booleans(), label="by key")
    _is_readable(release.verify(write, by_key=by_key))


@pytest.mark.parametrize("name", ["falcopy.json", sbom.NAME])
@settings(_often, max_examples=40)
@given(data=st.data())
def test_any_document_in_a_file_may_be_anything(
    name: str, small: Path, data: st.DataObject, tmp_path: Path
) -> None:
    def change(contents: dict[str, bytes]) -> None:
        document = mutations.changed(data, json.loads(contents[name]))
        contents[name] = mutations.written(document)

    made = repacked(small, tmp_path / "x.so", change)
    _is_readable(verify_file(made))
    for option in ([], ["--list"]):
        result = CliRunner().invoke(sbom_command, [str(made), *option])
        assert result.exception is None or isinstance(result.exception, FalcopyError)


def _regions(data: bytes) -> list[tuple[int, int]]:
    """What a reader follows: ELF header, section headers and names, image, ZIP directory."""
    (table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    place = data.index(image.MAGIC)
    directory = data.rindex(b"PK\1\2")
    return [
        (0, 64),
        (table, table + 64 * count),
        (max(0, table - 400), table),
        (place, place + 400),
        (directory, len(data)),
    ]


@settings(_often, max_examples=300)
@given(data=st.data())
def test_any_byte_of_a_file_may_be_another(
    small: Path, data: st.DataObject, tmp_path: Path
) -> None:
    contents = bytearray(small.read_bytes())
    for start, end in data.draw(st.lists(st.sampled_from(_regions(contents)), min_size=1)):
        at = data.draw(st.integers(start, end - 8))
        size = data.draw(st.sampled_from([1, 2, 4, 8]))
        number = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x8000, 2**31, 2**63 - 1]))
        contents[at : at + size] = (number % 256**size).to_bytes(size, "little")
    path = tmp_path / "x.so"
    path.write_bytes(contents)
    _is_readable(verify_file(path))


@settings(_often, max_examples=40)
@given(data=st.data())
def test_a_file_cut_off_anywhere_fails(small: Path, data: st.DataObject, tmp_path: Path) -> None:
    contents = small.read_bytes()
    path = tmp_path / "x.so"
    path.write_bytes(contents[: data.draw(st.integers(0, len(contents) - 1))])
    report = verify_file(path)
    assert report.failed
    _is_readable(report)


def test_layers_that_are_none_or_without_end(release: Hostile, small: Path) -> None:
    import gzip
    import tarfile

    whole = release.layer
    member = tarfile.TarInfo("libtiny.so")
    member.size = 2**50
    bomb = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    try:
        for layer in (b"", b"no gzip", whole[:5000], gzip.compress(b"x" * 5000), bomb):
            release.layer = layer
            report = release.verify(hostile.plainly)
            assert {check.name for check in report.failed} == {"layer linux/amd64"}
            _is_readable(report)
    finally:
        release.layer = whole


def test_a_payload_that_unpacks_to_more_than_it_is(small: Path, tmp_path: Path) -> None:
    built = image.read_image(small)
    data = small.read_bytes()
    import dataclasses
    import hashlib
    import io

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("falcopy.json", b"{}" + bytes(30_000_000))
    packed = stream.getvalue()
    filled = dataclasses.replace(
        built, payload_size=len(packed), payload_sha256=hashlib.sha256(packed).hexdigest()
    )
    loader = bytearray(data[: built.payload_offset])
    place = loader.index(image.MAGIC)
    loader[place : place + image.IMAGE.size] = image.pack(filled)
    path = tmp_path / "bomb.so"
    path.write_bytes(bytes(loader) + packed)
    (failed,) = verify_file(path).failed
    assert "falcopy.json is compressed or encrypted" in failed.detail


@_often
@given(data=st.data())
def test_statements_and_envelopes_may_be_anything(data: st.DataObject, key: PrivateKey) -> None:
    plain = json.loads(documents.statement([("a", "sha256:0")], "urn:x", {}))
    envelope = json.loads(documents.sealed(mutations.written(mutations.changed(data, plain)), key))
    for opened in (
        documents.open_envelope(json.dumps(envelope).encode(), key.public),
        documents.open_envelope(mutations.written(mutations.changed(data, envelope)), None),
    ):
        if opened is not None:
            assert all(digest.startswith("sha256:") for digest in documents.subjects_of(opened))
    signed = json.loads(documents.simple_signing("a/b", "sha256:0"))
    documents.signed_digest(mutations.written(mutations.changed(data, signed)))
