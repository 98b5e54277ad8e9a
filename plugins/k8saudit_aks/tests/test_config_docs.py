"""The documentation of the configuration tells what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from k8saudit_aks.config import Config, hub_settings
from k8saudit_aks.keytable import key_table, with_key_table
from k8saudit_aks.plugin import K8sAuditAks
from ruamel.yaml import YAML

from falcopy_sdk import plugin_spec
from falcopy_sdk.declare.config import load_config

HERE = Path(__file__).parents[1]
README = (HERE / "README.md").read_text(encoding="utf-8")
GUIDE = (HERE / "CONFIGURATION.md").read_text(encoding="utf-8")

#: Values for the variables of the examples, as Falco would find them in its environment.
VARIABLES = {
    "EVENTHUB_CONNECTION_STRING": (
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=p;SharedAccessKey=a2V5"
    ),
    "BLOB_STORAGE_CONNECTION_STRING": (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=x"
    ),
    "PROXY_PASSWORD": "pass",
}


def test_the_table_of_keys_is_current() -> None:
    assert with_key_table(README) == README, "run python -m k8saudit_aks.keytable README.md"


def test_every_key_is_in_the_table_with_a_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.+) \|$", key_table(), re.MULTILINE)
    assert [name for name, _, _ in rows] == list(Config.__dataclass_fields__)
    assert ("prefetch", "`300`") in [row[:2] for row in rows]
    assert "<" not in re.sub(r"`[^`]*`", "", key_table())


def test_a_text_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="keys of init_config"):
        with_key_table("# No table")


def examples() -> list[str]:
    return re.findall(r"```yaml\n(init_config:.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("example", examples(), ids=range(len(examples())))
def test_an_example_is_a_complete_configuration(example: str) -> None:
    text = re.sub(r"\$\{(\w+)\}", lambda found: VARIABLES[found[1]], example)
    document = YAML(typ="safe").load(text)["init_config"]
    settings = hub_settings(load_config(plugin_spec(K8sAuditAks), json.dumps(document)))
    assert settings.hub == "aks-audit"


def test_there_are_examples_and_every_key_they_name_exists() -> None:
    assert len(examples()) >= 6
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", GUIDE))
    known = set(Config.__dataclass_fields__)
    looks_like_a_key = {name for name in named if name.split("_")[0] in _FIRST_WORDS}
    assert looks_like_a_key <= known | _OTHERS


#: Metrics, and values of keys.
_OTHERS = {"dead_letters", "dead_letters_lost", "connection_string", "managed_identity"}
_FIRST_WORDS = {name.split("_")[0] for name in Config.__dataclass_fields__}
