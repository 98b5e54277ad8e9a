"""Every kind of finding: its stable code, what it means for a host, and what to do.

Codes are never reused and never change their meaning. docs/findings.md is made of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CATALOGUE", "DOCS_PAGE", "Entry"]

#: The page that has a section a code, relative to the documentation's root.
DOCS_PAGE: Final = "findings.md"


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of finding.

    Attributes:
        code: ``FPY305``.
        title: What is wrong, in a few words.
        why: What a host does because of it.
        fix: What to do: a sentence.
    """

    code: str
    title: str
    why: str
    fix: str

    @property
    def docs(self) -> str:
        """Where it is explained."""
        return f"{DOCS_PAGE}#{self.code.lower()}"


_ROWS = (
    # ---- loading and static facts
    ("FPY101", "the file does not load",
     "Hosts open plugins with RTLD_NOW: one symbol that nothing defines is enough to be refused.",
     "Build it as a shared library for this machine, with every library that it needs."),
    ("FPY102", "a required symbol is missing",
     "Hosts look up eight functions in every plugin and refuse it without one of them.",
     "Export every function that plugin_api.h calls required."),
    ("FPY103", "the plugin API version is unusable",
     "Hosts take major.minor.patch with their own major version and nothing newer.",
     "Return the lowest API version that the plugin needs, such as 3.6.0."),
    ("FPY104", "the symbols of a capability are incomplete",
     "A host sees what a plugin can do by its symbols alone and refuses half a set.",
     "Export all functions of the capability or none."),
    ("FPY105", "the plugin's name does not fit the registry",
     "The registry takes [a-z]+[a-z0-9-_]* only, and falco.yaml names plugins by it.",
     "Use lower-case letters, digits, - and _, beginning with a letter."),
    ("FPY106", "the plugin's version is no semantic version",
     "Hosts read three numbers; falcoctl and rules that require the plugin compare versions.",
     "Return major.minor.patch, as https://semver.org has it."),
    ("FPY107", "the id or the event source does not fit",
     "Ids tell plugins' events apart in capture files, names bind rules to events; both are needed "
     "or none, and 'syscall', 'internal' and 'plugins' are reserved.",
     "Use an id of 1 to 2147483647 (999 while developing) and a name of [a-z]+[a-z0-9_]*."),
    ("FPY108", "description or contact is missing",
     "falco --list-plugins and the registry show them; NULL is printed as nothing.",
     "Return a line of text and an URL or an address."),
    ("FPY109", "get_fields is unusable",
     "A host stops at a list of fields that it cannot read.",
     "Return a JSON array of objects with name, type and desc, as plugin_api.h describes it."),
    ("FPY110", "the name of a field is unusable",
     "Conditions of rules take names of letters, digits and _ in at least two parts with dots "
     "between; two fields of one name hide each other.",
     "Name fields <plugin>.<field>, each part beginning with a letter, each name once."),
    ("FPY111", "another JSON document is unusable",
     "A host stops when it cannot read the event sources, events or parameters that are listed.",
     "Return a JSON array as plugin_api.h describes it."),
    ("FPY112", "a fact changes from one call to the next",
     "Hosts ask several times, from several threads, and mix the answers.",
     "Return constants: the same text at every call and after every load."),
    ("FPY113", "a text is NULL where hosts measure its length",
     "Hosts take strlen of it and crash.",
     'Return "" instead of NULL.'),
    # ---- configuration
    ("FPY201", "the configuration's schema is unusable",
     "Hosts check init_config against it before init and stop if it is no JSON Schema.",
     "Return a JSON object that is a JSON Schema of draft 7."),
    ("FPY202", "the plugin does not start with its configuration",
     "Falco stops at a plugin whose init fails.",
     "Give a configuration that it takes; one that the documentation shows has to work."),
    ("FPY203", "a wrong configuration is taken",
     "A typing error in falco.yaml then goes unnoticed, and the plugin runs with a default.",
     "Refuse unknown keys and values of other types, in the schema or in init."),
    ("FPY204", "a failure has no text",
     "The host's user sees nothing but that something failed.",
     "Return a state from init in every case, and have get_last_error tell what happened."),
    # ---- the life of a state
    ("FPY301", "an out-parameter is not written",
     "Hosts pass memory that holds garbage, or the last batch, and use what they find.",
     "Write every out-parameter on every path, also when failing."),
    ("FPY302", "a second init fails",
     "Falco makes a state for each event source and tries a new configuration beside the running "
     "one.",
     "Keep nothing outside of the state that cannot exist twice; acquire ports and locks in open."),
    ("FPY303", "two states are one",
     "The first destroy then frees what the other still uses.",
     "Return a state of its own from every init."),
    ("FPY304", "states are not safe from several threads",
     "Falco tries a new configuration on one thread while others run, and has a thread a source.",
     "Protect what states share with a lock, or do not share it."),
    ("FPY305", "states leak",
     "Each reload of the configuration costs memory, threads or files, until none is left.",
     "Free in destroy and close what init and open acquired, and join their threads."),
    ("FPY306", "the plugin ends the host's process",
     "A crash, an abort or an exit of the plugin is one of Falco.",
     "Find the place with a debugger or a sanitizer; return an error instead of ending."),
    ("FPY307", "a call does not return",
     "The host hangs: it neither stops nor reloads, and events are lost meanwhile.",
     "Bound every wait, and wake up what waits when the host closes."),
    ("FPY308", "a live state suffers from another one",
     "Falco starts and ends a trial state beside the running one at every reload.",
     "Do not undo in destroy what other states need."),
    # ---- the source of events
    ("FPY401", "next_batch blocks",
     "The host's thread handles signals, reloads and asynchronous events between two calls only.",
     "Return TIMEOUT after about 30 ms when there is no event."),
    ("FPY402", "next_batch returns TIMEOUT without waiting",
     "The host asks again at once: one core is busy while nothing happens.",
     "Wait up to about 30 ms for an event before returning TIMEOUT."),
    ("FPY403", "an answer of next_batch breaks the plugin API",
     "A host stops at SUCCESS without an event, at a NULL event and at an unknown return code.",
     "Return SUCCESS with at least one event, or TIMEOUT, EOF or FAILURE."),
    ("FPY404", "an event is malformed",
     "A host stops at wrong sizes, types and plugin ids, or reads memory that is not the event's.",
     "Give events of type 322 with two parameters, consistent lengths and the plugin's own id or "
     "0."),
    ("FPY405", "the source does not open",
     "Falco stops at a plugin whose open fails.",
     "Give open parameters that work here, or mend what the text says."),
    ("FPY406", "the source fails",
     "Falco stops at the first FAILURE of next_batch; it does not try again.",
     "Retry within the plugin what may pass; return FAILURE for what can never work."),
    ("FPY407", "memory grows while the host is slow",
     "A slow rule makes the host's process grow until the kernel ends it.",
     "Bound the queue between the source and next_batch, and let the source wait."),
    ("FPY408", "the source does not come back after an error",
     "After an outage no event comes any more, and nobody is told.",
     "Let the source method be called again on the same object: keep no used-up state in it."),
    # ---- fields
    ("FPY501", "an answer of extract_fields breaks the plugin API",
     "A host stops at an address that has neither 4 nor 16 bytes or at several values of a field "
     "that is no list, and crashes at NULL.",
     "Set res and res_len on success, with values of the declared type."),
    ("FPY502", "a field fails on a sample event",
     "The field has no value, and rules that use it never match.",
     "Mend the field, or return no value for events that do not have it."),
    ("FPY503", "a value changes from one extraction to the next",
     "A rule may match and its output show something else.",
     "Compute values from the event alone."),
    ("FPY504", "a value's memory is freed too early",
     "The host reads the value after extract_fields has returned and finds something else.",
     "Keep values until the next extract_fields on the same state."),
    ("FPY505", "the place of a value lies outside the event",
     "Hosts that show bytes read one offset a value: beyond the array, or beyond the event.",
     "Fill value_offsets with an element a value, (0, 0) for none."),
    ("FPY506", "extraction takes too long",
     "The host's thread waits for it, and events are dropped meanwhile.",
     "Bound the work that an event can cause, whatever is in it."),
    # ---- the rest
    ("FPY601", "a secret appears in a log or an error",
     "Logs are kept, shipped and read by people who must not have it.",
     "Leave configuration out of messages; in Python declare the key as Secret."),
    ("FPY701", "an answer of get_metrics is unusable",
     "Falco passes names on to Prometheus and reads values by their type.",
     "Use names of [a-z0-9_.], each once, and a known type."),
    ("FPY702", "get_metrics is not safe from several threads",
     "Falco's web server asks for metrics on threads of its own.",
     "Take the figures under a lock, or from atomic variables."),
    ("FPY703", "an optional function fails",
     "What it is for does not work in the hosts that call it.",
     "Mend it, or do not export it."),
    ("FPY704", "an asynchronous event breaks the plugin API",
     "Hosts refuse events that are not listed, and those sent after the handler is taken away.",
     "List every name in get_async_events, and join the sender before set_async_event_handler "
     "returns."),
)  # fmt: skip

#: Code -> entry, in the order of the codes.
CATALOGUE: Final[Mapping[str, Entry]] = {row[0]: Entry(*row) for row in _ROWS}

_INTRODUCTION = """\
# Findings of `falcopy check`

`falcopy check` and the standard tests of `falcopy_sdk.testing` tell defects by these codes. A code
keeps its meaning for ever. `falcopy check --explain FPY305` shows one of these sections, and
`--ignore FPY305` lets a finding pass.
"""


def page() -> str:
    """Return the documentation's page of all findings, in Markdown."""
    sections = (
        f"\n## {entry.code}\n\n**{entry.title[0].upper()}{entry.title[1:]}.**\n\n"
        f"*What hosts do.* {entry.why}\n\n*What to do.* {entry.fix}\n"
        for entry in CATALOGUE.values()
    )
    return _INTRODUCTION + "".join(sections)
