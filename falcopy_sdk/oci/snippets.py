"""What a user pastes to run an artifact: falcoctl.yaml, index.yaml, falco.yaml, Helm values."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from falcopy_sdk.oci.files import write_file
from falcopy_sdk.oci.index_file import entry
from falcopy_sdk.oci.reference import Reference

if TYPE_CHECKING:
    from pathlib import Path

    from falcopy_sdk.oci.artifact import Packed

__all__ = ["reference_of", "snippets", "write_snippets"]

#: falcoctl's own index: dependencies of other makers are found through it.
_OFFICIAL = {
    "name": "falcosecurity",
    "url": "https://falcosecurity.github.io/falcoctl/index.yaml",
    "backend": "https",
}
_FOLDERS = {"plugin": "plugin", "rulesfile": "ruleset"}
# The defaults of Falco's own packages and chart, since a list in values or in falcoctl.yaml takes
# the place of theirs. A user's own files come last, to change what rules of others say.
_STOCK_RULES = "falco-rules:5"
_FIRST_RULES = ("/etc/falco/falco_rules.yaml",)
_LAST_RULES = ("/etc/falco/falco_rules.local.yaml", "/etc/falco/rules.d")


def reference_of(artifact: Packed, target: str) -> Reference:
    """Where an artifact of a project belongs, in falcosecurity's own scheme.

    Args:
        artifact: A plugin or rules.
        target: ``"ghcr.io/acme/plugins"``: the plugin acme goes to ``.../plugin/acme``, its
            rules to ``.../ruleset/acme``.

    Raises:
        ReferenceFormatError: ``target`` is no registry and path.
    """
    name = artifact.config.name
    if artifact.kind == "rulesfile":
        name = name.removesuffix("-rules")
    return Reference.parse(f"{target.rstrip('/')}/{_FOLDERS[artifact.kind]}/{name}")


def snippets(
    artifacts: list[Packed], target: str, init_config: dict[str, Any] | None = None
) -> dict[str, str]:
    """Return the files' texts by their names.

    Args:
        artifacts: What is installed together: a plugin, its rules, or both.
        target: See :func:`reference_of`.
        init_config: For the plugin.
    """
    where = {a.config.name: reference_of(a, target) for a in artifacts}
    # In full versions: a pod that starts tomorrow gets what was tried today.
    refs = [_STOCK_RULES, *(f"{where[a.config.name]}:{a.config.version}" for a in artifacts)]
    follow = [_STOCK_RULES] + [
        f"{where[a.config.name]}:{a.config.version.partition('.')[0]}"
        for a in artifacts
        if a.kind == "rulesfile" and "-" not in a.config.version
    ]
    kinds = ["rulesfile", "plugin"]
    falcoctl: dict[str, Any] = {
        "artifact": {
            "allowedTypes": kinds,
            "install": {"resolveDeps": True, "refs": refs},
            "follow": {"refs": follow, "every": "168h"},
        },
        "indexes": [_OFFICIAL],
    }
    falco = _falco(artifacts, init_config or {})
    whole = dict(falco)
    if "rules_files" in whole:
        whole["rules_files"] = [*_FIRST_RULES, *whole["rules_files"], *_LAST_RULES]
    values: dict[str, Any] = {
        "falcoctl": {
            "artifact": {"install": {"enabled": True}, "follow": {"enabled": True}},
            "config": falcoctl,
        },
        "falco": whole,
    }
    index = [
        entry(
            a.config.name,
            a.kind,
            where[a.config.name].registry,
            where[a.config.name].repository,
            a.about,
        )
        for a in sorted(artifacts, key=lambda a: a.config.name)
    ]
    return {
        "falcoctl.yaml": _text(
            falcoctl,
            "/etc/falcoctl/falcoctl.yaml: falcoctl artifact install, and follow, without arguments",
            "A registry that wants a login: FALCOCTL_REGISTRY_AUTH_BASIC=host,user,password",
            "After an update of a plugin, restart Falco: it does not reload libraries",
        ),
        "falco.yaml": _text(
            falco,
            "/etc/falco/config.d/: Falco appends these lists to those of /etc/falco/falco.yaml",
        ),
        "values.yaml": _text(
            values,
            "helm install falco falcosecurity/falco -f values.yaml",
            "A registry that wants a login: FALCOCTL_REGISTRY_AUTH_BASIC from a Secret, by "
            "falcoctl.artifact.install.env",
        ),
        "index.yaml": _text(
            index,
            "To be served by HTTPS: falcoctl index add NAME URL, then falcoctl artifact install "
            + " ".join(a.config.name for a in artifacts),
        ),
    }


def write_snippets(
    folder: Path, artifacts: list[Packed], target: str, init_config: dict[str, Any] | None = None
) -> list[Path]:
    """Write the files of :func:`snippets` into a folder.

    Raises:
        StorageError: one cannot be written.
    """
    written = []
    for name, text in snippets(artifacts, target, init_config).items():
        write_file(folder / name, text.encode())
        written.append(folder / name)
    return written


def _falco(artifacts: list[Packed], init_config: dict[str, Any]) -> dict[str, Any]:
    falco: dict[str, Any] = {}
    plugins = [a for a in artifacts if a.kind == "plugin"]
    needed = [d.name for a in artifacts for d in a.config.dependencies]
    own = [a.config.name for a in plugins]
    # What rules depend on must be loaded as well: json is built into no Falco.
    others = [name for name in dict.fromkeys(needed) if name not in own]
    entries: list[dict[str, Any]] = [
        {
            "name": a.config.name,
            "library_path": a.files[0],
            "init_config": init_config,
            "open_params": "",
        }
        for a in plugins
    ]
    entries += [
        {"name": name, "library_path": f"lib{name}.so", "init_config": ""} for name in others
    ]
    if entries:
        falco["plugins"] = entries
        falco["load_plugins"] = [entry["name"] for entry in entries]
    rules = [f"/etc/falco/{file}" for a in artifacts if a.kind == "rulesfile" for file in a.files]
    if rules:
        falco["rules_files"] = rules
    return falco


def _text(document: Any, *comments: str) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    stream = io.StringIO()
    yaml.dump(document, stream)
    return "".join(f"# {comment}\n" for comment in comments) + stream.getvalue()
