"""Which form the documents around a plugin must have before anything is read from them.

They come from a registry, or out of a file: anyone can have written them. These are no whole
schemas: they say what is relied upon here, and leave the rest to others.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import jsonschema

__all__ = ["BILL", "CONFIG", "STATEMENT", "problem"]

_TEXT: Final = {"type": "string"}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    named = {name.replace("_", "-"): schema for name, schema in properties.items()}
    return {"type": "object", "required": list(required), "properties": named}


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_HASHES: Final = _list(_object("content", content=_TEXT))
_FILE: Final = _object("name", "hashes", name=_TEXT, hashes={**_HASHES, "minItems": 1})
_COMPONENT: Final = _object(
    "name",
    name=_TEXT,
    version=_TEXT,
    purl=_TEXT,
    hashes=_HASHES,
    properties=_list(_object("name", "value", name=_TEXT, value=_TEXT)),
    components=_list(_FILE),
    licenses=_list(_object(expression=_TEXT, license=_object(name=_TEXT, id=_TEXT))),
)
#: ``sbom.cdx.json`` (CycloneDX 1.6, as :mod:`falcopy_sdk.bundle.sbom` writes it).
BILL: Final = _object(
    "metadata",
    "components",
    metadata=_object(
        "component",
        component=_COMPONENT,
        tools=_object(components=_list(_object(version=_TEXT))),
    ),
    components=_list(_COMPONENT),
)
_NEEDS: Final = _list(_object(name=_TEXT, version=_TEXT), type=["array", "null"])
#: A plugin's config (falcoctl, pkg/oci/types.go); Go writes an empty list as null.
CONFIG: Final = _object(name=_TEXT, version=_TEXT, requirements=_NEEDS, dependencies=_NEEDS)
#: An in-toto statement with SLSA provenance.
STATEMENT: Final = _object(
    "subject",
    "predicate",
    subject=_list(_object("digest", digest={"type": "object"})),
    predicate=_object(runDetails=_object(builder=_object(id=_TEXT))),
)


def problem(document: object, form: dict[str, Any]) -> str | None:
    """What is wrong with a document, by its place in it; None: it has the form."""
    error = next(_validator(id(form)).iter_errors(document), None)
    if error is None:
        return None
    place = ".".join(map(str, error.absolute_path)) or "the document"
    if error.validator == "type":
        wanted = error.validator_value
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"{place} is not of type {' or '.join(kinds)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{place} lacks {', '.join(missing)}"
    return f"{place} is empty"


@functools.cache
def _validator(form: int) -> jsonschema.Draft202012Validator:
    (schema,) = (each for each in (BILL, CONFIG, STATEMENT) if id(each) == form)
    return jsonschema.Draft202012Validator(schema)
