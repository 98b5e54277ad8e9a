"""``index.yaml``: how falcoctl finds artifacts by name; and a record of what was published.

falcoctl's format has no versions: they are the registry's tags. ``index.lock.json`` beside the
file records the digest of each version that was added, so that a version which comes back with
other contents is refused.
"""

from __future__ import annotations

import email.utils
import functools
import io
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import jsonschema
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from falcopy_sdk.exceptions import IndexFileError
from falcopy_sdk.oci.files import write_file
from falcopy_sdk.oci.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from falcopy_sdk.oci.artifact import About

__all__ = ["IndexFile", "entry"]

#: The order in which falcoctl writes them.
_KEYS: Final = (
    "name",
    "type",
    "registry",
    "repository",
    "signature",
    "description",
    "home",
    "keywords",
    "license",
    "maintainers",
    "sources",
)
_LOCK: Final = 1


def entry(
    name: str,
    kind: str,
    registry: str,
    repository: str,
    about: About,
    signature: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an entry, without what is empty.

    Args:
        name: As in the artifact's config.
        kind: ``"plugin"`` or ``"rulesfile"``.
        registry: Host.
        repository: Path, without tag.
        about: What users are told.
        signature: The ``cosign`` stanza: what falcoctl verifies signatures with.
    """
    people = [email.utils.parseaddr(author) for author in about.authors]
    values = {
        "name": name,
        "type": kind,
        "registry": registry,
        "repository": repository,
        "signature": {"cosign": dict(signature)} if signature else None,
        "description": about.description,
        "home": about.home,
        "keywords": list(about.keywords),
        "license": about.license,
        "maintainers": [
            {"email": address, "name": shown} if address else {"name": shown}
            for shown, address in people
        ],
        "sources": [about.source] if about.source else [],
    }
    return {key: values[key] for key in _KEYS if values[key]}


class IndexFile:
    """An index.yaml with its record.

    Args:
        path: The file; it need not exist.

    Raises:
        IndexFileError: it is no YAML list, or its record cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_path = path.with_name(f"{path.stem}.lock.json")
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        # As it is written: a change of one entry shall not touch the others.
        self._yaml.indent(mapping=2, sequence=2, offset=0)
        self._entries = self._load()
        self._digests = self._load_lock()

    @property
    def entries(self) -> Sequence[Mapping[str, Any]]:
        """The entries, in their order."""
        return list(self._entries)

    def find(self, name: str) -> Mapping[str, Any] | None:
        """The entry of that name."""
        return self._find(name)

    def digest(self, name: str, version: str) -> str | None:
        """What is recorded of a version."""
        return self._digests.get(name, {}).get(version)

    def versions(self, name: str) -> Mapping[str, str]:
        """The digests that are recorded, by version."""
        return dict(self._digests.get(name, {}))

    def problems(self) -> list[str]:
        """What falcoctl could not use, a sentence each; none for a good file."""
        plain = load_yaml(self._text(), str(self.path), IndexFileError)
        found = [
            f"{self._where(error)}: {error.message}"
            for error in sorted(_validator().iter_errors(plain), key=lambda e: list(e.path))
        ]
        names = [e.get("name") for e in self._entries if isinstance(e, dict)]
        found += [
            f"{name}: duplicate entry found: falcoctl refuses the whole index"
            for name in sorted({n for n in names if isinstance(n, str) and names.count(n) > 1})
        ]
        return found

    def add(self, made: Mapping[str, Any], version: str, digest: str) -> bool:
        """Put an artifact in, or update its entry; what is there and not given stays.

        Args:
            made: See :func:`entry`.
            version: That is published.
            digest: Of its root.

        Returns:
            Whether anything changed.

        Raises:
            IndexFileError: the version is recorded with another digest, or the entry breaks the
                schema.
        """
        name = made["name"]
        known = self.digest(name, version)
        if known is not None and known != digest:
            raise IndexFileError(
                f"{self.path}: {name} {version} is there with digest {known}, and this is "
                f"{digest}: a published version does not change; publish under a new version"
            )
        before = self._text()
        present = self._find(name)
        if present is None:
            present = CommentedMap()
            self._entries.insert(self._place(name), present)
        _update(present, made)
        wrong = self.problems()
        if wrong:
            raise IndexFileError(f"{self.path}: {'; '.join(wrong)}")
        self._digests.setdefault(name, {})[version] = digest
        return known is None or self._text() != before

    def save(self) -> None:
        """Write both files.

        Raises:
            StorageError: one cannot be written.
        """
        record = {"format": _LOCK, "digests": self._digests}
        # The record first: an entry without a record would accept anything.
        write_file(self.lock_path, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
        write_file(self.path, self._text().encode())

    def _find(self, name: str) -> CommentedMap | None:
        known = (e for e in self._entries if isinstance(e, CommentedMap))
        return next((e for e in known if e.get("name") == name), None)

    def _place(self, name: str) -> int:
        """Where falcoctl would sort it to, if the file is sorted; else the end."""
        known = [e if isinstance(e, CommentedMap) else {} for e in self._entries]
        names = [str(e.get("name", "")) for e in known]
        if names != sorted(names):
            return len(names)
        return sum(known < name for known in names)

    def _where(self, error: jsonschema.ValidationError) -> str:
        path = list(error.path)
        if not path:
            return str(self.path)
        item = self._entries[path[0]]
        name = item.get("name") if isinstance(item, dict) else None
        return ".".join([str(name or f"entry {int(path[0]) + 1}"), *map(str, path[1:])])

    def _load(self) -> CommentedSeq:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return CommentedSeq()
        except (OSError, UnicodeDecodeError) as error:
            raise IndexFileError(f"{self.path}: cannot be read ({error})") from error
        load_yaml(text, str(self.path), IndexFileError)
        try:
            loaded = self._yaml.load(text)
        except (YAMLError, ValueError, TypeError, RecursionError) as error:
            raise IndexFileError(f"{self.path}: {' '.join(str(error).split())}") from error
        if loaded is None:
            return CommentedSeq()
        if not isinstance(loaded, CommentedSeq):
            raise IndexFileError(f"{self.path}: not a list of entries at the top (falcoctl's form)")
        return loaded

    def _load_lock(self) -> dict[str, dict[str, str]]:
        try:
            record = json.loads(self.lock_path.read_text(encoding="utf-8"))
            if record["format"] != _LOCK:
                raise ValueError(f"format {record['format']}, made by a newer falcopy")
            return {name: dict(versions) for name, versions in record["digests"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IndexFileError(
                f"{self.lock_path}: cannot be read ({error}); restore it from version control"
            ) from error

    def _text(self) -> str:
        stream = io.StringIO()
        self._yaml.dump(self._entries, stream)
        return stream.getvalue()


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(files(__package__).joinpath("index.schema.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def _update(present: CommentedMap, made: Mapping[str, Any]) -> None:
    for key, value in made.items():
        if present.get(key) == value:
            continue
        if key in present:
            present[key] = value
        else:
            before = [k for k in _KEYS[: _KEYS.index(key)] if k in present]
            present.insert(list(present).index(before[-1]) + 1 if before else 0, key, value)
