"""index.yaml: kept as it is, checked against falcoctl's format, faithful to what is published."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from falcopy_sdk.exceptions import IndexFileError
from falcopy_sdk.oci import Descriptor, IndexFile, Registry

from .conftest import Falcopy
from .registries import Running

#: An index as people keep them: comments, own order of keys, quotes.
KEPT = """\
# Our plugins. Ask the platform team before you add one.
- name: aaa   # the first
  type: "plugin"
  registry: ghcr.io
  repository: acme/plugins/plugin/aaa

# The last of them.
- name: zzz
  type: rulesfile
  repository: acme/plugins/ruleset/zzz
  registry: ghcr.io
  keywords: [one, two]
"""


@pytest.fixture
def reference(falcopy: Falcopy, plugin: Path, registry: Running, repository: str) -> str:
    reference = f"{registry.host}/{repository}"
    done = falcopy("push", plugin, reference, "--license", "MIT", "--author", "Ann <a@b.example>")
    assert done.returncode == 0, done.stderr
    return reference


def test_an_entry_is_added_at_its_place_and_nothing_else_is_touched(
    falcopy: Falcopy, registry: Running, repository: str, reference: str, tmp_path: Path
) -> None:
    index = tmp_path / "index.yaml"
    index.write_text(KEPT)
    done = falcopy("index", "add", index, reference, "--keyword", "demo")
    assert done.returncode == 0, done.stderr
    text = index.read_text()
    assert [line for line in KEPT.splitlines() if line not in text.splitlines()] == []
    assert YAML(typ="safe").load(text)[1] == {
        "name": "pydemo",
        "type": "plugin",
        "registry": registry.host,
        "repository": repository,
        "description": "A demo",
        "keywords": ["demo", "pydemo"],
        "license": "MIT",
        "maintainers": [{"email": "a@b.example", "name": "Ann"}],
    }
    assert [entry["name"] for entry in YAML(typ="safe").load(text)] == ["aaa", "pydemo", "zzz"]
    assert falcopy("index", "check", index).returncode == 0


def test_adding_again_changes_nothing(falcopy: Falcopy, reference: str, tmp_path: Path) -> None:
    index = tmp_path / "index.yaml"
    assert "added" in falcopy("index", "add", index, reference).stdout
    before = index.read_bytes(), (tmp_path / "index.lock.json").read_bytes()
    assert "unchanged" in falcopy("index", "add", index, reference).stdout
    assert (index.read_bytes(), (tmp_path / "index.lock.json").read_bytes()) == before


def test_a_version_that_comes_back_with_other_contents_is_refused(
    falcopy: Falcopy, compiled: Any, reference: str, tmp_path: Path
) -> None:
    index = tmp_path / "index.yaml"
    assert falcopy("index", "add", index, reference).returncode == 0
    before = index.read_bytes()
    assert falcopy("push", compiled('API="3.7.0"'), reference, "--force").returncode == 0
    done = falcopy("index", "add", index, reference)
    assert done.returncode == 1
    assert "pydemo 0.1.0 is there with digest sha256:" in done.stderr
    assert index.read_bytes() == before
    done = falcopy("index", "check", index, "--online")
    assert done.returncode == 1
    assert "it was published again with other contents" in done.stdout


def test_a_newer_version_is_recorded_beside_the_older(
    falcopy: Falcopy, compiled: Any, reference: str, tmp_path: Path
) -> None:
    index = tmp_path / "index.yaml"
    assert falcopy("index", "add", index, reference).returncode == 0
    assert falcopy("push", compiled('VERSION="0.2.0"'), reference).returncode == 0
    assert falcopy("index", "add", index, reference).returncode == 0
    record = json.loads((tmp_path / "index.lock.json").read_bytes())
    assert sorted(record["digests"]["pydemo"]) == ["0.1.0", "0.2.0"]


def test_an_artifact_without_the_tag_of_its_version_is_refused(
    falcopy: Falcopy, reference: str, registry: Running, repository: str, tmp_path: Path
) -> None:
    with Registry(registry.host) as client:
        _, data = client.get_manifest(repository, "0.1.0")
        # A layout copied by hand under one tag alone.
        index = json.loads(data)
        for entry in index["manifests"]:
            _, manifest = client.get_manifest(repository, entry["digest"])
            for part in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]:
                described = Descriptor.from_json(part, "part")
                client.put_blob(f"{repository}/copy", described, b"", mount_from=(repository,))
            client.put_manifest(f"{repository}/copy", manifest)
        client.put_manifest(f"{repository}/copy", data, "stable")
    done = falcopy("index", "add", tmp_path / "index.yaml", f"{reference}/copy:stable")
    assert done.returncode == 1
    assert "the tag 0.1.0 is not there: push it under its full version" in done.stderr


def test_the_stanza_of_signatures_is_written_and_checked(
    falcopy: Falcopy, reference: str, tmp_path: Path
) -> None:
    index = tmp_path / "index.yaml"
    done = falcopy("index", "add", index, reference, "--key", "cosign.pub", "--ignore-tlog")
    assert done.returncode == 0, done.stderr
    (entry,) = YAML(typ="safe").load(index.read_text())
    assert entry["signature"] == {"cosign": {"key": "cosign.pub", "ignore-tlog": True}}
    done = falcopy("index", "add", tmp_path / "other.yaml", reference, "--identity", "https://x")
    assert done.returncode == 1
    assert "pydemo.signature.cosign" in done.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b\n", "not a list of entries at the top"),
        ("- {name: x\n", "not valid YAML"),
        (KEPT + KEPT.replace("zzz", "yyy"), "aaa: duplicate entry found"),
        (KEPT.replace("rulesfile", "rules"), "zzz.type: 'rules' is not one of"),
        (KEPT.replace("  registry: ghcr.io\n", "", 1), "aaa: 'registry' is a required property"),
        (KEPT.replace("acme/plugins", "Acme/plugins"), "aaa.repository: 'Acme/plugins"),
        (KEPT.replace("keywords: [one, two]", "keywords: one"), "is not of type 'array'"),
        (KEPT.replace("keywords", "key-words"), "'key-words' was unexpected"),
    ],
)
def test_what_falcoctl_could_not_use_is_told(
    falcopy: Falcopy, tmp_path: Path, text: str, problem: str
) -> None:
    index = tmp_path / "index.yaml"
    index.write_text(text)
    done = falcopy("index", "check", index)
    assert done.returncode == 1
    assert problem in done.stdout + done.stderr
    assert index.read_text() == text


def test_an_index_that_promises_what_is_not_there_is_told_of(
    falcopy: Falcopy, reference: str, tmp_path: Path
) -> None:
    index = tmp_path / "index.yaml"
    assert falcopy("index", "add", index, reference).returncode == 0
    text = index.read_text()
    index.write_text(text.replace("name: pydemo", "name: other"))
    done = falcopy("index", "check", index, "--online", "--json")
    assert done.returncode == 1
    assert "name and type must be those of the artifact" in json.loads(done.stdout)["problems"][0]
    index.write_text(text.replace("repository: ", "repository: not/there/"))
    done = falcopy("index", "check", index, "--online")
    assert done.returncode == 1
    assert "has no tags" in done.stdout


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("zzz"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "type", "registry", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entries=_ANYTHING | st.lists(_ANYTHING), lock=_ANYTHING)
def test_an_index_of_any_shape_is_told_of_never_a_traceback(
    tmp_path: Path, entries: Any, lock: Any
) -> None:
    path = tmp_path / "index.yaml"
    path.write_text(json.dumps(entries))
    record = {"format": 1, "digests": lock}
    (tmp_path / "index.lock.json").write_text(json.dumps(record))
    made = {"name": "zzz", "type": "plugin", "registry": "ghcr.io", "repository": "a/b"}
    # Anything else that leaves it is a traceback to the user.
    with contextlib.suppress(IndexFileError):
        index = IndexFile(path)
        index.problems()
        index.find("zzz")
        index.add(made, "0.1.0", "sha256:" + "0" * 64)


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, "- a: 2024-99-99\n", "- ? [a]\n  : b\n"])
def test_yaml_that_trips_its_reader_is_told_of(tmp_path: Path, text: str) -> None:
    path = tmp_path / "index.yaml"
    path.write_text(text)
    made = {"name": "zzz", "type": "plugin", "registry": "ghcr.io", "repository": "a/b"}
    with pytest.raises(IndexFileError, match=r"index\.yaml"):
        IndexFile(path).add(made, "0.1.0", "sha256:" + "0" * 64)
