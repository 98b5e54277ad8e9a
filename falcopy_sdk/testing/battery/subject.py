"""What is tested: a plugin and what is needed to start and feed it."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcopy_sdk.hooks import find_plugin
from falcopy_sdk.host import Library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Subject", "looks_secret", "secret_texts"]

#: Shorter texts occur by chance.
_SHORTEST_SECRET = 6
_SECRET_WORDS = ("secret", "password", "passwd", "token", "credential", "api_key", "apikey")
_SECRET_ENDINGS = ("_key", "connection_string", "private_key")


@dataclass(frozen=True)
class Subject:
    """A plugin under test, as plain data: it is handed to other processes.

    Attributes:
        target: A shared library's path, or ``module:Class``.
        config: Its init configuration: text as is, or a mapping that becomes JSON; None: what the
            plugin's schema gives as an example, else none.
        open_params: Its open parameters; None: not known, opening may fail.
        events: Payloads of sample events.
        source: Name of the event source that the samples are of; "": the plugin's own, else the
            first that it extracts from.
        secrets: Texts that must appear in no log and no error, besides those that the
            configuration and its schema show to be secret.
        arguments: For fields that take one: the arguments to try, by field name.
        import_paths: Folders to import ``module`` from.
        cls: The class itself, in this process only.
        patience: Seconds that a single call may take before it counts as hanging.
    """

    target: str
    config: str | Mapping[str, Any] | None = None
    open_params: str | None = None
    events: tuple[bytes, ...] = ()
    source: str = ""
    secrets: tuple[str, ...] = ()
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    import_paths: tuple[str, ...] = ()
    cls: type[Any] | None = field(default=None, compare=False)
    patience: float = 10.0

    @property
    def is_file(self) -> bool:
        """Whether it is a shared library, not a class."""
        return self.cls is None and Path(self.target).is_file()

    def load(self) -> Library:
        """Load it as a host does.

        Raises:
            FalcopyError: It does not exist, does not import, or no host would load it.
        """
        if self.cls is not None:
            return Library.from_class(self.cls)
        if self.is_file:
            return Library.load(self.target)
        for folder in reversed(self.import_paths):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        return Library.from_class(find_plugin(self.target))

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON document, for another process."""
        return {
            "target": self.target,
            "config": self.config
            if self.config is None or isinstance(self.config, str)
            else dict(self.config),
            "open_params": self.open_params,
            "events": [base64.b64encode(event).decode() for event in self.events],
            "source": self.source,
            "secrets": list(self.secrets),
            "arguments": {name: list(values) for name, values in self.arguments.items()},
            "import_paths": list(self.import_paths),
            "patience": self.patience,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Subject:
        """Undo :meth:`to_json`."""
        made = cls(**document)
        return replace(
            made,
            events=tuple(base64.b64decode(event) for event in made.events),
            secrets=tuple(made.secrets),
            arguments={name: tuple(values) for name, values in made.arguments.items()},
            import_paths=tuple(made.import_paths),
        )


def looks_secret(key: str, schema: Mapping[str, Any]) -> bool:
    """Whether a key of a configuration holds a secret: by its schema, else by its name."""
    if schema.get("writeOnly") or schema.get("format") == "password":
        return True
    name = key.lower().replace("-", "_")
    return any(word in name for word in _SECRET_WORDS) or name.endswith(_SECRET_ENDINGS)


def secret_texts(config: Any, schema: Mapping[str, Any] | None) -> Iterator[str]:
    """Find the texts in a configuration that are secrets."""
    yield from _walk("", config, schema or {}, secret=False)


def _walk(key: str, value: Any, schema: Mapping[str, Any], *, secret: bool) -> Iterator[str]:
    secret = secret or looks_secret(key, schema)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name, inner in value.items():
            yield from _walk(name, inner, properties.get(name, {}), secret=secret)
    elif isinstance(value, list):
        items = schema.get("items", {})
        for inner in value:
            yield from _walk("", inner, items if isinstance(items, dict) else {}, secret=secret)
    elif secret and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value
