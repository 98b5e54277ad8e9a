"""The files of a release's page: flat, reproducible, and with their checksums."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from building import LIBRARY, checksums, commit_time

if TYPE_CHECKING:
    from pathlib import Path

#: Beside the index, what a user pastes; falcopy package writes one of these names as well.
SNIPPETS = ("falco.yaml", "falcoctl.yaml", "values.yaml")


def collect(root: Path, built: Path, index: Path) -> Path:
    """Puts them into ``built/assets``, which the page gets as it is.

    Args:
        root: Of the repository.
        built: What ``release build`` and ``release publish`` made.
        index: falcoctl's index.yaml; its record lies beside it.

    Returns:
        The folder.
    """
    folder = built / "assets"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = [*built.glob("wheels/*.whl"), *(built / "snippets" / name for name in SNIPPETS)]
    for file in [*files, index, index.with_name(f"{index.stem}.lock.json")]:
        shutil.copyfile(file, folder / file.name)
    for library in sorted(built.glob(f"*/{LIBRARY}")):
        machine = library.parent.name
        archive(library.parent, folder / f"k8saudit-aks-linux-{machine}.tar.gz", _time(root))
    checksums(folder)
    return folder


def archive(folder: Path, target: Path, time: int) -> None:
    """Packs the contents of a folder; the same contents give the same bytes."""
    with (
        target.open("wb") as stream,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            info.size = path.stat().st_size
            info.mtime = time
            info.mode = 0o755 if path.suffix == ".so" else 0o644
            with path.open("rb") as contents:
                tar.addfile(info, contents)


def _time(root: Path) -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH") or commit_time(root))
