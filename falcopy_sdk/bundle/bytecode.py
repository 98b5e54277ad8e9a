"""Sources to sourceless bytecode, the same bytes for the same source wherever it is compiled."""

from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import cache, links
from falcopy_sdk.exceptions import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.bundle.interpreter import Python

__all__ = ["Rejected", "compile_tree", "put_back"]

_WORKER = Path(__file__).with_name("compile_worker.py")
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that is no valid Python; it stays in the bundle as it is."""

    path: str
    line: int
    message: str


def compile_tree(root: Path, interpreter: Python) -> tuple[Rejected, ...]:
    """Replaces each ``x.py`` below ``root`` by ``x.pyc``.

    File names in tracebacks are relative to the bundle. Docstrings and assertions stay. What an
    earlier build has compiled, from the same bytes by the same Python, comes from the user's cache.

    Raises:
        BuildError: the compiler failed.
    """
    store = cache.Store("bytecode")
    made_by = f"{interpreter.version}\0{hashlib.sha256(_WORKER.read_bytes()).hexdigest()}"
    missing: dict[str, str] = {}
    for source in sorted(root.rglob("*.py")):
        relative = source.relative_to(root).as_posix()
        text = source.read_bytes()
        key = hashlib.sha256(f"{made_by}\0{relative}\0".encode() + text).hexdigest()
        if store.link(key, source.with_suffix(".pyc")):
            source.unlink()
        else:
            missing[relative] = key
    files = list(missing)
    with ThreadPoolExecutor(_WORKERS) as pool:
        shares = [files[start::_WORKERS] for start in range(_WORKERS) if files[start::_WORKERS]]
        parts = list(pool.map(lambda share: _compile(root, interpreter, share), shares))
    rejected = {file.path: file for part in parts for file in part}
    for relative, key in missing.items():
        if relative not in rejected:
            store.put(key, (root / f"{relative}c").read_bytes())
    return tuple(rejected[path] for path in sorted(rejected))


def put_back(root: Path, sources: Mapping[str, bytes], interpreter: Python) -> None:
    """Puts sources beside their bytecode, which moves to where CPython itself has it.

    It is hash-based and not to be checked (PEP 552), so that a host neither compiles nor compares.
    CPython gives such code the place of its source: tracebacks then show lines of code.
    """
    tag = "cpython-{}{}".format(*interpreter.minor)
    for name, text in sources.items():
        source = root / name
        compiled = source.with_suffix(".pyc")
        if compiled.exists():  # else it is no Python of this version, and still there
            links.place(source).write_bytes(text)
            folder = source.parent / "__pycache__"
            folder.mkdir(exist_ok=True)
            compiled.rename(folder / f"{source.stem}.{tag}.pyc")


def _compile(root: Path, interpreter: Python, files: list[str]) -> list[Rejected]:
    # -P: no script folder on sys.path. The seed fixes the order of set constants. Not -I, which
    # would make Python ignore it; the environment is empty instead.
    done = subprocess.run(
        [str(interpreter.executable), "-s", "-S", "-P", "-W", "ignore", str(_WORKER), str(root)],
        input="".join(f"{name}\n" for name in files),
        env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"compiling to bytecode failed: {done.stderr.strip()}")
    rejected = []
    for line in done.stdout.splitlines():
        path, number, message = line.split("\t", 2)
        rejected.append(Rejected(path, int(number), message))
    return rejected
