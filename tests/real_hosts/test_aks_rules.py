"""The rules for AKS in a real engine: libsinsp compiles and evaluates them over samples.

Each rule has a folder of samples: events on which it fires, and similar ones on which it does not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from falcopy_sdk import plugin_spec

from .falco_rules import Rules
from .hosts import FILES, Plugin, Sysdig, messages, printed

if TYPE_CHECKING:
    from .chroot import Chroot

PLUGIN = Path(__file__).parents[2] / "plugins" / "k8saudit_aks"
SAMPLES = PLUGIN / "samples" / "rules"
RULES = Rules.read(PLUGIN / "rules" / "k8saudit_aks_rules.yaml")
PARAMS = f"file://{FILES}/audit.jsonl"


def folder(rule: str) -> Path:
    return SAMPLES / rule.lower().replace(" ", "-")


def ids(path: Path) -> set[str]:
    return set(re.findall(r'\\"auditID\\":\\"([^\\]+)\\"', path.read_text()))


@pytest.fixture(scope="module")
def engine(
    chroot: Chroot, k8saudit_aks_library: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Sysdig, Plugin]:
    """sysdig, and the plugin unpacked once, in a folder with all samples as one file."""
    files = tmp_path_factory.mktemp("rules")
    bodies = [path.read_text() for path in sorted(SAMPLES.glob("*/*.json"))]
    (files / "audit.jsonl").write_text("".join(bodies))
    return Sysdig(chroot, files), Plugin.install(k8saudit_aks_library, "k8saudit-aks", files)


def matched(engine: tuple[Sysdig, Plugin], condition: str) -> set[str]:
    sysdig, plugin = engine
    done = sysdig.run([(plugin, "")], PARAMS, ["ka.auditid"], condition)
    assert done.returncode == 0, messages(done)
    return {event["ka.auditid"] for event in printed(done.stdout)}


@pytest.mark.real_host
@pytest.mark.parametrize("rule", RULES.rules)
def test_a_rule_fires_on_its_samples_and_not_on_similar_events(
    engine: tuple[Sysdig, Plugin], rule: str
) -> None:
    fires, passes = ids(folder(rule) / "fires.json"), ids(folder(rule) / "passes.json")
    assert fires
    assert passes
    found = matched(engine, RULES.condition(rule))
    assert found & (fires | passes) == fires


@pytest.mark.real_host
def test_every_field_of_an_output_is_printed_by_the_engine(engine: tuple[Sysdig, Plugin]) -> None:
    sysdig, plugin = engine
    fields = sorted({name for rule in RULES.rules for name in RULES.output_fields(rule)})
    done = sysdig.run([(plugin, "")], PARAMS, ["ka.auditid", *fields])
    assert done.returncode == 0, messages(done)
    events = {event["ka.auditid"]: event for event in printed(done.stdout)}
    for rule in RULES.rules:
        for audit_id in ids(folder(rule) / "fires.json"):
            event = events[audit_id]
            assert event["aks.cluster_name"] == "shop-westeurope"
            assert event["ka.req"].startswith("verb=")
    assert {name for event in events.values() for name in event if event[name]} >= set(fields)


@pytest.mark.real_host
def test_what_azure_knows_is_in_a_capture_file_too(engine: tuple[Sysdig, Plugin]) -> None:
    sysdig, plugin = engine
    fields = ["ka.auditid", "aks.resource_id", "aks.cluster_name", "aks.category", "aks.partition"]
    written = sysdig.run([(plugin, "")], PARAMS, [], "-q", "-w", f"{FILES}/audit.scap")
    assert written.returncode == 0, messages(written)
    done = sysdig.run([(plugin, "")], None, fields, "-r", f"{FILES}/audit.scap")
    events = printed(done.stdout)
    assert len(events) == sum(len(ids(path)) for path in SAMPLES.glob("*/*.json"))
    for event in events:
        assert event["aks.resource_id"].endswith("/MANAGEDCLUSTERS/SHOP-WESTEUROPE")
        assert event["aks.cluster_name"] == "shop-westeurope"
        assert event["aks.category"] == "kube-audit"
        assert event["aks.partition"] is None


@pytest.mark.parametrize("rule", RULES.rules)
def test_a_rule_is_complete_and_uses_fields_that_the_plugin_has(rule: str) -> None:
    declared = {field.name: field for field in plugin_spec(_plugin()).fields}
    used = RULES.condition_fields(rule) | RULES.exception_fields(rule)
    for name in used | set(RULES.output_fields(rule)):
        bare, _, argument = name.partition("[")
        assert bare in declared or bare == "evt.plugininfo", name
        if argument:
            taken = declared[bare].argument
            assert taken.is_key or taken.is_index, name
    text = RULES.rules[rule]
    assert text["source"] == "k8s_audit"
    assert text["desc"].strip()
    assert text["priority"] in ("CRITICAL", "ERROR", "WARNING", "NOTICE")
    assert {"k8s", "aks"} <= set(text["tags"])
    assert any(tag.startswith("mitre_") for tag in text["tags"])
    assert any(re.fullmatch(r"T\d{4}(\.\d{3})?", tag) for tag in text["tags"])
    assert {"ka.req", "aks.cluster_name"} <= set(RULES.output_fields(rule))
    for exception in text.get("exceptions", ()):
        fields, comps = exception["fields"], exception["comps"]
        assert isinstance(fields, str) == isinstance(comps, str), exception
        assert isinstance(fields, str) or len(fields) == len(comps), exception


def test_the_rules_need_this_plugin_alone() -> None:
    version = plugin_spec(_plugin()).version
    assert RULES.plugins.keys() == {"k8saudit-aks"}
    required = tuple(map(int, RULES.plugins["k8saudit-aks"].split(".")))
    # The fields aks.* came with it; a version that has not been made cannot be installed.
    assert (0, 7, 0) <= required <= tuple(map(int, version.split(".")))
    assert RULES.engine == 15


def test_every_sample_belongs_to_a_rule() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {folder(rule).name for rule in RULES.rules}


def test_the_readme_lists_the_rules() -> None:
    listed = re.findall(r"(?m)^\| (AKS [^|]+) \|", (PLUGIN / "README.md").read_text())
    assert listed == list(RULES.rules)


def test_every_list_and_macro_is_used() -> None:
    text = (PLUGIN / "rules" / "k8saudit_aks_rules.yaml").read_text()
    for name in (*RULES.lists, *RULES.macros):
        uses = re.findall(rf"(?<![\w-]){name}(?![\w-])", re.sub(r"(?m)^\s*#.*$", "", text))
        assert len(uses) >= 2, name


def _plugin() -> type:
    from k8saudit_aks.plugin import K8sAuditAks

    return K8sAuditAks
