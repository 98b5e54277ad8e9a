"""Problems that users of falcoctl have reported, and that a packager can prevent.

Each test is named after a report in falcosecurity's repositories on GitHub.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from .conftest import RULES, Falcopy
from .falcoctl_rules import members
from .proxy import Fault, Proxy
from .registries import Running


def _manifests(layout: Path) -> list[dict[str, Any]]:
    def blob(digest: str) -> bytes:
        return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()

    index = json.loads((layout / "index.json").read_bytes())
    root = json.loads(blob(index["manifests"][0]["digest"]))
    found = [json.loads(blob(entry["digest"])) for entry in root.get("manifests", ())] or [root]
    for manifest in found:
        manifest["layer"] = blob(manifest["layers"][0]["digest"])
    return found


def _snippet(folder: Path, name: str) -> Any:
    return YAML(typ="safe").load((folder / "snippets" / name).read_text())


def test_falcoctl_302_no_annotations_on_the_config(layout_of_two: Path) -> None:
    assert all("annotations" not in m["config"] for m in _manifests(layout_of_two))


def test_falcoctl_613_and_716_the_layer_is_flat_wherever_the_file_was(
    layout_of_two: Path,
) -> None:
    for manifest in _manifests(layout_of_two):
        assert [name for name, _, _ in members(manifest["layer"])] == ["libpydemo.so"]


def test_falcoctl_613_a_file_of_another_name_gets_the_one_that_falco_looks_for(
    falcopy: Falcopy, plugin: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "plugin-v1.so"
    renamed.write_bytes(plugin.read_bytes())
    done = falcopy("package", renamed, "-o", tmp_path / "oci")
    assert "plugin-v1.so is packed as libpydemo.so" in done.stderr
    (manifest,) = _manifests(tmp_path / "oci" / "pydemo")
    assert members(manifest["layer"])[0][0] == "libpydemo.so"


def test_falcoctl_1046_an_index_entry_without_platform_is_told_of(
    falcopy: Falcopy, packaged: Path, proxy: Proxy, repository: str
) -> None:
    assert falcopy("push", packaged, f"{proxy.host}/{repository}").returncode == 0
    broken = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",'
    broken += b'"manifests":[{"mediaType":"x","digest":"sha256:' + b"0" * 64 + b'","size":1}]}'
    proxy.faults = [Fault("GET", "/manifests/latest", status=200, body=broken)]
    done = falcopy("pull", f"{proxy.host}/{repository}")
    assert done.returncode == 6
    assert "names no platform; falcoctl would crash on it" in done.stderr


def test_falco_2714_a_registry_that_knows_no_such_media_types_is_explained(
    falcopy: Falcopy, packaged: Path, proxy: Proxy, repository: str
) -> None:
    error = {"code": "MANIFEST_INVALID", "message": "unknown media type"}
    body = json.dumps({"errors": [error]}).encode()
    proxy.faults = [Fault("PUT", "/manifests/", status=400, body=body)]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}")
    assert done.returncode == 6
    assert "GitLab before 16.3" in done.stderr


def test_falcoctl_264_the_files_that_users_get_wrong_come_ready_made(
    falcopy: Falcopy, plugin: Path, rules: Path, tmp_path: Path
) -> None:
    done = falcopy(
        *("package", plugin, rules, "-o", tmp_path, "--to", "ghcr.io/acme/plugins"),
        *("--keyword", "demo"),
    )
    assert done.returncode == 0, done.stderr
    index = _snippet(tmp_path, "index.yaml")
    assert [(e["name"], e["registry"], e["repository"]) for e in index] == [
        ("pydemo", "ghcr.io", "acme/plugins/plugin/pydemo"),
        ("pydemo-rules", "ghcr.io", "acme/plugins/ruleset/pydemo"),
    ]
    assert falcopy("index", "check", tmp_path / "snippets" / "index.yaml").returncode == 0
    config = _snippet(tmp_path, "falcoctl.yaml")
    assert config["artifact"]["install"]["refs"] == [
        "falco-rules:5",
        "ghcr.io/acme/plugins/plugin/pydemo:0.1.0",
        "ghcr.io/acme/plugins/ruleset/pydemo:0.1.0",
    ]


def test_falco_2395_and_charts_940_references_types_and_loaded_plugins_agree(
    falcopy: Falcopy, plugin: Path, rules: Path, tmp_path: Path
) -> None:
    done = falcopy("package", plugin, rules, "-o", tmp_path, "--to", "ghcr.io/acme/plugins")
    assert done.returncode == 0, done.stderr
    values = _snippet(tmp_path, "values.yaml")
    falco, artifact = values["falco"], values["falcoctl"]["config"]["artifact"]
    assert artifact["allowedTypes"] == ["rulesfile", "plugin"]
    assert falco["load_plugins"] == [entry["name"] for entry in falco["plugins"]]
    assert falco["load_plugins"] == ["pydemo", "json"]  # json: the rules ask for it
    assert falco["plugins"][0]["library_path"] == "libpydemo.so"
    # A list in values replaces the chart's, one in config.d is appended to that of falco.yaml.
    assert falco["rules_files"] == [
        "/etc/falco/falco_rules.yaml",
        "/etc/falco/pydemo_rules.yaml",
        "/etc/falco/falco_rules.local.yaml",
        "/etc/falco/rules.d",
    ]
    part = _snippet(tmp_path, "falco.yaml")
    assert part == {**falco, "rules_files": ["/etc/falco/pydemo_rules.yaml"]}
    # rules 331: followers ask seldom, and what has not changed has the digest it had.
    assert artifact["follow"]["every"] == "168h"


def test_rules_alone_name_the_plugins_that_they_need(
    falcopy: Falcopy, rules: Path, tmp_path: Path
) -> None:
    named = ("--rules-name", "pydemo-rules", "--rules-version", "0.1.0")
    done = falcopy("package", rules, *named, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    falco = _snippet(tmp_path, "falco.yaml")
    assert falco["load_plugins"] == ["json", "pydemo"]
    assert [entry["library_path"] for entry in falco["plugins"]] == ["libjson.so", "libpydemo.so"]


def test_charts_901_the_values_say_how_to_log_in(
    falcopy: Falcopy, plugin: Path, tmp_path: Path
) -> None:
    assert falcopy("package", plugin, "-o", tmp_path).returncode == 0
    text = (tmp_path / "snippets" / "values.yaml").read_text()
    assert "FALCOCTL_REGISTRY_AUTH_BASIC from a Secret" in text


def test_plugins_70_too_new_a_glibc_is_told_and_can_be_refused(
    falcopy: Falcopy, compiled: Any, tmp_path: Path
) -> None:
    library = compiled("GLIBC_2_25")
    done = falcopy("package", library, "-o", tmp_path / "out", "--glibc", "2.31")
    assert done.returncode == 0, done.stderr
    assert "linux/amd64 needs glibc 2.25 or newer" in done.stderr
    done = falcopy("package", library, "-o", tmp_path / "out", "--glibc", "2.17")
    assert done.returncode == 5
    assert "needs glibc 2.25, newer than the 2.17 asked for" in done.stderr


def test_falco_3719_a_library_that_is_not_everywhere_is_told_of(
    falcopy: Falcopy, compiled: Any, tmp_path: Path
) -> None:
    other = tmp_path / "libsomewhere.so.1"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", other, "-Wl,-soname,libsomewhere.so.1"],
        input=b"int res_init_of_somewhere(void) { return 0; }",
        check=True,
    )
    library = compiled("RESOLVER", flags=(str(other),))
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    done = falcopy("package", library, "-o", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "needs libsomewhere.so.1, which the machine with Falco must have" in done.stderr


def test_plugins_1500_a_path_of_the_building_machine_is_refused(
    falcopy: Falcopy, compiled: Any, tmp_path: Path
) -> None:
    library = compiled(flags=("-Wl,-rpath,/opt/build/lib",))
    done = falcopy("package", library, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert "looks for libraries in /opt/build/lib" in done.stderr


def test_a_library_without_the_symbols_of_a_plugin_is_refused(
    falcopy: Falcopy, compiled: Any, tmp_path: Path
) -> None:
    done = falcopy("package", compiled("NO_INIT"), "-o", tmp_path / "out")
    assert done.returncode == 5
    assert "does not export plugin_init" in done.stderr


def test_two_builds_for_one_platform_are_refused(
    falcopy: Falcopy, plugin: Path, tmp_path: Path
) -> None:
    other = tmp_path / "libpydemo.so"
    other.write_bytes(plugin.read_bytes())
    done = falcopy("package", plugin, other, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert "are both for linux/amd64" in done.stderr


def test_a_build_for_another_machine_alone_cannot_be_asked(
    falcopy: Falcopy, arm_plugin: Path, tmp_path: Path
) -> None:
    done = falcopy("package", arm_plugin, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert "package it together with the build for this machine" in done.stderr


@pytest.mark.parametrize("required", ["0.2.0", "1.0.0"])
def test_plugins_264_rules_that_need_another_plugin_than_the_one_beside_them_are_refused(
    falcopy: Falcopy, plugin: Path, tmp_path: Path, required: str
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("version: 0.1.0\n", f"version: {required}\n", 1))
    done = falcopy("package", plugin, rules, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert f"the rules require pydemo {required}, and the plugin packed with them is 0.1.0" in (
        done.stderr
    )


def test_plugins_264_rules_that_do_not_name_their_plugin_are_refused(
    falcopy: Falcopy, plugin: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- required_engine_version: 0.31.0\n")
    done = falcopy("package", plugin, rules, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert "do not name pydemo in required_plugin_versions" in done.stderr


@pytest.mark.parametrize(("given", "version"), [("0.31.0", "0.31.0"), ("15", "0.15.0")])
def test_rules_293_the_engine_that_rules_need_becomes_a_requirement(
    falcopy: Falcopy, tmp_path: Path, given: str, version: str
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"- required_engine_version: {given}\n")
    done = falcopy(
        *("package", rules, "-o", tmp_path / "out", "--json"),
        *("--rules-name", "own-rules", "--rules-version", "1.0.0"),
    )
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["artifacts"][0]["config"]
    assert config["requirements"] == [{"name": "engine_version_semver", "version": version}]


def test_rules_293_a_lower_engine_than_the_rules_need_is_refused(
    falcopy: Falcopy, rules: Path, tmp_path: Path
) -> None:
    rules.write_text(rules.read_text() + "- required_engine_version: 0.31.0\n")
    named = ("--rules-name", "pydemo-rules", "--rules-version", "0.1.0")
    options = (*named, "-o", tmp_path, "--requires")
    done = falcopy("package", rules, *options, "engine_version_semver:0.10.0")
    assert done.returncode == 5
    assert "the rules have required_engine_version 0.31.0" in done.stderr
    done = falcopy("package", rules, *options, "engine_version_semver:0.40.0")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--glibc", "new"), 'glibc "new": expected a version such as 2.31'),
        (("--rules-name", "x"), "are for rules; name a .yaml file"),
    ],
)
def test_options_that_say_nothing_are_refused(
    falcopy: Falcopy, plugin: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = falcopy("package", plugin, "-o", tmp_path, *options)
    assert done.returncode in (2, 5)
    assert words in done.stderr


def test_of_folder_and_tar_file_one_is_left(
    falcopy: Falcopy, plugin: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    for options, left in (((), "pydemo"), (("--tar",), "pydemo.tar"), ((), "pydemo")):
        assert falcopy("package", plugin, "-o", tmp_path, *options).returncode == 0
        assert {path.name for path in tmp_path.iterdir()} - {"home", "snippets"} == {left}
    done = falcopy("push", tmp_path / "pydemo", f"{registry.host}/{repository}", "--license", "MIT")
    assert done.returncode == 2
    assert "is packed already; give --license to falcopy package" in done.stderr


def test_rules_293_rules_that_require_nothing_are_refused(falcopy: Falcopy, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- list: empty\n  items: []\n")
    done = falcopy("package", rules, "--rules-name", "a", "--rules-version", "1.0.0")
    assert done.returncode == 5
    assert "neither required_plugin_versions nor required_engine_version" in done.stderr


def test_falcoctl_780_a_dependency_that_would_install_an_older_plugin_is_told_of(
    falcopy: Falcopy, compiled: Any, rules: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    for version in ("0.1.0", "0.2.0"):
        done = falcopy("push", compiled(f'VERSION="{version}"'), f"{registry.host}/{repository}/p")
        assert done.returncode == 0, done.stderr
    done = falcopy(
        *("push", rules, f"{registry.host}/{repository}/r"),
        *("--rules-name", "pydemo-rules", "--rules-version", "0.1.0"),
    )
    assert done.returncode == 0, done.stderr
    index = tmp_path / "index.yaml"
    references = [f"{registry.host}/{repository}/{part}" for part in ("p", "r")]
    assert falcopy("index", "add", index, *references).returncode == 0
    done = falcopy("index", "check", index, "--online")
    assert done.returncode == 0, done.stdout
    assert "depends on pydemo 0.1.0: installing it puts that in place of 0.2.0" in done.stderr
    assert "depends on json 0.7.0, which another index must have" in done.stderr


def test_a_dependency_that_is_no_tag_is_told_of(
    falcopy: Falcopy, compiled: Any, rules: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    """falcoctl pulls it by exactly that tag, and the newest would fit it."""
    base, index = f"{registry.host}/{repository}", tmp_path / "index.yaml"
    assert falcopy("push", compiled('VERSION="0.2.0"'), f"{base}/p").returncode == 0
    named = ("--rules-name", "pydemo-rules", "--rules-version", "0.1.0")
    assert falcopy("push", rules, f"{base}/r", *named).returncode == 0
    assert falcopy("index", "add", index, f"{base}/p", f"{base}/r").returncode == 0
    done = falcopy("index", "check", index, "--online")
    assert done.returncode == 1
    assert f"depends on pydemo 0.1.0, which is no tag of {base}/p" in done.stdout
    assert falcopy("push", compiled(), f"{base}/p").returncode == 0
    assert falcopy("index", "check", index, "--online").returncode == 0
