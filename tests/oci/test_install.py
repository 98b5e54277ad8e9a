"""The reference plugin and its rules from the registry to a real host, by falcoctl's rules."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.real_hosts.chroot import FILES
from tests.real_hosts.falco_rules import Rules
from tests.real_hosts.hosts import Plugin, Sysdig, messages, printed

from .conftest import Falcopy
from .falcoctl_rules import install, members
from .registries import Running

ROOT = Path(__file__).parents[2]
AKS = ROOT / "plugins" / "k8saudit_aks"
RULES = AKS / "rules" / "k8saudit_aks_rules.yaml"

pytestmark = [pytest.mark.real_host, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_plugin_is_built_packaged_pushed_installed_and_loaded_by_sysdig(
    falcopy: Falcopy,
    k8saudit_aks_library: Path,
    registry: Running,
    repository: str,
    sysdig: Sysdig,
    tmp_path: Path,
) -> None:
    done = falcopy(
        *("package", k8saudit_aks_library, RULES, "--project", AKS, "--json"),
        *("-o", tmp_path / "oci", "--to", f"{registry.host}/{repository}"),
    )
    assert done.returncode == 0, done.stderr
    plugin, rules = json.loads(done.stdout)["artifacts"]
    for artifact, folder in ((plugin, "plugin"), (rules, "ruleset")):
        done = falcopy(
            "push", artifact["layout"], f"{registry.host}/{repository}/{folder}/k8saudit-aks"
        )
        assert done.returncode == 0, done.stderr

    # As falcoctl, with none of our code: index, manifest, layer; what it installs is alone there.
    index, _ = registry.manifest(f"{repository}/plugin/k8saudit-aks", "latest")
    manifest, _ = registry.manifest(
        f"{repository}/plugin/k8saudit-aks", index["manifests"][0]["digest"]
    )
    layer = manifest["layers"][0]
    assert layer["size"] <= 20e6
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (library,) = install(
        registry.blob(f"{repository}/plugin/k8saudit-aks", layer["digest"]), plugins
    )
    assert library.name == "libk8saudit-aks.so"

    # What the snippet for falco.yaml says is where the library is.
    snippet = YAML(typ="safe").load((tmp_path / "oci" / "snippets" / "falco.yaml").read_text())
    assert snippet["plugins"][0]["library_path"] == library.name

    bodies = sorted((AKS / "samples" / "bodies").iterdir())
    lines = b"".join(body.read_bytes().replace(b"\n", b" ") + b"\n" for body in bodies)
    (tmp_path / "audit.jsonl").write_bytes(lines)
    loaded = Plugin("k8saudit-aks", str(library.relative_to(tmp_path)))
    done = sysdig.run([(loaded, "")], f"file://{FILES}/audit.jsonl", ["ka.verb", "ka.auditid"])
    assert done.returncode == 0, messages(done)
    events = printed(done.stdout)
    expected = json.loads((AKS / "samples" / "expected.json").read_text())["events"]
    assert sorted(event["ka.auditid"] for event in events) == sorted(expected)

    # The rules: installed beside it, byte for byte, requiring this very plugin.
    manifest, _ = registry.manifest(f"{repository}/ruleset/k8saudit-aks", "latest")
    packed = registry.blob(f"{repository}/ruleset/k8saudit-aks", manifest["layers"][0]["digest"])
    assert [(name, mode) for name, mode, _ in members(packed)] == [(RULES.name, 0o644)]
    (tmp_path / "rules").mkdir()
    (installed,) = install(packed, tmp_path / "rules")
    assert installed.read_bytes() == RULES.read_bytes()
    config = json.loads(
        registry.blob(f"{repository}/ruleset/k8saudit-aks", manifest["config"]["digest"])
    )
    assert [d["name"] for d in config["dependencies"]] == ["k8saudit-aks"]

    # From there, by an engine: what each of them is to find is found, and what one is not is not.
    found = Rules.read(installed)
    samples = AKS / "samples" / "rules"
    texts = [path.read_text() for path in sorted(samples.glob("*/*.json"))]
    (tmp_path / "audit.jsonl").write_text("".join(texts))
    expected = {rule: _ids(samples / _folder(rule) / "fires.json") for rule in found.rules}
    together = " or ".join(f"({found.condition(rule)})" for rule in found.rules)
    matched = _matched(sysdig, loaded, together)
    assert expected
    assert set().union(*expected.values()) <= matched
    rule = next(iter(found.rules))
    passes = _ids(samples / _folder(rule) / "passes.json")
    judged = _matched(sysdig, loaded, found.condition(rule)) & (expected[rule] | passes)
    assert judged == expected[rule] != set()


def _folder(rule: str) -> str:
    return rule.lower().replace(" ", "-")


def _ids(path: Path) -> set[str]:
    return set(re.findall(r'\\"auditID\\":\\"([^\\]+)\\"', path.read_text()))


def _matched(sysdig: Sysdig, plugin: Plugin, condition: str) -> set[str]:
    done = sysdig.run([(plugin, "")], f"file://{FILES}/audit.jsonl", ["ka.auditid"], condition)
    assert done.returncode == 0, messages(done)
    return {event["ka.auditid"] for event in printed(done.stdout)}


def test_a_host_with_the_old_library_goes_on_while_the_new_one_is_pulled(
    falcopy: Falcopy, plugin: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    assert falcopy("push", plugin, f"{registry.host}/{repository}").returncode == 0
    there = tmp_path / "libpydemo.so"
    there.write_bytes(plugin.read_bytes())
    # Loaded, then replaced, then called: in place of it a rewritten file would be a SIGBUS.
    program = (
        "import ctypes, sys; library = ctypes.CDLL(sys.argv[1]); print(flush=True); input(); "
        "library.plugin_get_name.restype = ctypes.c_char_p; print(library.plugin_get_name())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, there],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout is not None
        host.stdout.readline()
        inode = there.stat().st_ino
        done = falcopy("pull", f"{registry.host}/{repository}", "-o", tmp_path)
        assert done.returncode == 0, done.stderr
        assert there.stat().st_ino != inode
        output, _ = host.communicate("\n", timeout=30)
    assert output == "b'pydemo'\n"
