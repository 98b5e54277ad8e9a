"""Checkpoints in a SQLite file of this machine, for one Falco.

A checkpoint is one transaction, and on the disk before it counts as written: neither ``kill -9``
nor a loss of power leaves half of one. SQLite's exclusive lock, which ends with the process, keeps
a second reader of the same file away ("File locking and concurrency", sqlite.org).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

from falcopy_sdk.exceptions import SourceFatal
from k8saudit_aks.progress import Position
from k8saudit_aks.store import Group, Store, checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["FileStore"]

#: Seconds.
_CLOSE_TIMEOUT = 5.0
_SETUP = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = TRUNCATE;
PRAGMA synchronous = FULL;
BEGIN EXCLUSIVE;
CREATE TABLE IF NOT EXISTS checkpoint (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    "offset" TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
);
COMMIT;
"""
_UPDATE = """
INSERT OR REPLACE INTO checkpoint VALUES (:fully_qualified_namespace, :eventhub_name,
    :consumer_group, :partition_id, :offset, :sequence_number)
"""
_LIST = """
SELECT partition_id, sequence_number, "offset" FROM checkpoint
WHERE fully_qualified_namespace = ? AND eventhub_name = ? AND consumer_group = ?
"""

#: What only another configuration, or a hand, cures (https://sqlite.org/rescode.html).
_WHAT_TO_DO = {
    "SQLITE_CANTOPEN": "cannot be opened; its folder must exist and be writable for Falco",
    "SQLITE_PERM": "may not be used by Falco's user; check its permissions",
    "SQLITE_READONLY": "is not writable for Falco; check the permissions of file and folder, and "
    "whether they are mounted read-only",
    "SQLITE_NOTADB": "is no SQLite database; name another file",
    "SQLITE_CORRUPT": "is damaged; remove it, and the stream begins at starting_position",
    "SQLITE_BUSY": "is in use by another reader; give each Falco a checkpoint_file of its own, or "
    "let them share a blob container",
    "SQLITE_FULL": "cannot be written: no space left on its disk",
}
_FATAL = frozenset(
    {"SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY", "SQLITE_NOTADB", "SQLITE_CORRUPT"}
)


class FileStore(Store):
    """One file; whoever has it open owns every partition."""

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error, OSError)
    opened: ClassVar[tuple[str, ...]] = ("opened checkpoint file",)

    def __init__(self, path: Path) -> None:
        """``path`` is created, with mode 0600, when it is first reached."""
        super().__init__()
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        # SQLite waits for the disk; a thread of its own keeps the loop free and the order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="k8saudit_aks checkpoints")

    async def __aexit__(self, *raised: object) -> None:
        """Close the file, and end the thread."""
        # A disk that hangs, as one over a network may, holds the thread and not its host.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._do(self._close)
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._try, work)

    async def reach(self, group: Group) -> None:
        """Open the file, or create it, and read the positions of ``group``."""
        try:
            await self.list_checkpoints(*group)
        except self.errors as error:
            if _name(error) in _FATAL:
                raise SourceFatal(self.explain(error)) from error
            raise

    def explain(self, error: BaseException) -> str:
        """A sentence for the user."""
        where = f"checkpoint file {self._path}"
        known = _WHAT_TO_DO.get(_name(error))
        return f"{where} {known}" if known else f"{where}: {error}"

    async def update_checkpoint(self, checkpoint: dict[str, Any], **kwargs: Any) -> None:
        """Write one position; it is on the disk when this returns."""

        def write() -> None:
            with self._opened() as transaction:
                transaction.execute(_UPDATE, checkpoint)

        await self._do(write)

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """The positions of a group."""
        group = Group(fully_qualified_namespace, eventhub_name, consumer_group)
        rows = await self._do(lambda: self._opened().execute(_LIST, group).fetchall())
        self.positions = {partition: Position(number, offset) for partition, number, offset in rows}
        return [checkpoint(group, *item) for item in self.positions.items()]

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Nobody owns anything: the lock on the file says it all.

        So the client claims every partition in each of its rounds, and a process that takes the
        place of a killed one has them at once.
        """
        # Looks whether the file is still there: with quiet partitions nothing else would.
        await self._do(self._opened)
        return []

    async def claim_ownership(
        self, ownership_list: Iterable[dict[str, Any]], **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """All that is asked for."""
        return [
            {**claimed, "last_modified_time": time.time(), "etag": uuid.uuid4().hex}
            for claimed in ownership_list
        ]

    # What follows runs on the thread.

    def _try(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except self.errors:
            # The next attempt opens the file anew: it may have been removed, or mounted again.
            self._close()
            raise

    def _opened(self) -> sqlite3.Connection:
        if self._database is not None and self._identity != _identity(self._path):
            # Removed or replaced: SQLite would go on with a file that nobody finds again.
            self._close()
            self.doubtful = True
        if self._database is None:
            # SQLite itself would create the file readable for all.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            database = sqlite3.connect(self._path, timeout=0.0)
            try:
                database.executescript(_SETUP)
            except sqlite3.Error:
                database.close()
                raise
            self._database, self._identity = database, _identity(self._path)
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


#: Creating the file fails with errors of the operating system.
_NAMES = {
    errno.EACCES: "SQLITE_READONLY",
    errno.EPERM: "SQLITE_READONLY",
    errno.EROFS: "SQLITE_READONLY",
    errno.ENOSPC: "SQLITE_FULL",
    errno.EDQUOT: "SQLITE_FULL",
    errno.ENOENT: "SQLITE_CANTOPEN",
    errno.ENOTDIR: "SQLITE_CANTOPEN",
    errno.EISDIR: "SQLITE_CANTOPEN",
}


def _name(error: BaseException) -> str:
    """The primary result code: ``SQLITE_READONLY`` of ``SQLITE_READONLY_DBMOVED``."""
    if isinstance(error, OSError):
        return _NAMES.get(error.errno or 0, "")
    name: str = getattr(error, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])
