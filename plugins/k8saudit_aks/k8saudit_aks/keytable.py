"""The documentation of the configuration's keys, made from the dataclass.

``python -m k8saudit_aks.keytable README.md`` writes it between the two marks of that file.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import typing
from pathlib import Path

from falcopy_sdk import Secret
from k8saudit_aks.config import Config

__all__ = ["key_table", "with_key_table"]

_BEGIN = "<!-- keys of init_config: python -m k8saudit_aks.keytable README.md -->\n"
_END = "<!-- end of the keys -->\n"


def key_table() -> str:
    """A Markdown table of all keys, in their order."""
    hints = typing.get_type_hints(Config, include_extras=True)
    rows = [_row(field, hints[field.name]) for field in dataclasses.fields(Config)]
    head = ("| key of `init_config` | default | meaning |", "|---|---|---|")
    return "\n".join((*head, *rows)) + "\n"


def _row(field: dataclasses.Field[typing.Any], hint: object) -> str:
    kind, *notes = typing.get_args(hint)
    meaning = next(note for note in notes if isinstance(note, str))
    # Markdown would take <account> for HTML.
    meaning = re.sub(r"[^\s<]*<\w+>[^\s;]*", r"`\g<0>`", meaning)
    secret = " Secret." if kind is Secret else ""
    default = "" if kind is Secret or field.default in ("", None) else _shown(field.default)
    return f"| `{field.name}` | {default} | {meaning}.{secret} |".replace("  ", " ")


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def with_key_table(text: str) -> str:
    """``text`` with the table between the two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"no {_BEGIN.strip()} ... {_END.strip()}")
    return f"{before}{_BEGIN}\n{key_table()}\n{_END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_key_table(path.read_text(encoding="utf-8")), encoding="utf-8")
