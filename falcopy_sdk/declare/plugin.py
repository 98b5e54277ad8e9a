"""``@plugin``: checks a class as a whole and attaches its :class:`PluginSpec`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from falcopy_sdk.declare import names
from falcopy_sdk.declare.calls import keywords_only
from falcopy_sdk.declare.capabilities import Capabilities, capabilities_of, event_scope
from falcopy_sdk.declare.collect import collect, fields_of, tagged
from falcopy_sdk.declare.constructor import config_of
from falcopy_sdk.declare.spec import EventScope, FieldSpec, PluginSpec
from falcopy_sdk.declare.tablespecs import tables_of
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["plugin", "plugin_spec"]

C = TypeVar("C", bound=type[Any])

_SPEC: Final = "__falcopy__"
#: What hosts with a driver compare with their own, and take to be 3.0.0 if it is missing, as soon
#: as a plugin wants other than plugin events; the major versions must agree (libsinsp, plugin.cpp).
_EVENT_SCHEMA: Final = "4.0.0"


@keywords_only
def plugin(
    *,
    name: str,
    version: str,
    description: str,
    contact: str,
    id: int = 0,
    event_source: str = "",
    api_version: str | None = None,
    extract_sources: Iterable[str] = (),
    extract_types: Iterable[int] = (),
    event_schema_version: str = "",
) -> Callable[[C], C]:
    """Declare a plain class as a Falco plugin.

    The class stays as it is. What its decorated methods declare is checked here, and is to be had
    from :func:`plugin_spec`. Declarations of its bases count as well, theirs first.

    Args:
        name: ``[a-z]+[a-z0-9-_]*``; what falco.yaml calls the plugin.
        version: ``x.y.z``.
        description: One line.
        contact: Where to turn to: an URL or an address.
        id: Of the event source, 1 to 2147483647, assigned by the plugin registry; 999 while
            developing; 0: the plugin has no source.
        event_source: Name of its events' source, ``[a-z]+[a-z0-9_]*``.
        api_version: The lowest plugin API version that a host must have; None: computed.
        extract_sources: Event sources whose events have its fields; empty: its own, or all if it
            has none.
        extract_types: Event types that have its fields; empty: plugin events (322).
        event_schema_version: Of the hosts' event table; only for types other than 322.

    Raises:
        DeclarationError: Some part of the declaration would not work; the message says which and
            what to write instead.
    """

    def declare(cls: C) -> C:
        if not isinstance(cls, type):
            raise DeclarationError(
                names.shown(cls), "@plugin is on something other than a class", "put it on a class"
            )
        where = names.shown(cls)
        _check_identity(where, name, version, description, contact)
        attributes = collect(cls)
        fields = fields_of(attributes)
        capabilities = capabilities_of(cls, fields, tagged(attributes), id=id, own=event_source)
        scope = _extract_scope(where, fields, extract_sources, extract_types, event_source)
        config = config_of(cls, attributes)
        if capabilities["set_config"] and config is None:
            raise DeclarationError(
                f"{where}.{capabilities['set_config']}",
                "@set_config takes a configuration, and the plugin declares none",
                "declare it with @init_schema",
            )
        tables = tables_of(cls, attributes, given_by_hosts=bool(fields or capabilities["parse"]))
        spec = PluginSpec(
            cls=cls,
            name=name,
            version=version,
            description=description,
            contact=contact,
            id=id,
            event_source=event_source,
            config=config,
            fields=fields,
            extract_scope=scope,
            event_schema_version=_schema_version(
                where, event_schema_version, (*scope.types, *capabilities["parse_scope"].types)
            ),
            api_version=_api_version(where, api_version, fields, capabilities),
            tables=tables,
            **capabilities,
        )
        setattr(cls, _SPEC, spec)
        return cls

    return declare


def plugin_spec(cls: type[Any]) -> PluginSpec:
    """Return what ``@plugin`` found on a class.

    Raises:
        DeclarationError: The class is not decorated with ``@plugin`` itself.
    """
    spec = getattr(cls, _SPEC, None)
    where = names.shown(cls)
    if not isinstance(cls, type) or not isinstance(spec, PluginSpec):
        raise DeclarationError(
            where, "is not a plugin", "decorate the class with @plugin(name=..., version=..., ...)"
        )
    if spec.cls is not cls:
        raise DeclarationError(
            where,
            f"derives from the plugin {names.shown(spec.cls)} and is not one itself",
            "decorate it with @plugin as well",
        )
    return spec


def _check_identity(
    where: str, name: object, version: object, description: object, contact: object
) -> None:
    names.check_plugin_name(where, name)
    names.check_version(where, "version", version)
    names.check_text(where, "description", description)
    names.check_text(where, "contact", contact)


def _extract_scope(
    where: str,
    fields: tuple[FieldSpec, ...],
    sources: Iterable[str],
    types: Iterable[int],
    own: str,
) -> EventScope:
    scope = event_scope(where, "extract_", sources, types, own)
    if not fields:
        if sources or types:
            raise DeclarationError(
                where,
                "extract_sources or extract_types is given, and the plugin has no field",
                "declare a field with @extract or extract.path, or leave them out",
            )
        return EventScope()
    foreign = [source for source in scope.sources if source not in (own, "syscall")]
    if own and foreign:
        raise DeclarationError(
            where,
            f'a plugin with the event source "{own}" extracts from "{foreign[0]}" as well, '
            "which Falco refuses (an illegal set of sources)",
            "make the fields and the source two plugins",
        )
    return scope


def _schema_version(where: str, given: str, types: tuple[int, ...]) -> str:
    if given:
        names.check_version(where, "event_schema_version", given, _EVENT_SCHEMA)
    if all(number == names.PLUGIN_EVENT for number in types):
        return ""
    return given or _EVENT_SCHEMA


def _api_version(
    where: str, wanted: str | None, fields: tuple[FieldSpec, ...], capabilities: Capabilities
) -> str:
    # The minor version that added what a feature uses (plugin_api.h; 3.6 corrected get_metrics).
    # 3.3 is the base: it gave plugins the host's logger.
    needs = [("the host's logger", "3.3.0")]
    if capabilities["set_config"]:
        needs.append(("@set_config", "3.4.1"))
    if capabilities["metrics"]:
        needs.append(("@metrics", "3.6.0"))
    if capabilities["capture_open"] or capabilities["capture_close"]:
        needs.append(("listening to captures", "3.7.0"))
    if any(field.add_output for field in fields):
        needs.append(("add_output=True", "3.8.0"))
    if capabilities["dump_state"]:
        needs.append(("@dump_state", "3.10.0"))
    because, needed = max(needs, key=lambda need: names.version_tuple(need[1]))
    if wanted is None:
        return needed
    names.check_api_version(where, wanted, needed, because)
    return wanted
