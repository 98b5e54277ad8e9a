"""Runs programs in the Debian sid chroot that ``prepare.sh`` makes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Where the test's own folder appears inside.
FILES = "/mnt"

# Mounts live in a namespace that dies with the program: nothing to unmount, nothing can leak. The
# system is read-only, so that tests can run side by side and leave no trace in it; what the caller
# wants writable is the test's folder and, unless it says otherwise, an empty /tmp.
_ENTER = """
root=$1; files=$2; tmp=$3; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$files" "$root/mnt"
case $tmp in
    writable) mount -t tmpfs tmpfs "$root/tmp" ;;
    nothing) mount -o remount,bind,ro "$root/mnt" ;;
esac
exec chroot "$root" "$@"
"""


class UnavailableError(Exception):
    """The real hosts cannot run here; the text says what is missing."""


@dataclass(frozen=True)
class Finished:
    """What a program in the chroot has printed and returned."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Chroot:
    """The chroot and how to start a program in it."""

    root: Path

    @classmethod
    def find(cls) -> Chroot:
        """Returns the prepared chroot.

        Raises:
            UnavailableError: no root rights, or nobody has run ``prepare.sh``.
        """
        if os.geteuid() != 0:
            raise UnavailableError("chroot needs root")
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(os.environ.get("FALCOPY_CHROOT") or Path(cache) / "falcopy" / "sid")
        if not (root / "opt" / "falcopy-ready").is_file():
            raise UnavailableError(f"no chroot in {root}; tests/real_hosts/prepare.sh makes one")
        tried = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "true"],
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.returncode:
            raise UnavailableError(f"no mount namespace of its own here: {tried.stderr.strip()}")
        return cls(root)

    def start(
        self,
        command: list[str],
        files: Path,
        *,
        env: dict[str, str] | None = None,
        writable: bool = True,
    ) -> subprocess.Popen[str]:
        """Starts a program; the process that is returned is the program itself.

        Args:
            command: program and arguments, as inside the chroot.
            files: a folder of this machine that the program sees as ``/mnt``, its home as well.
            env: variables beside PATH, HOME and LC_ALL.
            writable: False: nothing at all is writable inside, not even ``/tmp``.
        """
        enter = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-euc", _ENTER]
        tmp = "writable" if writable else "nothing"
        return subprocess.Popen(
            [*enter, "sh", str(self.root), str(files), tmp, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": FILES,
                "LC_ALL": "C.UTF-8",
                **(env or {}),
            },
        )

    def run(
        self,
        command: list[str],
        files: Path,
        *,
        env: dict[str, str] | None = None,
        writable: bool = True,
        timeout: float = 60,
    ) -> Finished:
        """Runs a program to its end; see :meth:`start`.

        Raises:
            AssertionError: it has not ended after ``timeout`` seconds; with what it printed.
        """
        process = self.start(command, files, env=env, writable=writable)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(
                f"{command[0]} did not end within {timeout} s\n{stdout}\n{stderr}"
            ) from None
        return Finished(process.returncode, stdout, stderr)


def interrupt(process: subprocess.Popen[str], timeout: float = 30) -> Finished:
    """Presses Ctrl-C and waits for the end."""
    process.send_signal(signal.SIGINT)
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError(
            f"still running {timeout} s after SIGINT\n{stdout}\n{stderr}"
        ) from None
    return Finished(process.returncode, stdout, stderr)


def copy_alone(library: Path, folder: Path) -> Path:
    """Copies the one file that reaches a user, and nothing beside it, into an empty folder."""
    folder.mkdir(parents=True)
    return Path(shutil.copy(library, folder))
