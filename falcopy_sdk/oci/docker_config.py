"""Docker's ``config.json`` and its credential helpers (docs.docker.com, "docker login")."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.exceptions import CredentialsError
from falcopy_sdk.oci.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["from_docker"]

_HUB: Final = "https://index.docker.io/v1/"
#: What a helper gives as the user of an identity token.
_TOKEN_USER: Final = "<token>"  # noqa: S105 - a marker, no secret
_NOT_FOUND: Final = "credentials not found"
_HELPER_SECONDS: Final = 60


def from_docker(registry: str, path: Path) -> Credential | None:
    """Look a registry up as Docker does: its own helper, the common store, then the file.

    Args:
        registry: Host, with the port if there is one.
        path: ``config.json``; it need not exist.

    Raises:
        CredentialsError: the file or what a helper says cannot be read.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{path}: cannot be read ({error})") from error
    if not isinstance(config, dict):
        raise CredentialsError(f"{path}: not a JSON object")
    server = _HUB if registry in ("docker.io", "index.docker.io") else registry
    helper = (config.get("credHelpers") or {}).get(registry) or config.get("credsStore")
    if helper:
        found = _from_helper(str(helper), server)
        if found is not None:
            return found
    return _from_file(config.get("auths") or {}, server, path)


def _from_file(auths: Mapping[str, Any], server: str, path: Path) -> Credential | None:
    entry = next((auths[key] for key in auths if _host(key) == _host(server)), None)
    if not isinstance(entry, dict) or not entry:
        return None
    token = str(entry.get("identitytoken") or "")
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except ValueError as error:
            raise CredentialsError(
                f"{path}: auths has no readable user and password for {server}; log in again"
            ) from error
    if not token and not username:
        return None
    return Credential(username, password.rstrip("\0"), token, source=str(path))


def _host(key: str) -> str:
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _from_helper(name: str, server: str) -> Credential | None:
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=server,
            capture_output=True,
            text=True,
            check=False,
            timeout=_HELPER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CredentialsError(
            f"Docker's config.json names the credential helper {program}, which cannot be run "
            f"({error}); install it, or remove it from there"
        ) from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        if _NOT_FOUND in said:
            return None
        raise CredentialsError(f"{program} gives no credentials for {server}: {said}")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialsError(f"{program}: its answer for {server} cannot be read") from error
    if username == _TOKEN_USER:
        return Credential("", "", secret, source=program)
    return Credential(username, secret, source=program)
