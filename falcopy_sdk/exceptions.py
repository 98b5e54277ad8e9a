"""Every exception of the SDK, grouped by what the one who sees it can do.

::

    FalcopyError
    ├── DeclarationError          fix the plugin's code: the message names class, attribute and fix
    ├── EventDecodeError          nothing to do: this event's payload gives no value to any field
    ├── ConfigError               fix the plugin's configuration: one sentence a problem
    ├── TableError                a table is missing, or not usable so: the message says what to do
    ├── PluginLookupError         name another plugin, or install the one that was meant
    │   ├── PluginNotFoundError       nothing has that name
    │   └── PluginLoadError           it is there, but it does not import or is no plugin
    ├── SourceError               raised by authors: what an error in their source means
    │   ├── SourceRetry               try again, after a while
    │   ├── SourceSkip                carry on at once with what comes next
    │   ├── SourceEnd                 this source has nothing more to give
    │   └── SourceFatal               the host shall stop
    ├── BuildError                making a plugin's shared library failed
    │   ├── ProjectError              fix the plugin's project: pyproject.toml, lock, packages
    │   ├── ToolchainError            install what the building machine lacks
    │   └── BundleFormatError         build the file again: it is no built plugin, or damaged
    ├── PackageError              fix what is to be packed: the message names file and rule
    ├── IndexFileError            fix index.yaml, or publish under a new version
    ├── RegistryError             working with an OCI registry or layout failed
    │   ├── ReferenceFormatError      write the reference in another way
    │   ├── CredentialsError          give (other) credentials, or rights to those given
    │   ├── NotInRegistryError        name what exists: registry, repository, tag or platform
    │   ├── VersionTakenError         publish under a new version: this one has other contents
    │   ├── RegistryRefusedError      the registry does not take it: read its own text
    │   ├── RegistryUnavailableError  run the same again later; what is done is not done again
    │   └── IntegrityError            fetch or pack it again: contents differ from their digest
    ├── SigningKeyError           name another key file, or give its password
    ├── StorageError              make room, or get the right to write, on this machine
    ├── AnswerError               give another name, template or text for a new project
    ├── NothingToDoError          the command would have no effect: name another target
    └── HostError                 driving a plugin failed
        ├── LibraryError              no host would load it: fix the plugin, or name another file
        ├── RequestError              ask for what the plugin offers, at the right time
        ├── PluginFailedError         the plugin reports a failure: read its own text
        └── ContractError             fix the plugin: it breaks the plugin API
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AnswerError",
    "BuildError",
    "BundleFormatError",
    "ConfigError",
    "ContractError",
    "CredentialsError",
    "DeclarationError",
    "EventDecodeError",
    "FalcopyError",
    "HostError",
    "IndexFileError",
    "IntegrityError",
    "LibraryError",
    "NotInRegistryError",
    "NothingToDoError",
    "PackageError",
    "PluginFailedError",
    "PluginLoadError",
    "PluginLookupError",
    "PluginNotFoundError",
    "ProjectError",
    "ReferenceFormatError",
    "RegistryError",
    "RegistryRefusedError",
    "RegistryUnavailableError",
    "RequestError",
    "SigningKeyError",
    "SourceEnd",
    "SourceError",
    "SourceFatal",
    "SourceRetry",
    "SourceSkip",
    "StorageError",
    "TableError",
    "ToolchainError",
    "VersionTakenError",
]


class FalcopyError(Exception):
    """Base of every exception that the SDK raises on purpose."""

    #: What the command line exits with: 1 findings, 2 usage, 3 nothing to do, 4 toolchain,
    #: 5 build, 6 registry.
    exit_code: ClassVar[int] = 1


class DeclarationError(FalcopyError):
    """A plugin class is declared in a way that no host would accept.

    Args:
        where: The class and attribute, ``"AcmeAudit.groups"``.
        problem: What is wrong, without a full stop.
        fix: What to write instead, an imperative without a full stop.
    """

    def __init__(self, where: str, problem: str, fix: str) -> None:
        super().__init__(where, problem, fix)
        self.where = where
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        stop = "" if self.problem.endswith("?") else "."
        return f"{self.where}: {self.problem}{stop} Fix: {self.fix}."


class EventDecodeError(FalcopyError, ValueError):
    """The payload of an event cannot be decoded; the message holds no part of the payload."""


class ConfigError(FalcopyError):
    """The configuration given to a plugin does not fit what it declares.

    Values never appear in the message, since any of them may be a secret in the wrong place.

    Args:
        problems: One sentence each, beginning with the dotted path of the key; or only one.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"init_config: {self.problems[0]}"
        return f"init_config has {len(self.problems)} problems: {'; '.join(self.problems)}"


class TableError(FalcopyError):
    """A table of the host or of another plugin is missing, or is not usable in that way or now."""


class PluginLookupError(FalcopyError):
    """A plugin that was asked for by name cannot be had."""

    exit_code = 2


class PluginNotFoundError(PluginLookupError):
    """Nothing is registered under that name, or the module or class does not exist."""


class PluginLoadError(PluginLookupError):
    """What the name stands for does not import, or is not a plugin class."""


class SourceError(FalcopyError):
    """Base of the errors by which an author's source says what happens next.

    Any other exception that leaves a source means :class:`SourceRetry` without a delay of its own.
    """


class SourceRetry(SourceError):  # noqa: N818 - named after the reaction, not the failure
    """Start the source again after a while.

    Args:
        message: What went wrong; logged once, not at every attempt.
        after: Seconds to wait; None: the runtime's growing delay.

    Raises:
        ValueError: ``after`` is negative.
    """

    def __init__(self, message: str = "", after: float | None = None) -> None:
        super().__init__(message)
        if after is not None and not after >= 0:
            raise ValueError(f"SourceRetry(after={after!r}): seconds to wait cannot be negative")
        self.after = after


class SourceSkip(SourceError):  # noqa: N818 - see SourceRetry
    """Pass over what could not be read and carry on at once, without a delay."""


class SourceEnd(SourceError):  # noqa: N818 - see SourceRetry
    """The source has ended; the host goes on with its other sources."""


class SourceFatal(SourceError):  # noqa: N818 - see SourceRetry
    """The source can never work: the host is told to stop, with this message."""


class BuildError(FalcopyError):
    """Making a plugin's shared library failed."""

    exit_code = 5


class ProjectError(BuildError):
    """The plugin's project does not say what a build needs, or says it wrongly."""


class ToolchainError(BuildError):
    """The building machine or environment lacks something."""

    exit_code = 4


class BundleFormatError(BuildError):
    """A file is not a plugin that ``falcopy build`` made, or it is damaged."""


class PackageError(FalcopyError):
    """What is to become an artifact breaks a rule of falcoctl, Falco or the OCI formats."""

    exit_code = 5


class IndexFileError(FalcopyError):
    """An index.yaml is not what falcoctl accepts, or contradicts what is published."""


class RegistryError(FalcopyError):
    """Working with an OCI registry, or with a layout on disk, failed."""

    exit_code = 6


class ReferenceFormatError(RegistryError):
    """A reference is not of the form ``host/repository[:tag|@digest]``."""

    exit_code = 2


class CredentialsError(RegistryError):
    """The registry wants credentials, does not accept those given, or they cannot be read."""


class NotInRegistryError(RegistryError):
    """The registry has no such repository, tag or digest, or it is not for that platform."""


class VersionTakenError(RegistryError):
    """The version is published with other contents; a published version never changes."""


class RegistryRefusedError(RegistryError):
    """The registry understands the request and does not take it."""


class RegistryUnavailableError(RegistryError):
    """The registry cannot be reached, is overloaded, or fails; later may be better.

    Args:
        message: What happened.
        retry_after: Seconds that the registry asks to wait; None: it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class IntegrityError(RegistryError):
    """Contents do not have the digest or size by which they are named, or are no such document."""


class SigningKeyError(FalcopyError):
    """A key to sign or to verify with cannot be read."""

    exit_code = 2


class StorageError(FalcopyError):
    """This machine cannot store what was to be written: disk full, or no right to write."""

    exit_code = 4


class AnswerError(FalcopyError):
    """What was said of a new project cannot be: its name, template, texts or folder."""

    exit_code = 2


class NothingToDoError(FalcopyError):
    """What was asked for is fine, and there is nothing to do for it."""

    exit_code = 3


class HostError(FalcopyError):
    """Driving a plugin failed."""


class LibraryError(HostError):
    """A host would refuse to load the plugin: the file, its symbols, versions or static facts."""


class RequestError(HostError):
    """The caller asked for something that the plugin does not offer, or at the wrong time."""

    exit_code = 2


class PluginFailedError(HostError):
    """An entry of the plugin returned a failure.

    Args:
        entry: Name of the entry, without ``plugin_``.
        message: What failed, with the plugin's own text.
    """

    def __init__(self, entry: str, message: str) -> None:
        super().__init__(entry, message)
        self.entry = entry
        self.message = message

    def __str__(self) -> str:
        return self.message


class ContractError(HostError):
    """The plugin broke the plugin API in a way that harms or stops a real host."""
