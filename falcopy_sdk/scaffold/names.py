"""What is derived from a new plugin's name."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from dataclasses import dataclass

from falcopy_sdk.exceptions import AnswerError

__all__ = ["Names"]

#: The registry's rule for plugin names (falcosecurity/plugins, build/registry), and that a Python
#: module can have the name.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
#: With more, lines of the templates would not fit the width that they promise to linters.
_LONGEST = 30
#: Modules, folders and tests of every project.
_IN_USE = frozenset(
    {"falcopy_sdk", "cffi", "jsonschema", "orjson", "pluggy", "mypy", "pytest", "ruff"}
    | {"conftest", "dist", "project", "rules", "samples", "standard", "tests"}
)


@dataclass(frozen=True, slots=True)
class Names:
    """The spellings of one plugin's name.

    Args:
        plugin: As Falco shows it, ``acme-audit``; also the project's and its folder's name.

    Raises:
        AnswerError: no plugin, or no Python module, can have the name.
    """

    plugin: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.plugin):
            raise AnswerError(
                f"{self.plugin!r} cannot be the name of a plugin: write lower-case letters, digits "
                "and single hyphens, beginning with a letter, such as acme-audit"
            )
        if len(self.plugin) > _LONGEST:
            raise AnswerError(
                f"the name {self.plugin} has {len(self.plugin)} characters; take one with at most "
                f"{_LONGEST}"
            )
        taken = {*sys.stdlib_module_names, *keyword.kwlist, *_IN_USE}
        if self.module in taken or hasattr(builtins, self.klass):
            raise AnswerError(
                f"{self.plugin!r} would be the Python module {self.module} with the class "
                f"{self.klass}, of which one is Python's or every project's already; take a longer "
                f"name, such as {self.plugin}-audit"
            )

    @property
    def module(self) -> str:
        """The Python package, and the event source: ``acme_audit``."""
        return self.plugin.replace("-", "_")

    @property
    def klass(self) -> str:
        """The plugin's class: ``AcmeAudit``."""
        return "".join(part.capitalize() for part in self.module.split("_"))

    @property
    def prefix(self) -> str:
        """Of the fields: ``acme`` for ``acme.user``."""
        return self.module.partition("_")[0]

    @property
    def title(self) -> str:
        """In running text: ``Acme Audit``."""
        return " ".join(part.capitalize() for part in self.module.split("_"))
