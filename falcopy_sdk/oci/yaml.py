"""Reading YAML into plain lists and dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

if TYPE_CHECKING:
    from falcopy_sdk.exceptions import FalcopyError

__all__ = ["load_yaml", "load_yaml_documents"]

# ruamel.yaml's own; the last two: keys that are lists or mappings, and nesting without end.
_INVALID = (YAMLError, ValueError, TypeError, RecursionError)


def load_yaml(text: str, where: str, error_class: type[FalcopyError]) -> Any:
    """Read one YAML document.

    Args:
        text: The document.
        where: For the message: the file.
        error_class: What to raise.

    Raises:
        FalcopyError: of ``error_class``: it is no valid YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except _INVALID as error:
        raise error_class(f"{where}: not valid YAML: {_one_line(error)}") from error


def load_yaml_documents(text: str, where: str, error_class: type[FalcopyError]) -> list[Any]:
    """Read all documents of a YAML file; see :func:`load_yaml`.

    Raises:
        FalcopyError: of ``error_class``: one of them is no valid YAML.
    """
    try:
        return list(YAML(typ="safe", pure=True).load_all(text))
    except _INVALID as error:
        raise error_class(f"{where}: not valid YAML: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
