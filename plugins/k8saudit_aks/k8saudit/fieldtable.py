"""The documentation of the fields, made from their declarations.

``python -m k8saudit.fieldtable FIELDS.md`` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.declare.collect import collect, fields_of

from .fields import KubernetesAuditFields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcopy_sdk.declare.spec import ArgumentKind, FieldSpec

__all__ = ["field_table"]

_TEXT = """\
# Fields of Kubernetes audit events

All fields are strings or lists of strings. An event without a top-level `auditID` has none of
them. Text that is not a string in the event is given as compact JSON; a `null` is the text `null`
and exists. `[index]` is optional and picks one container, volume, rule or address, counted from 0;
beyond the last one there is no value. `[key]` is required. A list without entries is no value.

"""

_NOTES = """
`ka.req` reads `verb=create, user=aksService, groups=(system:masters,system:authenticated),
target=shop/pods/web`, in one line. The target is `namespace/resource/name`, or `resource/name`
without a namespace. `<NA>` stands for what the event does not say: `target=nodes/<NA>` for a list
of all nodes, `target=<NA>` for `/healthz`.

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
| JSON text of objects, arrays and odd numbers | as spelled in the event | escapes and numbers \
may be normalised (`1e3` is `1000.0`), a repeated key keeps its last value |
| events that are not strict JSON (`NaN`, control characters or half a surrogate pair in a string, \
bytes that are not UTF-8) | mostly read | not read; no API server writes them |
| an array payload with one bad element | dropped whole | that element is dropped |
| any input that makes the Go plugin panic | Falco ends | no value |
"""


def field_table(fields: Iterable[FieldSpec]) -> str:
    """The Markdown text of FIELDS.md.

    Args:
        fields: As declared.
    """
    rows = [
        f"| `{field.name}{_argument(field.argument)}` | {'list' if field.is_list else 'string'} "
        f"| {field.desc.replace('|', chr(92) + '|')} |"
        for field in fields
    ]
    table = "\n".join(("| field | value | meaning |", "| --- | --- | --- |", *rows))
    return f"{_TEXT}{table}\n{_NOTES}"


def _argument(kind: ArgumentKind) -> str:
    if kind.is_key:
        return "[key]"
    return "[index]" if kind.is_index else ""


if __name__ == "__main__":
    declared = fields_of(collect(KubernetesAuditFields))
    Path(sys.argv[1]).write_text(field_table(declared))
