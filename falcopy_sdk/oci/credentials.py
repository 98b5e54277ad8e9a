"""Where credentials for a registry come from: ours, a hook, falcoctl's stores, Docker's.

Looked at in this order; the first that has the registry counts:

1. ``FALCOPY_REGISTRY``, ``FALCOPY_REGISTRY_USERNAME`` and ``FALCOPY_REGISTRY_PASSWORD``;
2. the hook ``falcopy_registry_credentials``;
3. ``FALCOCTL_REGISTRY_AUTH_BASIC`` and ``_OAUTH``; ``registry.auth`` of ``falcoctl.yaml``;
4. Docker's ``config.json``, with ``credHelpers`` and ``credsStore`` (``$DOCKER_CONFIG``, the path
   in ``registry.creds.config`` of ``falcoctl.yaml``, or ``~/.docker``);
5. falcoctl's ``clientcredentials.json``.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.exceptions import CredentialsError
from falcopy_sdk.hooks import manager
from falcopy_sdk.oci.credential import ClientCredentials, Credential
from falcopy_sdk.oci.docker_config import from_docker
from falcopy_sdk.oci.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FALCOCTL_CONFIG", "ClientCredentials", "Credential", "find_credential"]

FALCOCTL_CONFIG: Final = Path("/etc/falcoctl/falcoctl.yaml")

_OWN: Final = ("FALCOPY_REGISTRY", "FALCOPY_REGISTRY_USERNAME", "FALCOPY_REGISTRY_PASSWORD")


def find_credential(
    registry: str, *, falcoctl_config: Path = FALCOCTL_CONFIG
) -> Credential | ClientCredentials | None:
    """Look a registry up in every store.

    Args:
        registry: Host, with the port if there is one.
        falcoctl_config: falcoctl's configuration file; it need not exist.

    Returns:
        None: no store has the registry; it is asked anonymously.

    Raises:
        CredentialsError: a store is there and cannot be read.
    """
    # Read when its turn comes: one that may not be read is no trouble for what comes before it.
    config = functools.cache(lambda: _falcoctl(falcoctl_config))
    sources: tuple[Callable[[], Credential | ClientCredentials | None], ...] = (
        lambda: _from_own_variables(registry),
        lambda: _from_hook(registry),
        lambda: _from_falcoctl_variables(registry),
        lambda: _from_falcoctl_config(registry, config(), falcoctl_config),
        lambda: from_docker(registry, _docker_file(config())),
        lambda: _from_client_credentials(registry),
    )
    return next((found for source in sources if (found := source()) is not None), None)


def _from_own_variables(registry: str) -> Credential | None:
    host, username, password = (os.environ.get(name) for name in _OWN)
    if not host:
        if username or password:
            raise CredentialsError(
                f"{_OWN[1]} or {_OWN[2]} is set, but {_OWN[0]} is not: set it to the registry "
                "they are for, so that no other gets them"
            )
        return None
    if host != registry:
        return None
    if not username or not password:
        raise CredentialsError(f"{_OWN[0]} is {host}: set {_OWN[1]} and {_OWN[2]} as well")
    return Credential(username, password, source=f"{_OWN[1]} and {_OWN[2]}")


def _from_hook(registry: str) -> Credential | None:
    given = manager().hook.falcopy_registry_credentials(registry=registry)
    if given is None:
        return None
    username, password = given
    return Credential(username, password, source="the hook falcopy_registry_credentials")


def _from_falcoctl_variables(registry: str) -> Credential | ClientCredentials | None:
    variable = "FALCOCTL_REGISTRY_AUTH_BASIC"
    for host, username, password in _records(variable, 3):
        if host == registry:
            return Credential(username, password, source=variable)
    variable = "FALCOCTL_REGISTRY_AUTH_OAUTH"
    for host, client_id, client_secret, token_url in _records(variable, 4):
        if host == registry:
            return ClientCredentials(client_id, client_secret, token_url, source=variable)
    return None


def _records(variable: str, width: int) -> Iterable[list[str]]:
    for record in filter(None, os.environ.get(variable, "").split(";")):
        parts = record.split(",")
        if len(parts) != width:
            raise CredentialsError(
                f"{variable}: a record has {len(parts)} parts instead of {width}; parts are "
                "separated by commas, records by semicolons, and neither can be in a password"
            )
        yield parts


def _falcoctl(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: cannot be read ({error})") from error
    loaded = _lower(load_yaml(text, str(path), CredentialsError))
    section = loaded.get("registry") if isinstance(loaded, dict) else None
    return section if isinstance(section, dict) else {}


def _from_falcoctl_config(
    registry: str, config: Mapping[str, Any], path: Path
) -> Credential | ClientCredentials | None:
    auth = config.get("auth") or {}
    source = f"{path}, registry.auth"
    try:
        for entry in auth.get("basic") or ():
            if entry["registry"] == registry:
                return Credential(str(entry["user"]), str(entry["password"]), source=source)
        for entry in auth.get("oauth") or ():
            if entry["registry"] == registry:
                return ClientCredentials(
                    entry["clientid"], entry["clientsecret"], entry["tokenurl"], source=source
                )
        gcp = any(entry["registry"] == registry for entry in auth.get("gcp") or ())
    except (AttributeError, KeyError, TypeError) as error:
        raise CredentialsError(f"{source}: malformed ({error} is missing or misplaced)") from error
    if gcp or registry in (os.environ.get("FALCOCTL_REGISTRY_AUTH_GCP") or "").split(";"):
        return _from_gcp(registry)
    return None


def _from_gcp(registry: str) -> Credential:
    """Application default credentials, by Google's own library if it is installed."""
    try:
        import google.auth  # type: ignore[import-not-found]
        import google.auth.transport.requests  # type: ignore[import-not-found]
    except ImportError as error:
        raise CredentialsError(
            f"falcoctl's configuration has {registry} under registry.auth.gcp: for that, "
            "pip install google-auth requests; or run gcloud auth configure-docker"
        ) from error
    try:
        found, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        found.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.GoogleAuthError as error:
        raise CredentialsError(f"Google's credentials for {registry}: {error}") from error
    return Credential("oauth2accesstoken", found.token, source="Google's default credentials")


def _docker_file(config: Mapping[str, Any]) -> Path:
    named = (config.get("creds") or {}).get("config")
    if named:
        return Path(named)
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def _from_client_credentials(registry: str) -> ClientCredentials | None:
    path = Path.home() / ".config" / "falcoctl" / "clientcredentials.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        entry = stored.get(registry)
        if entry is None:
            return None
        return ClientCredentials(
            entry["ClientID"],
            entry["ClientSecret"],
            entry["TokenURL"],
            tuple(entry.get("Scopes") or ()),
            source=str(path),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise CredentialsError(f"{path}: cannot be read ({error})") from error


def _lower(value: Any) -> Any:
    """Keys in small letters: falcoctl reads its configuration so (viper)."""
    if isinstance(value, dict):
        return {str(name).lower(): _lower(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_lower(item) for item in value]
    return value
