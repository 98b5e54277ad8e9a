"""Wrong names, ids, versions and scopes, and the sentence that their author gets."""

import pytest

from falcopy_sdk import DeclarationError, plugin

from .refusals import IDENTITY, SOURCE, SOURCED, USER, acme, refusal


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (
            {"name": "Acme"},
            'name "Acme" is not a plugin name. '
            "Fix: begin with a small letter and use only a-z, 0-9, - and _.",
        ),
        ({"name": ""}, "name is empty. Fix: give name."),
        ({"name": 3}, "name is int, not str. Fix: give name as text."),
        (
            {"version": "1.0"},
            'version "1.0" is not of the form x.y.z. Fix: write version="0.1.0".',
        ),
        (
            {"version": "1.0.99999999999"},
            'version "1.0.99999999999" is not of the form x.y.z. Fix: write version="0.1.0".',
        ),
        ({"description": "  "}, "description is empty. Fix: give description."),
        (
            {"contact": "a\0b"},
            "contact holds a NUL character, where hosts stop reading. Fix: remove it.",
        ),
        (
            {"id": 3},
            "id and event_source belong to a plugin with an event source, and this one has no "
            "@source. Fix: add a method with @source, or leave id and event_source out.",
        ),
        (
            {"event_source": "acme"},
            "id and event_source belong to a plugin with an event source, and this one has no "
            "@source. Fix: add a method with @source, or leave id and event_source out.",
        ),
        (
            {"api_version": "3.2.0"},
            "api_version 3.2.0 is too low: the host's logger needs 3.3.0. "
            "Fix: write 3.3.0 or later, or leave it out.",
        ),
        (
            {"api_version": "3.13.0"},
            "api_version 3.13.0 is newer than 3.12.0, the newest this SDK knows. "
            "Fix: leave it out to have the lowest one computed.",
        ),
        (
            {"api_version": "3.6"},
            "api_version '3.6' is not of the form x.y.z. "
            "Fix: leave it out to have the lowest one computed.",
        ),
        (
            {"extract_sources": "k8s_audit"},
            "extract_sources is 'k8s_audit', not a list of names. "
            'Fix: write extract_sources=("k8s_audit",).',
        ),
        (
            {"extract_sources": ("k8s-audit",)},
            'extract_sources "k8s-audit" is not the name of an event source. '
            "Fix: begin with a small letter and use only a-z, 0-9 and _.",
        ),
        (
            {"extract_types": (70000,)},
            "extract_types has 70000, which is no event type. "
            "Fix: use numbers of the hosts' event table, such as 322 (plugin events).",
        ),
        (
            {"extract_types": 322},
            "extract_types is 322, not a list of numbers. Fix: write extract_types=(322,).",
        ),
        (
            {"extract_sources": ("syscall",)},
            'extract_sources has "syscall", and extract_types does not say which of its events. '
            "Fix: list their numbers in extract_types, besides 322 for plugin events.",
        ),
        (
            {"event_schema_version": "4"},
            'event_schema_version "4" is not of the form x.y.z. '
            'Fix: write event_schema_version="4.0.0".',
        ),
    ],
)
def test_a_wrong_identity_is_refused(identity, message):
    assert refusal(acme(user=USER), **identity) == f"Acme: {message}"


ID_FIX = "Fix: use 999 while developing and ask the plugin registry for an id of your own."


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (
            {"event_source": "acme"},
            "@source needs an id. Fix: add id=999 while developing and ask the plugin registry "
            "for an id of your own.",
        ),
        (
            {"id": 999},
            '@source needs an event_source. Fix: name it: event_source="acme_audit".',
        ),
        (
            {"id": 2**31, "event_source": "acme"},
            f"id 2147483648 is not a whole number from 1 to 2147483647. {ID_FIX}",
        ),
        (
            {"id": "999", "event_source": "acme"},
            f"id '999' is not a whole number from 1 to 2147483647. {ID_FIX}",
        ),
        (
            {"id": 999, "event_source": "acme-audit"},
            'event_source "acme-audit" is not the name of an event source. '
            "Fix: begin with a small letter and use only a-z, 0-9 and _.",
        ),
        *(
            (
                {"id": 999, "event_source": reserved},
                f'event_source "{reserved}" is reserved by hosts (syscall, internal, plugins). '
                "Fix: choose another name.",
            )
            for reserved in ("syscall", "internal", "plugins")
        ),
        (
            {"id": 999, "event_source": "acme", "extract_sources": ("other",)},
            "extract_sources or extract_types is given, and the plugin has no field. "
            "Fix: declare a field with @extract or extract.path, or leave them out.",
        ),
    ],
)
def test_a_wrong_identity_of_a_source_is_refused(identity, message):
    assert refusal(acme(**SOURCED), **identity) == f"Acme: {message}"


def test_a_source_cannot_extract_from_another_source():
    message = refusal(acme(user=USER, **SOURCED), **SOURCE, extract_sources=("k8s_audit",))
    assert message == (
        'Acme: a plugin with the event source "acme" extracts from "k8s_audit" as well, which '
        "Falco refuses (an illegal set of sources). Fix: make the fields and the source two "
        "plugins."
    )


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"contact": None}, "@plugin: lacks the keyword contact."),
        ({"contact": None, "version": None}, "@plugin: lacks the keywords version, contact."),
        ({"event_sources": "acme"}, '@plugin: has no keyword "event_sources". Fix: write event_so'),
        ({"zzz": 1}, '@plugin: has no keyword "zzz". Fix: use one of name, version,'),
    ],
)
def test_a_wrong_keyword_is_a_sentence_and_no_type_error(keywords, message):
    given = {key: value for key, value in {**IDENTITY, **keywords}.items() if value is not None}
    with pytest.raises(DeclarationError) as caught:
        plugin(**given)
    assert str(caught.value).startswith(message)


def test_the_decorator_without_its_parentheses_is_told():
    with pytest.raises(DeclarationError, match="is used without its keywords"):
        plugin(acme())
