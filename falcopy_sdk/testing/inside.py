"""Running a program on the Python inside a built plugin; started by path, in a process of its own.

    python -P inside.py TASK ARGUMENT...

TASK is a JSON file (:mod:`.inner_python`): the unpacked payload, its libpython and the name of that
one's main function. The arguments are Python's: ``-m MODULE``, ``-c CODE``. The process then has
two interpreters, as a host has that is written in Python: this one waits, and what it could import
the other one finds where its bundle has nothing (:mod:`.inside_boot`).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

_BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside_boot.py")


def main() -> int:
    """Returns the program's exit code."""
    task_file, arguments = sys.argv[1], sys.argv[2:]
    with open(task_file, encoding="utf-8") as text:
        task = json.load(text)
    os.environ["PYTHONHOME"] = task["root"]
    here = {"path": sys.path, "executable": sys.executable}
    os.environ["FALCOPY_INSIDE"] = json.dumps({**task, **here})
    # It takes Ctrl-C only if nobody has: this interpreter has nothing to end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Symbols of its own names: nothing in this process gets mixed up with it.
    python = ctypes.CDLL(task["libpython"], mode=os.RTLD_LOCAL | os.RTLD_NOW)
    # -S, -s, -P: what is on sys.path inside_boot.py decides.
    words = ["python", "-S", "-s", "-P", _BOOT, *arguments]
    argv = (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None)
    return int(python[task["main"]](len(words), argv))


if __name__ == "__main__":
    # Not sys.exit: what this interpreter has is not to be cleaned up beside the other's threads.
    os._exit(main())
