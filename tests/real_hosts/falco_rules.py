"""Reads Falco rules files: as much of the format as it takes to have an engine check a rule.

The format is told by https://falco.org/docs/concepts/rules/; Falco's own loader expands macros and
lists before libsinsp compiles a condition, and so does this one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from pathlib import Path

#: Texts in quotes, or runs of what can be in a name, a field with its argument, a bare value.
_TOKEN = re.compile(r'"[^"]*"|\'[^\']*\'|[\w.\-/:*]+(?:\[[^\]]*\])?')
_FIELD = re.compile(
    r"(?:ka|aks|jevt|json|evt|proc|container|k8s|cloudflare|github|tailscale)"
    r"\.[\w.]+(?:\[[^\]]*\])?"
)


@dataclass
class Rules:
    """The rules of one file, and what they are made of."""

    lists: dict[str, list[Any]] = field(default_factory=dict)
    macros: dict[str, str] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Plugin to the version required; alternatives count as plugins.
    plugins: dict[str, str] = field(default_factory=dict)
    engine: Any = None

    @classmethod
    def read(cls, path: Path) -> Rules:
        found = cls()
        for item in YAML(typ="safe").load(path):
            if "list" in item:
                found.lists[item["list"]] = item["items"]
            elif "macro" in item:
                found.macros[item["macro"]] = item["condition"]
            elif "rule" in item:
                assert item["rule"] not in found.rules, item["rule"]
                found.rules[item["rule"]] = item
            elif "required_plugin_versions" in item:
                for plugin in item["required_plugin_versions"]:
                    for each in (plugin, *plugin.get("alternatives", ())):
                        found.plugins[each["name"]] = each["version"]
            else:
                found.engine = item["required_engine_version"]
        return found

    def condition(self, rule: str) -> str:
        """The condition of a rule with all macros and lists put in, on one line."""
        return " ".join(self._expanded(self.rules[rule]["condition"]).split())

    def output_fields(self, rule: str) -> list[str]:
        """The fields that a rule's output prints."""
        return [found[1:] for found in re.findall(rf"%{_FIELD.pattern}", self.output(rule))]

    def output(self, rule: str) -> str:
        return " ".join(self.rules[rule]["output"].split())

    def condition_fields(self, rule: str) -> set[str]:
        """The fields that a rule's condition compares."""
        return set(_FIELD.findall(re.sub(r'"[^"]*"|\'[^\']*\'', '""', self.condition(rule))))

    def exception_fields(self, rule: str) -> set[str]:
        """The fields of a rule's exceptions."""
        fields = (each["fields"] for each in self.rules[rule].get("exceptions", ()))
        return {name for each in fields for name in ([each] if isinstance(each, str) else each)}

    def _expanded(self, condition: str) -> str:
        def put_in(match: re.Match[str]) -> str:
            token = match[0]
            if token in self.macros:
                return f"({self._expanded(self.macros[token])})"
            return ", ".join(self._items(token)) if token in self.lists else token

        # A list without items leaves nothing between its commas.
        put_together = re.sub(r",\s*(?=[,)])", "", _TOKEN.sub(put_in, condition))
        return re.sub(r"\(\s*,", "(", put_together)

    def _items(self, name: str) -> list[str]:
        items = []
        for item in map(str, self.lists[name]):
            if item in self.lists:
                items += self._items(item)
            else:
                items.append(item if re.fullmatch(r"[\w\-]+", item) else f'"{item}"')
        return items
