"""What we push is what falcoctl expects: read back with skopeo and HTTP, not our code.

All of it twice: in a registry without TLS, and in one with TLS and basic authentication.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Falcopy
from .falcoctl_rules import install, members
from .registries import PASSWORD, USER, Running

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TYPE = "application/vnd.cncf.falco.{}.{}.v1+{}"
TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"


def skopeo(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("skopeo") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no skopeo; .ci/run gets it")
        pytest.skip("no skopeo: apt install skopeo")
    return subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, check=False)


def inspect_raw(running: Running, name: str, tag: str) -> bytes:
    done = skopeo("inspect", "--raw", *running.skopeo(), f"docker://{running.host}/{name}:{tag}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["plain", "tls"])
def registry(
    request: pytest.FixtureRequest,
    registry: Running,
    secure_registry: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> Running:
    if request.param == "plain":
        return registry
    monkeypatch.setenv("FALCOPY_REGISTRY", secure_registry.host)
    monkeypatch.setenv("FALCOPY_REGISTRY_USERNAME", USER)
    monkeypatch.setenv("FALCOPY_REGISTRY_PASSWORD", PASSWORD)
    return secure_registry


@pytest.fixture
def pushed(falcopy: Falcopy, packaged: Path, registry: Running, repository: str) -> str:
    done = falcopy("push", packaged, f"{registry.host}/{repository}", "--json", *registry.options)
    assert done.returncode == 0, done.stderr
    return repository


@pytest.fixture
def manifests(registry: Running, pushed: str) -> list[dict[str, Any]]:
    index, _ = registry.manifest(pushed, "0.1.0")
    return [registry.manifest(pushed, entry["digest"])[0] for entry in index["manifests"]]


def test_the_registry_says_that_it_is_one(registry: Running) -> None:
    """Without the header, falcoctl's registry push and pull refuse it to those without a login."""
    answer, headers = registry.get("/v2/")
    assert answer == b"{}"
    assert headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_the_tag_of_a_plugin_points_to_an_index_with_a_manifest_a_platform(
    registry: Running, pushed: str
) -> None:
    index = json.loads(inspect_raw(registry, pushed, "0.1.0"))
    assert (index["schemaVersion"], index["mediaType"]) == (2, INDEX)
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]
    for entry in index["manifests"]:
        assert entry["mediaType"] == MANIFEST
        assert "artifactType" not in entry
        data, _ = registry.get(f"/v2/{pushed}/manifests/{entry['digest']}", MANIFEST)
        assert len(data) == entry["size"]
        assert "sha256:" + hashlib.sha256(data).hexdigest() == entry["digest"]


def test_a_manifest_has_the_types_and_the_one_layer_of_falcoctl(
    manifests: list[dict[str, Any]],
) -> None:
    for manifest, machine in zip(manifests, ("x86_64", "aarch64"), strict=True):
        assert set(manifest) == {"schemaVersion", "mediaType", "config", "layers", "annotations"}
        assert set(manifest["config"]) == {"mediaType", "digest", "size"}
        assert manifest["config"]["mediaType"] == TYPE.format("plugin", "config", "json")
        (layer,) = manifest["layers"]
        assert layer["mediaType"] == TYPE.format("plugin", "layer", "tar.gz")
        assert layer["annotations"] == {TITLE: f"pydemo-0.1.0-linux-{machine}.tar.gz"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest["annotations"][CREATED])


def test_the_config_has_name_version_and_the_api_version_of_the_library(
    registry: Running, pushed: str, manifests: list[dict[str, Any]]
) -> None:
    for manifest in manifests:
        assert registry.blob(pushed, manifest["config"]["digest"]) == (
            b'{"name":"pydemo","version":"0.1.0",'
            b'"requirements":[{"name":"plugin_api_version","version":"3.6.0"}]}'
        )


def test_a_release_has_all_its_tags_with_one_digest(registry: Running, pushed: str) -> None:
    listed = skopeo("list-tags", *registry.skopeo(), f"docker://{registry.host}/{pushed}")
    assert sorted(json.loads(listed.stdout)["Tags"]) == ["0", "0.1", "0.1.0", "latest"]
    assert len({registry.manifest(pushed, tag)[1] for tag in registry.tags(pushed)}) == 1


def test_a_pre_release_has_its_version_alone(
    falcopy: Falcopy, compiled: Any, registry: Running, repository: str
) -> None:
    library = compiled('VERSION="0.2.0-rc1"')
    done = falcopy("push", library, f"{registry.host}/{repository}", *registry.options)
    assert done.returncode == 0, done.stderr
    assert registry.tags(repository) == ["0.2.0-rc1"]


def test_the_layer_installs_by_falcoctls_rules(
    registry: Running,
    pushed: str,
    manifests: list[dict[str, Any]],
    plugin: Path,
    arm_plugin: Path,
    tmp_path: Path,
) -> None:
    for manifest, source in zip(manifests, (plugin, arm_plugin), strict=True):
        layer = registry.blob(pushed, manifest["layers"][0]["digest"])
        assert [(name, mode) for name, mode, _ in members(layer)] == [("libpydemo.so", 0o755)]
        (file,) = install(layer, tmp_path)
        assert file.read_bytes() == source.read_bytes()


def test_the_same_input_gives_the_same_digest_elsewhere_and_later(
    falcopy: Falcopy, plugin: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other place" / "libpydemo.so"
    other.parent.mkdir()
    shutil.copyfile(plugin, other)
    other.chmod(0o600)
    digests = set()
    for file, umask, zone in ((plugin, 0o022, "UTC"), (other, 0o077, "Asia/Tokyo")):
        done = falcopy(
            *("package", file, "-o", tmp_path / zone.replace("/", "-"), "--json"),
            umask=umask,
            env={**os.environ, "TZ": zone, "SOURCE_DATE_EPOCH": "1767225600"},
        )
        assert done.returncode == 0, done.stderr
        digests.add(json.loads(done.stdout)["artifacts"][0]["digest"])
    assert len(digests) == 1
    later = falcopy("package", plugin, "-o", tmp_path / "later", "--json")
    assert json.loads(later.stdout)["artifacts"][0]["digest"] not in digests
    assert "1970-01-01T00:00:00Z (the default, since SOURCE_DATE_EPOCH is not set)" in later.stdout


def test_pushing_again_sends_nothing_and_moves_no_digest(
    falcopy: Falcopy, packaged: Path, registry: Running, pushed: str
) -> None:
    before = registry.manifest(pushed, "latest")[1]
    done = falcopy("push", packaged, f"{registry.host}/{pushed}", "--json", *registry.options)
    assert json.loads(done.stdout)["sent"] == []
    assert registry.manifest(pushed, "latest")[1] == before


def test_a_mirror_by_skopeo_keeps_the_digest(
    registry: Running, pushed: str, tmp_path: Path
) -> None:
    source = f"docker://{registry.host}/{pushed}:0.1.0"
    mirror = f"docker://{registry.host}/{pushed}/mirror:0.1.0"
    flags = ("--all", "--preserve-digests", *registry.skopeo("src-"), *registry.skopeo("dest-"))
    done = skopeo("copy", *flags, source, mirror)
    assert done.returncode == 0, done.stderr
    digest = registry.manifest(pushed, "0.1.0")[1]
    assert registry.manifest(f"{pushed}/mirror", "0.1.0")[1] == digest


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_skopeo_publishes_the_layout_as_we_do(
    falcopy: Falcopy, plugin: Path, registry: Running, repository: str, tmp_path: Path, form: str
) -> None:
    more = ["--tar"] if form == "tar" else []
    done = falcopy("package", plugin, "-o", tmp_path / "out", "--json", *more)
    (artifact,) = json.loads(done.stdout)["artifacts"]
    kind = "oci-archive" if form == "tar" else "oci"
    done = skopeo(
        *("copy", "--all", "--preserve-digests", *registry.skopeo("dest-")),
        *(f"{kind}:{artifact['layout']}:0.1.0", f"docker://{registry.host}/{repository}:0.1.0"),
    )
    assert done.returncode == 0, done.stderr
    assert registry.manifest(repository, "0.1.0")[1] == artifact["digest"]
    again = falcopy(
        "push", artifact["layout"], f"{registry.host}/{repository}", "--json", *registry.options
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["sent"] == []


def test_rules_become_one_plain_manifest_with_what_they_require(
    falcopy: Falcopy, plugin: Path, rules: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    done = falcopy("package", plugin, rules, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    layout = json.loads(done.stdout)["artifacts"][1]["layout"]
    done = falcopy("push", layout, f"{registry.host}/{repository}", *registry.options)
    assert done.returncode == 0, done.stderr
    manifest, _ = registry.manifest(repository, "0.1.0")
    assert manifest["mediaType"] == MANIFEST
    assert manifest["config"]["mediaType"] == TYPE.format("rulesfile", "config", "json")
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == TYPE.format("rulesfile", "layer", "tar.gz")
    assert layer["annotations"] == {TITLE: "pydemo-rules-0.1.0.tar.gz"}
    assert json.loads(registry.blob(repository, manifest["config"]["digest"])) == {
        "name": "pydemo-rules",
        "version": "0.1.0",
        "dependencies": [
            {"name": "json", "version": "0.7.0"},
            {
                "name": "pydemo",
                "version": "0.1.0",
                "alternatives": [{"name": "pydemo-ng", "version": "0.1.0"}],
            },
        ],
        "requirements": [{"name": "engine_version_semver", "version": "0.31.0"}],
    }
    ((name, mode, text),) = members(registry.blob(repository, layer["digest"]))
    assert (name, mode, text) == ("pydemo_rules.yaml", 0o644, rules.read_bytes())


def test_rules_files_of_several_names_lie_side_by_side(
    falcopy: Falcopy, rules: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    more = tmp_path / "more_rules.yaml"
    more.write_text("- required_engine_version: 0.40.0\n")
    named = ("--rules-name", "pydemo-rules", "--rules-version", "0.1.0")
    reference = f"{registry.host}/{repository}"
    done = falcopy("push", rules, more, reference, *named, *registry.options)
    assert done.returncode == 0, done.stderr
    manifest, _ = registry.manifest(repository, "0.1.0")
    (layer,) = manifest["layers"]
    installed = install(registry.blob(repository, layer["digest"]), tmp_path)
    assert {path.name: path.read_bytes() for path in installed} == {
        "more_rules.yaml": more.read_bytes(),
        "pydemo_rules.yaml": rules.read_bytes(),
    }
    config = json.loads(registry.blob(repository, manifest["config"]["digest"]))
    assert config["requirements"] == [{"name": "engine_version_semver", "version": "0.40.0"}]


def test_rules_files_of_one_name_are_refused(falcopy: Falcopy, rules: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / rules.name
    other.parent.mkdir()
    shutil.copyfile(rules, other)
    named = ("--rules-name", "pydemo-rules", "--rules-version", "0.1.0")
    done = falcopy("package", rules, other, "-o", tmp_path / "out", *named)
    assert done.returncode == 5
    assert f"{rules} and {other}: two rules files with one name" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (['VERSION="v1.0.0"'], "expected major.minor.patch"),
        (['VERSION="1.0.0+b"'], 'invalid artifact version "1.0.0+b": build metadata'),
        (['NAME="My_Plugin"'], 'invalid artifact name "My_Plugin"'),
    ],
)
def test_bad_names_and_versions_are_refused(
    falcopy: Falcopy, compiled: Any, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = falcopy("package", compiled(*arguments), "-o", tmp_path / "out")
    assert done.returncode == 5
    assert message in done.stderr
    assert not (tmp_path / "out" / "snippets").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rules-version", "1.0"], 'version "1.0" (must be a valid semver string'),
        (["--rules-version", "v1.0.0"], "did you mean 1.0.0?"),
        (["--rules-name", "My_Rules"], 'invalid artifact name "My_Rules"'),
        (["--depends-on", "json"], "invalid artifact reference"),
        (["--requires", "engine_version_semver:31"], "must be a valid semver string"),
        (["--requires", "kernel:6.1.0"], "no Falco reports kernel"),
        (["--license", "Apache License"], "is no SPDX expression"),
    ],
)
def test_bad_options_are_refused(
    falcopy: Falcopy, rules: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = ["--rules-name", "demo-rules", "--rules-version", "1.0.0", *arguments]
    done = falcopy("package", rules, "-o", tmp_path / "out", *given)
    assert done.returncode == 5
    assert message in done.stderr


def test_licence_source_and_the_rest_become_annotations(
    falcopy: Falcopy, plugin: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndescription = "From the project"\n'
        'license = "apache-2.0"\nauthors = [{name = "Ann", email = "ann@example.org"}]\n'
        '[project.urls]\nSource = "https://example.org/src"\nHomepage = "https://example.org"\n'
    )
    done = falcopy(
        *("push", plugin, f"{registry.host}/{repository}", "--project", tmp_path),
        *("--description", "Of my own", *registry.options),
    )
    assert done.returncode == 0, done.stderr
    index, _ = registry.manifest(repository, "0.1.0")
    expected = {
        "authors": "Ann <ann@example.org>",
        "description": "Of my own",
        "licenses": "Apache-2.0",
        "source": "https://example.org/src",
        "url": "https://example.org",
        "version": "0.1.0",
    }
    expected = {f"org.opencontainers.image.{k}": v for k, v in expected.items()}
    assert index["annotations"] == expected
    assert index["manifests"][0]["annotations"] == {**expected, CREATED: "1970-01-01T00:00:00Z"}
