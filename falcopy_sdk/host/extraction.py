"""Asks a plugin for the value of a field of an event, and reads the answer."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import FieldTypeCode, Rc, ffi
from falcopy_sdk.exceptions import ContractError
from falcopy_sdk.host.memory import GARBAGE64
from falcopy_sdk.host.owner import owner_last_error

if TYPE_CHECKING:
    from falcopy_sdk.host.entries import EntrySet
    from falcopy_sdk.host.events import HostEvent
    from falcopy_sdk.host.fields import FieldInfo, FieldRequest
    from falcopy_sdk.host.owner import Owner
    from falcopy_sdk.host.tables import TableHost

__all__ = ["Extractor", "Offsets", "Scalar", "Value"]

#: Times are integers in nanoseconds, as the API has them; addresses are ipaddress objects.
Scalar = str | int | bool | ipaddress.IPv4Address | ipaddress.IPv6Address
#: None: the event has no value for the field.
Value = Scalar | list[Scalar] | None
#: (start, length) in bytes of each value, from the start of the event; None: not supported.
Offsets = list[tuple[int, int]] | None

_ABSENT_INDEX = 2**64 - 1


class Extractor:
    """``extract_fields`` of one plugin state. Like a host's it is used by one thread at a time."""

    def __init__(self, entries: EntrySet, state: Any, owner: Owner, tables: TableHost) -> None:
        self._call = entries["extract_fields"]
        self._where = entries.where
        self._state = state
        self._owner = owner
        self._tables = tables
        self._event = ffi.new("ss_plugin_event_input *")
        self._field = ffi.new("ss_plugin_extract_field *")
        self._offsets = ffi.new("ss_plugin_extract_value_offsets *")
        self._input = ffi.new("ss_plugin_field_extract_input *")
        self._strings: dict[str, Any] = {}
        self._input.owner = owner.pointer
        self._input.get_owner_last_error = owner_last_error
        self._input.num_fields = 1  # one a call, as libsinsp has it (plugin_filtercheck.cpp)
        self._input.fields = self._field
        tables.fill_reader(self._input)

    def extract(self, event: HostEvent, request: FieldRequest) -> Value:
        """Returns the value of a field, None when the event has none.

        Raises:
            ContractError: the answer would crash or stop a real host.
        """
        return self._extract(event, request, False)

    def extract_with_offsets(
        self, event: HostEvent, request: FieldRequest
    ) -> tuple[Value, Offsets]:
        """Like :meth:`extract`, and asks for the byte range of each value too (API 3.11)."""
        value = self._extract(event, request, True)
        offsets = self._offsets
        if value is None or offsets.start == ffi.NULL or offsets.length == ffi.NULL:
            return value, None
        # One element a value, also where the plugin thinks of one a field: as libsinsp reads it.
        count = len(value) if isinstance(value, list) else 1
        return value, [(offsets.start[i], offsets.length[i]) for i in range(count)]

    def pointers(self, count: int) -> list[Any]:
        """The ``const char *`` of the last answer, for tests of their lifetime."""
        return [self._field.res.str[i] for i in range(count)]

    def _extract(self, event: HostEvent, request: FieldRequest, offsets: bool) -> Value:
        asked, field = request.field, self._field
        self._event.evt = event.pointer
        self._event.evtnum = event.num
        self._event.evtsrc = self._string(event.source)
        field.res.u64 = ffi.cast("uint64_t *", GARBAGE64)
        field.res_len = GARBAGE64
        field.field_id = asked.id
        field.field = self._string(asked.name)
        field.arg_key = ffi.NULL if request.key is None else self._string(request.key)
        field.arg_index = _ABSENT_INDEX if request.index is None else request.index
        field.arg_present = request.has_argument
        field.ftype = asked.type
        field.flist = 64 if asked.is_list else 0  # libsinsp passes its flag, not 1
        self._input.value_offsets = ffi.NULL
        if offsets:
            self._offsets.start = self._offsets.length = ffi.NULL
            self._input.value_offsets = self._offsets
        self._tables.phase = "extract"
        rc = self._call(self._state, self._event, self._input)
        self._tables.end()
        self._owner.reraise()
        if rc != Rc.SUCCESS:
            return None
        return self._read(asked)

    def _read(self, asked: FieldInfo) -> Value:
        count = self._field.res_len
        if count == GARBAGE64:
            raise self._broken(asked, "returned SUCCESS without writing res_len")
        if count == 0:
            return None
        if self._field.res.u64 == ffi.cast("uint64_t *", GARBAGE64):
            raise self._broken(asked, f"gave res_len {count} without writing res")
        if self._field.res.u64 == ffi.NULL:
            raise self._broken(asked, f"gave res_len {count} with a NULL res")
        if asked.is_list:
            return [self._scalar(asked, i) for i in range(count)]
        if count > 1:
            raise self._broken(asked, f"gave {count} values for a field that is no list")
        return self._scalar(asked, 0)

    def _scalar(self, asked: FieldInfo, i: int) -> Scalar:
        res = self._field.res
        match asked.type:
            case FieldTypeCode.STRING:
                if res.str[i] == ffi.NULL:
                    raise self._broken(asked, f"gave a NULL string as value {i}")
                return str(ffi.string(res.str[i]).decode(errors="replace"))
            case FieldTypeCode.BOOL:
                return bool(res.boolean[i])
            case FieldTypeCode.IPADDR | FieldTypeCode.IPNET:
                buffer = res.buf[i]
                if buffer.len not in (4, 16) or buffer.ptr == ffi.NULL:
                    raise self._broken(
                        asked, f"gave an address of {buffer.len} bytes, neither 4 nor 16"
                    )
                return ipaddress.ip_address(bytes(ffi.buffer(buffer.ptr, buffer.len)))
        return int(res.u64[i])

    def _broken(self, asked: FieldInfo, what: str) -> ContractError:
        return ContractError(f"{self._where}: extract_fields {what} (field {asked.name!r})")

    def _string(self, text: str) -> Any:
        found = self._strings.get(text)
        if found is None:
            if len(self._strings) >= 4096:  # arguments may come from data
                self._strings.clear()
            found = self._strings[text] = ffi.new("char[]", text.encode())
        return found
