"""How installed packages take part: plugins by name, and hooks of the control plane.

Both come from entry points of the group ``falcopy``::

    [project.entry-points.falcopy]
    acme = "acme.plugin:Acme"      # a plugin class: imported only when it is asked for
    acme_hooks = "acme.hooks"      # a module: its functions under @hookimpl are called

Hooks are for what happens once a build, a start or an opening. None is ever called per event.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import logging
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pluggy

from falcopy_sdk.declare.plugin import plugin_spec
from falcopy_sdk.exceptions import DeclarationError, PluginLoadError, PluginNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.metadata import EntryPoint
    from pathlib import Path

    import click

    from falcopy_sdk.declare.spec import PluginSpec

__all__ = [
    "GROUP",
    "EntryPointInfo",
    "Hooks",
    "create_manager",
    "find_plugin",
    "hookimpl",
    "hookspec",
    "manager",
    "notify",
    "registered_plugin",
    "registered_plugins",
]

#: Of entry points, and of pluggy's markers.
GROUP: Final = "falcopy"

hookspec: Final = pluggy.HookspecMarker(GROUP)
hookimpl: Final = pluggy.HookimplMarker(GROUP)

_REF: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")

logger = logging.getLogger(__name__)


class Hooks:
    """Every hook. An implementation may leave out parameters that it does not need."""

    @hookspec
    def falcopy_plugins(self) -> Iterable[type[Any]]:  # type: ignore[empty-body]
        """Give plugin classes that have no entry point of their own, such as generated ones.

        Called when a name is asked for that no entry point has.

        Returns:
            Classes under ``@plugin``; each is found by the ``name`` it declares.
        """

    @hookspec
    def falcopy_config_loaded(self, spec: PluginSpec, config: object) -> None:
        """Learn that a configuration was checked, before the plugin object is made with it.

        Called in every host process, also for a trial start beside a running plugin: have no
        effect that cannot happen twice. What it raises is logged.

        Args:
            spec: What the plugin class declares.
            config: The instance of its configuration class; None if it has none. Do not change it.
        """

    @hookspec
    def falcopy_opened(self, spec: PluginSpec, params: str) -> None:
        """Learn that a host has opened the event source. What it raises is logged.

        Args:
            spec: What the plugin class declares.
            params: The open parameters as the host gave them.
        """

    @hookspec
    def falcopy_closed(self, spec: PluginSpec) -> None:
        """Learn that a host has closed the event source. What it raises is logged.

        Args:
            spec: What the plugin class declares.
        """

    @hookspec
    def falcopy_bundle_contents(  # type: ignore[empty-body]
        self, ref: str
    ) -> Mapping[str, bytes | Path]:
        """Add files to the shared library of a plugin. What it raises ends the build.

        Args:
            ref: ``module:Class`` of the plugin that is built.

        Returns:
            Contents, or the file that has them, by their path relative to the unpacked bundle;
            with ``/``, and none that is there already.
        """

    @hookspec(firstresult=True)
    def falcopy_registry_credentials(self, registry: str) -> tuple[str, str] | None:
        """Give credentials for an OCI registry, before falcoctl's and Docker's stores are read.

        Args:
            registry: Host, and port if there is one: ``"ghcr.io"``.

        Returns:
            User name and password (or access token); None: look elsewhere. The first
            implementation that gives some counts. What it raises ends the command.
        """

    @hookspec
    def falcopy_cli_commands(self) -> Iterable[click.Command]:  # type: ignore[empty-body]
        """Add commands to ``falcopy``.

        Called when a command is asked for that the SDK does not have, and for the help text.

        Returns:
            Commands; one with the name of a command of the SDK is not used.
        """


@dataclass(frozen=True, slots=True)
class EntryPointInfo:
    """A plugin class that an installed package registers.

    Attributes:
        name: Of the entry point.
        ref: ``module:Class``; not imported yet.
        distribution: Name of the package.
        version: Of the package.
    """

    name: str
    ref: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.ref} (of {self.distribution} {self.version})"


def registered_plugins() -> dict[str, EntryPointInfo]:
    """Return the plugin classes that installed packages register, by name, importing none.

    Where two packages register one name, the one found first on ``sys.path`` counts.
    """
    found: dict[str, EntryPointInfo] = {}
    for info in _plugin_entries():
        found.setdefault(info.name, info)
    return dict(sorted(found.items()))


def find_plugin(name: str) -> type[Any]:
    """Import the plugin class that a name stands for, and register it with :func:`manager`.

    Args:
        name: The name of an entry point (``-`` and ``_`` are the same), ``module:Class``, or the
            declared name of a class that a hook gives.

    Raises:
        PluginNotFoundError: Nothing has that name.
        PluginLoadError: It does not import, is no plugin, or two packages claim the name.
    """
    if _REF.fullmatch(name):
        return _register(name, _load(name, name))
    info = registered_plugin(name)
    if info is not None:
        return _register(info.name, _load(info.ref, f"plugin {info.name}, {info}"))
    given = {plugin_spec(cls).name: cls for cls in _given_by_hooks()}
    for declared, cls in given.items():
        if _same(declared, name):
            return _register(declared, cls)
    raise PluginNotFoundError(_unknown(name, [*registered_plugins(), *given]))


def registered_plugin(name: str) -> EntryPointInfo | None:
    """Return the entry point of that name (``-`` and ``_`` are the same), importing nothing.

    Raises:
        PluginLoadError: Two packages claim the name.
    """
    found = {info.ref: info for info in _plugin_entries() if _same(info.name, name)}
    if len(found) > 1:
        claims = " and ".join(str(info) for info in found.values())
        raise PluginLoadError(
            f'two packages register a plugin "{name}": {claims}; '
            "uninstall one, or name the class itself"
        )
    return next(iter(found.values()), None)


@functools.cache
def manager() -> pluggy.PluginManager:
    """Return the plugin manager of this process, made at the first call.

    Raises:
        PluginLoadError: See :func:`create_manager`.
    """
    return create_manager()


def create_manager() -> pluggy.PluginManager:
    """Make a plugin manager and register every module in the entry point group.

    Raises:
        PluginLoadError: A module does not import, or implements a hook that does not exist.
    """
    made = pluggy.PluginManager(GROUP)
    made.add_hookspecs(Hooks)
    for entry in _entry_points():
        if ":" in entry.value:
            continue
        info = _info(entry)
        module = _import(entry.value, f"hooks {info.name}, {info}")
        try:
            made.register(module, entry.name)
            made.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginLoadError(
                f"hooks {info.name}, {info}: {error}; the hooks are those of falcopy_sdk.hooks"
            ) from error
    return made


def notify(hook: str, **arguments: Any) -> None:
    """Call a hook that only informs; what an implementation raises is logged and goes no further.

    Args:
        hook: Its name, ``"falcopy_opened"``.
        **arguments: What it takes.

    Raises:
        PluginLoadError: See :func:`create_manager`.
    """
    caller = getattr(manager().hook, hook)
    try:
        caller(**arguments)
    except Exception:
        logger.exception("an implementation of the hook %s failed", hook)


def _entry_points() -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points  # 15 ms to import, and not needed per start

    yield from entry_points(group=GROUP)


def _plugin_entries() -> Iterator[EntryPointInfo]:
    return (_info(entry) for entry in _entry_points() if ":" in entry.value)


def _info(entry: EntryPoint) -> EntryPointInfo:
    package = entry.dist
    return EntryPointInfo(
        entry.name,
        entry.value.split("[")[0].strip(),
        package.name if package else "an unknown package",
        package.version if package else "",
    )


def _given_by_hooks() -> list[type[Any]]:
    return [cls for classes in manager().hook.falcopy_plugins() for cls in classes]


def _register(name: str, cls: type[Any]) -> type[Any]:
    registered = manager()
    if not registered.is_registered(cls) and not registered.has_plugin(name):
        registered.register(cls, name)
    return cls


def _load(ref: str, what: str) -> type[Any]:
    module, _, path = ref.partition(":")
    imported = _import(module, what)
    try:
        cls = operator.attrgetter(path)(imported)
    except AttributeError:
        near = difflib.get_close_matches(path, vars(imported), n=1)
        hint = f"; did you mean {module}:{near[0]}?" if near else ""
        raise PluginNotFoundError(f"{what}: module {module} has no {path}{hint}") from None
    try:
        return plugin_spec(cls).cls
    except DeclarationError as error:
        raise PluginLoadError(f"{what}: {error}") from error


def _import(module: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Missing itself, or some module that it imports in turn?
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise PluginNotFoundError(
                f"{what}: there is no module {error.name}; install its package, or run where it is"
            ) from error
        raise PluginLoadError(f"{what}: does not import: {error}; install what it needs") from error
    except DeclarationError:
        raise
    except Exception as error:
        raise PluginLoadError(
            f"{what}: does not import: {type(error).__name__}: {error}"
        ) from error


def _same(one: str, other: str) -> bool:
    return _canonical(one) == _canonical(other)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _unknown(name: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    registered = f"registered are {', '.join(names)}" if names else "none is registered"
    return (
        f'no plugin is registered as "{name}": {hint}({registered} in the entry point group '
        f'"{GROUP}"); install its package, or name the class as module:Class'
    )
