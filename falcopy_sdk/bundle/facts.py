"""Running the plugin's class once, in the assembled bundle, for its static facts."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcopy_sdk.bundle.stdlib import LEFT_OUT
from falcopy_sdk.declare.facts import StaticFacts
from falcopy_sdk.exceptions import BuildError, DeclarationError, PluginLoadError

if TYPE_CHECKING:
    from falcopy_sdk.bundle.interpreter import Python

__all__ = ["ask"]

_WORKER = Path(__file__).with_name("facts_worker.py")


def ask(root: Path, interpreter: Python, ref: str) -> StaticFacts:
    """Imports ``ref`` in a process that sees the bundle's modules only.

    Its libraries must not have been edited yet: they have to work with the interpreter outside.

    Raises:
        PluginLoadError: the class does not import.
        DeclarationError: it is declared wrongly.
        BuildError: the process ended without an answer.
    """
    with tempfile.TemporaryDirectory(prefix="falcopy-facts-") as scratch:
        answer = Path(scratch) / "answer.json"
        # Not -I: it would ignore the hash seed, by which the order of sets is the same each time.
        command = [str(interpreter.executable), "-P", "-s", "-S", "-B", str(_WORKER), str(root)]
        command += [interpreter.folder, ref, str(answer)]
        variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**variables, "PYTHONHASHSEED": "0"},
        )
        if not answer.is_file():
            raise BuildError(f"importing {ref} ended the process: {done.stderr.strip()}")
        result = json.loads(answer.read_text(encoding="utf-8"))
    if "facts" not in result:
        raise _error(ref, result)
    facts: dict[str, Any] = result["facts"]
    for name in ("extract_event_types", "parse_event_types"):
        facts[name] = tuple(facts[name])
    facts["exports"] = frozenset(facts["exports"])
    return StaticFacts(**facts)


def _error(ref: str, result: dict[str, Any]) -> Exception:
    problem: list[str] = result["problem"]
    if result["kind"] == "declaration":
        return DeclarationError(*problem)
    if result["kind"] == "class":
        return PluginLoadError(
            f"{ref} names no class: {problem[0]} Correct the entry point in pyproject.toml, "
            "[project.entry-points.falcopy]."
        )
    if result["kind"] == "module":
        module, trace = problem
        reason = LEFT_OUT.get(module.partition(".")[0])
        fix = (
            f"{module} is not in a bundle: {reason}"
            if reason
            else f"if {module} is a dependency, add it to [project] dependencies and to the lock; "
            "if it is installed and no import names it, to [tool.falcopy] include-modules"
        )
        return PluginLoadError(f"{ref} does not import in the bundle; {fix}.\n{trace}")
    return PluginLoadError(f"{ref} does not import in the bundle:\n{problem[0]}")
