"""The reference plugin replays a file in real hosts, and captures of it are read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .hosts import FILES, Plugin, Strato, Sysdig, dissected, messages, printed

if TYPE_CHECKING:
    from pathlib import Path

    from .chroot import Chroot
    from .conftest import Samples

pytestmark = pytest.mark.real_host

PARAMS = f"file://{FILES}/audit.jsonl"


@pytest.fixture
def audit_file(samples: Samples, tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"
    samples.write_lines(file)
    return file


@pytest.fixture
def capture(sysdig: Sysdig, k8saudit_aks: Plugin, audit_file: Path) -> str:
    """The name of a capture that sysdig wrote."""
    done = sysdig.run([(k8saudit_aks, "{}")], PARAMS, [], "-q", "-w", f"{FILES}/audit.scap")
    assert done.returncode == 0, messages(done)
    return "audit.scap"


def test_there_is_no_python_where_the_hosts_run(chroot: Chroot, tmp_path: Path) -> None:
    script = (
        "! command -v python3 python && ! ls /usr/lib/python3* 2>/dev/null "
        "&& ! ls /usr/lib/*/libpython* 2>/dev/null"
    )
    assert chroot.run(["/bin/sh", "-c", script], tmp_path).returncode == 0


def test_sysdig_prints_every_expected_field_of_every_sample(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, audit_file: Path
) -> None:
    done = sysdig.run([(k8saudit_aks, "")], PARAMS, ["ka.auditid", *samples.fields])
    assert done.returncode == 0, messages(done)
    samples.check(printed(done.stdout))
    assert messages(done) == ""


def test_a_later_load_uses_what_the_first_has_unpacked(
    sysdig: Sysdig, k8saudit_aks: Plugin, audit_file: Path, tmp_path: Path
) -> None:
    def load() -> dict[str, int]:
        done = sysdig.run([(k8saudit_aks, "")], PARAMS, ["ka.verb"], "-n", "1")
        assert len(printed(done.stdout)) == 1, messages(done)
        folders = [path for path in (tmp_path / "plugins").iterdir() if path.is_dir()]
        return {folder.name: folder.stat().st_ino for folder in folders}

    first = load()
    assert len(first) == 1
    assert load() == first


def test_sysdig_filters_with_the_fields(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, audit_file: Path
) -> None:
    condition = "ka.verb = create and ka.target.resource = pods and ka.target.subresource = exec"
    done = sysdig.run([(k8saudit_aks, "")], PARAMS, ["ka.auditid"], condition)
    assert [event["ka.auditid"] for event in printed(done.stdout)] == [
        audit_id
        for audit_id, event in samples.expected.items()
        if event["ka.target.subresource"] == "exec"
    ]


def test_sysdig_filters_with_a_list_field(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, audit_file: Path
) -> None:
    condition = "ka.req.pod.containers.image intersects (docker.io/library/alpine:3.20, other)"
    done = sysdig.run([(k8saudit_aks, "")], PARAMS, ["ka.auditid"], condition)
    assert [event["ka.auditid"] for event in printed(done.stdout)] == [
        audit_id
        for audit_id, event in samples.expected.items()
        if "docker.io/library/alpine:3.20" in (event["ka.req.pod.containers.image"] or ())
    ]


def test_sysdig_ends_after_the_number_of_events_it_was_told(
    sysdig: Sysdig, k8saudit_aks: Plugin, audit_file: Path
) -> None:
    done = sysdig.run([(k8saudit_aks, "")], PARAMS, ["ka.verb"], "-n", "3")
    assert (done.returncode, len(printed(done.stdout))) == (0, 3), messages(done)


def test_sysdig_tells_the_schema_and_the_open_parameters(
    sysdig: Sysdig, k8saudit_aks: Plugin
) -> None:
    done = sysdig.run([(k8saudit_aks, "")], None, [], "--plugin-info", "k8saudit-aks")
    assert done.returncode == 0, messages(done)
    assert "event_hub_namespace_connection_string" in done.stdout
    assert "Suggested open params" in done.stdout


def test_sysdig_finds_the_plugin_in_its_plugin_folder(
    chroot: Chroot, k8saudit_aks: Plugin, audit_file: Path, tmp_path: Path
) -> None:
    # Twice: the second time the folder also holds what the first has unpacked.
    for _ in range(2):
        host = Sysdig(chroot, tmp_path, env={"SYSDIG_PLUGIN_DIR": f"{FILES}/plugins"})
        command = ["sysdig", "-I", f"k8saudit-aks:{PARAMS}", "-p", "%ka.verb", "-n", "1"]
        done = host.chroot.run(command, tmp_path, env=host.env)
        assert (done.returncode, done.stdout) == (0, "create\n"), done.stderr


def test_a_capture_reads_back_the_same_in_sysdig(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, capture: str
) -> None:
    fields = ["ka.auditid", *samples.fields]
    done = sysdig.run([(k8saudit_aks, "")], None, fields, "-r", f"{FILES}/{capture}")
    assert done.returncode == 0, messages(done)
    samples.check(printed(done.stdout))


def test_a_capture_reads_back_the_same_in_stratoshark(
    strato: Strato, k8saudit_aks: Plugin, samples: Samples, capture: str
) -> None:
    # It has neither list fields nor arguments.
    fields = ["ka.auditid", "ka.verb", "ka.user.name", "ka.target.resource"]
    done = strato.read([k8saudit_aks], capture, fields)
    assert done.returncode == 0, done.stderr
    events = dissected(done.stdout)
    assert {event["ka.auditid"]: event for event in events} == {
        audit_id: {"ka.auditid": audit_id}
        | {f: event[f] for f in fields[1:] if event[f] is not None}
        for audit_id, event in samples.expected.items()
    }
    assert len(events) == len(samples.expected)


def test_a_body_that_cannot_be_read_costs_no_other_event(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, tmp_path: Path
) -> None:
    mixed = [
        body for pair in zip(samples.passed_over, samples.bodies, strict=False) for body in pair
    ]
    rest = samples.bodies[len(samples.passed_over) :]
    samples.write_lines(tmp_path / "audit.jsonl", (*mixed, *rest))
    fields = ["ka.auditid", *samples.fields]
    done = sysdig.run([(k8saudit_aks, "")], PARAMS, fields, "-D", "--log-level=debug")
    assert done.returncode == 0, messages(done)
    samples.check(printed(done.stdout))
    assert "audit.jsonl line 1" in messages(done)


def test_an_empty_configuration_in_every_form_is_none(
    sysdig: Sysdig, k8saudit_aks: Plugin, audit_file: Path
) -> None:
    for config in ("", "{}", json.dumps(None)):
        done = sysdig.run([(k8saudit_aks, config)], PARAMS, ["ka.verb"], "-n", "1")
        assert (done.returncode, len(printed(done.stdout))) == (0, 1), messages(done)
