"""The fields serve another source as they are: nothing of Azure is imported with them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

# Log entries of Google Cloud, whose payload is made into an audit event; the source is a file.
PLUGIN = textwrap.dedent(
    """
    import json, sys
    from k8saudit import Extra, KubernetesAuditFields, records
    from falcopy_sdk import extract, plugin, plugin_spec, source
    from falcopy_sdk.host import Library

    @plugin(
        name="k8saudit-gke",
        id=16,
        version="0.1.0",
        description="Kubernetes audit events of GKE clusters",
        contact="https://example.org",
        event_source="k8s_audit",
    )
    class K8sAuditGke(KubernetesAuditFields):
        project = extract.path("gke.project", "gke", "project", desc="Project of the cluster")

        @source
        def events(self, params):
            with open(params, encoding="utf-8") as entries:
                for entry in map(json.loads, entries):
                    payload = entry["protoPayload"]
                    event = {
                        "kind": "Event",
                        "auditID": entry["insertId"],
                        "stageTimestamp": entry["timestamp"],
                        "user": {"username": payload["authenticationInfo"]["principalEmail"]},
                        "sourceIPs": [payload["requestMetadata"]["callerIp"]],
                        "requestObject": payload.get("request"),
                    }
                    labels = entry["resource"]["labels"]
                    extra = Extra.of("gke", {"project": labels["project_id"]})
                    yield from records(event, extra=extra)

    FIELDS = json.loads(sys.argv[2])
    with (
        Library.from_class(K8sAuditGke) as library,
        library.init() as loaded,
        loaded.open(sys.argv[1]) as instance,
    ):
        seen = [[loaded.extract(event, field) for field in FIELDS] for event in instance.events()]
    foreign = [name for name in sys.modules if name.split(".")[0] in ("azure", "k8saudit_aks")]
    print(json.dumps([len(plugin_spec(K8sAuditGke).fields), seen, foreign]))
    """
)
ENTRY = {
    "insertId": "5c1",
    "timestamp": "2024-05-01T12:34:56.5Z",
    "resource": {"type": "k8s_cluster", "labels": {"project_id": "shop", "cluster_name": "web"}},
    "protoPayload": {
        "authenticationInfo": {"principalEmail": "alice@example.org"},
        "requestMetadata": {"callerIp": "192.0.2.1"},
        "request": {"spec": {"containers": [{"name": "a", "image": "reg:5000/team/app:v1"}]}},
    },
}
EXPECTED = {
    "ka.auditid": "5c1",
    "ka.user.name": "alice@example.org",
    "ka.sourceips": ["192.0.2.1"],
    "ka.req.pod.containers.image.repository": ["reg:5000/team/app"],
    "ka.req": "verb=<NA>, user=alice@example.org, groups=<NA>, target=<NA>",
    "gke.project": "shop",
}


def test_a_plugin_for_another_cloud_has_all_fields_and_nothing_of_azure(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    entries = tmp_path / "entries.jsonl"
    entries.write_text(f"{json.dumps(ENTRY)}\n" * 2, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "plugin.py", str(entries), json.dumps(list(EXPECTED))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    fields, seen, foreign = json.loads(done.stdout)
    assert fields == 102
    assert seen == [list(EXPECTED.values())] * 2
    assert foreign == []
