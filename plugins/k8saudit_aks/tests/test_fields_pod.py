"""Fields that walk through the containers and volumes of a pod, and the ports of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .audit_plugin import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .audit_plugin import Ask

LISTS = ("containers", "initContainers", "ephemeralContainers")
SETTINGS = {
    "privileged": "privileged",
    "allow_privilege_escalation": "allowPrivilegeEscalation",
    "read_only_fs": "readOnlyRootFilesystem",
    "run_as_user": "runAsUser",
    "run_as_group": "runAsGroup",
    "proc_mount": "procMount",
}


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with asking() as asked:
        yield asked


def pod(**spec: Any) -> dict[str, Any]:
    return {"auditID": "x", "requestObject": {"spec": spec}}


def contexts(*values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "c", "securityContext": value} for value in values]


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("field", SETTINGS)
def test_a_setting_skips_containers_without_it(ask: Ask, kind: str, field: str) -> None:
    key = SETTINGS[field]
    name = f"ka.req.pod.{kind}.{field}"
    containers = [*contexts({key: True}, {}, {key: None}, {key: "x"}), {}, None, "c"]
    event = pod(**{kind: containers})
    assert ask(event, name) == ["true", "null", "x"]
    assert ask(event, f"{name}[0]") == ["true"]
    assert ask(event, f"{name}[1]") is None
    assert ask(event, f"{name}[2]") == ["null"]
    assert ask(event, f"{name}[7]") is None
    assert ask(event, f"{name}[9223372036854775808]") is None
    assert ask(event, f"{name}[18446744073709551614]") is None
    assert ask(pod(**{kind: contexts({}, {})}), name) is None
    assert ask(pod(**{kind: []}), name) is None


@pytest.mark.parametrize("kind", LISTS)
def test_each_kind_of_container_has_its_own_fields(ask: Ask, kind: str) -> None:
    event = pod(**{each: [{"name": each, "image": each}] for each in LISTS})
    assert ask(event, f"ka.req.pod.{kind}.name") == [kind]
    assert ask(event, f"ka.req.pod.{kind}.image") == [kind]


def test_templates_and_top_level_ephemeral_containers_are_not_looked_at(ask: Ask) -> None:
    event = {
        "auditID": "x",
        "requestObject": {
            "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}},
            "ephemeralContainers": [{"name": "e"}],
        },
    }
    for kind in LISTS:
        assert ask(event, f"ka.req.pod.{kind}.name") is None


def test_names_and_images_skip_a_container_without_them(ask: Ask) -> None:
    event = pod(containers=[{"name": "a"}, {"image": "i:1"}, {"name": None, "image": "r:1/i"}])
    assert ask(event, "ka.req.pod.containers.name") == ["a", "null"]
    assert ask(event, "ka.req.pod.containers.name[1]") is None
    assert ask(event, "ka.req.pod.containers.image") == ["i:1", "r:1/i"]
    assert ask(event, "ka.req.pod.containers.image.repository") == ["i", "r:1/i"]
    assert ask(event, "ka.req.pod.containers.image.repository[1]") == ["i"]
    assert ask(event, "ka.req.container.image") is None
    assert ask(event, "ka.req.container.image.repository") is None


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("reg:5000/team/app:v1", "reg:5000/team/app"),
        ("reg:5000/team/app", "reg:5000/team/app"),
        ("reg:5000/team/app:v1@sha256:ab", "reg:5000/team/app"),
        ("a/b@sha256:ab", "a/b"),
        ("[2001:db8::1]:5000/a:v1", "[2001:db8::1]:5000/a"),
        ("a:b:c", "a"),
        (":x", ""),
        ("", ""),
        (None, "null"),
    ],
)
def test_the_repository_is_the_name_in_the_image_reference(
    ask: Ask, image: Any, repository: str
) -> None:
    event = pod(containers=[{"image": image}])
    assert ask(event, "ka.req.pod.containers.image.repository") == [repository]
    assert ask(event, "ka.req.container.image.repository") == repository


def test_the_first_containers_image_is_that_of_the_first_element(ask: Ask) -> None:
    assert ask(pod(containers=[{"image": "a"}, {"image": "b"}]), "ka.req.container.image") == "a"
    assert ask(pod(containers={"image": "lone"}), "ka.req.container.image") == "lone"
    assert ask(pod(containers=[]), "ka.req.container.image") is None
    assert ask(pod(), "ka.req.container.image") is None


@pytest.mark.parametrize("key", ["command", "args"])
@pytest.mark.parametrize(
    ("vectors", "texts"),
    [
        ([["sh", "-c", "id"], ["x"]], ["sh -c id", "x"]),
        ([["a b", "c"], None, ["d"]], None),
        ([[]], [""]),
        (["text"], None),
        ([["a", 1]], None),
        ([["a"], [None]], None),
        ([], None),
    ],
)
def test_arguments_are_joined_and_one_that_is_none_voids_them_all(
    ask: Ask, key: str, vectors: list[Any], texts: list[str] | None
) -> None:
    event = pod(containers=[{"name": "without"}, *({key: vector} for vector in vectors)])
    assert ask(event, f"ka.req.pod.containers.{key}") == texts
    assert ask(event, f"ka.req.pod.containers.{key}[0]") is None


def test_an_index_looks_at_one_containers_arguments_only(ask: Ask) -> None:
    event = pod(containers=[{"command": ["a", "b"]}, {"command": None}])
    assert ask(event, "ka.req.pod.containers.command") is None
    assert ask(event, "ka.req.pod.containers.command[0]") == ["a b"]
    assert ask(event, "ka.req.pod.containers.command[1]") is None


def test_capabilities_stay_one_json_array_a_container(ask: Ask) -> None:
    event = pod(
        containers=contexts(
            {"capabilities": {"add": ["NET_ADMIN", "SYS_TIME"]}},
            {"capabilities": {"drop": ["ALL"]}},
            {"capabilities": {"add": []}},
            {"capabilities": {"add": None}},
        )
    )
    field = "ka.req.pod.containers.add_capabilities"
    assert ask(event, field) == ['["NET_ADMIN","SYS_TIME"]', "[]", "null"]
    assert ask(event, f"{field}[2]") == ["[]"]


def test_a_host_port_falls_back_to_the_container_port(ask: Ask) -> None:
    event = pod(
        containers=[
            {"ports": [{"hostPort": 80, "containerPort": 8080}, {"containerPort": 9090}]},
            {"name": "without"},
            {"ports": [{"hostPort": 0}, {"hostPort": None}, {}, None, 7, [{"hostPort": 1}]]},
        ]
    )
    field = "ka.req.pod.containers.host_port"
    assert ask(event, field) == ["80", "9090", "0", "null"]
    assert ask(event, f"{field}[0]") == ["80", "9090"]
    assert ask(event, f"{field}[1]") is None
    assert ask(pod(containers=[{"ports": []}]), field) is None
    for wrong in (None, {}, "80", {"hostPort": 80}):
        mixed = pod(containers=[{"ports": [{"hostPort": 80}]}, {"ports": wrong}])
        assert ask(mixed, field) is None
        assert ask(mixed, f"{field}[0]") == ["80"]
    assert ask(pod(initContainers=[{"ports": [{"hostPort": 80}]}]), field) is None


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(("field", "key"), [("user", "runAsUser"), ("group", "runAsGroup")])
def test_the_effective_id_is_the_containers_then_the_pods_then_0(
    ask: Ask, kind: str, field: str, key: str
) -> None:
    name = f"ka.req.pod.{kind}.eff_run_as_{field}"
    containers = [*contexts({key: 1000}, {}, {key: None}), {"name": "bare"}, None]
    event = pod(**{kind: containers, "securityContext": {key: 7}})
    assert ask(event, name) == ["1000", "7", "null", "7", "7"]
    assert [ask(event, f"{name}[{i}]") for i in range(4)] == [["1000"], ["7"], ["null"], ["7"]]
    assert ask(event, f"{name}[5]") is None
    assert ask(pod(**{kind: containers}), name) == ["1000", "0", "null", "0", "0"]
    # Directly beside securityContext there is no such member in a pod.
    beside = pod(**{kind: [{key: 5}], key: 6})
    assert ask(beside, name) == ["0"]
    for none in ([], None, "x", 1):
        assert ask(pod(**{kind: none, "securityContext": {key: 7}}), name) is None
        assert ask(pod(**{kind: none, "securityContext": {key: 7}}), f"{name}[0]") is None
    lone = pod(**{kind: {"name": "lone"}, "securityContext": {key: 7}})
    assert ask(lone, name) == ["7"]
    assert ask(lone, f"{name}[3]") == ["7"]
    nested = pod(**{kind: [[{"name": "a"}], {"name": "b"}]})
    assert ask(nested, name) == ["0", "0"]
    assert ask(nested, f"{name}[0]") is None


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ([True], "true"),
        ([False, True], "true"),
        ([False], "false"),
        (["true"], "false"),
        ([1], "false"),
        ([None], "false"),
        ([], "false"),
    ],
)
def test_any_container_with_the_literal_true_is_privileged(
    ask: Ask, values: list[Any], answer: str
) -> None:
    containers = contexts(*({"privileged": value} for value in values))
    assert ask(pod(containers=containers), "ka.req.container.privileged") == answer


def test_privileged_is_false_without_settings_and_absent_without_containers(ask: Ask) -> None:
    assert ask(pod(containers=[{}, None]), "ka.req.container.privileged") == "false"
    init = pod(containers=[], initContainers=contexts({"privileged": True}))
    assert ask(init, "ka.req.container.privileged") == "false"
    for event in (pod(), pod(containers=None), pod(containers={}), {"auditID": "x"}):
        assert ask(event, "ka.req.container.privileged") is None


def test_one_container_that_is_no_array_counts_as_the_container(ask: Ask) -> None:
    event = pod(containers={"name": "lone", "securityContext": {"privileged": True}})
    assert ask(event, "ka.req.pod.containers.name") == ["lone"]
    assert ask(event, "ka.req.pod.containers.name[5]") == ["lone"]
    assert ask(event, "ka.req.container.privileged") == "true"


def test_arrays_are_mapped_at_every_level_and_in_arrays(ask: Ask) -> None:
    name = "ka.req.pod.containers.name"
    nested = pod(containers=[[{"name": "a"}, [{"name": "b"}]], [], {"name": "c"}])
    assert ask(nested, name) == ["a", "b", "c"]
    assert ask(nested, f"{name}[0]") is None
    assert ask(nested, f"{name}[2]") == ["c"]
    spec = {"containers": [{"name": "a"}, {"name": "b"}]}
    above = {"auditID": "x", "requestObject": [{"spec": spec}, {"spec": [spec]}, {}]}
    assert ask(above, name) == ["a", "b", "a", "b"]
    assert ask(above, f"{name}[0]") == ["a"]  # the same index at every level
    assert ask(above, f"{name}[1]") is None
    context = pod(containers=[{"securityContext": [{"runAsUser": 1}, {"runAsUser": 2}]}])
    assert ask(context, "ka.req.pod.containers.run_as_user") == ["1", "2"]
    assert ask(context, "ka.req.pod.containers.run_as_user[0]") == ["1"]


def test_arrays_nested_deeper_than_python_recurses_are_no_trouble(ask: Ask) -> None:
    deep = b'{"auditID":"x","requestObject":' + b"[" * 1000 + b"]" * 1000 + b"}"
    assert ask(deep, "ka.req.pod.containers.name") is None
    text = b"[" * 290 + b"]" * 290
    event = b'{"auditID":"x","requestObject":{"spec":{"ports":' + text + b"}}}"
    assert ask(event, "ka.req.service.ports") == [text.decode()]


@pytest.mark.parametrize(
    ("ports", "texts"),
    [
        ([{"port": 80, "nodePort": 30080}], ['[{"port":80,"nodePort":30080}]']),
        ([], ["[]"]),
        (None, ["null"]),
        ("80", ["80"]),
    ],
)
def test_service_ports_are_one_string(ask: Ask, ports: Any, texts: list[str]) -> None:
    for index in ("", "[0]", "[9]"):
        assert ask(pod(ports=ports), f"ka.req.service.ports{index}") == texts
    assert ask(pod(), "ka.req.service.ports") is None


VOLUMES = [
    {"name": "a", "hostPath": {"path": "/etc"}},
    {"name": "b", "emptyDir": {}},
    {"name": "c", "hostPath": {"path": "/var/run/docker.sock"}, "x": 1},
    {"name": "d", "hostPath": {"path": None}},
    {"name": "e", "flexVolume": {"driver": "example.com/flex"}},
    {"name": "f", "hostPath": "/text"},
    None,
]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("hostpath", ["/etc", "/var/run/docker.sock", "null"]),
        ("hostpath[0]", ["/etc"]),
        ("hostpath[1]", None),
        ("hostpath[9]", None),
        ("flexvolume_driver", ["example.com/flex"]),
        ("flexvolume_driver[0]", None),
        ("flexvolume_driver[4]", ["example.com/flex"]),
        (
            "volume_type",
            ["hostPath", "emptyDir", "hostPath", "x", "hostPath", "flexVolume", "hostPath"],
        ),
        ("volume_type[2]", ["hostPath", "x"]),
        ("volume_type[6]", None),
        ("volume_type[7]", None),
    ],
)
def test_volumes(ask: Ask, field: str, values: list[str] | None) -> None:
    assert ask(pod(volumes=VOLUMES), f"ka.req.pod.volumes.{field}") == values
    for none in ([], [{}], "x", None):
        assert ask(pod(volumes=none), f"ka.req.pod.volumes.{field}") is None


def test_a_lone_volume_counts_and_a_hole_above_the_volumes_voids_their_types(ask: Ask) -> None:
    lone = {"name": "v", "emptyDir": {}}
    assert ask(pod(volumes=lone), "ka.req.pod.volumes.volume_type[3]") == ["emptyDir"]
    holed = {"auditID": "x", "requestObject": [{"spec": {"volumes": [lone]}}, {}]}
    assert ask(holed, "ka.req.pod.volumes.volume_type") is None


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        ("/etc", "true"),
        ("/var/run/docker.sock", "true"),
        ("/var/*", "true"),
        ("/etc*", "true"),
        ("*", "true"),
        ("null", "true"),
        ("/var", "false"),
        ("/ETC", "false"),
        ("/*/run", "false"),
        ("0", "false"),
    ],
)
def test_a_host_path_is_matched_whole_or_by_its_start(ask: Ask, pattern: str, answer: str) -> None:
    assert ask(pod(volumes=VOLUMES), f"ka.req.volume.hostpath[{pattern}]") == answer


def test_a_path_that_ends_in_a_star_is_found_by_itself(ask: Ask) -> None:
    event = pod(volumes=[{"hostPath": {"path": "/a*"}}])
    assert ask(event, "ka.req.volume.hostpath[/a*]") == "true"


def test_an_empty_pattern_is_no_question(ask: Ask) -> None:
    assert ask(pod(volumes=[{"hostPath": {"path": ""}}]), 'ka.req.volume.hostpath[""]') is None


def test_host_paths_without_volumes(ask: Ask) -> None:
    assert ask(pod(volumes=[]), "ka.req.volume.hostpath[/etc]") == "false"
    assert ask(pod(volumes=[{"emptyDir": {}}]), "ka.req.volume.hostpath[*]") == "false"
    for event in (pod(), pod(volumes=None), pod(volumes={"emptyDir": {}}), {"auditID": "x"}):
        assert ask(event, "ka.req.volume.hostpath[/etc]") is None
