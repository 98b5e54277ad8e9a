"""What a check works with: the plugin, places to note where it is, and where findings go."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import ConfigError, ContractError, FalcopyError, PluginFailedError
from falcopy_sdk.testing.battery.result import Finding
from falcopy_sdk.testing.battery.subject import secret_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from falcopy_sdk.abi import LogSeverity
    from falcopy_sdk.host import HostEvent, Instance, Library, Plugin
    from falcopy_sdk.testing.battery.subject import Subject

__all__ = ["Context", "LogLine", "StopCheck", "declared_schema", "shown"]

#: Of each code no more than so many: a hundred alike say no more than a few.
_MOST_ALIKE = 5


class StopCheck(Exception):  # noqa: N818 - not an error: nothing more can be tried
    """Ends a check whose findings and notes say all there is to say."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the plugin gave to the host's logger."""

    component: str
    message: str
    severity: LogSeverity


@dataclass
class Context:
    """One check's surroundings.

    Attributes:
        subject: What is tested.
        library: It, loaded.
        note_stage: Told what is about to be called, so that a crash can be placed.
        findings: What was found so far.
        notes: What else there is to say.
        logs: Every line that the plugin logged.
        errors: Every error text that it gave.
    """

    subject: Subject
    library: Library
    note_stage: Callable[[str], None] = lambda _stage: None
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stage: str = "load"

    # ---- telling

    def at(self, stage: str) -> None:
        """Note what is called next: shown if it does not return."""
        self.stage = stage
        self.note_stage(stage)

    def find(self, code: str, message: str) -> None:
        """Add a finding, unless there are enough like it."""
        finding = Finding(code, message)
        alike = sum(1 for other in self.findings if other.code == code)
        if finding not in self.findings and alike < _MOST_ALIKE:
            self.findings.append(finding)

    def note(self, message: str) -> None:
        """Add a note, once."""
        if message not in self.notes:
            self.notes.append(message)

    def log(self, component: str, message: str, severity: LogSeverity) -> None:
        """The host's logger."""
        self.logs.append(LogLine(component, message, severity))

    @contextlib.contextmanager
    def finding(self, code: str, where: str = "") -> Iterator[None]:
        """Turn an error of the plugin into a finding, and go on behind the block.

        Args:
            code: Its code; out-parameters that were not written have their own.
            where: What was called.
        """
        try:
            yield
        except FalcopyError as error:
            self.add_error(code, error, where)

    def add_error(self, code: str, error: FalcopyError, where: str = "") -> None:
        """Add a finding for an error of the plugin."""
        text = str(error)
        self.errors.append(text)
        if isinstance(error, ContractError) and "without writing" in text:
            code = "FPY301"
        self.find(code, f"{where}: {text}" if where else text)

    # ---- the plugin

    @property
    def config(self) -> str:
        """The init configuration as a host passes it."""
        config = self.subject.config
        if config is None:
            config = next(iter(self.examples), "")
        return config if isinstance(config, str) else json.dumps(dict(config))

    @property
    def examples(self) -> list[str]:
        """The configurations that the plugin's schema documents, as a host passes them."""
        examples = declared_schema(self.library.facts.init_schema).get("examples")
        if not isinstance(examples, list):
            return []
        return [given if isinstance(given, str) else json.dumps(given) for given in examples]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not appear anywhere."""
        found = list(self.subject.secrets)
        with contextlib.suppress(ValueError):
            schema = declared_schema(self.library.facts.init_schema)
            found += secret_texts(json.loads(self.config or "{}"), schema)
        return tuple(dict.fromkeys(found))

    def init(self, config: str | Mapping[str, Any] | None = None) -> Plugin:
        """Make a state.

        Args:
            config: Its configuration; None: the subject's.

        Raises:
            FalcopyError: It does not start.
        """
        return self.library.init(self.config if config is None else config, log=self.log)

    @contextlib.contextmanager
    def state(self) -> Iterator[Plugin]:
        """A state for the block; a plugin that does not start ends the check.

        Raises:
            StopCheck: It does not start; the check ``start`` tells why.
        """
        self.at("init")
        try:
            plugin = self.init()
        except (ConfigError, ContractError, PluginFailedError) as error:
            self.errors.append(str(error))
            raise StopCheck(f"not run: the plugin does not start ({error})") from error
        try:
            yield plugin
        finally:
            self.at("destroy")
            plugin.close()

    @contextlib.contextmanager
    def opened(self, plugin: Plugin) -> Iterator[Instance]:
        """The open source for the block.

        Raises:
            StopCheck: It does not open; the check ``source`` tells why.
        """
        params = self.subject.open_params or ""
        self.at(f"open({shown(params)})")
        try:
            instance = plugin.open(params)
        except (PluginFailedError, ContractError) as error:
            self.errors.append(str(error))
            raise StopCheck(
                f"not run: the source does not open with {shown(params)} ({error})"
            ) from error
        try:
            yield instance
        finally:
            self.at("close")
            instance.close()

    def first_event(self, instance: Instance, seconds: float = 2.0) -> HostEvent | None:
        """The next event of a source, or None if there is none in that time."""
        until = time.monotonic() + seconds
        self.at("next_batch")
        while not instance.ended and time.monotonic() < until:
            event = instance.next()
            if event is not None:
                return event
        return None

    def sample(self, plugin: Plugin, data: bytes, num: int = 1) -> HostEvent:
        """A sample event in memory of the host, as from a capture file."""
        event = plugin.event(data, ts=1_700_000_000_000_000_000 + num, num=num)
        if self.subject.source:
            event.source = self.subject.source
        return event


def declared_schema(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The part of a schema that says what the plugin wants.

    A plugin of this SDK exports two alternatives: what it wants, and anything else, so that its
    own messages are seen and not those of the host.
    """
    if schema is None:
        return {}
    if "properties" in schema:
        return schema
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if isinstance(choice, dict) and "properties" in choice:
            return choice
    return schema


def shown(text: str | bytes, most: int = 60) -> str:
    """A text for messages: quoted, printable and not too long."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    text = re.sub(r"[^\x20-\x7e]", lambda match: ascii(match[0])[1:-1], text)
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}' and {len(text) - most} more"
