"""The sentence that a user of sysdig gets for each thing that can be wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .hosts import FILES, Plugin, Sysdig, messages, printed

if TYPE_CHECKING:
    from pathlib import Path

    from .chroot import Chroot
    from .conftest import Samples

pytestmark = pytest.mark.real_host

SECRET = "hunter2-not-to-be-seen"


@pytest.fixture
def params(samples: Samples, tmp_path: Path) -> str:
    samples.write_lines(tmp_path / "audit.jsonl")
    return f"file://{FILES}/audit.jsonl"


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        pytest.param(
            {"event_hub_nam": "audit"},
            ['unknown key "event_hub_nam"', 'did you mean "event_hub_name"?'],
            id="wrong-key",
        ),
        pytest.param(
            {"rate_limit_burst": "many"},
            ["rate_limit_burst", "expected a whole number", "got text"],
            id="wrong-type",
        ),
        pytest.param(
            {"event_hub_namespace_connection_string": SECRET},
            ["event_hub_namespace_connection_string is malformed", "Endpoint=sb://"],
            id="malformed-secret",
        ),
        pytest.param(
            {"starting_position": "yesterday"},
            ["starting_position", "latest, earliest"],
            id="wrong-value",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_with_key_and_expectation(
    sysdig: Sysdig, k8saudit_aks: Plugin, params: str, given: dict[str, Any], sentences: list[str]
) -> None:
    done = sysdig.run([(k8saudit_aks, json.dumps(given))], params, ["ka.verb"])
    said = messages(done)
    assert done.returncode == 1
    assert said.count("could not initialize plugin: ") == 1
    assert not [sentence for sentence in sentences if sentence not in said], said
    assert "Traceback" not in said
    assert SECRET not in said


def test_text_that_hosts_have_turned_into_a_number_is_still_text(
    sysdig: Sysdig, k8saudit_aks: Plugin, params: str
) -> None:
    given = '{"event_hub_name": 123, "consumer_group": true}'
    done = sysdig.run([(k8saudit_aks, given)], params, ["ka.verb"], "-n", "1")
    assert len(printed(done.stdout)) == 1, messages(done)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param({}, "event_hub_namespace_connection_string is missing", id="no-secret"),
        pytest.param(
            {
                "event_hub_namespace_connection_string": "Endpoint=sb://127.0.0.1/;"
                f"SharedAccessKeyName=listen;SharedAccessKey={SECRET}"
            },
            "event_hub_name is missing",
            id="no-hub",
        ),
    ],
)
def test_a_stream_without_its_secret_does_not_open_and_says_what_is_missing(
    sysdig: Sysdig, k8saudit_aks: Plugin, given: dict[str, str], sentence: str
) -> None:
    done = sysdig.run([(k8saudit_aks, json.dumps(given))], "", ["ka.verb"])
    assert printed(done.stdout) == []
    assert sentence in messages(done)
    assert SECRET not in messages(done)


def test_a_file_that_is_not_there_is_named(sysdig: Sysdig, k8saudit_aks: Plugin) -> None:
    done = sysdig.run([(k8saudit_aks, "")], f"file://{FILES}/nowhere.jsonl", ["ka.verb"])
    assert f"cannot read {FILES}/nowhere.jsonl: No such file" in messages(done)


def test_a_host_where_nothing_is_writable_is_told_what_was_tried(
    chroot: Chroot, k8saudit_aks: Plugin, params: str, tmp_path: Path
) -> None:
    host = Sysdig(chroot, tmp_path, writable=False, env={"FALCOPY_CACHE_DIR": "/nowhere"})
    done = host.run([(k8saudit_aks, "")], params, ["ka.verb"])
    said = messages(done)
    assert done.returncode == 1
    for tried in ("/nowhere", f"{FILES}/plugins", "/var/cache/falcopy", "/tmp"):
        assert tried in said, said
    assert "FALCOPY_CACHE_DIR" in said


def test_a_read_only_system_works_with_a_cache_folder_of_its_own(
    chroot: Chroot, k8saudit_aks: Plugin, params: str, tmp_path: Path
) -> None:
    warm = Sysdig(chroot, tmp_path, env={"FALCOPY_CACHE_DIR": f"{FILES}/cache"})
    (tmp_path / "cache").mkdir(mode=0o700)
    for host in (warm, Sysdig(chroot, tmp_path, writable=False, env=warm.env)):
        done = host.run([(k8saudit_aks, "")], params, ["ka.verb"], "-n", "1")
        assert len(printed(done.stdout)) == 1, messages(done)


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.01])
def test_a_truncated_library_is_refused_without_a_crash(
    sysdig: Sysdig, k8saudit_aks: Plugin, params: str, tmp_path: Path, keep: float
) -> None:
    library = tmp_path / k8saudit_aks.relative
    whole = library.read_bytes()
    library.write_bytes(whole[: int(len(whole) * keep)])
    done = sysdig.run([(k8saudit_aks, "")], params, ["ka.verb"])
    said = messages(done)
    assert done.returncode == 1, said
    assert printed(done.stdout) == []
    assert "truncated" in said or "incomplete" in said or "damaged" in said, said
    assert not [path for path in (tmp_path / "plugins").iterdir() if path.is_dir()]
