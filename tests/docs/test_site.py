"""The site builds, and what it tells of the code is true."""

from __future__ import annotations

import html
import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

import falcopy_sdk
from falcopy_sdk import exceptions, testing
from falcopy_sdk.bundle.locks import LOCK_NAMES
from falcopy_sdk.bundle.settings import Settings, read_settings
from falcopy_sdk.cli import main
from falcopy_sdk.declare import shapes
from tests.docs.pages import DOCS, blocks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; every warning is an error."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site: Path) -> None:
    assert (site / "tutorial" / "index.html").exists()


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    pages = "".join(page.read_text() for page in (site / "reference").rglob("*.html"))
    missing = [
        name
        for name in (*falcopy_sdk.__all__, *testing.__all__)
        if not re.search(rf'id="falcopy_sdk\.[\w.]*\b{name}"', pages)
    ]
    assert not missing


def test_every_command_is_in_the_reference(site: Path) -> None:
    from falcopy_sdk.cli import COMMANDS

    page = (site / "reference" / "commands" / "index.html").read_text()
    assert not [name for name in COMMANDS if f'id="falcopy-{name}"' not in page]


def commands(command: click.Command = main, path: str = "falcopy") -> Iterator[tuple[str, Any]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, name
            yield from commands(inner, f"{path} {name}")


def shown(page: str) -> str:
    """The text of a page, as people read it."""
    return html.unescape(re.sub(r"<[^>]+>", "", page))


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*each, id=each[0]) for each in commands()]
)
def test_every_command_is_shown_with_its_examples_and_all_that_its_help_ends_with(
    site: Path, path: str, command: click.Command
) -> None:
    page = (site / "reference" / "commands" / "index.html").read_text()
    _, _, rest = page.partition(f'id="{path.replace(" ", "-")}"')
    section = shown(re.split(r"<h\d", rest)[0])
    epilog = inspect.cleandoc((command.epilog or "").replace("\b\n", "\n"))
    if not isinstance(command, click.Group) or command is main:
        _, _, examples = epilog.partition("Examples:")
        assert re.search(rf"^  {path} ?", examples, re.MULTILINE), "its help has no example"
    assert not [line for line in epilog.splitlines() if line.strip() not in section]


EXIT_CODES = dict(
    re.findall(r"^\| (\d+) \| (.+) \|$", (DOCS / "reference/errors.md").read_text(), re.MULTILINE)
)


def test_exit_codes_are_those_of_the_errors() -> None:
    of_errors = {getattr(exceptions, name).exit_code for name in exceptions.__all__}
    # 0 and 130 are no errors of ours; click's own of wrong usage is one that errors have.
    assert {int(code) for code in EXIT_CODES} == of_errors | {0, 130}
    assert click.UsageError.exit_code in of_errors


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*each, id=each[0]) for each in commands()]
)
def test_exit_codes_in_a_help_text_are_in_the_table(path: str, command: click.Command) -> None:
    text = f"{command.help} {command.epilog}"
    for sentence in re.findall(r"Exit codes: ([^.]+)\.", text):
        codes = re.findall(r"(?:^|, |,\n *)(\d+) ", sentence)
        assert codes
        assert set(codes) <= EXIT_CODES.keys(), path


def test_the_help_of_falcopy_names_every_exit_code() -> None:
    _, _, sentence = (main.epilog or "").partition("Exit codes: ")
    assert re.findall(r"(\d+) [a-zC]", sentence) == list(EXIT_CODES)


def test_the_page_says_which_error_has_which_exit_code(site: Path) -> None:
    page = (site / "reference" / "errors" / "index.html").read_text()
    rows = re.findall(r"<td>(\d+)</td>\s*<td>(.*?)</td>", page)
    of_errors = {
        name: int(code) for code, names in rows for name in re.findall(r"<code>(\w+)", names)
    }
    assert of_errors == {name: getattr(exceptions, name).exit_code for name in exceptions.__all__}


def test_every_setting_of_a_project_is_explained(site: Path, tmp_path: Path) -> None:
    page = shown((site / "reference" / "settings" / "index.html").read_text())
    documented = " ".join((inspect.getdoc(Settings) or "").split())
    for field in fields(Settings):
        _, _, rest = documented.partition(f"{field.name}: ")
        meaning = re.split(r"\.(?: \w+:|$)", rest)[0].replace("`", "")
        assert meaning
        assert re.search(rf"{field.name.replace('_', '-')}\s+\[\]\s+{re.escape(meaning)}", page), (
            field.name
        )
    [example] = [block for block in blocks(DOCS / "reference/settings.md") if block.title]
    read = read_settings(tomllib.loads(example.text), tmp_path)
    assert all(getattr(read, field.name) for field in fields(Settings)), "the example has every key"
    assert [name for name in LOCK_NAMES if name not in page] == []


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """The site's hook with the kinds of annotations."""
    spec = importlib.util.spec_from_file_location("site_hook", DOCS / ".site" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # inspect.getsource and dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_every_kind_of_configuration_value_is_shown_with_its_schema(
    site: Path, hook: ModuleType
) -> None:
    page = shown((site / "reference" / "configuration" / "index.html").read_text())
    for annotation in hook.ANNOTATIONS:
        schema = hook.json.dumps(hook.schema_of(annotation))
        assert re.search(rf"\s{re.escape(annotation)}\s+{re.escape(schema)}\s", page), annotation
    kinds = {type(shape) for each in hook.ANNOTATIONS for shape in within(hook.shape_of(each))}
    every = {getattr(shapes, name) for name in shapes.__all__}
    concrete = {each for each in every if isinstance(each, type) and issubclass(each, shapes.Shape)}
    assert concrete - {shapes.Shape} <= kinds


def within(shape: Any) -> Iterator[Any]:
    yield shape
    for inner in ("inner", "element"):
        if hasattr(shape, inner):
            yield from within(getattr(shape, inner))


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r'<(?:script|img|iframe|link)\b[^>]*?(?:src|href)="((?:https?:)?//[^"]+)')
    for page in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = page.read_text(encoding="utf-8")
        found = fetched.findall(text) + re.findall(r"url\(['\"]?((?:https?:)?//[^)]+)", text)
        assert not found, page


def test_the_how_tos_and_explanations_can_be_found(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    for folder in ("how-to", "explanation"):
        for page in (ROOT / "docs" / folder).glob("*.md"):
            assert f'href="{folder}/{page.stem}/"' in start, page


def test_no_markup_of_docstrings_is_left(site: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html")]
    assert not re.findall(r":[a-z]+:(?:`|<code>)[^<`]*|<p>[^<]*::</p>", "".join(pages))
