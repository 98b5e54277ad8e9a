"""Imports extension modules and writes which modules came with them; run by path.

Arguments: the file for the answer; standard input: JSON with ``path`` (``sys.path``) and
``modules``. The answer has a line ``?name`` for each module before it is imported, and at last
``=`` with the names of all modules that are loaded.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """A module that does not import is not traced: the plugin's own import will tell."""
    task = json.load(sys.stdin)
    sys.path[:] = task["path"]
    with open(sys.argv[1], "w", encoding="utf-8") as answer:
        for name in task["modules"]:
            answer.write(f"?{name}\n")
            answer.flush()
            try:
                importlib.import_module(name)
            except Exception as error:  # noqa: BLE001 - whatever a module raises
                answer.write(f"!{name}: {error!r}\n")
        answer.write("=" + " ".join(sorted(sys.modules)) + "\n")


if __name__ == "__main__":
    main()
