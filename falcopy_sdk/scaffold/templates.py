"""The templates that come with falcopy, and how they are rendered.

A template is a folder with a ``template.toml``. Its other files, and those of ``common``, make the
project, save those in ``parts``, which files of ``common`` include. Names of files, and files that
end in ``.jinja``, are Jinja templates with delimiters ``[[ ]]`` and ``[% %]``: ``{{ }}`` belongs
to GitHub's workflows.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import falcopy_sdk
from falcopy_sdk.exceptions import AnswerError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Template", "find_template", "templates"]

_ABOUT = "template.toml"
_COMMON = "common"
_PARTS = "parts"


@dataclass(frozen=True, slots=True)
class Template:
    """One template.

    Attributes:
        name: As in ``falcopy new --template``.
        summary: One line for the list of templates.
        dependencies: Of its plugins, beside falcopy-sdk; their lock is among the files.
        dev: What its tests need beside the tools that all of them use.
        folder: Where its files are.
    """

    name: str
    summary: str
    dependencies: tuple[str, ...]
    dev: tuple[str, ...]
    folder: Path

    def render(self, values: Mapping[str, str]) -> dict[str, str]:
        """The files of a project, by their path in it, with ``/`` between the folders.

        Args:
            values: What the templates may use.

        Raises:
            ProjectError: a template uses anything else.
        """
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self.folder / _PARTS),
            block_start_string="[%",
            block_end_string="%]",
            variable_start_string="[[",
            variable_end_string="]]",
            comment_start_string="[#",
            comment_end_string="#]",
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # noqa: S701 - the output is source code, not HTML
        )
        given = {**values, "dependencies": self.dependencies, "dev": self.dev}
        rendered: dict[str, str] = {}
        for base in (self.folder.parent / _COMMON, self.folder):
            for path in sorted(p for p in base.rglob("*") if p.is_file()):
                name = path.relative_to(base).as_posix()
                if name == _ABOUT or name.startswith(f"{_PARTS}/") or "__pycache__" in path.parts:
                    continue
                text = path.read_text(encoding="utf-8")
                try:
                    target = environment.from_string(name.removesuffix(".jinja")).render(given)
                    # Only marked files are templates: a lock or a sample is what it is.
                    if name.endswith(".jinja"):
                        text = environment.from_string(text).render(given)
                except jinja2.TemplateError as error:
                    raise ProjectError(
                        f"template {self.name} does not fit this falcopy: {path}: {error.message}; "
                        "install falcopy-sdk again"
                    ) from error
                rendered[target] = text
        return rendered


def templates() -> list[Template]:
    """All templates, by name.

    Raises:
        ProjectError: this installation has none.
    """
    folder = _folder()
    found = []
    for about in sorted(folder.glob(f"*/{_ABOUT}")):
        stated = tomllib.loads(about.read_text(encoding="utf-8"))
        found.append(
            Template(
                about.parent.name,
                stated["summary"],
                tuple(stated["dependencies"]),
                tuple(stated.get("dev", ())),
                about.parent,
            )
        )
    return found


def find_template(name: str) -> Template:
    """The template of that name.

    Raises:
        AnswerError: there is none.
    """
    found = {template.name: template for template in templates()}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise AnswerError(f"there is no template {name}. {hint}There are {', '.join(found)}")


def _folder() -> Path:
    """In a wheel inside the package, in a checkout beside it."""
    package = Path(falcopy_sdk.__file__).parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / _COMMON).is_dir():
            return folder
    raise ProjectError(
        f"this installation has no templates in {package}; install falcopy-sdk again"
    )
