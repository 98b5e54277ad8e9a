"""Prints what the plugin costs, beside what it is compared with, measured in one run.

    python tests/bench [libk8saudit-aks.so]

Ratios count, not absolute figures: both sides of each were measured on the same machine within
the same minute. Budgets are those of docs/architecture.md.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parent))

from common import GCC, HERE, REPOSITORY, SHARED, field_arguments

STUB = REPOSITORY / "tests/host/stubs/good.c"
EVENTS = 20_000


def compile_c(folder: Path) -> tuple[Path, Path, Path]:
    """Build the driver as a program and as a library, and the C stub plugin."""
    driver, library, stub = folder / "driver", folder / "driver.so", folder / "libstub.so"
    source = str(HERE / "driver.c")
    subprocess.run([*GCC, source, "-o", str(driver)], check=True)
    subprocess.run([*GCC, *SHARED, "-DDRIVER_LIBRARY", source, "-o", str(library)], check=True)
    subprocess.run([*GCC, *SHARED, str(STUB), "-o", str(stub)], check=True)
    return driver, library, stub


def drive(
    driver: Path, plugin: Path, config: str, params: str, events: int, fields: list[str], **env: str
) -> dict[str, Any]:
    """Run the driver in a process of its own."""
    run = subprocess.run(
        [str(driver), str(plugin), config, params, str(events), *fields],
        check=True,
        capture_output=True,
        text=True,
        env=env or None,
    )
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def drive_class(
    library: Path, ref: str, params: str, events: int, fields: list[str]
) -> dict[str, Any]:
    """Run the driver in this process on a class; ctypes lets go of the GIL meanwhile."""
    from falcopy_sdk.runtime import _bridge

    bench = ctypes.CDLL(str(library)).bench_bridge
    bench.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    words = ["driver", "-", "", params, str(events), *fields]
    argv = (ctypes.c_char_p * len(words))(*[w.encode() for w in words])
    out = ctypes.create_string_buffer(1024)
    if bench(_bridge.table_address(), ref.encode(), len(words), argv, out, len(out)) != 0:
        raise SystemExit(f"the driver failed on {ref}")
    result: dict[str, Any] = json.loads(out.value)
    return result


def row(name: str, measured: str, compared: str, ratio: str, budget: str) -> None:
    """Print one line of the table."""
    print(f"{name:<46} {measured:>14} {compared:>22} {ratio:>9}   {budget}", flush=True)


def bench_fields(folder: Path, library: Path, stub: Path, driver: Path) -> None:
    """Field calls and the source thread's share, against a C stub and orjson."""
    import audit

    from falcopy_sdk import plugin_spec

    order = [f.name for f in plugin_spec(audit.Audit).fields]
    fields = field_arguments(audit.FIELDS, order)
    ref = "audit:Audit"
    ours = drive_class(library, ref, str(EVENTS + 4096), EVENTS, fields)
    bare = drive_class(library, ref, str(EVENTS + 4096), EVENTS, [])
    c_stub = drive(driver, stub, "", "forever", EVENTS, ["stub.num:0"])

    row(
        "field call, memo hit",
        f"{ours['hit_ns']:.0f} ns",
        f"C stub {c_stub['hit_ns']:.0f} ns",
        f"{ours['hit_ns'] / c_stub['hit_ns']:.1f}x",
        "<= 40 ns",
    )
    row(
        "first call of an event from elsewhere (30 fields)",
        f"{ours['miss_us']:.1f} us",
        f"C stub {c_stub['miss_us'] * len(fields):.1f} us",
        f"{ours['miss_us'] / (c_stub['miss_us'] * len(fields)):.0f}x",
        "-",
    )
    row(
        "field call beside a busy source, p99.9",
        f"{ours['p999_ns'] / 1000:.1f} us",
        f"p50 {ours['p50_ns']:.0f} ns",
        "",
        "<= 50 us",
    )

    loads = []
    for _ in range(7):
        start = time.process_time()
        for _ in range(5000):
            orjson.loads(audit.EVENT)
        loads.append((time.process_time() - start) / 5000 * 1e6)
    decode = statistics.median(loads)
    spent = ours["cpu_us_per_event"] - bare["cpu_us_per_event"]
    row(
        f"decode + 30 fields of {len(audit.EVENT)} bytes, source thread",
        f"{spent:.1f} us",
        f"orjson.loads {decode:.1f} us",
        f"{spent / decode:.2f}x",
        "<= 1.5x",
    )
    row("an event without fields, source to host", f"{bare['us_per_event']:.2f} us", "", "", "-")


def bench_bundle(driver: Path, bundle: Path, folder: Path) -> None:
    """Load times, memory and size of the built plugin."""
    config = json.dumps(
        {
            "event_hub_name": "audit",
            "event_hub_namespace_connection_string": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;"
            "UseDevelopmentEmulator=true",
        }
    )
    import audit

    replay = folder / "events.jsonl"
    replay.write_bytes((audit.EVENT + b"\n") * (EVENTS + 4096))
    env = {"FALCOPY_CACHE_DIR": str(folder / "cache")}
    Path(env["FALCOPY_CACHE_DIR"]).mkdir()
    from k8saudit_aks.plugin import K8sAuditAks

    from falcopy_sdk.declare.plugin import plugin_spec

    fields = field_arguments(audit.FIELDS, [f.name for f in plugin_spec(K8sAuditAks).fields])
    first = drive(driver, bundle, config, f"file://{replay}", 1, fields, **env)
    later = [
        drive(driver, bundle, config, f"file://{replay}", 1, fields, **env)["init_s"]
        for _ in range(5)
    ]
    stream = drive(driver, bundle, config, f"file://{replay}", EVENTS, fields, **env)
    row("first load (unpack + init)", f"{first['init_s']:.2f} s", "", "", "<= 2.0 s")
    row("later loads", f"{statistics.median(later):.2f} s", "", "", "<= 0.6 s")
    row(
        "memory added to the host by load and init",
        f"{stream['rss_init_mb']:.0f} MB",
        "",
        "",
        "<= 80 MB",
    )
    row(f"memory after {EVENTS} events", f"{stream['rss_end_mb']:.0f} MB", "", "", "-")
    row(
        "replay of audit events with 30 fields each",
        f"{1e6 / stream['us_per_event']:,.0f} /s",
        f"{stream['cpu_us_per_event']:.1f} us CPU each",
        "",
        "-",
    )
    row("size of the .so", f"{bundle.stat().st_size / 1e6:.1f} MB", "", "", "<= 60 MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "bundle", nargs="?", type=Path, default=REPOSITORY / "dist/libk8saudit-aks.so"
    )
    bundle = parser.parse_args().bundle
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        driver, library, stub = compile_c(folder)
        row("what", "measured", "beside", "ratio", "budget")
        bench_fields(folder, library, stub, driver)
        if bundle.exists():
            bench_bundle(driver, bundle.resolve(), folder)
        else:
            print(f"no {bundle}: run `falcopy build k8saudit_aks` for the figures of the bundle")


if __name__ == "__main__":
    main()
