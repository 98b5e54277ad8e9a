"""Static facts: what a host and the registry ask of them."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import ContractError, FalcopyError, LibraryError
from falcopy_sdk.host import Facts
from falcopy_sdk.testing.battery.context import shown

if TYPE_CHECKING:
    from falcopy_sdk.exceptions import HostError
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["code_of_refusal", "facts"]

#: Why no host would load it, by the words of the host harness.
_REFUSALS = (
    (r"dynamic loader refuses|no such file", "FPY101"),
    (r"does not export", "FPY102"),
    (r"get_required_api_version returned|needs plugin API", "FPY103"),
    (r"plugin_open, plugin_close|is exported without|has no capability", "FPY104"),
    (r"broken event sourcing: id|is reserved", "FPY107"),
    (r"get_name returned", "FPY105"),
    (r"get_version returned", "FPY106"),
    (r"get_event_source returned NULL", "FPY113"),
    (r"get_fields", "FPY109"),
    (r"get_init_schema", "FPY201"),
)

# The registry's rules: https://falco.org/docs/reference/plugins/plugin-api-reference and
# the README of the plugins repository.
_NAME = re.compile(r"[a-z]+[a-z0-9\-_]*")
_SOURCE = re.compile(r"[a-z]+[a-z0-9_]*")
_RESERVED = frozenset({"syscall", "internal", "plugins"})
_LARGEST_ID = 2**31 - 1
# https://semver.org
_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
)
# libsinsp's filter grammar (filter/parser.cpp).
_FIELD = re.compile(r"[a-zA-Z]+[a-zA-Z0-9_]*(\.[a-zA-Z]+[a-zA-Z0-9_]*)+")


def code_of_refusal(error: HostError) -> str:
    """The code of the reason for which a host would not load the plugin."""
    return next((code for words, code in _REFUSALS if re.search(words, str(error))), "FPY111")


def facts(ctx: Context) -> None:
    """Facts are well-formed, the registry takes them, and they stay the same."""
    found = ctx.library.facts
    _identity(ctx, found)
    _source(ctx, found)
    _fields(ctx, found)
    for entry in ("extract", "parse", "async"):
        for name in getattr(found, f"{entry}_event_sources"):
            if not _SOURCE.fullmatch(name):
                ctx.find("FPY111", f"get_{entry}_event_sources lists {shown(name)}")
    _constant(ctx, found)


def _identity(ctx: Context, found: Facts) -> None:
    if not _NAME.fullmatch(found.name):
        ctx.find("FPY105", f"get_name returned {shown(found.name)}")
    if not _VERSION.fullmatch(found.version):
        ctx.find("FPY106", f"get_version returned {shown(found.version)}")
    for fact in ("description", "contact"):
        if not getattr(found, fact).strip():
            ctx.find("FPY108", f"get_{fact} returned no text")


def _source(ctx: Context, found: Facts) -> None:
    if not found.id:
        return
    if found.id > _LARGEST_ID:
        ctx.find("FPY107", f"get_id returned {found.id}, which is reserved")
    if not _SOURCE.fullmatch(found.event_source) or found.event_source in _RESERVED:
        ctx.find("FPY107", f"get_event_source returned {shown(found.event_source)}")


def _fields(ctx: Context, found: Facts) -> None:
    for name, count in Counter(field.name for field in found.fields).items():
        if not _FIELD.fullmatch(name):
            ctx.find("FPY110", f"get_fields: no condition of a rule can name {shown(name)}")
        if count > 1:
            ctx.find("FPY110", f"get_fields: {count} fields have the name {shown(name)}")


def _constant(ctx: Context, found: Facts) -> None:
    """Hosts ask again: at each load, during a reload, and from other threads."""
    for occasion in ("a second time", "a third time", "after init and destroy"):
        if occasion == "after init and destroy":
            ctx.at("init")
            # One that does not start is a finding of the check "start".
            with contextlib.suppress(FalcopyError):
                ctx.init().close()
        ctx.at(f"the static facts {occasion}")
        try:
            with ctx.subject.load() as library:
                again = library.facts
        except (LibraryError, ContractError) as error:
            ctx.find("FPY112", f"asked {occasion}, the plugin is refused: {error}")
            return
        for fact in dataclasses.fields(Facts):
            if getattr(again, fact.name) != getattr(found, fact.name):
                entry = "the set of exported symbols" if fact.name == "capabilities" else fact.name
                ctx.find("FPY112", f"asked {occasion}, {entry} is another")
                return
