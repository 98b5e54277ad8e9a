"""Loads a plugin: a shared library in any language, or a Python class in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from falcopy_sdk.host import entries as _entries
from falcopy_sdk.host.facts import Capability, Facts, read_facts
from falcopy_sdk.host.owner import LogSink, log_to_logging
from falcopy_sdk.host.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from falcopy_sdk.declare.facts import StaticFacts
    from falcopy_sdk.host.entries import EntrySet
    from falcopy_sdk.host.tables import TableRegistry

__all__ = ["Library"]


class Library:
    """A loaded plugin before ``init``: its static facts. Make one with :meth:`load`.

    Attributes:
        facts: name, version, fields, capabilities and so on.
    """

    def __init__(self, entries: EntrySet) -> None:
        self._entries = entries
        self._plugins: list[Plugin] = []
        self._closed = False
        try:
            self.facts: Facts = read_facts(entries)
        except BaseException:
            entries.release()
            raise

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Loads a shared library as a host does.

        Args:
            path: the plugin's ``.so``.

        Raises:
            LibraryError: a host would refuse it.
        """
        return cls(_entries.from_file(path))

    @classmethod
    def from_class(cls, plugin: type[Any]) -> Self:
        """Drives a plugin class in this process, without a build.

        Args:
            plugin: a class decorated with ``@plugin``.

        Raises:
            DeclarationError: it is no plugin class.
        """
        return cls(_entries.from_class(plugin))

    @classmethod
    def from_static_facts(cls, facts: StaticFacts, where: str) -> Self:
        """A plugin that can be looked at, not run: nothing is loaded.

        Args:
            facts: what the plugin would answer before ``init``.
            where: for messages: the file.

        Raises:
            LibraryError: a host would refuse it.
        """
        return cls(_entries.from_static_facts(facts, where))

    @property
    def capabilities(self) -> Capability:
        """What the plugin can do."""
        return self.facts.capabilities

    @property
    def exports(self) -> frozenset[str]:
        """The entries it has, by their names without ``plugin_``."""
        return frozenset(self._entries.functions)

    def init(
        self,
        config: str | Mapping[str, Any] | None = None,
        *,
        log: LogSink = log_to_logging,
        tables: TableRegistry | None = None,
    ) -> Plugin:
        """Makes a state; several may live side by side, as in a host with several sources.

        Args:
            config: the init configuration: text as is, or a mapping that becomes JSON.
            log: takes (component, message, severity) from any thread. The default is the
                standard library's logger ``falcopy.plugin.<component>``.
            tables: those of the host, shared with other plugins that get the same; None: no
                tables but the plugin's own.

        Raises:
            ConfigError: the configuration does not fit the plugin's schema.
            PluginFailedError: the plugin refuses to start; the message has its text.
        """
        made = Plugin(self._entries, self.facts, config, log, tables)
        # Those that are closed already are forgotten: a host may make thousands in its life.
        self._plugins = [plugin for plugin in self._plugins if not plugin.closed]
        self._plugins.append(made)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes every state that is left and unloads the library."""
        if self._closed:
            return
        self._closed = True
        for plugin in self._plugins:
            plugin.close()
        self._entries.release()
