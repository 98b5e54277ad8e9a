"""Which modules go into a bundle."""

import shutil
import sysconfig
import zipfile
from pathlib import Path

import pytest

from falcopy_sdk.bundle import build, interpreter, trace
from falcopy_sdk.bundle.imports import Scans, scan
from falcopy_sdk.bundle.modules import Finder, Module
from falcopy_sdk.bundle.reach import Graph
from falcopy_sdk.exceptions import PluginLoadError, ProjectError
from falcopy_sdk.host import Library

PYTHON = (3, 11)


@pytest.fixture
def reach(tmp_path):
    """``reach(files, root)``: names that are reached from a module of a tree of sources."""

    def reach_(files, root="main", excluded=(), groups=None, rare=()):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        finder = Finder([tmp_path], [".cpython-311-x86_64-linux-gnu.so", ".so"])
        graph = Graph(finder, frozenset(excluded), groups or {}, Scans(PYTHON), frozenset(rare))
        return set(graph.reach([root]))

    return reach_


def test_imports_are_followed_wherever_they_are_written(reach):
    files = {
        "main.py": "import a.b\ndef f():\n    from c import d\n",
        "a/__init__.py": "",
        "a/b.py": "from . import e\nfrom .. import nothing\n",
        "a/e.py": "",
        "c/__init__.py": "",
        "c/d.py": "",
        "c/unused.py": "",
    }
    assert reach(files) == {"main", "a", "a.b", "a.e", "c", "c.d"}


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n",
        "import sys\nif sys.platform == 'win32':\n    import a\n",
        "import os\nif os.name != 'nt':\n    pass\nelse:\n    import a\n",
        "import sys\nif sys.version_info < (3, 11):\n    import a\n",
        "import sys\nif not sys.version_info >= (3,):\n    import a\n",
        "if __name__ == '__main__':\n    import a\n",
    ],
)
def test_code_that_no_bundle_runs_does_not_count(reach, text):
    assert reach({"main.py": text, "a.py": ""}) == {"main"}


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nif sys.version_info >= (3, 11):\n    import a\n",
        "import sys\nif sys.version_info > (3, 11):\n    import a\n",
        "import sys\nif sys.version_info >= (3, 11, 4):\n    import a\n",
        "import sys\nif sys.platform == 'win32' or x:\n    import a\n",
        "try:\n    import missing\nexcept ImportError:\n    import a\n",
        "import importlib\nimportlib.import_module('a')\n",
        "__import__('a')\n",
        "import importlib.resources\nimportlib.resources.files('a')\n",
    ],
)
def test_code_that_may_run_counts(reach, text):
    assert reach({"main.py": text, "a.py": ""}) == {"main", "a"}


def test_computed_names_are_looked_for_among_the_modules_strings(reach):
    files = {
        "main/__init__.py": "names = ['one', '.two', 'far.away']\nimport_module(f'.{n}', 'main')\n",
        "main/one.py": "",
        "main/two.py": "",
        "main/three.py": "",
        "far/__init__.py": "",
        "far/away.py": "",
    }
    assert reach(files) == {"main", "main.one", "main.two", "far", "far.away"}


@pytest.mark.parametrize(
    "name",
    [
        'f"main.backends._{kind}"',
        'f".backends._{kind}", "main"',
        '"main.backends._" + kind',
        '"main.backends._%s" % kind',
        '"main.backends._{}".format(kind)',
    ],
)
def test_names_whose_end_is_computed_may_be_any_that_begin_so(reach, name):
    """As anyio imports its backends, and so httpx what it cannot do without."""
    files = {
        "main/__init__.py": f"import_module({name})\n",
        "main/backends/__init__.py": "",
        "main/backends/_one.py": "import far\n",
        "main/backends/_two.py": "import missing\n",
        "main/backends/other.py": "",
        "far.py": "",
    }
    backends = {"main.backends", "main.backends._one", "main.backends._two"}
    assert reach(files) == {"main", "far"} | backends


def test_names_in_one_module_count_where_another_of_the_package_computes_names(reach):
    """As pyzmq chooses its backend."""
    files = {
        "main/__init__.py": "from .select import pick\npick('main.fast', 'far.away', 'far')\n",
        "main/select.py": "def pick(name, *more): return import_module(name)\n",
        "main/fast.py": "",
        "main/late.py": "names = ['main.later', 'late']\n",
        "main/later.py": "",
        "far/__init__.py": "names = ['far.away']\n",
        "far/away.py": "",
    }
    assert reach(files) == {"main", "main.select", "main.fast"}
    files["main/fast.py"] = "from . import late\nimport far\n"
    assert reach(files) >= {"main.fast", "main.late", "main.later", "far"}
    assert "far.away" not in reach(files)


@pytest.mark.parametrize("name", [".asyncio.client", "main.asyncio.client.connect", ".asyncio"])
def test_lazy_names_may_be_relative_or_of_functions(reach, name):
    """As websockets and boto3 have them in strings, beside a function that imports."""
    files = {
        "main/__init__.py": f"from .lazy import lazy\nlazy('{name}')\n",
        "main/lazy.py": "def lazy(name): return import_module(name.rpartition('.')[0])\n",
        "main/asyncio/__init__.py": "",
        "main/asyncio/client.py": "",
        "main/other.py": "",
    }
    client = set() if name == ".asyncio" else {"main.asyncio.client"}
    assert reach(files) == {"main", "main.lazy", "main.asyncio"} | client


def test_what_is_for_people_counts_where_an_import_fails_without_it(reach):
    """As the client of Kubernetes cannot be imported without pydoc."""
    mention = "def f():\n    import unittest.mock\n"
    attempt = "try:\n    import unittest.mock\nexcept ImportError:\n    pass\n"
    files = {
        "main.py": "import a, b\n",
        "a.py": mention,
        "b.py": attempt,
        "unittest/__init__.py": "",
        "unittest/mock.py": "",
    }
    assert reach(files, rare={"unittest"}) == {"main", "a", "b"}
    for order in ("a, b, c", "c, b, a"):
        files |= {
            "main.py": f"import {order}\n",
            "c.py": "if True:\n    from unittest import case\n",
        }
        assert reach(files, rare={"unittest"}) == {
            "main",
            "a",
            "b",
            "c",
            "unittest",
            "unittest.mock",
        }


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("import unittest\n", True),
        ("class A:\n    import unittest\n", True),
        ("try:\n    pass\nexcept OSError:\n    import unittest\n", True),
        ("try:\n    import unittest\nfinally:\n    pass\n", True),
        ("try:\n    import unittest\nexcept ImportError as e:\n    raise OSError from e\n", True),
        ("try:\n    import unittest\nexcept ImportError:\n    unittest = None\n", False),
        ("try:\n    import unittest\nexcept* ImportError:\n    pass\n", False),
        ("with suppress(ImportError):\n    import unittest\n", False),
        ("async def f():\n    import unittest\n", False),
        ("from .unittest import x\n", False),
    ],
)
def test_an_import_that_cannot_fail_unseen_counts(reach, text, counts):
    files = {"main.py": text, "unittest.py": ""}
    assert ("unittest" in reach(files, rare={"unittest"})) is counts


@pytest.mark.parametrize(
    "line",
    [
        "read_text(__package__ + '.data', 'x.json')",
        "package = __package__ + '.data'",
        "files(f'{__name__}.data')",
    ],
)
def test_a_package_named_by_the_modules_own_name_counts(reach, line):
    """As kafka-python reads its schemas."""
    files = {"main/__init__.py": f"{line}\n", "main/data/x.json": "", "main/other/x.json": ""}
    assert reach(files) == {"main", "main.data"}


def test_a_package_named_by_its_file_is_no_package_of_its_own(reach):
    """As numpy does: "a.__init__" is a module without submodules, "a.__init__.__init__" is none."""
    files = {"main.py": "import a.__init__\n", "a/__init__.py": "import a.__init__.__init__\n"}
    assert reach(files) == {"main", "a", "a.__init__"}


def test_a_package_that_lists_its_modules_has_them_all(reach):
    files = {"main/__init__.py": "iter_modules(__path__)\n", "main/sub/x.py": "", "main/y.py": ""}
    assert reach(files) == {"main", "main.sub", "main.sub.x", "main.y"}


def test_a_star_import_follows_all(reach):
    files = {
        "main.py": "from a import *\n",
        "a/__init__.py": "__all__ = ['b']\n",
        "a/b.py": "",
        "a/c.py": "",
    }
    assert reach(files) == {"main", "a", "a.b"}


def test_entry_points_count_where_their_group_is_asked_for(reach):
    files = {"main.py": "entry_points(group='acme')\n", "a.py": "", "b.py": ""}
    assert reach(files, groups={"acme": ("a",), "other": ("b",)}) == {"main", "a"}


def test_an_extension_module_leads_to_modules_of_its_own_package(reach, tmp_path):
    files = {
        "main/__init__.py": "import main._native\n",
        "main/_native.so": "\x7fELF main.lazymain.other",
        "main/lazy.py": "",
        "main/unnamed.py": "",
    }
    assert reach(files) == {"main", "main._native", "main.lazy"}


def test_excluded_modules_stay_out_with_all_in_them(reach):
    files = {"main.py": "import a.b, c\n", "a/__init__.py": "", "a/b.py": "", "c.py": ""}
    assert reach(files, excluded=("a",)) == {"main", "c"}


def test_encodings_that_code_names_are_found():
    assert scan(b"x.decode('cp500'); open(p, encoding='big5')", PYTHON).codecs == ["cp500", "big5"]


def _append(project: Path, text: str) -> None:
    path = project / "pyproject.toml"
    path.write_text(f"{path.read_text()}\n{text}")


def test_a_project_adds_and_drops_modules(project, tmp_path):
    _append(project, '[tool.falcopy]\ninclude-modules = ["wave", "xmlrpc.*"]\n')
    _append(project, 'exclude-modules = ["concurrent.futures.process"]\n')
    result = build(project, tmp_path / "x.so")
    with zipfile.ZipFile(result.path) as archive:
        names = {name.partition("/python3")[2].partition("/")[2] for name in archive.namelist()}
    assert {"wave.pyc", "xmlrpc/client.pyc", "xmlrpc/server.pyc"} <= names
    assert "concurrent/futures/thread.pyc" in names
    assert not names & {"concurrent/futures/process.pyc", "imaplib.pyc", "nntplib.pyc"}


def test_sources_travel_along_when_asked_for_and_events_still_flow(tmp_path, monkeypatch):
    monkeypatch.setenv("FALCOPY_CACHE_DIR", str(tmp_path / "cache"))
    project = Path(__file__).parent / "projects/tiny"
    result = build(project, tmp_path / "x.so", keep_sources=True)
    with zipfile.ZipFile(result.path) as archive:
        source = archive.read("site-packages/tiny/plugin.py")
        names = set(archive.namelist())
    assert source == (project / "src/tiny/plugin.py").read_bytes()
    assert any("site-packages/tiny/__pycache__/plugin.cpython-" in name for name in names)
    assert "site-packages/tiny/plugin.pyc" not in names
    with (
        Library.load(result.path) as library,
        library.init("") as plugin,
        plugin.open("") as instance,
    ):
        assert len([plugin.extract(e, "tiny.verb") for e in instance.events()]) == 3


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('include-module = ["a"]', "unknown key 'include-module'. Did you mean include-modules"),
        ("zzz = 1", "unknown key 'zzz'. Known are: include-modules, exclude-modules"),
        ('include-modules = "a"', "is a list of module names"),
        ('exclude-modules = ["a.*"]', "'a.\\*' is none"),
    ],
)
def test_a_wrong_setting_is_told(project, line, says):
    _append(project, f"[tool.falcopy]\n{line}\n")
    with pytest.raises(ProjectError, match=says):
        build(project)


def test_a_module_that_is_excluded_but_needed_is_missed_at_build_time(project):
    _append(project, '[tool.falcopy]\nexclude-modules = ["sqlite3"]\n')
    with pytest.raises(PluginLoadError, match="sqlite3"):
        build(project)


def test_a_project_for_another_python_is_refused(project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace(">=3.11", ">=3.99"))
    with pytest.raises(ProjectError, match=r"requires-python is >=3\.99, and this build runs with"):
        build(project)


def test_what_an_extension_module_imports_is_asked_anew_once_it_is_there(
    compile_c, tmp_path, monkeypatch
):
    """A dependency that was missing from the lock is added to it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "native.c"
    source.write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "native" };\n'
        "PyMODINIT_FUNC PyInit_native(void)\n"
        '{\n    if (PyImport_ImportModule("helper") == NULL) { PyErr_Clear(); }\n'
        "    return PyModule_Create(&module);\n}\n"
    )
    include = f"-I{sysconfig.get_path('include')}"
    # Python's own header is not clean of all warnings.
    library = compile_c("native.so", [source], "-shared", "-fPIC", "-Wno-error", include)
    site = tmp_path / "site"
    site.mkdir()
    native = Path(shutil.copyfile(library, site / "native.so"))
    python = interpreter.here()
    path = [python.stdlib, python.dynload, site]

    def loaded():
        module = Module("native", None, native, ())
        return trace.loaded_with([module], path, python, lambda file: file.name)

    assert {"native"} == loaded() & {"native", "helper"}
    (site / "helper.py").write_text("")
    assert {"native", "helper"} == loaded() & {"native", "helper"}
