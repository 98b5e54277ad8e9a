"""Every kind of trouble, provoked: its metric rises, it has one line, and the stream goes on."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks.fault import Fault
from k8saudit_aks.metrics import collect

from falcopy_sdk import Secret
from falcopy_sdk.testing.eventhubs import Emulator, conditions

from .faultproxy import FaultProxy
from .standins import Authority

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CA = Authority()


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


@dataclass
class Scene:
    """What a trouble may be made of."""

    stack: AsyncExitStack
    live: Any
    container: Any
    quick: Any
    eventually: Any

    async def emulator(self, **options: Any) -> Emulator:
        return await self.stack.enter_async_context(Emulator({"audit": 1}, **options))

    async def proxy(self, emulator: Emulator) -> tuple[FaultProxy, dict[str, Any]]:
        """One before the emulator, and the key that leads there."""
        proxy = await self.stack.enter_async_context(FaultProxy(emulator.port))
        there = emulator.connection_string().replace(str(emulator.port), str(proxy.port))
        return proxy, {"event_hub_namespace_connection_string": Secret(there)}

    async def host(self, emulator: Emulator, **keys: Any) -> Any:
        emulator.append("audit", body("first"))
        return await self.stack.enter_async_context(self.live(emulator, **keys))

    async def reading(self, emulator: Emulator, **keys: Any) -> Any:
        """A host that has its first event."""
        host = await self.host(emulator, **keys)
        await host.until(lambda host: host.ids == ["first"])
        return host


async def unresolved(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    nowhere = emulator.connection_string().replace("127.0.0.1", "no-such-namespace.invalid")
    keys = {"event_hub_namespace_connection_string": Secret(nowhere)}
    return await scene.host(emulator, **keys), None


async def unreachable(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    host = await scene.reading(emulator)
    emulator.stop_listening()
    emulator.faults.abort_connections()
    return host, emulator.resume_listening


async def timeout(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    proxy, keys = await scene.proxy(emulator)
    proxy.frozen = True
    host = await scene.host(emulator, timing=replace(scene.quick, look_up=2.0), **keys)

    async def thaw() -> None:
        proxy.frozen = False

    return host, thaw


async def untrusted(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator(tls=CA.server())
    return await scene.host(emulator, custom_endpoint=emulator.custom_endpoint), None


async def refused(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    wrong = Secret(emulator.connection_string(key="d3Jvbmcga2V5"))
    host = await scene.host(emulator, event_hub_namespace_connection_string=wrong)

    async def rotate() -> None:
        emulator.faults.revoke_key("d3Jvbmcga2V5")

    return host, rotate


async def no_hub(scene: Scene) -> tuple[Any, Any]:
    return await scene.host(await scene.emulator(), event_hub_name="audits"), None


async def no_group(scene: Scene) -> tuple[Any, Any]:
    return await scene.host(await scene.emulator(), consumer_group="falco"), None


async def throttled(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    host = await scene.reading(emulator)
    busy = emulator.faults.refuse_links(
        conditions.SERVER_BUSY, "The request was throttled.", kind="consumer", manner="detach"
    )
    emulator.faults.detach(conditions.SERVER_BUSY, kind="consumer")

    async def calm() -> None:
        emulator.faults.withdraw(busy)

    return host, calm


async def stolen(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    host = await scene.reading(emulator)
    emulator.faults.detach(conditions.LINK_STOLEN, kind="consumer")
    return host, None


async def moved(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    host = await scene.reading(emulator, **scene.container.config())
    name = f"{emulator.fully_qualified_namespace}/audit/$default/ownership/0"
    blob = scene.container.service.get_blob_client(scene.container.name, name)
    await scene.eventually(blob.exists)
    blob.set_blob_metadata({"ownerid": "somebody-else"})
    return host, None


async def silent(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    host = await scene.reading(emulator)
    held = emulator.faults.hold_events()
    emulator.append("audit", body("held"))

    async def let_go() -> None:
        emulator.faults.withdraw(held)

    return host, let_go


async def store(scene: Scene) -> tuple[Any, Any]:
    emulator = await scene.emulator()
    host = await scene.reading(emulator, **scene.container.config())
    scene.container.service.delete_container(scene.container.name)
    return host, None


async def other(scene: Scene) -> tuple[Any, Any]:
    """Whatever listens there, it is no Event Hubs."""
    emulator = await scene.emulator()
    proxy, keys = await scene.proxy(emulator)
    proxy.greeting = b"220 mail.example ESMTP\r\n"
    host = await scene.host(emulator, **keys)

    async def repair() -> None:
        proxy.greeting = None

    return host, repair


#: For each what provokes it, the host then, and what ends it again if that is anything.
SCENES: dict[Fault, tuple[Callable[[Scene], Awaitable[tuple[Any, Any]]], str]] = {
    Fault.UNRESOLVED: (unresolved, "the name no-such-namespace.invalid does not resolve"),
    Fault.UNREACHABLE: (unreachable, "cannot be reached"),
    Fault.TIMEOUT: (timeout, "did not answer in time"),
    Fault.UNTRUSTED: (untrusted, "has a certificate that is not trusted"),
    Fault.REFUSED: (refused, "refused the credentials of event_hub_namespace_connection_string"),
    Fault.NO_HUB: (no_hub, "has no event hub audits; check event_hub_name"),
    Fault.NO_GROUP: (no_group, "consumer group falco exists"),
    Fault.THROTTLED: (throttled, "is throttling"),
    Fault.STOLEN: (stolen, "another reader of consumer group $Default took the partition"),
    Fault.MOVED: (moved, "partition 0 of audit moved to another reader"),
    Fault.SILENT: (silent, "looks well and brings nothing"),
    Fault.STORE: (store, "checkpoint store: container"),
    Fault.OTHER: (other, "Trying again"),
}


def test_each_fault_is_provoked() -> None:
    assert SCENES.keys() == set(Fault)


# The Azure client leaves connections to peers that froze to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", SCENES, ids=lambda fault: fault.value)
def test_a_fault_is_counted_told_once_and_survived(
    fault: Fault,
    live: Any,
    container: Any,
    quick: Any,
    eventually: Any,
    logged: Any,
) -> None:
    provoke, sentence = SCENES[fault]

    async def run() -> None:
        async with AsyncExitStack() as stack:
            host, cure = await provoke(Scene(stack, live, container, quick, eventually))

            def metric() -> int:
                return int(collect(host.stats, host.stream)[f"n_faults_{fault.value}"].value)

            # Those that happen once stay at that.
            often = 1 if fault in {Fault.STOLEN, Fault.MOVED, Fault.SILENT} else 3
            await eventually(lambda: metric() >= often, 40)
            await eventually(lambda: bool(logged(sentence)))
            # Of a partition's link, and of the hub or the store; one more if it worked in between.
            places = Counter(line.startswith("partition 0: ") for line in logged(sentence))
            relapses = len(logged("receiving again") + logged("receiving from audit again"))
            assert max(places.values()) <= 1 + relapses, logged()
            if cure:
                await cure()
                await host.until(lambda host: "first" in host.ids, 30)

    asyncio.run(run())
    # Here, where it is expected, and not in the middle of another test.
    gc.collect()
