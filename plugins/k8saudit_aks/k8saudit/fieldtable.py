"""The documentation of the fields, made from their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from falcopy_sdk.declare.spec import ArgumentKind, FieldSpec

__all__ = ["TEXT", "field_rows", "field_table"]

#: How many fields the Go plugins have; the ones declared after them are ours.
GO_FIELDS = 100

TEXT = """\
# Fields of Kubernetes audit events

Those in the first table are the ones of the Go plugins, those in the second are new.

All are strings or lists of strings, but for numbers where it is said. An event without a top-level
`auditID` has none of them. Text that is not a string in the event is given as compact JSON; a
`null` is the text `null` and exists. `[index]` is optional and picks one container, volume, rule or
address, counted from 0; beyond the last one there is no value. `[key]` is required. A list without
entries is no value.

"""

_SUMMARY = """
`ka.req` reads `verb=create, user=aksService, groups=(system:masters,system:authenticated),
target=shop/pods/web`, in one line. The target is `namespace/resource/name`, or `resource/name`
without a namespace. `<NA>` stands for what the event does not say: `target=nodes/<NA>` for a list
of all nodes, `target=<NA>` for `/healthz`.
"""
_DEPARTURES = """
## Where these fields differ from the Go plugins'

Names, order, types, arguments and values are those of the `k8saudit` plugins written in Go, with
these exceptions. The stock rules depend on none of them.

| field | Go plugin | here |
| --- | --- | --- |
| `ka.sourceips` | looks in the rules of a role: never a value | the event's own `sourceIPs` |
| `...eff_run_as_user`, `...eff_run_as_group` | always `0` on real pods | the container's \
`securityContext`, else the pod's, else `0`, with an index too |
| `...image.repository` | cut at the first `:`, a registry's port included | the repository of the \
image reference: `reg:5000/team/app:v1` gives `reg:5000/team/app` |
| `...name`, `...image` | one container without the key leaves no value | that container is \
skipped |
| `ka.req.volume.hostpath[]` | an empty key ends Falco | no value |
| the whole event (`jevt.obj`, `jevt.value[]`, `%evt.plugininfo`) | the audit event | what a \
plugin adds to it as well (its source's own fields, see above) |
| JSON text of objects, arrays and odd numbers | as spelled in the event | escapes and numbers \
may be normalised (`1e3` is `1000.0`), a repeated key keeps its last value |
| half a surrogate pair as an escape (`\\ud800`), numbers beyond a double (`1e999`) | as spelled \
| as spelled, made strict JSON in the event itself: `"\\\\ud800"`, `"1e999"` |
| bytes that are not UTF-8, in the event or behind `%` in `ka.uri.param` | as they are, or U+FFFD \
| U+FFFD in their place |
| `NaN`, control characters in strings, unknown escapes | read by some of the plugins | not read: \
API servers write none of these |
| objects and arrays nested deeper than 300 levels | not read | read to about 1000 levels |
| offsets of values in the event, for hosts that ask | those of fields that are plain paths | none |
| an array payload with one bad element | dropped whole | that element is dropped |
| any input that makes the Go plugin panic | Falco ends | no value |

Clients have a say in what an event holds: the API server puts the body of a patch into it as it was
sent. Half a pair, a number or a byte as above does not keep an event from being read. Size and
depth do, here as in the Go plugins: an event larger than `maxEventSize` or nested too deeply is
passed over and counted.
"""


def field_table(fields: Sequence[FieldSpec], notes: str = "") -> str:
    """The Markdown text of FIELDS.md.

    Args:
        fields: As declared, those of the Go plugins first.
        notes: Markdown on the fields of a plugin's own.
    """
    theirs, ours = fields[:GO_FIELDS], fields[GO_FIELDS:]
    return (
        f"{TEXT}## Fields of the Go plugins\n\n{field_rows(theirs)}\n\n"
        f"## New fields\n\n{field_rows(ours)}\n{_SUMMARY}{notes}{_DEPARTURES}"
    )


def field_rows(fields: Iterable[FieldSpec]) -> str:
    """A Markdown table."""
    rows = [
        f"| `{field.name}{_argument(field.argument)}` | {_value(field)} "
        f"| {field.desc.replace('|', chr(92) + '|')} |"
        for field in fields
    ]
    return "\n".join(("| field | value | meaning |", "| --- | --- | --- |", *rows))


def _value(field: FieldSpec) -> str:
    if field.is_list:
        return "list"
    return {"uint64": "number"}.get(field.type.value, field.type.value)


def _argument(kind: ArgumentKind) -> str:
    if kind.is_key:
        return "[key]"
    return "[index]" if kind.is_index else ""
