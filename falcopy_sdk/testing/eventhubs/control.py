"""Orders to a stand-alone emulator, one JSON object a line, and their answers.

An order names what to ``do`` and its arguments: ``{"do": "detach", "condition":
"amqp:link:stolen", "kind": "consumer"}``. Answers are ``{"ok": true, "result": ...}`` or ``{"ok":
false, "error": "..."}``, in the order of the orders. There are the methods of `Faults`, and
``stop_listening``, ``resume_listening``, ``append`` (hub, bodies as text, partition) and
``witness``, which tells what was published and delivered.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .faults import Faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .server import Emulator

_FAULTS = frozenset(
    name for name, value in vars(Faults).items() if callable(value) and not name.startswith("_")
) - {"withdraw", "inject"}


async def obey(emulator: Emulator, line: str) -> str:
    """Carry out an order.

    Args:
        emulator: A started emulator.
        line: The order.

    Returns:
        The answer, without the end of the line.
    """
    try:
        order = json.loads(line)
        if not isinstance(order, dict) or not isinstance(order.get("do"), str):
            raise ValueError('an order is an object with a "do"')
        result = await _carry_out(emulator, order.pop("do"), order)
    except (ValueError, TypeError, LookupError, OSError) as error:
        return json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"})
    return json.dumps({"ok": True, "result": result})


async def _carry_out(emulator: Emulator, name: str, arguments: dict[str, Any]) -> object:
    if name in _FAULTS:
        result = getattr(emulator.faults, name)(**arguments)
        return result if isinstance(result, int | str) else None
    match name:
        case "stop_listening":
            emulator.stop_listening()
        case "resume_listening":
            await emulator.resume_listening()
        case "append":
            return _append(emulator, **arguments)
        case "witness":
            return _witness(emulator)
        case _:
            known = sorted({*_FAULTS, "stop_listening", "resume_listening", "append", "witness"})
            raise ValueError(f"no order is called {name!r}; there are {', '.join(known)}")
    return None


def _append(
    emulator: Emulator, hub: str, bodies: list[str], partition: str | None = None
) -> list[int]:
    events = emulator.append(hub, *(body.encode() for body in bodies), partition=partition)
    return [event.sequence_number for event in events]


def _witness(emulator: Emulator) -> Mapping[str, object]:
    witness = emulator.witness
    return {
        "hubs": {
            hub.name: {
                partition.id: partition.next_sequence_number
                for partition in hub.partitions.values()
            }
            for hub in emulator.hubs
        },
        "links": [
            {
                "id": record.id,
                "container_id": record.container_id,
                "hub": record.hub,
                "consumer_group": record.consumer_group,
                "partition": record.partition,
                "epoch": record.epoch,
                "active": record.active,
                "condition": record.condition,
                "sequence_numbers": record.sequence_numbers.tolist(),
            }
            for record in witness.links
            if record.kind == "consumer"
        ],
        "connections": len(witness.connections),
        "internal_errors": witness.internal_errors,
    }
