"""The templates that come with falcopy, and how they are rendered.

A template is a folder with a ``template.toml``. Its other files, and those of ``common``, make the
project, save those in ``parts``, which files of ``common`` include. Names of files, and files that
end in ``.jinja``, are Jinja templates with delimiters ``[[ ]]`` and ``[% %]``: ``{{ }}`` belongs
to GitHub's workflows.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import falcopy_sdk
from falcopy_sdk.exceptions import ProjectError

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
        folder: Where its files are.
    """

    name: str
    summary: str
    dependencies: tuple[str, ...]
    folder: Path

    def render(self, values: Mapping[str, str]) -> dict[str, str]:
        """The files of a project, by their path in it, with ``/`` between the folders.

        Args:
            values: What the templates may use; using anything else is an error.
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
        given = {**values, "dependencies": self.dependencies}
        rendered: dict[str, str] = {}
        for base in (self.folder.parent / _COMMON, self.folder):
            for path in sorted(p for p in base.rglob("*") if p.is_file()):
                name = path.relative_to(base).as_posix()
                if name == _ABOUT or name.startswith(f"{_PARTS}/") or "__pycache__" in path.parts:
                    continue
                target = environment.from_string(name.removesuffix(".jinja")).render(given)
                text = path.read_text(encoding="utf-8")
                # Only marked files are templates: a lock or a sample is what it is.
                if name.endswith(".jinja"):
                    text = environment.from_string(text).render(given)
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
                about.parent,
            )
        )
    return found


def find_template(name: str) -> Template:
    """The template of that name.

    Raises:
        ProjectError: there is none.
    """
    found = templates()
    for template in found:
        if template.name == name:
            return template
    raise ProjectError(
        f"no template {name}; there are {', '.join(template.name for template in found)}"
    )


def _folder() -> Path:
    """In a wheel inside the package, in a checkout beside it."""
    package = Path(falcopy_sdk.__file__).parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / _COMMON).is_dir():
            return folder
    raise ProjectError(
        f"this installation has no templates in {package}; install falcopy-sdk again"
    )
