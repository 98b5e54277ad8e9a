"""Where a build came from: the SLSA provenance predicate (slsa.dev/spec/v1.0/provenance)."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.exceptions import ProjectError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Commit", "commit_of", "predicate"]

#: Names how the parameters below are to be read (SLSA, "buildType").
BUILD_TYPE: Final = "pkg:pypi/falcopy-sdk#build/v1"
#: What GitHub sets in a workflow (docs.github.com, "Variables reference").
_RUN: Final = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_WORKFLOW_REF")
_USER: Final = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a git repository: its hash in hex, and the repository's URL, empty if unknown."""

    sha: str
    url: str


def commit_of(folder: Path) -> Commit:
    """The commit that a folder's sources are of.

    Raises:
        ProjectError: it is in no repository, or differs from the commit.
    """
    sha = _git(folder, "rev-parse", "HEAD")
    if sha is None:
        raise ProjectError(
            f"{folder}: not in a git repository with a commit; leave --source out, and the "
            "provenance names the sources by their hash only"
        )
    if changed := _git(folder, "status", "--porcelain", "--", "."):
        first = changed.splitlines()[0].strip()
        raise ProjectError(
            f"{folder}: differs from the commit {sha[:12]} ({first}); commit the changes and build "
            "again, so that the provenance names what was built"
        )
    # Clones of a private repository have a token there.
    url = _USER.sub("", _git(folder, "config", "--get", "remote.origin.url") or "")
    return Commit(sha, url)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def predicate(
    bills: Sequence[Mapping[str, Any]], commit: Commit | None, builder: str | None
) -> dict[str, Any]:
    """What the bills of materials of a plugin's platforms say of its making.

    Args:
        bills: One a platform.
        commit: Of the sources.
        builder: URI of who ran the build; None: GitHub's workflow if this is one, else the tool.
    """
    run = {name: os.environ.get(name, "") for name in _RUN}
    version = next((_tool_version(bill) for bill in bills), "")
    in_workflow = all(run.values())
    if builder is None:
        builder = f"pkg:pypi/falcopy-sdk@{version}" if version else "pkg:pypi/falcopy-sdk"
        if in_workflow:
            builder = f"{run['GITHUB_SERVER_URL']}/{run['GITHUB_WORKFLOW_REF']}"
    details: dict[str, Any] = {"builder": {"id": builder}}
    if in_workflow:
        repository = f"{run['GITHUB_SERVER_URL']}/{run['GITHUB_REPOSITORY']}"
        details["metadata"] = {"invocationId": f"{repository}/actions/runs/{run['GITHUB_RUN_ID']}"}
    if version:
        details["builder"]["version"] = {"falcopy-sdk": version}
    properties = [_properties(bill) for bill in bills]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "package": next((p.get("falcopy:package", "") for p in properties if p), ""),
                "machines": sorted(p.get("falcopy:machine", "") for p in properties if p),
            },
            "resolvedDependencies": _materials(bills, commit),
        },
        "runDetails": details,
    }


def _materials(bills: Sequence[Mapping[str, Any]], commit: Commit | None) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    if commit is not None:
        uri = f"git+{commit.url}@{commit.sha}" if commit.url else f"git:{commit.sha}"
        found[uri] = {"uri": uri, "digest": {"gitCommit": commit.sha}}
    for bill in bills:
        about = _properties(bill)
        if sources := about.get("falcopy:source:dirHash"):
            uri = f"pkg:pypi/{about.get('falcopy:package', '')}#sources"
            found[uri] = {"uri": uri, "digest": {"dirHash": sources}}
        if lock := about.get("falcopy:lock:name"):
            uri = f"file:{lock}"
            found[uri] = {"uri": uri, "digest": {"sha256": about.get("falcopy:lock:sha256", "")}}
        for component in bill["components"]:
            uri = component.get("purl") or f"file:{component['name']}"
            material: dict[str, Any] = {"uri": uri, "name": component["name"]}
            for digest in component.get("hashes", ()):
                material["digest"] = {"sha256": digest["content"]}
                # Of two platforms, the same package may come in two files.
                uri = f"{uri} {digest['content']}"
            found[uri] = material
    return [found[uri] for uri in sorted(found)]


def _properties(bill: Mapping[str, Any]) -> dict[str, str]:
    listed = bill["metadata"]["component"].get("properties", ())
    return {entry["name"]: entry["value"] for entry in listed}


def _tool_version(bill: Mapping[str, Any]) -> str:
    tools = bill["metadata"].get("tools", {}).get("components", ())
    return next((str(tool.get("version", "")) for tool in tools), "")
