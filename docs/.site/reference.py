"""Hook of MkDocs: what the reference takes from the code, beside docstrings and options.

A page names a table by a line ``<!-- made: NAME -->``. The examples and exit codes at the end of a
command's help, which mkdocs-click passes over, become part of its description.
"""

import dataclasses
import enum
import html
import inspect
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from griffe import Docstring, DocstringSectionKind
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from falcopy_sdk import Length, Pattern, Range, Secret, exceptions
from falcopy_sdk.bundle.settings import Settings
from falcopy_sdk.cli import main
from falcopy_sdk.declare.records import Record
from falcopy_sdk.declare.schema import config_spec
from falcopy_sdk.declare.shapes import Shape
from falcopy_sdk.declare.spec import ConfigSpec

_MADE = re.compile(r"^<!-- made: (.+) -->$", re.MULTILINE)


class Store(enum.Enum):  # noqa: D101 - shown as an author writes it
    FILE = "file"
    BLOB = "blob"


@dataclasses.dataclass
class Proxy:  # noqa: D101 - the same
    url: str
    port: int = 8080


#: One of each kind that a configuration may have, as an author writes it.
ANNOTATIONS = (
    "str",
    "Path",
    "Secret",
    "bool",
    "int",
    "float",
    'Literal["file", "blob"]',
    "Store",
    "list[str]",
    "tuple[int, ...]",
    "dict[str, str]",
    "Proxy",
    "str | None",
    'Annotated[str, "Where to ask"]',
    "Annotated[int, Range(1, 9)]",
    'Annotated[str, Pattern("^https://")]',
    "Annotated[str, Length(max=64)]",
    "Annotated[list[str], Length(min=1)]",
    "Annotated[dict[str, int], Length(min=1)]",
)


def on_config(config: MkDocsConfig) -> None:
    """Puts what stands at the end of a command's help into its description."""
    _with_epilogs(main, click.Context(main))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes the tables that the page names."""
    made = {
        "settings": settings_table,
        "annotations": annotations_table,
        "exit codes of exceptions": exit_codes_table,
    }
    return _MADE.sub(lambda found: made[found[1]](), markdown)


def settings_table() -> str:
    """The keys of ``[tool.falcopy]`` as ``bundle/settings.py`` has them."""
    documented = {each.name: " ".join(each.description.split()) for each in _attributes(Settings)}
    rows = [
        (
            _code(field.name.replace("_", "-"), "whole"),
            _code(list(field.default)),
            documented[field.name],
        )
        for field in dataclasses.fields(Settings)
    ]
    return _table(("key", "default", "meaning"), rows)


def annotations_table() -> str:
    """What becomes of each kind of annotation, by the code that does it in a plugin."""
    rows = [(_code(each), _code(json.dumps(schema_of(each)))) for each in ANNOTATIONS]
    with_these = "\n\n".join(inspect.getsource(each).strip() for each in (Store, Proxy))
    return f"{_table(('annotation', 'schema'), rows)}\n\nwith\n\n```python\n{with_these}\n```"


def schema_of(annotation: str) -> dict[str, Any]:
    """The JSON Schema of a key that is annotated so."""
    found: dict[str, Any] = _config(annotation).schema["properties"]["key"]
    return found


def shape_of(annotation: str) -> Shape:
    """The kind of value that a key has which is annotated so."""
    shape = _config(annotation).shape
    assert isinstance(shape, Record)
    return shape.entries["key"].shape


def _config(annotation: str) -> ConfigSpec:
    names = {"Annotated": Annotated, "Literal": Literal, "Path": Path, "Secret": Secret}
    names |= {"Length": Length, "Pattern": Pattern, "Range": Range, "Store": Store, "Proxy": Proxy}
    written = eval(annotation, names)  # noqa: S307 - our own, from above
    return config_spec(dataclasses.make_dataclass("Config", [("key", written)]), "Config", {})


def exit_codes_table() -> str:
    """Which error ends a command with which exit code."""
    classes: dict[int, list[str]] = {}
    for name in exceptions.__all__:
        classes.setdefault(getattr(exceptions, name).exit_code, []).append(_code(name))
    rows = [(str(code), ", ".join(names)) for code, names in sorted(classes.items())]
    return _table(("exit code", "errors"), rows)


def _attributes(cls: type) -> list[Any]:
    sections = Docstring(inspect.getdoc(cls) or "").parse("google")
    [attributes] = [each for each in sections if each.kind is DocstringSectionKind.attributes]
    return list(attributes.value)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: object, classes: str = "") -> str:
    # A bar would end the cell of a table, also within backticks.
    shown = html.escape(str(text)).replace("|", "&#124;")
    return f'<code class="{classes}">{shown}</code>' if classes else f"<code>{shown}</code>"


def _with_epilogs(command: click.Command, context: click.Context) -> None:
    if command.epilog:
        description = inspect.cleandoc(command.help or "")
        command.help = f"{description}\n\n{epilog_as_markdown(command.epilog)}"
        command.epilog = None  # so that a site which is built again has it once
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            _with_epilogs(inner, click.Context(inner, context, name))


def epilog_as_markdown(epilog: str) -> str:
    """Indented lines are code, as a terminal shows them; others are text."""
    parts: list[tuple[bool, list[str]]] = []
    for line in inspect.cleandoc(epilog.replace("\b\n", "\n")).splitlines():
        if not line.strip():
            parts.append((False, []))
            continue
        is_code = line.startswith(" ")
        if not parts or parts[-1][0] != is_code:
            parts.append((is_code, []))
        parts[-1][1].append(line.removeprefix("  ") if is_code else line)
    shown = ["\n".join(["```sh", *lines, "```"] if code else lines) for code, lines in parts]
    return "\n\n".join(part for part in shown if part)
