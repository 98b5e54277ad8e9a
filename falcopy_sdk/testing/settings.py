"""Init configurations as people write them: JSON, YAML as in falco.yaml, or a file of either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from falcopy_sdk.exceptions import RequestError

__all__ = ["read_config"]


def read_config(text: str, folder: Path | None = None) -> str:
    """Return the text that a host passes to ``init``.

    Args:
        text: JSON, a YAML map (Falco makes JSON of it), any other text as it is; or ``@FILE``
            with one of these.
        folder: What a relative file begins at; None: the current folder.

    Raises:
        RequestError: The file cannot be read.
    """
    if text.startswith("@"):
        path = (folder or Path.cwd()) / text[1:]
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise RequestError(
                f"{path}: cannot read the configuration: {error.strerror}"
            ) from error
        except UnicodeDecodeError as error:
            raise RequestError(f"{path}: the configuration is not UTF-8 text") from error
    try:
        json.loads(text)
    except ValueError:
        return _of_yaml(text)
    return text


def _of_yaml(text: str) -> str:
    """A map becomes JSON, as Falco's loader does it; what is none stays the text that it is."""
    try:
        document: Any = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return text
    # Dates are the only other thing that a safe loader makes: as text, as Falco has them.
    return json.dumps(document, default=str) if isinstance(document, dict) else text
