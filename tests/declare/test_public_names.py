import subprocess
import sys

import falcopy_sdk
from falcopy_sdk import exceptions


def test_every_public_name_exists_and_nothing_else_is_public():
    modules = {
        "declare",
        "exceptions",
        "abi",
        "runtime",
        "hooks",
        "host",
        "bundle",
        "cli",
        "oci",
        "provenance",
        "scaffold",
        "testing",
    }
    names = {name for name in vars(falcopy_sdk) if not name.startswith("_")} - modules
    assert names == set(falcopy_sdk.__all__)


def test_public_classes_call_themselves_by_their_public_path():
    classes = [getattr(falcopy_sdk, name) for name in falcopy_sdk.__all__]
    assert {cls.__module__ for cls in classes if isinstance(cls, type)} == {"falcopy_sdk"}


def test_every_exception_stands_in_the_tree_that_the_module_draws():
    drawn = [
        line.strip("│├└─ ").split()[0]
        for line in exceptions.__doc__.splitlines()
        if "Error" in line or "Source" in line
    ]
    assert sorted(drawn) == sorted(exceptions.__all__)
    for name in exceptions.__all__:
        assert issubclass(getattr(exceptions, name), exceptions.FalcopyError)


def test_importing_the_package_does_not_import_what_only_some_need():
    code = (
        "import sys, falcopy_sdk\n"
        "heavy = {'jsonschema', 'pluggy', 'click', 'cffi', 'asyncio', 'ssl'}\n"
        "heavy |= {'importlib.metadata', 'pickle'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    # -I -S would hide the package; what site imports is subtracted instead.
    base = subprocess.run(
        [sys.executable, "-c", code.replace(", falcopy_sdk", "")],
        check=True,
        capture_output=True,
        text=True,
    )
    ours = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ours.stdout == base.stdout
