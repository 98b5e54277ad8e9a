"""Packages that plugins for clouds use, which import in ways of their own, in a real bundle."""

import json

import pytest

from falcopy_sdk.bundle import build
from falcopy_sdk.host import Library

#: Of each package, what finds modules only at this moment; an expression.
USES = {
    "boto3": 'boto3.client("s3", "eu-west-1").meta.service_model.service_id',
    "pyzmq": "zmq.Context().socket(zmq.PAIR).type.name",
    "websockets": "websockets.connect.__module__",
    "kafka-python": "kafka.KafkaConsumer.__name__",
}
SAID = {
    "boto3": "S3",
    "pyzmq": "PAIR",
    "websockets": "websockets.asyncio.client",
    "kafka-python": "KafkaConsumer",
}


@pytest.fixture
def libraries_project(project):
    """The small plugin, with an event of what these packages say."""
    (project / "requirements.lock").unlink()
    settings, module = project / "pyproject.toml", project / "src/tiny/plugin.py"
    wanted = ", ".join(f'"{name}"' for name in ("orjson>=3.9", *USES))
    settings.write_text(settings.read_text().replace('"orjson>=3.9"', wanted))
    said = ", ".join(f'"{name}": {expression}' for name, expression in USES.items())
    text = module.read_text().replace('{"verb": "start"}', f'{{"verb": "start", {said}}}')
    imports = "import boto3\nimport kafka\nimport zmq\nimport websockets\n"
    module.write_text(text.replace("import orjson\n", f"import orjson\n{imports}"))
    return project


def test_modules_that_packages_import_late_are_there(libraries_project, tmp_path, monkeypatch):
    monkeypatch.setenv("FALCOPY_CACHE_DIR", str(tmp_path / "cache"))
    path = build(libraries_project, tmp_path / "x.so").path
    with (
        Library.load(path) as library,
        library.init("") as plugin,
        plugin.open("") as instance,
    ):
        first = json.loads(next(instance.events(timeout=30)).data)
        assert {name: first[name] for name in USES} == SAID
