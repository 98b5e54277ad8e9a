"""``falcopy sbom``, ``sign`` and ``verify``, as a user runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from .publishing import Repository, flip


def _falcopy(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "COSIGN_PASSWORD"}
    done = subprocess.run(
        [sys.executable, "-m", "falcopy_sdk", *map(str, arguments)],
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_sign_and_verify_a_reference(
    repository: Repository, library: Path, key_files: tuple[Path, Path]
) -> None:
    root = repository.publish(library)
    reference = f"{repository.registry.host}/{repository.name}:0.1.0"
    private, public = key_files
    done = _falcopy("sign", reference, "--key", private, COSIGN_PASSWORD="correct horse")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"@{root.digest}")
    assert "SBOM of: linux/amd64" in done.stderr
    done = _falcopy("verify", reference, "--key", public, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["digest"] == root.digest
    assert len(report["checks"]) == 11


def test_a_failed_check_ends_with_1_and_says_what_to_do(
    repository: Repository, library: Path, key_files: tuple[Path, Path]
) -> None:
    repository.publish(library)
    reference = f"{repository.registry.host}/{repository.name}:0.1.0"
    done = _falcopy("verify", reference, "--key", key_files[1])
    assert done.returncode == 1
    assert "failed  signature" in done.stdout
    assert "→ publisher: falcopy sign REF --key cosign.key" in done.stdout
    assert done.stdout.splitlines()[-1] == "3 of 11 checks failed"


def test_sign_and_verify_a_file(plugin: Path, key_files: tuple[Path, Path]) -> None:
    private, public = key_files
    done = _falcopy("sign", plugin, "--key", private, COSIGN_PASSWORD="correct horse")
    assert done.stdout.strip() == f"{plugin}.sig"
    assert _falcopy("verify", plugin, "--key", public).returncode == 0
    flip(plugin, plugin.stat().st_size - 40_000)
    done = _falcopy("verify", plugin, "--key", public)
    assert done.returncode == 1
    assert "failed  signature" in done.stdout
    assert "failed  payload" in done.stdout


def test_what_sign_is_not_given(
    plugin: Path, key_files: tuple[Path, Path], repository: Repository
) -> None:
    done = _falcopy("sign", plugin)
    assert done.returncode == 2
    assert "--key is missing" in done.stderr
    done = _falcopy("sign", plugin, "--key", key_files[0], COSIGN_PASSWORD="wrong")
    assert done.returncode == 2
    assert "the password does not open the key" in done.stderr
    missing = f"{repository.registry.host}/{repository.name}:9.9.9"
    done = _falcopy("sign", missing, "--key", key_files[0], COSIGN_PASSWORD="correct horse")
    assert done.returncode == 6
    assert "not found" in done.stderr
    done = _falcopy("verify", "no-such-file.so")
    assert done.returncode == 2
    assert "names no registry" in done.stderr


def test_a_predicate_to_sign_with_another_tool(
    repository: Repository, library: Path, tmp_path: Path
) -> None:
    repository.publish(library)
    reference = f"{repository.registry.host}/{repository.name}:0.1.0"
    done = _falcopy("sign", reference, "--predicate", tmp_path / "p.json")
    assert done.returncode == 0, done.stderr
    assert "buildDefinition" in json.loads((tmp_path / "p.json").read_text())
    # Nothing is signed, and what verify looks for without a key pair is there.
    assert not [
        t for t in repository.registry.tags(repository.name) if t.endswith((".sig", ".att"))
    ]
    assert "attached: bills of materials; nothing is signed yet" in done.stderr
    done = _falcopy("verify", reference)
    assert done.returncode == 0, done.stdout
    assert re.search(
        r"^ok +attached SBOM linux/amd64 +the same as the one inside$", done.stdout, re.M
    )


def test_the_bill_of_materials_is_printed(library: Path, tmp_path: Path) -> None:
    document = json.loads(_falcopy("sbom", library).stdout)
    assert document["bomFormat"] == "CycloneDX"
    lines = _falcopy("sbom", library, "--list").stdout.splitlines()
    assert any(line.split()[0] == "orjson" for line in lines)
    assert any(line.startswith("cpython ") and line.endswith(" PSF-2.0") for line in lines)
    folder = tmp_path / "licences"
    assert _falcopy("sbom", library, "--licences", folder).returncode == 0
    assert (folder / "orjson").is_dir()
    assert (folder / "falcopy-sdk" / "LICENSE").read_text().lstrip().startswith("Apache License")
