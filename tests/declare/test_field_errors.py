"""Wrong fields and the sentence that their author gets."""

from typing import Any, Optional

import pytest

from falcopy_sdk import (
    DeclarationError,
    extract,
)

from .refusals import ARGUMENT_FIX, TYPES_FIX, USER, acme, named_user, refusal


@pytest.mark.parametrize(
    "name", ["user", "acme.", ".user", "acme..user", "acme.1st", "acme-audit.user", "acme.us er"]
)
def test_a_field_name_that_rules_cannot_hold_is_refused(name):
    assert refusal(acme(user=extract.path(name, "user", desc="User"))) == (
        f'Acme.user: "{name}" cannot be written as a field in rules. Fix: use two or more parts '
        'joined by dots, each a letter and then letters, digits or _, such as "acme.user".'
    )


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            float,
            "float has no Falco type. "
            "Fix: Falco has no fractions: return int in a smaller unit, or str.",
        ),
        (
            Optional[float],  # noqa: UP045 - the old spelling
            "float | None has no Falco type. "
            "Fix: Falco has no fractions: return int in a smaller unit, or str.",
        ),
        (bytes, "bytes has no Falco type. Fix: decode it and return str."),
        (
            dict[str, str],
            "dict[str, str] has no Falco type. Fix: return str, or take an argument: a field "
            "`acme.param[key]` is `(self, event, key: str)`.",
        ),
        (None, f"None has no Falco type. {TYPES_FIX}"),
        (Any, f"Any has no Falco type. {TYPES_FIX}"),
        (str | int, f"str | int has no Falco type. {TYPES_FIX}"),
        (tuple[str, int], f"tuple[str, int] has no Falco type. {TYPES_FIX}"),
        (set[str], f"set[str] has no Falco type. {TYPES_FIX}"),
        (list[list[str]], f"list[str] has no Falco type. {TYPES_FIX}"),
        (list, "list does not say of what. Fix: write list[str], for example."),
        (
            list[str | None],
            "a list of str | None has no Falco type: an element cannot be absent. "
            "Fix: leave absent elements out of the list.",
        ),
        (
            "Missing",
            "annotation 'Missing' cannot be resolved: name 'Missing' is not defined. Fix: define "
            "or import its names at the top of the module, outside TYPE_CHECKING.",
        ),
    ],
)
def test_a_return_annotation_without_a_falco_type_is_refused(annotation, message):
    def user(self, event): ...

    user.__annotations__["return"] = annotation
    cls = acme(user=extract("acme.user")(user))
    assert refusal(cls) == f'Acme.user (field "acme.user"): {message}'


def no_annotation(self, event): ...
def no_self(event) -> str: ...
def no_event(self) -> str: ...
def too_many(self, event, key: str, index: int) -> str: ...
def variadic(self, *args) -> str: ...
def keyword_only(self, event, *, key: str) -> str: ...
def unannotated_argument(self, event, key) -> str: ...
def float_argument(self, event, key: float) -> str: ...
def text_default(self, event, key: str = "x") -> str: ...
def text_default_of_optional(self, event, key: str | None = "x") -> str: ...
def optional_without_default(self, event, index: int | None) -> str: ...
async def coroutine(self, event) -> str: ...
def generator(self, event) -> list[str]:
    yield ""


ORDINARY = (
    "@extract calls an ordinary method, and this is a coroutine or generator. "
    "Fix: write `def` and `return`, without async and yield."
)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            no_annotation,
            "no return annotation, which gives a field its type. "
            "Fix: annotate it, for example `-> str | None`.",
        ),
        (
            no_self,
            "takes (event) (self is missing), and @extract calls it with (self, event) or "
            "(self, event, argument). Fix: write `def user(self, event)`.",
        ),
        (
            no_event,
            "takes (self), and @extract calls it with (self, event) or (self, event, argument). "
            "Fix: write `def user(self, event)`.",
        ),
        (
            too_many,
            "takes (self, event, key, index), and @extract calls it with (self, event) or "
            "(self, event, argument). Fix: write `def user(self, event)`.",
        ),
        (
            variadic,
            "`*args` cannot be filled: @extract passes by position alone. "
            "Fix: name every parameter and give keyword-only ones a default.",
        ),
        (
            keyword_only,
            "`key: str` cannot be filled: @extract passes by position alone. "
            "Fix: name every parameter and give keyword-only ones a default.",
        ),
        (unannotated_argument, f"the argument `key` has no annotation. {ARGUMENT_FIX}"),
        (
            float_argument,
            f"the argument `key: float` is neither a key nor an index. {ARGUMENT_FIX}",
        ),
        (
            text_default,
            f"the argument `key: str = 'x'` is neither required nor optional. {ARGUMENT_FIX}",
        ),
        (
            text_default_of_optional,
            "the argument `key: str | None = 'x'` is neither required nor optional. "
            f"{ARGUMENT_FIX}",
        ),
        (
            optional_without_default,
            f"the argument `index: int | None` is neither required nor optional. {ARGUMENT_FIX}",
        ),
        (coroutine, ORDINARY),
        (generator, ORDINARY),
    ],
)
def test_a_field_method_with_a_wrong_signature_is_refused(function, message):
    cls = acme(user=extract("acme.user")(named_user(function)))
    assert refusal(cls) == f'Acme.user (field "acme.user"): {message}'


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property])
def test_a_field_is_an_ordinary_method(wrap):
    def user(self, event) -> str: ...

    assert refusal(acme(user=wrap(extract("acme.user")(user)))) == (
        f'Acme.user (field "acme.user"): @extract is on a {wrap.__name__}. Fix: make it an '
        "ordinary method that takes self, with @extract as its outermost decorator."
    )


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            extract.path("acme.user", desc="User"),
            "extract.path has no keys. Fix: name those that lead to the value: "
            'extract.path("acme.user", "actor", "login", ...).',
        ),
        (extract.path("acme.user", "user"), "desc is empty. Fix: give desc."),
        (
            extract.path("acme.user", 1, desc="User"),
            "extract.path has the key 1, which is no text. "
            "Fix: use @extract for what is not under keys of objects.",
        ),
        (
            extract.path("acme.user", "user", desc="User", type=int, null="<NA>"),
            "null='<NA>' is for string fields, and this one is uint64. Fix: leave null out.",
        ),
        (
            extract.path("acme.user", "users", "name", desc="User", each=True),
            "each=True gives several values. Fix: write type=list[...], or leave each out.",
        ),
        (
            extract.path("acme.user", "user", desc="User", type=float),
            "float has no Falco type. "
            "Fix: Falco has no fractions: return int in a smaller unit, or str.",
        ),
        (
            extract.path("acme.user", "user", desc="User", properties=("hiden",)),
            'no host knows the property "hiden"; did you mean "hidden"? '
            "Fix: use hidden, info, conversation.",
        ),
        (
            extract.path("acme.user", "user", desc="User", properties="hidden"),
            "properties is 'hidden', not a list of texts. Fix: write (\"hidden\",).",
        ),
        (
            extract.path("acme.user", "user", desc="User", display=3),
            "display is int, not str. Fix: give display as text.",
        ),
        (
            extract.function("acme.user", "user", desc="User"),
            "extract.function is given str, which cannot be called. "
            'Fix: write extract.function("acme.field", function, desc="...").',
        ),
        (
            extract.function("acme.user", lambda event: "x", desc="User"),
            "no return annotation, which gives a field its type. "
            "Fix: annotate it, for example `-> str | None`, or pass type=str.",
        ),
        (
            extract.function("acme.user", lambda event, name: "x", desc="User", type=str),
            f"the argument `name` has no annotation. {ARGUMENT_FIX}",
        ),
        (
            extract.function("acme.user", coroutine, desc="User", type=str),
            "extract.function is given a coroutine function. Fix: write `def`, without async.",
        ),
    ],
)
def test_a_wrong_field_attribute_is_refused(declared, message):
    assert refusal(acme(user=declared)) == f'Acme.user (field "acme.user"): {message}'


def test_a_group_holds_declared_fields_only():
    with pytest.raises(DeclarationError) as caught:
        extract.group([USER])
    assert str(caught.value) == (
        "extract.group: list is not a declared field. Fix: pass what extract.path(...) and "
        "extract.function(...) return, a list of them with a star."
    )


def test_a_field_is_declared_once():
    assert refusal(acme(user=USER, actor=extract.path("acme.user", "actor", desc="A"))) == (
        'Acme.actor: field "acme.user" is declared already, by Acme.user. '
        "Fix: rename or remove one of them."
    )


def test_an_override_declares_again():
    base = type("Fields", (), {"user": USER})
    assert refusal(type("Acme", (base,), {"user": lambda self, event: None})) == (
        "Acme.user: hides the declaration Fields.user. "
        "Fix: declare it again with the decorator, or write `user = None` to do without."
    )


def test_extract_needs_a_name():
    with pytest.raises(DeclarationError) as caught:

        class Acme:
            @extract
            def user(self, event) -> str: ...

    assert str(caught.value) == (
        'Acme.user: @extract has no field name. Fix: write @extract("acme.user").'
    )
