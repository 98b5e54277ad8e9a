"""What rules files ask for: plugins and an engine version (falco.org, "Rules: versioning")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import semver

from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci.config import (
    Dependency,
    Requirement,
    check_name,
    check_version,
    merged,
    satisfies,
)
from falcopy_sdk.oci.yaml import load_yaml_documents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ENGINE_REQUIREMENT", "RulesNeeds", "check_against_plugin", "read_rules"]

ENGINE_REQUIREMENT: Final = "engine_version_semver"


@dataclass(frozen=True, slots=True)
class RulesNeeds:
    """What some rules files need together.

    Attributes:
        dependencies: From ``required_plugin_versions``.
        engine_version: The highest ``required_engine_version``, ``x.y.z``; None: none is named.
    """

    dependencies: tuple[Dependency, ...]
    engine_version: str | None


def read_rules(files: Sequence[Path]) -> RulesNeeds:
    """Read rules files.

    Raises:
        PackageError: one is no rules file, or what it requires is malformed.
    """
    dependencies: list[Dependency] = []
    engines: list[str] = []
    for file in files:
        for item in _items(file):
            if "required_engine_version" in item:
                engines.append(_engine(item["required_engine_version"], file))
            if "required_plugin_versions" in item:
                listed = item["required_plugin_versions"]
                if not isinstance(listed, list):
                    raise PackageError(
                        f"{file}: required_plugin_versions is no list, and Falco would refuse the "
                        "file; write a list of {name, version}"
                    )
                dependencies += [_dependency(entry, file) for entry in listed]
    newest = max(engines, key=semver.Version.parse, default=None)
    return RulesNeeds(merged(dependencies), newest)


def _items(file: Path) -> list[dict[str, Any]]:
    """What a file holds, by Falco's reading: of all its documents, but for what is empty.

    (falco, userspace/engine/rule_loader_reader.cpp, ``rule_loader::reader::read``.)
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{file}: cannot be read ({error})") from error
    documents = [d for d in load_yaml_documents(text, str(file), PackageError) if d is not None]
    lists = [document for document in documents if isinstance(document, list)]
    items = [item for document in lists for item in document if item is not None]
    if not documents or len(lists) < len(documents) or not all(isinstance(i, dict) for i in items):
        raise PackageError(f"{file}: no rules file: not a YAML list of rules, macros and lists")
    return items


def check_against_plugin(needs: RulesNeeds, name: str, version: str) -> None:
    """Check that rules fit the plugin that is packed with them.

    Raises:
        PackageError: Falco would refuse the rules with that plugin.
    """
    for dependency in needs.dependencies:
        for wanted in (Requirement(dependency.name, dependency.version), *dependency.alternatives):
            if wanted.name == name and not satisfies(version, wanted.version):
                raise PackageError(
                    f"the rules require {name} {wanted.version}, and the plugin packed with them "
                    f"is {version}: Falco would refuse them. Build the newer plugin, or lower "
                    "required_plugin_versions"
                )
            if wanted.name == name:
                return
    raise PackageError(
        f"the rules do not name {name} in required_plugin_versions, so falcoctl would install "
        f'them without it; add "- required_plugin_versions: [{{name: {name}, version: '
        f'{version}}}]"'
    )


def _engine(value: Any, file: Path) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"0.{value}.0"  # as Falco and falcoctl read the old numbers
    text = str(value)
    if not isinstance(value, str) or not semver.Version.is_valid(text):
        raise PackageError(
            f"{file}: required_engine_version {text}: neither a whole number nor a version x.y.z"
        )
    return text


def _dependency(entry: Any, file: Path) -> Dependency:
    try:
        first = _pair(entry)
        others = tuple(sorted(_pair(other) for other in entry.get("alternatives") or ()))
    except (KeyError, TypeError, AttributeError) as error:
        raise PackageError(
            f"{file}: required_plugin_versions: an entry is not {{name, version, alternatives}} "
            f"({error})"
        ) from error
    except PackageError as error:
        raise PackageError(f"{file}: required_plugin_versions: {error}") from error
    return Dependency(first.name, first.version, others)


def _pair(entry: Any) -> Requirement:
    name, version = str(entry["name"]), str(entry["version"])
    check_name(name)
    check_version(version, f"version of {name}")
    return Requirement(name, version)
