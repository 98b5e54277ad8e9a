"""Replays a file once: what ``file:///path`` as open parameters asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from falcopy_sdk import Batch
from falcopy_sdk.exceptions import SourceFatal
from k8saudit_aks.rejects import LinePlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from falcopy_sdk import Event
    from k8saudit_aks.records import RecordReader

__all__ = ["path_of", "replay"]

#: Bytes of a line. Event Hubs takes bodies of at most 20 MB, on clusters with large messages.
MAX_LINE = 32 << 20
_BATCH_EVENTS = 256


def path_of(params: str) -> str:
    """The absolute path in ``file:///path``, percent-encoding undone.

    Raises:
        SourceFatal: ``params`` names another host, or no absolute path.
    """
    url = urlsplit(params)
    path = unquote(url.path)
    if url.netloc not in ("", "localhost") or not path.startswith("/"):
        raise SourceFatal(
            f"open_params: {params} names no file of this machine; expected file:///absolute/path"
        )
    return path


def replay(path: str, reader: RecordReader) -> Iterator[Batch]:
    """Batches of the events in a file of JSON lines, in order.

    A line is an audit event, an ``EventList``, an array of these, or the body of an Event Hubs
    event. Empty lines are skipped; what cannot be read is counted, logged and passed over.

    Args:
        path: Of the file; opened here, read as the batches are asked for.
        reader: Turns lines into events.

    Raises:
        SourceFatal: the file cannot be opened, or later not be read.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed by the generator
    except OSError as error:
        raise _unreadable(path, error) from error
    return _batches(file, path, reader)


def _batches(file: BinaryIO, path: str, reader: RecordReader) -> Iterator[Batch]:
    with file:
        try:
            events: list[Event] = []
            for number, line in _lines(file):
                place = LinePlace(path, number)
                if line is None:
                    reader.too_long(place, f"longer than {MAX_LINE} bytes")
                else:
                    events.extend(reader.read_line(line, place))
                if len(events) >= _BATCH_EVENTS:
                    yield Batch(events)
                    events = []
            if events:
                yield Batch(events)
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> SourceFatal:
    return SourceFatal(f"open_params: cannot read {path}: {error.strerror}")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines without their ends; None for one that is too long."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif stripped := line.strip():
            yield number, stripped
