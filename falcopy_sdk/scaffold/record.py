"""What a project remembers of its template, so that it can follow a newer one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import ProjectError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "Record"]

#: In the project's folder; belongs under version control with the rest.
FILE = ".falcopy-template.json"


@dataclass(frozen=True, slots=True)
class Record:
    """How a project was made.

    Attributes:
        template: Name of the template.
        falcopy: Version of falcopy that made or last updated it.
        values: The answers that the files were rendered with.
        files: The files as rendered: with the author's and the new template's they are what a
            three-way merge needs, also where the project is in no repository.
    """

    template: str
    falcopy: str
    values: dict[str, str]
    files: dict[str, str] = field(repr=False)

    def write(self, folder: Path) -> None:
        """Write the record into the project.

        Raises:
            StorageError: it cannot be written.
        """
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=True)
        path = folder / FILE
        try:
            path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The record of the project in ``folder``.

        Raises:
            ProjectError: it has none, or one that cannot be read.
        """
        path = folder / FILE
        try:
            record = cls(**json.loads(path.read_text(encoding="utf-8")))
            if not isinstance(record.values, dict) or not isinstance(record.files, dict):
                raise TypeError("values and files must be objects")
            return record
        except FileNotFoundError:
            raise ProjectError(
                f"{path}: no such file; --update is for projects that falcopy new has made"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise ProjectError(f"{path}: {error}; restore it from version control") from error
