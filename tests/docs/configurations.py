"""Checks init configurations that pages show against the schemas of their plugins."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from tests.docs.pages import PLUGIN, Block

_SCHEMA = """
import json, sys
from falcopy_sdk.cli.plugins import load
with load(sys.argv[1]) as library:
    print(json.dumps(dict(library.facts.init_schema)))
"""


def init_configs(page: Path, block: Block) -> Iterator[tuple[str, Any]]:
    """Name of the plugin, and what is under its ``init_config``."""
    document = YAML(typ="safe").load(block.text)
    if not isinstance(document, dict):
        return
    if "init_config" in document:  # the key alone: of the plugin that the page is about
        assert page.parent == PLUGIN, f"line {block.line}: init_config of which plugin?"
        yield "k8saudit-aks", document["init_config"]
    for plugin in document.get("plugins", ()):
        if "init_config" in plugin:
            yield plugin["name"], plugin["init_config"]


def violations(name: str, config: Any, folder: Path) -> list[str]:
    """What the schema of the plugin has against a configuration.

    Args:
        name: of the plugin: one that is installed, or that the page's commands and files have
            made in ``folder``.
        config: what falco.yaml has under ``init_config``.
        folder: of the page.
    """
    done = subprocess.run(
        [sys.executable, "-c", _SCHEMA, _target(name, folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The second alternative of an exported schema lets all pass (declare/schema.py).
    wanted, _ = json.loads(done.stdout)["anyOf"]
    return [error.message for error in Draft7Validator(wanted).iter_errors(config)]


def _target(name: str, folder: Path) -> str:
    for library in folder.rglob(f"dist/lib{name}.so"):
        return str(library)
    declared = re.compile(rf'^    name="{re.escape(name)}",$', re.MULTILINE)
    for file in folder.glob("*.py"):
        if declared.search(file.read_text(encoding="utf-8")):
            return str(file)
    return name.replace("-", "_")
