"""Plugins and hooks of installed packages, found as importlib.metadata finds them."""

import logging
import sys
import textwrap

import pytest

from falcopy_sdk import hooks
from falcopy_sdk.declare.plugin import plugin_spec
from falcopy_sdk.exceptions import DeclarationError, PluginLoadError, PluginNotFoundError

PLUGIN = """
    from falcopy_sdk import extract, plugin

    @plugin(name="{name}", version="1.2.3", description="Acme", contact="acme@example")
    class Acme:
        user = extract.path("acme.user", "user", desc="User")

    class Other:
        pass
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts packages where Python looks for installed ones."""
    monkeypatch.syspath_prepend(tmp_path)
    hooks.manager.cache_clear()
    before = set(sys.modules)

    def add(module, source, entries=(), package=None):
        package = package or module
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{package}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entries)
        (info / "entry_points.txt").write_text(f"[falcopy]\n{lines}")

    yield add
    hooks.manager.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_registered_plugins_are_listed_without_importing_them(install):
    install("acme_one", "raise RuntimeError", [("acme-one", "acme_one:Acme [fast]")])
    info = hooks.registered_plugins()["acme-one"]
    assert info == hooks.EntryPointInfo("acme-one", "acme_one:Acme", "acme_one", "1.2.3")
    assert "acme_one" not in sys.modules


@pytest.mark.parametrize("name", ["acme-one", "acme_one", "ACME.one"])
def test_a_plugin_is_found_by_the_name_of_its_entry_point(install, name):
    install("acme_one", PLUGIN.format(name="acme"), [("acme-one", "acme_one:Acme")])
    install("acme_two", "raise RuntimeError('not asked for')", [("acme-two", "acme_two:Acme")])
    cls = hooks.find_plugin(name)
    assert plugin_spec(cls).name == "acme"
    assert hooks.manager().get_plugin("acme-one") is cls
    assert hooks.find_plugin(name) is cls


def test_a_plugin_is_found_by_module_and_class(install):
    install("acme_one", PLUGIN.format(name="acme"))
    assert plugin_spec(hooks.find_plugin("acme_one:Acme")).ref == "acme_one:Acme"


def test_a_plugin_may_be_given_by_a_hook(install):
    install("acme_one", PLUGIN.format(name="generated"))
    source = """
        from falcopy_sdk.hooks import hookimpl

        @hookimpl
        def falcopy_plugins():
            from acme_one import Acme
            return [Acme]
    """
    install("acme_hooks", source, [("acme_hooks", "acme_hooks")])
    assert plugin_spec(hooks.find_plugin("generated")).ref == "acme_one:Acme"


def test_an_unknown_name_is_answered_with_the_nearest_and_all_there_are(install):
    install("acme_one", PLUGIN.format(name="acme"), [("acme-audit", "acme_one:Acme")])
    with pytest.raises(PluginNotFoundError) as caught:
        hooks.find_plugin("acme-adit")
    names = ", ".join(hooks.registered_plugins())
    assert str(caught.value) == (
        f'no plugin is registered as "acme-adit": did you mean "acme-audit"? (registered are '
        f'{names} in the entry point group "falcopy"); install its package, or name the class as '
        "module:Class"
    )


@pytest.mark.parametrize(
    ("ref", "kind", "message"),
    [
        (
            "acme_nowhere:Acme",
            PluginNotFoundError,
            "acme_nowhere:Acme: there is no module acme_nowhere; "
            "install its package, or run where it is",
        ),
        (
            "acme_one.sub:Acme",
            PluginNotFoundError,
            "acme_one.sub:Acme: there is no module acme_one.sub; "
            "install its package, or run where it is",
        ),
        (
            "acme_one:Acmee",
            PluginNotFoundError,
            "acme_one:Acmee: module acme_one has no Acmee; did you mean acme_one:Acme?",
        ),
        (
            "acme_one:Other",
            PluginLoadError,
            "acme_one:Other: Other: is not a plugin. "
            "Fix: decorate the class with @plugin(name=..., version=..., ...).",
        ),
        (
            "acme_one:plugin",
            PluginLoadError,
            "acme_one:plugin: plugin: is not a plugin. "
            "Fix: decorate the class with @plugin(name=..., version=..., ...).",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_with_the_reason(install, ref, kind, message):
    install("acme_one", PLUGIN.format(name="acme"))
    with pytest.raises(kind) as caught:
        hooks.find_plugin(ref)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise ValueError('no luck')", "does not import: ValueError: no luck"),
        (
            "import acme_missing_dependency",
            "does not import: No module named 'acme_missing_dependency'; install what it needs",
        ),
    ],
)
def test_a_plugin_that_does_not_import_is_named_with_its_package(install, source, message):
    install("acme_one", source, [("acme", "acme_one:Acme")])
    with pytest.raises(PluginLoadError) as caught:
        hooks.find_plugin("acme")
    assert str(caught.value) == f"plugin acme, acme_one:Acme (of acme_one 1.2.3): {message}"


def test_a_wrong_declaration_keeps_its_own_error(install):
    install("acme_one", PLUGIN.format(name="ACME"), [("acme", "acme_one:Acme")])
    with pytest.raises(DeclarationError, match=r'^Acme: name "ACME" is not a plugin name'):
        hooks.find_plugin("acme")


def test_a_name_that_two_packages_claim_is_refused(install):
    install("acme_one", PLUGIN.format(name="acme"), [("acme", "acme_one:Acme")])
    install("acme_two", PLUGIN.format(name="acme"), [("acme", "acme_two:Acme")])
    with pytest.raises(PluginLoadError) as caught:
        hooks.find_plugin("acme")
    claims = ["acme_one:Acme (of acme_one 1.2.3)", "acme_two:Acme (of acme_two 1.2.3)"]
    assert str(caught.value) in {
        f'two packages register a plugin "acme": {" and ".join(order)}; '
        "uninstall one, or name the class itself"
        for order in (claims, claims[::-1])
    }


OBSERVER = """
    from falcopy_sdk.hooks import hookimpl

    calls = []

    @hookimpl
    def falcopy_config_loaded(spec, config):
        calls.append(("config_loaded", spec, config))

    @hookimpl
    def falcopy_opened(params):
        calls.append(("opened", params))

    @hookimpl
    def falcopy_closed(spec):
        raise RuntimeError("the observer is broken")
"""


def test_hooks_of_installed_modules_are_called(install):
    install("acme_hooks", OBSERVER, [("acme_hooks", "acme_hooks")])
    hooks.notify("falcopy_config_loaded", spec="spec", config=3)
    hooks.notify("falcopy_opened", spec="spec", params="file:///x")
    assert sys.modules["acme_hooks"].calls == [
        ("config_loaded", "spec", 3),
        ("opened", "file:///x"),
    ]


def test_an_observer_that_fails_is_logged_and_stops_nothing(install, caplog):
    install("acme_hooks", OBSERVER, [("acme_hooks", "acme_hooks")])
    with caplog.at_level(logging.ERROR):
        hooks.notify("falcopy_closed", spec="spec")
    (record,) = caplog.records
    assert record.getMessage() == "an implementation of the hook falcopy_closed failed"
    assert "the observer is broken" in caplog.text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "from falcopy_sdk.hooks import hookimpl\n@hookimpl\ndef falcopy_openned(spec): ...",
            "unknown hook 'falcopy_openned'",
        ),
        (
            "from falcopy_sdk.hooks import hookimpl\n@hookimpl\ndef falcopy_opened(port): ...",
            "Argument(s) {'port'} are declared in the hookimpl but can not be found in",
        ),
        ("raise ValueError('no luck')", "does not import: ValueError: no luck"),
    ],
)
def test_a_module_with_wrong_hooks_is_named_with_its_package(install, source, message):
    install("acme_hooks", source, [("acme-hooks", "acme_hooks")])
    with pytest.raises(PluginLoadError) as caught:
        hooks.create_manager()
    text = str(caught.value)
    assert text.startswith("hooks acme-hooks, acme_hooks (of acme_hooks 1.2.3): ")
    assert message in text


def test_every_hook_documents_each_of_its_parameters():
    specs = {name: hook for name, hook in vars(hooks.Hooks).items() if name.startswith("falcopy_")}
    assert specs
    for name, hook in specs.items():
        parameters = hook.__code__.co_varnames[1 : hook.__code__.co_argcount]
        for parameter in parameters:
            assert f"            {parameter}: " in hook.__doc__, name
