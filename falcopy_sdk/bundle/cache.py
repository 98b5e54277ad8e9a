"""Results of build steps, kept for the user's next build, named by the hash of their inputs.

Everything lies in ``$XDG_CACHE_HOME/falcopy`` (XDG Base Directory Specification). It may be emptied
at any time; where it cannot be written to, a build does all its work itself.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from falcopy_sdk.bundle import links, room
from falcopy_sdk.exceptions import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    *("KEPT", "Folders", "Store", "digest", "home", "own_code", "stamp", "stamps", "store"),
    "tidy",
]

_Found = TypeVar("_Found")

_log = logging.getLogger(__name__)

#: Of each kind of folders, as many as were used last stay.
KEPT: Final = 12
_DAY: Final = 24 * 3600.0
#: Small files unused for so long go; a look at all of them is worth its time once a day.
_UNUSED_DAYS: Final = 30
_PARTIAL: Final = ".partial-"


def home() -> Path:
    """The folder of all that is kept."""
    return _home(os.environ.get("XDG_CACHE_HOME", ""), os.environ.get("HOME", ""))


@functools.lru_cache(maxsize=16)
def _home(base: str, _user: str) -> Path:
    parent = Path(base) if base.startswith("/") else Path("~/.cache").expanduser()
    return parent / "falcopy"


def digest(*parts: object) -> str:
    """A key: sha256 in hex of what the parts say; no two lists of parts give the same."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        hashed.update(b"%d:" % len(data) + data)
    return hashed.hexdigest()


@functools.cache
def own_code(*names: str) -> str:
    """Hash of modules of this package: what other code has made is not taken."""
    folder = Path(__file__).parent
    return digest(*((folder / f"{name}.py").read_bytes() for name in names))


def stamps(paths: Iterable[Path]) -> list[list[object]]:
    """What tells whether files have changed, as make has it: their names, sizes and times."""
    return [stamp(path) for path in sorted(paths)]


def stamp(path: str | Path) -> list[object]:
    """The same of one file; it need not be there."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return [str(path), -1, -1]
    return [str(path), status.st_size, status.st_mtime_ns]


def store(kind: str) -> Store:
    """The small files of a kind; looked for once, since a build asks thousands of times."""
    return _stores(home(), kind)


@functools.lru_cache(maxsize=16)
def _stores(_where: Path, kind: str) -> Store:
    return Store(kind)


class Store:
    """Small files."""

    def __init__(self, kind: str) -> None:
        self._folder = _made(home() / kind)

    def get(self, key: str) -> bytes | None:
        """What was stored under the key, or None."""
        return self._used(key, lambda path: path.read_bytes())

    def link(self, key: str, target: Path) -> bool:
        """Has ``target`` be what was stored under the key, if there is something.

        It may be the stored file itself, so that nobody may write into it.
        """
        return self._used(key, lambda path: links.link(path, target)) is not None

    def put(self, key: str, data: bytes) -> None:
        """Stores data whole or not at all: another build may look at the same time."""
        if self._folder is None:
            return
        target = self._folder / key[:2] / key
        try:
            target.parent.mkdir(exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o444)
            Path(file.name).replace(target)
        except OSError as error:
            self._give_up(error)

    def _used(self, key: str, use: Callable[[Path], _Found]) -> _Found | None:
        if self._folder is None:
            return None
        path = self._folder / key[:2] / key
        try:
            found = use(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._give_up(error)
            return None
        # Of somebody else's, or of one that is just gone: it was used all the same.
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _DAY:
                os.utime(path)
        return found

    def _give_up(self, error: OSError) -> None:
        _log.debug("no build cache in %s: %s", self._folder, error)
        self._folder = None


class Folders:
    """Folders, never changed once they are there. A lock keeps one that is in use from going."""

    def __init__(self, kind: str, kept: int = KEPT) -> None:
        self._folder = _made(home() / kind)
        self._kept = kept

    @contextlib.contextmanager
    def get(self, key: str, make: Callable[[Path], None]) -> Iterator[Path]:
        """The folder of that key, made if there is none; it stays as long as the context.

        Args:
            key: hash of all that ``make`` depends on.
            make: fills an empty folder, elsewhere if there is no room here. Its other errors pass,
                and leave nothing behind.
        """
        held = None if self._folder is None else self._held(self._folder, key, make)
        if self._folder is None or held is None:
            with tempfile.TemporaryDirectory(prefix="falcopy-") as scratch:
                make(Path(scratch))
                yield Path(scratch)
            return
        target = self._folder / key
        try:
            os.utime(target)
            yield target
        finally:
            os.close(held)

    def _held(self, parent: Path, key: str, make: Callable[[Path], None]) -> int | None:
        """A lock on the folder of that key, which is there then; None: there is no room for it."""
        target = parent / key
        while (held := _hold(target)) is None:
            try:
                self._make(parent, target, make)
            except (OSError, BuildError) as error:
                if not room.is_full(error):
                    raise
                _log.debug("no room for %s: %s", target, error)
                return None
            self._tidy(key)
        return held

    def _make(self, parent: Path, target: Path, make: Callable[[Path], None]) -> None:
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=parent))
        own = _hold(partial)
        if own is None:
            return  # taken for a leftover by another build, before the lock was there: once more
        try:
            make(partial)
            _rename(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            os.close(own)

    def has(self, key: str) -> bool:
        """Whether that folder is there, for the moment."""
        return self._folder is not None and (self._folder / key).is_dir()

    def drop(self, key: str) -> None:
        """Removes that folder, unless it is in use."""
        if self._folder is not None:
            _remove_unused(self._folder / key)

    def _tidy(self, used: str) -> None:
        if self._folder is None:
            return
        entries = [path for path in self._folder.iterdir() if path.name != used]
        entries.sort(key=_last_used, reverse=True)
        whole = [path for path in entries if not path.name.startswith(_PARTIAL)]
        for path in [*whole[self._kept - 1 :], *(p for p in entries if p not in whole)]:
            _remove_unused(path)


def tidy() -> None:
    """Removes small files that no build has used for a month; looks at most once a day."""
    stamp = home() / "tidied"
    if time.time() - _last_used(stamp) < _DAY:
        return
    try:
        stamp.touch()
    except OSError as error:
        _log.debug("no build cache: %s", error)
        return
    oldest = time.time() - _UNUSED_DAYS * _DAY
    for path in home().glob("*/??/*"):
        with contextlib.suppress(OSError):  # gone already, by another build's hand
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()


def _made(folder: Path) -> Path | None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _log.debug("no build cache in %s: %s", folder, error)
        return None
    return folder if os.access(folder, os.W_OK) else None


def _rename(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:  # then another build was faster
            raise


def _hold(folder: Path) -> int | None:
    """A shared lock on the folder; None: it is not there (any more)."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    fcntl.flock(held, fcntl.LOCK_SH)
    try:
        if os.path.samestat(os.fstat(held), folder.stat()):
            return held
    except OSError:
        pass
    os.close(held)
    return None


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove_unused(folder: Path) -> None:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under a name that nobody asks for: never half of a folder under its own.
        aside = folder.with_name(f"{_PARTIAL}gone-{os.getpid()}-{time.monotonic_ns()}")
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        _log.debug("%s stays: %s", folder, error)
    finally:
        os.close(held)
