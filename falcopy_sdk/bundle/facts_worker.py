"""Imports a plugin from a bundle's folder and writes its static facts; run by path.

Arguments: the bundle's folder, the standard library's folder name, ``module:Class``, the file for
the answer (JSON): ``facts``, or ``problem`` with ``kind``.
"""

from __future__ import annotations

import sys
from typing import Any


class _NoSuchClassError(Exception):
    pass


def main() -> None:
    """Writes the answer; an exception of the plugin's own code is an answer too."""
    root, library, ref, answer = sys.argv[1:]
    # What the bundle has, and nothing else: a module that was left out must be missed now.
    sys.path[:] = [
        f"{root}/lib/{library}",
        f"{root}/lib/{library}/lib-dynload",
        f"{root}/site-packages",
    ]
    import json
    import traceback

    from falcopy_sdk.exceptions import DeclarationError

    result: dict[str, object]
    try:
        result = {"facts": _facts(ref)}
    except _NoSuchClassError as error:
        result = {"kind": "class", "problem": [str(error)]}
    except DeclarationError as error:
        result = {"kind": "declaration", "problem": [error.where, error.problem, error.fix]}
    except ModuleNotFoundError as error:
        result = {"kind": "module", "problem": [error.name or "", traceback.format_exc()]}
    except BaseException:  # noqa: BLE001 - also SystemExit: it is the plugin's failure to import
        result = {"kind": "import", "problem": [traceback.format_exc()]}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(result, file)


def _facts(ref: str) -> dict[str, object]:
    import dataclasses
    import difflib
    import importlib

    from falcopy_sdk.declare.facts import static_facts
    from falcopy_sdk.declare.plugin import plugin_spec

    module, _, name = ref.partition(":")
    cls: Any = importlib.import_module(module)
    for part in name.split("."):
        names = [each for each in vars(cls) if not each.startswith("_")]
        if not hasattr(cls, part):
            close = difflib.get_close_matches(part, names, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise _NoSuchClassError(f"{module} has no {name}.{hint}")
        cls = getattr(cls, part)
    facts = dataclasses.asdict(static_facts(plugin_spec(cls)))
    facts["exports"] = sorted(facts["exports"])
    return facts


if __name__ == "__main__":
    main()
