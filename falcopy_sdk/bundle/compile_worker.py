"""Compiles Python files to bytecode; run by path, with nothing of falcopy_sdk imported.

Arguments: the bundle's folder, then nothing; standard input: one relative file a line. Each
``x.py`` becomes a sourceless ``x.pyc`` beside it (importlib.machinery.SourcelessFileLoader) and is
removed. Standard output: one line ``path<TAB>message`` for each file that is no valid Python.

Bytecode is marshalled with back references to objects that are in use more than once, which counts
uses by everything else that the process has loaded (marshal.c, w_ref). So each file is compiled in
a fork of its own: its bytecode then depends on nothing but the file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys

# PEP 552: hash-based, not to be checked. A sourceless loader reads the flags only.
_FLAGS = (1).to_bytes(4, "little")


def _compile(root: str, relative: str) -> None:
    source = os.path.join(root, relative)
    with open(source, "rb") as file:
        text = file.read()
    code = compile(text, relative, "exec", dont_inherit=True, optimize=0)
    data = importlib.util.MAGIC_NUMBER + _FLAGS + bytes(8) + marshal.dumps(code)
    # Never into a file that is there: it may be one of the build cache.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(source + "c")
    with open(source + "c", "wb") as file:
        file.write(data)
    os.unlink(source)


def _in_child(root: str, relative: str) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        _compile(root, relative)
        status = 0
    except (SyntaxError, ValueError) as error:
        # Not Python of this version: a template, or a test of an error. It stays as it is.
        line = getattr(error, "lineno", None) or 0
        message = getattr(error, "msg", None) or str(error)
        print(f"{relative}\t{line}\t{message}", flush=True)
        status = 0
    finally:
        os._exit(status)


def main() -> int:
    """Returns the exit code: 0, or 1 after a failure other than wrong syntax."""
    root = sys.argv[1]
    for line in sys.stdin:
        if status := _in_child(root, line.rstrip("\n")):
            print(f"compiling {line.rstrip()} ended with {status}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
