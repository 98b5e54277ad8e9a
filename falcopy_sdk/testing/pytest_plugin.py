"""The pytest plugin that authors get with the SDK.

Imports little: pytest loads it at every start, before coverage measures anything. What drives
plugins is imported by the fixtures.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcopy_sdk.testing.driven import DrivenPlugin

__all__ = ["event", "falco_plugin", "replay"]

_HELP = "drive this plugin in tests: the .so of falcopy build, module:Class, or a registered name"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare ``--falco-plugin`` and the settings of the same meaning."""
    group = parser.getgroup("falcopy", "Falco plugins")
    group.addoption("--falco-plugin", metavar="PLUGIN", default=None, help=_HELP)
    parser.addini("falco_plugin", _HELP)
    parser.addini("falco_config", "init configuration of falco_plugin: JSON, YAML or @FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "falco_plugin(plugin, config=None): the plugin class, or the .so, that the fixtures "
        "falco_plugin, event and replay drive, and its init configuration",
    )


@pytest.fixture
def falco_plugin(request: pytest.FixtureRequest) -> Iterator[DrivenPlugin]:
    """The plugin under test, a class in this process or a built ``.so``: the same interface.

    Which one: ``--falco-plugin`` on the command line, else the marker ``falco_plugin``, else the
    ini setting ``falco_plugin``, else the only plugin that pyproject.toml registers. It is ended
    with the test.
    """
    from falcopy_sdk.testing.driven import DrivenPlugin
    from falcopy_sdk.testing.target import subject_of

    marker = request.node.get_closest_marker("falco_plugin")
    marked = dict(marker.kwargs) if marker else {}
    config = marked.pop("config", None)
    named = marker.args[0] if marker and marker.args else marked.pop("plugin", None)
    if marked or (marker and len(marker.args) > 1):
        raise pytest.UsageError(
            "@pytest.mark.falco_plugin takes a plugin and config=..., nothing else"
        )
    if config is None:
        config = _ini_config(request.config)
    option = request.config.getoption("falco_plugin")
    folder = request.config.rootpath
    if option:
        named, folder = option, request.config.invocation_params.dir
    plugin = named or request.config.getini("falco_plugin") or _of_project(folder)
    subject = subject_of(plugin, config=config, folder=folder)
    with DrivenPlugin(subject.load(), config) as driven:
        yield driven


@pytest.fixture
def event(falco_plugin: DrivenPlugin) -> Callable[..., Any]:
    """``event(data, ts=None, source="")``: an event of the plugin under test.

    ``data`` is bytes, text, or a mapping or list that becomes JSON.
    """
    return falco_plugin.event


@pytest.fixture
def replay(falco_plugin: DrivenPlugin, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``replay(events, names=None)``: sample events through the plugin's fields.

    ``events`` is a file, beside the test module if it is relative, or a list of payloads. Returns
    for each event a dict of its fields.
    """

    def run(events: Any, names: Any = None) -> Any:
        if isinstance(events, (str, Path)):
            beside = request.path.parent / events
            events = beside if beside.exists() else request.config.rootpath / events
        return falco_plugin.replay(events, names)

    return run


def _ini_config(config: pytest.Config) -> Any:
    text = config.getini("falco_config")
    if not text:
        return None
    from falcopy_sdk.testing.settings import read_config

    return read_config(text, config.rootpath)


def _of_project(folder: Path) -> str:
    """The class that the project registers."""
    import tomllib

    found: list[str] = []
    file = folder / "pyproject.toml"
    if file.is_file():
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        registered = document.get("project", {}).get("entry-points", {}).get("falcopy", {})
        found = [ref for ref in registered.values() if re.search(r":", ref)]
    if len(found) == 1:
        return found[0]
    raise pytest.UsageError(
        "which plugin do these tests drive? Mark the test with "
        '@pytest.mark.falco_plugin(MyPlugin), set falco_plugin = "module:Class" under '
        f"[tool.pytest.ini_options], or pass --falco-plugin ({file} registers {len(found)})"
    )
