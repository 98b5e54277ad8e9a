"""The values for Falco's Helm chart: right for the chart, for Falco and for this plugin."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from k8saudit_aks.plugin import K8sAuditAks
from ruamel.yaml import YAML

from falcopy_sdk import plugin_spec

DEPLOY = Path(__file__).parents[1] / "deploy"
VALUES, IDENTITY = DEPLOY / "falco-values.yaml", DEPLOY / "falco-values-workload-identity.yaml"

_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
_RESOURCES = {
    "type": "object",
    "properties": {
        "cpu": {"type": "string", "pattern": "^[0-9]+m?$"},
        "memory": {"type": "string", "pattern": "^[0-9]+[MG]i$"},
    },
    "required": ["cpu", "memory"],
    "additionalProperties": False,
}


def _object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    """An object with these members and no others: a misspelled key of the chart is no error."""
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


#: What is used of the chart's values (charts/falco/values.yaml and templates/ of version 9.1.0).
SCHEMA = _object(
    controller=_object(
        ["kind", "deployment"],
        kind={"const": "deployment"},
        deployment=_object(["replicas"], replicas={"type": "integer", "minimum": 1}),
    ),
    driver=_object(["enabled"], enabled={"const": False}),
    collectors=_object(["enabled"], enabled={"const": False}),
    tolerations={"type": "array"},
    affinity={"type": "object"},
    containerSecurityContext={"type": "object"},
    serviceAccount=_object(
        create={"type": "boolean"},
        name=_NAME,
        annotations={"type": "object", "additionalProperties": {"type": "string"}},
    ),
    podLabels={"type": "object", "additionalProperties": {"type": "string"}},
    resources=_object(["requests", "limits"], requests=_RESOURCES, limits=_RESOURCES),
    falcoctl=_object(
        artifact=_object(
            install=_object(enabled={"const": True}), follow=_object(enabled={"type": "boolean"})
        ),
        config=_object(
            artifact=_object(
                allowedTypes=_list({"enum": ["plugin", "rulesfile"]}),
                install=_object(
                    resolveDeps={"type": "boolean"},
                    refs=_list({"type": "string", "pattern": r"^[a-z0-9./_-]+:\d+\.\d+\.\d+$"}),
                ),
            )
        ),
    ),
    extra=_object(
        env=_list(
            _object(
                ["name"],
                name={"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"},
                value={"type": "string"},
                valueFrom=_object(secretKeyRef=_object(["name", "key"], name=_NAME, key=_NAME)),
            )
        )
    ),
    mounts=_object(
        volumes=_list(_object(["name", "emptyDir"], name=_NAME, emptyDir={"type": "object"})),
        volumeMounts=_list(
            _object(["name", "mountPath"], name=_NAME, mountPath={"type": "string"})
        ),
    ),
    metrics=_object(
        enabled={"const": True},
        interval={"type": "string", "pattern": "^[0-9]+[smh]$"},
        pluginsMetricsEnabled={"const": True},
    ),
    falco=_object(
        json_output={"type": "boolean"},
        plugins_hostinfo={"type": "boolean"},
        rule_matching={"enum": ["first", "all"]},
        rules_files=_list({"type": "string", "pattern": "^/etc/falco/"}),
        load_plugins=_list({"type": "string"}),
        plugins=_list(
            _object(
                ["name", "library_path"],
                name={"type": "string"},
                library_path={"type": "string"},
                init_config={},
                open_params={"type": "string"},
            )
        ),
    ),
)


def read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)  # type: ignore[no-any-return]


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """As Helm does: objects member by member, lists and values as a whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if both else value
    return result


def ways() -> dict[str, dict[str, Any]]:
    values = read(VALUES)
    return {"connection strings": values, "workload identity": merged(values, read(IDENTITY))}


@pytest.fixture(params=ways())
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    return ways()[request.param]


def test_the_values_are_those_of_the_chart(values: dict[str, Any]) -> None:
    jsonschema.validate(values, SCHEMA)


@pytest.mark.parametrize(
    ("key", "value"),
    [("controler", {}), ("driver", {"enabled": True}), ("extra", {"env": [{"value": "x"}]})],
)
def test_the_schema_notices_what_the_chart_would_not(key: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read(VALUES) | {key: value}, SCHEMA)


def test_the_plugin_takes_its_configuration(values: dict[str, Any]) -> None:
    [ours] = [each for each in values["falco"]["plugins"] if each["name"] == "k8saudit-aks"]
    spec = plugin_spec(K8sAuditAks)
    assert spec.config is not None
    environment = {
        "EVENTHUB_CONNECTION_STRING": (
            "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=p;SharedAccessKey=a2V5"
        ),
        "BLOB_STORAGE_CONNECTION_STRING": (
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;"
            "EndpointSuffix=core.windows.net"
        ),
    }
    given = {each["name"] for each in values["extra"]["env"]}
    config = {}
    for key, value in ours["init_config"].items():
        name = value.removeprefix("${").removesuffix("}")
        assert name == value or name in given, f"{key} needs an environment variable"
        config[key] = environment.get(name, value)
    from falcopy_sdk.host import Library

    with Library.from_class(K8sAuditAks) as library, library.init(config):
        pass


def test_what_falco_loads_is_what_falcoctl_installs(values: dict[str, Any]) -> None:
    falco = values["falco"]
    refs = values["falcoctl"]["config"]["artifact"]["install"]["refs"]
    assert falco["load_plugins"] == [plugin["name"] for plugin in falco["plugins"]]
    for plugin in falco["plugins"]:
        assert plugin["library_path"] == f"lib{plugin['name']}.so"
        assert any(f"/plugin/{plugin['name']}:" in ref for ref in refs)
    version = plugin_spec(K8sAuditAks).version
    assert f"ghcr.io/acme/plugins/plugin/k8saudit-aks:{version}" in refs
    assert f"ghcr.io/acme/plugins/ruleset/k8saudit-aks:{version}" in refs
    rules = [path.name for path in (DEPLOY.parent / "rules").iterdir()]
    assert set(falco["rules_files"]) >= {f"/etc/falco/{name}" for name in rules}


def test_the_plugin_can_unpack_itself(values: dict[str, Any]) -> None:
    [folder] = [e["value"] for e in values["extra"]["env"] if e["name"] == "FALCOPY_CACHE_DIR"]
    [mount] = [m for m in values["mounts"]["volumeMounts"] if m["mountPath"] == folder]
    assert mount["name"] in {volume["name"] for volume in values["mounts"]["volumes"]}


def test_an_identity_needs_no_secret() -> None:
    text = IDENTITY.read_text()
    assert "secretKeyRef" not in text
    assert "CONNECTION_STRING" not in text
    values = ways()["workload identity"]
    assert values["podLabels"] == {"azure.workload.identity/use": "true"}
    assert "azure.workload.identity/client-id" in values["serviceAccount"]["annotations"]


@pytest.mark.parametrize("files", [[VALUES], [VALUES, IDENTITY]])
def test_the_chart_renders_them(files: list[Path]) -> None:
    """With a helm and a copy of the chart at hand, its dependencies included or taken out."""
    helm, chart = os.environ.get("FALCOPY_HELM"), os.environ.get("FALCOPY_FALCO_CHART")
    if not helm or not chart:
        pytest.skip("no chart: name helm in FALCOPY_HELM, the folder in FALCOPY_FALCO_CHART")
    options = [option for file in files for option in ("-f", str(file))]
    done = subprocess.run(
        [helm, "template", "falco", chart, "-n", "falco", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    documents = {item["kind"]: item for item in YAML(typ="safe").load_all(done.stdout) if item}
    deployment = documents["Deployment"]
    assert deployment["spec"]["replicas"] == 2
    pod = deployment["spec"]["template"]
    [falco] = pod["spec"]["containers"]
    assert "HOST_ROOT" in {each["name"] for each in falco["env"]}
    assert "FALCOPY_CACHE_DIR" in {each["name"] for each in falco["env"]}
    assert not [each for each in pod["spec"]["volumes"] if "hostPath" in each]
    assert not falco["securityContext"]["allowPrivilegeEscalation"]
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["falcoctl-artifact-install"]
    assert ("azure.workload.identity/use" in pod["metadata"]["labels"]) == (IDENTITY in files)
